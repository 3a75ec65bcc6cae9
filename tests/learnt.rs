//! Releases that the tool lacks: learnt from a wheel or from where they are installed, and used by every check.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A release of trl that no index has: its trainer takes less than any real one.
fn files(version: &str, parameter: &str) -> Vec<(String, String)> {
    let trainer = format!(
        "class DPOTrainer:\n    def __init__(self, model, args=None, {parameter}=None):\n        if {parameter} is not None:\n            \
         raise ValueError('no longer')\n"
    );
    let metadata = format!("Metadata-Version: 2.1\nName: trl\nVersion: {version}\n");
    let record =
        format!("trl/__init__.py,sha256=a,1\ntrl/trainer.py,sha256={parameter},2\ntrl-{version}.dist-info/RECORD,,\n");
    vec![
        ("trl/__init__.py".to_owned(), "from .trainer import DPOTrainer\n".to_owned()),
        ("trl/trainer.py".to_owned(), trainer),
        (format!("trl-{version}.dist-info/METADATA"), metadata),
        (format!("trl-{version}.dist-info/RECORD"), record),
    ]
}

/// A folder with a project, a cache of its own, and whatever a test adds.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(requirement: &str, argument: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.write("project/requirements.txt", &format!("{requirement}\n"));
        place.write(
            "project/train.py",
            &format!("from trl import DPOTrainer\ntrainer = DPOTrainer(\"model\", {argument}=1)\n"),
        );
        std::fs::create_dir(place.path("project/.git")).expect("a folder");
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    fn wheel(&self, version: &str, parameter: &str) -> PathBuf {
        let path = self.path(&format!("trl-{version}-py3-none-any.whl"));
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
        for (name, text) in files(version, parameter) {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
            archive.write_all(text.as_bytes()).expect("written");
        }
        archive.finish().expect("finished");
        path
    }

    /// Installs it in a virtual environment.
    fn install(&self, version: &str, parameter: &str) -> PathBuf {
        for (name, text) in files(version, parameter) {
            self.write(&format!("venv/lib/python3.12/site-packages/{name}"), &text);
        }
        self.path("venv")
    }

    /// Exit code, standard output, standard error.
    fn run(&self, args: &[&str], paths: &[&Path]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("dpo-lint").expect("the program");
        command.current_dir(self.path("project")).env("DPO_LINT_CACHE", self.path("cache"));
        let output = command.args(args).args(paths).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
    }

    fn check(&self, args: &[&str]) -> (i32, String, String) {
        self.run(&[&["check", "--output-format", "concise"], args].concat(), &[])
    }

    /// The files in the cache.
    fn kept(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("cache")) else { return Vec::new() };
        entries.map(|entry| entry.expect("it can be listed").path()).collect()
    }
}

