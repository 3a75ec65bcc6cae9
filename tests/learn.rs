//! `dpo-lint learn` on a tiny library: as a wheel, and installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// The files of a release of `tinylib`; `extra` is a parameter that only some releases have.
fn files(version: &str, extra: &str) -> Vec<(String, String)> {
    let trainer = format!(
        "class Trainer:\n    def __init__(self, model, ref_model=None{extra}):\n        if ref_model is model:\n            \
         raise ValueError('the same')\n        self.model = model\n"
    );
    let metadata =
        format!("Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\nRequires-Dist: transformers>=4.40\n");
    vec![
        ("tinylib/__init__.py".to_owned(), "from .trainer import Trainer\n".to_owned()),
        ("tinylib/trainer.py".to_owned(), trainer),
        (format!("tinylib-{version}.dist-info/METADATA"), metadata),
    ]
}

fn wheel(folder: &Path, version: &str, extra: &str) -> PathBuf {
    let path = folder.join(format!("tinylib-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    for (name, text) in files(version, extra) {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.finish().expect("finished");
    path
}

fn install(folder: &Path, version: &str, extra: &str) -> PathBuf {
    let site_packages = folder.join("site-packages");
    for (name, text) in files(version, extra) {
        let path = site_packages.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    site_packages
}

/// Exit code, standard output, standard error.
fn learn(folder: &Path, args: &[&str], paths: &[&Path]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("dpo-lint").expect("the program");
    // What the user of this machine has learnt does not count.
    command.env("DPO_LINT_CACHE", folder.join("no-such-cache"));
    let output = command.current_dir(folder).arg("learn").args(args).args(paths).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn releases_are_mined_from_wheels() {
    let folder = tempfile::tempdir().expect("a folder");
    // Handed over newest first: the order is that of the versions.
    let wheels = [wheel(folder.path(), "1.10", ", beta=0.1"), wheel(folder.path(), "1.9", "")];
    let paths: Vec<&Path> = wheels.iter().map(PathBuf::as_path).collect();
    let (code, out, err) = learn(folder.path(), &["--package", "tinylib", "--output", "-"], &paths);
    assert_eq!((code, err.as_str()), (0, ""));
    let mined: Value = serde_json::from_str(&out).expect("JSON");
    let versions: Vec<&Value> =
        mined["releases"].as_array().expect("releases").iter().map(|one| &one["version"]).collect();
    assert_eq!(versions, ["1.9", "1.10"]);
    assert_eq!(mined["releases"][0]["requires"][0], "transformers>=4.40");
    let trainer = &mined["callables"]["tinylib.trainer.Trainer"];
    assert!(trainer.to_string().contains("model is ref_model"), "{trainer}");
    assert!(trainer["parameters"].get("ref_model").is_some(), "{trainer}");
    assert!(trainer["parameters"]["beta"].to_string().contains("1.10"), "{trainer}");

    let (code, out, _) = learn(folder.path(), &["--package", "tinylib", "--output", "tinylib.json"], &paths);
    assert_eq!((code, out.as_str()), (0, ""));
    let written = std::fs::read_to_string(folder.path().join("tinylib.json")).expect("written");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), mined);
}

#[test]
fn an_installed_copy_is_mined_like_its_wheel() {
    let folder = tempfile::tempdir().expect("a folder");
    let wheel = wheel(folder.path(), "1.9", "");
    let installed = install(folder.path(), "1.9", "");
    let from_wheel = learn(folder.path(), &["--package", "tinylib", "--output", "-"], &[&wheel]);
    let from_folder = learn(folder.path(), &["--package", "tinylib", "--output", "-"], &[&installed]);
    assert_eq!(from_wheel.0, 0, "{}", from_wheel.2);
    assert_eq!(from_wheel, from_folder);
    assert!(from_wheel.1.contains("tinylib.trainer.Trainer"), "{}", from_wheel.1);
}

#[test]
fn what_is_no_wheel_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let no_wheel = folder.path().join("tinylib-1.0-py3-none-any.whl");
    std::fs::write(&no_wheel, "no archive").expect("written");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    for path in [no_wheel, empty, folder.path().join("gone.whl")] {
        let (code, out, err) = learn(folder.path(), &["--package", "tinylib", "--output", "-"], &[&path]);
        assert_eq!((code, out.as_str()), (2, ""), "{}", path.display());
        assert!(
            err.starts_with("error: ") && err.contains(path.file_name().expect("a name").to_str().expect("UTF-8")),
            "{err}"
        );
    }
}