#[test]
fn a_wheel_is_learnt_once_and_used_by_every_check() {
    let place = Place::new("trl==77.0", "beta");
    let (code, _, _) = place.check(&[]);
    assert_eq!(code, 0, "nothing is known of the release");
    let wheel = place.wheel("77.0", "gamma");
    let (code, out, err) = place.run(&["learn"], &[&wheel]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("learnt trl 77.0 from "), "{out}");
    let (code, out, _) = place.check(&[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("train.py:2") && out.contains("beta") && out.contains("trl 77.0"), "{out}");
    // The check that only this release has.
    place.write("project/train.py", "from trl import DPOTrainer\ntrainer = DPOTrainer(\"model\", gamma=1)\n");
    let (code, out, _) = place.check(&[]);
    assert!(code == 1 && out.contains("refuses `gamma=1`"), "{out}");
    // Of releases that are built in nothing is said that they do not do.
    let (code, out, _) = place.check(&["--target", "trl==0.12.2"]);
    assert!(code == 1 && !out.contains("refuses"), "{out}");
}

#[test]
fn a_newer_release_is_what_a_range_gets() {
    let place = Place::new("trl>=0.9", "gamma");
    let version = |place: &Place| {
        let table = place.run(&["versions"], &[]).1;
        table.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(!version(&place).contains("77.0"));
    for version in ["77.0", "77.1.dev0", "77.0+fork"] {
        place.run(&["learn"], &[&place.wheel(version, "gamma")]);
    }
    let shown = version(&place);
    assert!(shown.contains("trl 77.0 "), "neither a pre-release nor a fork: {shown}");
    for pin in ["77.1.dev0", "77.0+fork", "77.0"] {
        place.write("project/requirements.txt", &format!("trl=={pin}\n"));
        let shown = version(&place);
        assert!(shown.contains(&format!("trl {pin} ")) && !shown.contains("not among"), "{pin}: {shown}");
    }
}

#[test]
fn what_is_installed_is_learnt_by_the_check_that_meets_it() {
    let place = Place::new("trl>=0.9", "beta");
    let venv = place.install("77.1.dev0+g1234", "gamma");
    let python = venv.to_str().expect("UTF-8");
    let (code, out, err) = place.check(&["--python", python]);
    assert!(code == 1 && out.contains("trl 77.1.dev0+g1234"), "{out}");
    assert!(err.contains("trl 77.1.dev0+g1234 is new to dpo-lint: learnt from "), "{err}");
    let again = place.check(&["--python", python]);
    assert_eq!(again, (code, out, String::new()), "the second time there is nothing to learn");
    // Another commit of the same version.
    place.install("77.1.dev0+g1234", "beta");
    let (code, out, err) = place.check(&["--python", python]);
    assert!(err.contains("is new to dpo-lint"), "{err}");
    assert!(code == 1 && out.contains("refuses `beta=1`"), "{out}");
    assert_eq!(place.kept().len(), 1, "in the place of the other");
}

#[test]
fn an_editable_install_is_learnt_from_its_source() {
    let place = Place::new("trl>=0.9", "beta");
    let metadata = "venv/lib/python3.12/site-packages/trl-77.2.dist-info";
    place.write("clone/src/trl/__init__.py", "class DPOTrainer:\n    def __init__(self, model): ...\n");
    place.write(&format!("{metadata}/METADATA"), "Metadata-Version: 2.1\nName: trl\nVersion: 77.2\n");
    let source =
        format!("{{\"url\": \"file://{}\", \"dir_info\": {{\"editable\": true}}}}", place.path("clone").display());
    place.write(&format!("{metadata}/direct_url.json"), &source);
    let python = place.path("venv");
    let (code, out, err) = place.check(&["--python", python.to_str().expect("UTF-8")]);
    assert!(code == 1 && out.contains("beta"), "{out}{err}");
    // Without check sums its files are compared.
    place.write("clone/src/trl/__init__.py", "class DPOTrainer:\n    def __init__(self, model, beta): ...\n");
    let (code, _, err) = place.check(&["--python", python.to_str().expect("UTF-8")]);
    assert!(code == 0 && err.contains("is new to dpo-lint"), "{err}");
}

#[test]
fn what_is_built_in_is_not_learnt() {
    let place = Place::new("trl>=0.9", "beta");
    let (code, out, _) = place.run(&["learn"], &[&place.wheel("0.12.2", "gamma")]);
    assert_eq!((code, out.as_str()), (0, "trl 0.12.2 is built in\n"));
    assert_eq!(place.kept(), [] as [PathBuf; 0]);
}

#[test]
fn a_damaged_cache_is_left_out_with_a_note() {
    let place = Place::new("trl==77.0", "beta");
    place.run(&["learn"], &[&place.wheel("77.0", "gamma")]);
    let [file] = &place.kept()[..] else { panic!("one file") };
    let good = std::fs::read(file).expect("it can be read");
    let text = String::from_utf8_lossy(&good).into_owned();
    let damages = [
        Vec::new(),
        good[..good.len() / 2].to_vec(),
        text.replace("gamma", "delta").into_bytes(),
        b"\xff\xfe\nnothing".to_vec(),
    ];
    for damage in damages {
        std::fs::write(file, damage).expect("written");
        let (code, _, err) = place.check(&[]);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("is left out: it is damaged; `dpo-lint learn` makes it anew"), "{err}");
    }
    let by = &text[..text.find(',').expect("members")];
    std::fs::write(file, text.replace(by, "{\"by\":\"0.0.1\"")).expect("written");
    assert!(place.check(&[]).2.contains("another version of dpo-lint made it"));
    place.run(&["learn"], &[&place.wheel("77.0", "gamma")]);
    assert_eq!(place.check(&[]).0, 1, "learnt anew");
}

#[test]
fn a_cache_that_cannot_be_written_stops_no_check() {
    let place = Place::new("trl>=0.9", "beta");
    place.write("cache", "a file in the place of the folder");
    let venv = place.install("77.0", "gamma");
    let (code, out, err) = place.check(&["--python", venv.to_str().expect("UTF-8")]);
    assert!(code == 1 && out.contains("trl 77.0"), "{out}");
    assert!(err.contains("it is learnt anew each time"), "{err}");
    let (code, _, err) = place.run(&["learn"], &[&place.wheel("77.0", "gamma")]);
    assert!(code == 2 && err.contains("cannot write to"), "{err}");
}

#[test]
fn what_the_tool_does_not_ask_about_is_refused() {
    let place = Place::new("trl>=0.9", "beta");
    let (code, out, err) = place.run(&["learn", "--package", "peft"], &[&place.wheel("77.0", "gamma")]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("neither a wheel of peft nor a folder with it"), "{err}");
    let (code, _, err) = place.run(&["learn"], &[&place.path("project")]);
    assert!(code == 2 && err.contains("neither a wheel of accelerate"), "{err}");
}
