//! A project that means harm, or is in a bad state: nothing hangs, nothing outside of it is changed, and what cannot be done is said.

#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dpo_lint::source::{FileSystem, OsFileSystem, stands_below};

/// A file with a comment that `--fix` removes.
const UNUSED: &str = "import trl\nx = 1  # dpo-lint: ignore[DPL902]\n";
const FIXED: &str = "import trl\nx = 1\n";

/// A call that `--fix` changes.
const OLD: &str = "from trl import DPOTrainer\n\n\ndef train(model, data, tok):\n    DPOTrainer(model, train_dataset=data, tokenizer=tok)\n";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(folder.path().join("project/.git")).expect("a folder");
    for (name, text) in files {
        let path = folder.path().join("project").join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

fn inside(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("project")
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
    // What the user of this machine has learnt does not count.
    command.env("DPO_LINT_CACHE", folder.join("no-such-cache")).env("NO_COLOR", "1");
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command
}

/// Exit code, standard output and standard error; fails if it takes longer than anything should.
fn run(mut command: Command) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_mins(1) {
            child.kill().expect("killed");
            panic!("it hangs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("ended");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn lint(folder: &Path, args: &[&str]) -> (i32, String, String) {
    run(program(folder, &[&["--output-format", "concise", "--quiet"], args].concat()))
}

#[test]
fn pipes_and_devices_are_nothing_to_read() {
    let script = "from datasets import load_dataset\nfrom trl import DPOTrainer\n\n\
                  data = load_dataset('json', data_files='pipe.jsonl')\nDPOTrainer('m', train_dataset=data)\n";
    let folder = project(&[("train.py", script), ("requirements.txt", "trl==0.16.0\n"), ("a.py", UNUSED)]);
    let folder = inside(&folder);
    let pipe = |name: &str| {
        assert!(Command::new("mkfifo").arg(folder.join(name)).status().expect("mkfifo").success());
    };
    for name in ["pipe", "pipe.py", "pipe.jsonl"] {
        pipe(name);
    }
    symlink("pipe", folder.join("linked.yaml")).expect("a link");
    symlink("/dev/zero", folder.join("zero.py")).expect("a link");
    symlink("circle.py", folder.join("circle.py")).expect("a link");
    let (code, out, err) = lint(&folder, &[]);
    assert!(code < 2 && err.is_empty() && out.contains("a.py:2:8: warning[DPL901]"), "{code} {out} {err}");
    // What the user or a file of the project names is said to be no file.
    let (code, _, err) = lint(&folder, &["pipe.py", "zero.py"]);
    assert_eq!((code, err.matches(": not a regular file").count()), (2, 2), "{err}");
    std::fs::write(folder.join("dpo-lint.toml"), "baseline = \"zero.py\"\n").expect("written");
    let (code, _, err) = lint(&folder, &[]);
    assert!(code == 2 && err.contains("not a regular file"), "{err}");
}

#[test]
fn what_git_ignores_may_be_no_file() {
    let folder = project(&[("train.py", UNUSED), ("sub/a.py", UNUSED), ("sub/deep/a.py", UNUSED)]);
    let folder = inside(&folder);
    symlink("/dev/zero", folder.join("sub/.gitignore")).expect("a link");
    let (code, out, err) = lint(&folder, &[]);
    assert_eq!((code, out.lines().count()), (2, 1), "{out}{err}");
    assert!(err.contains("sub/.gitignore: not a regular file"), "{err}");
    let (code, _, err) = lint(&folder, &["sub/deep"]);
    assert!(code == 2 && err.contains("sub/.gitignore: not a regular file"), "{err}");
    let (code, out, err) = lint(&folder, &["--no-respect-gitignore"]);
    assert_eq!((code, out.lines().count(), err.as_str()), (0, 3, ""));
}

#[test]
fn files_longer_than_anything_are_refused_before_they_are_read() {
    let folder = project(&[("train.py", UNUSED), ("long.py", "")]);
    let folder = inside(&folder);
    let long = std::fs::OpenOptions::new().write(true).open(folder.join("long.py")).expect("a file");
    if long.set_len(1 << 40).is_err() {
        return; // The disk has no holes.
    }
    for args in [&[][..], &["long.py"]] {
        let (code, _, err) = lint(&folder, args);
        assert!(code == 2 && err.contains("long.py: "), "{args:?} {err}");
    }
}

#[test]
fn fixes_go_no_further_than_the_project() {
    let folder = project(&[
        ("train.py", OLD),
        ("requirements.txt", "# trl\n-r ../outside/requirements.txt\n-r linked/requirements.txt\n"),
        ("own.py", UNUSED),
    ]);
    let (project, outside) = (inside(&folder), folder.path().join("outside"));
    std::fs::create_dir(&outside).expect("a folder");
    for (name, text) in [("requirements.txt", "trl==0.16.0\n"), ("x.py", UNUSED), ("old.py", OLD)] {
        std::fs::write(outside.join(name), text).expect("written");
    }
    symlink("../outside", project.join("linked")).expect("a link");
    symlink("../outside/x.py", project.join("x.py")).expect("a link");
    symlink("own.py", project.join("twin.py")).expect("a link");
    let (code, _, err) = lint(&project, &["--fix", "--unsafe-fixes"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(read(project.join("own.py")), FIXED, "a link to a file does not stand in the way of its fix");
    assert!(read(project.join("train.py")).contains("processing_class"));
    assert_eq!(lint(&project, &["--fix", "x.py", "linked/x.py"]).0, 0);
    assert_eq!(read(outside.join("x.py")), UNUSED);

    std::fs::write(project.join("old.py"), OLD).expect("written");
    symlink("../outside/old.py", project.join("elsewhere.py")).expect("a link");
    let (code, _, err) = lint(&project, &["--add-ignore", "known"]);
    assert_eq!((code, err.as_str()), (1, ""), "what is found behind the link is left");
    assert!(read(project.join("old.py")).contains("# dpo-lint: ignore[renamed-argument] known"));
    assert_eq!(read(outside.join("old.py")), OLD);

    let (_, out, _) = run(program(&project, &["migrate", "--to", "trl==0.12.0", "--write"]));
    assert!(out.contains("`trl==0.16.0`: it stands outside of the project"), "{out}");
    assert_eq!(read(outside.join("requirements.txt")), "trl==0.16.0\n");
    assert_eq!(read(outside.join("old.py")), OLD);
}

#[test]
fn a_configuration_writes_no_further_than_its_project() {
    let folder = project(&[("train.py", OLD), ("requirements.txt", "trl==0.16.0\n")]);
    let (project, outside) = (inside(&folder), folder.path().join("outside"));
    std::fs::create_dir(&outside).expect("a folder");
    symlink("../outside", project.join("linked")).expect("a link");
    symlink("../outside/new.json", project.join("new.json")).expect("a link");
    let absolute = outside.join("known.json").display().to_string();
    for path in ["../outside/known.json", "linked/known.json", "new.json", &absolute, "sub/../../outside/known.json"] {
        std::fs::write(project.join("dpo-lint.toml"), format!("baseline = '{path}'\n")).expect("written");
        let (code, _, err) = lint(&project, &["--write-baseline"]);
        assert!(code == 2 && err.contains("a baseline outside of the project"), "{path}: {err}");
        assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0, "{path}");
    }
    // The user may put it anywhere, but a link that leads nowhere is not followed.
    assert_eq!(lint(&project, &["--write-baseline", "--baseline", "new.json"]).0, 2);
    assert_eq!(lint(&project, &["--write-baseline", "--baseline", "../outside/known.json"]).0, 0);
    std::fs::write(project.join("dpo-lint.toml"), "baseline = 'known.json'\n").expect("written");
    assert_eq!(lint(&project, &["--write-baseline"]).0, 0);
    assert!(project.join("known.json").is_file() && outside.join("known.json").is_file());
}

/// Runs as somebody who may not read everything, which root may.
fn as_nobody(folder: &Path, args: &[&str]) -> (i32, String, String) {
    const NOBODY: u32 = 65534;
    let is_root = chown(folder, None, None).is_ok() && std::fs::read(folder.join("secret.py")).is_ok();
    let mut command = program(folder, args);
    if is_root {
        let all = [folder.parent().expect("a parent"), folder];
        for path in &all {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        // The program lies where root builds, where others may not look.
        let copy = folder.parent().expect("a parent").join("dpo-lint");
        std::fs::copy(env!("CARGO_BIN_EXE_dpo-lint"), &copy).expect("copied");
        command = Command::new(copy);
        command.env("DPO_LINT_CACHE", folder.join("no-such-cache")).env("NO_COLOR", "1");
        command.current_dir(folder).args(args).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY);
    }
    run(command)
}

#[test]
fn what_may_not_be_read_is_said_and_the_rest_is_checked() {
    let folder = project(&[("train.py", UNUSED), ("secret.py", UNUSED), ("closed/a.py", UNUSED)]);
    let folder = inside(&folder);
    chmod(&folder.join("secret.py"), 0o000);
    chmod(&folder.join("closed"), 0o000);
    symlink("closed/a.py", folder.join("link.py")).expect("a link");
    let (code, out, err) = as_nobody(&folder, &["--output-format", "concise", "--quiet"]);
    assert_eq!((code, out.lines().count()), (2, 1), "{out}{err}");
    for (name, times) in [("secret.py", 1), ("closed", 1), ("link.py", 1)] {
        let lines = err.lines().filter(|line| line.contains(name) && line.to_lowercase().contains("permission denied"));
        assert_eq!(lines.count(), times, "{name}: {err}");
    }
    chmod(&folder.join("closed"), 0o755);
}

#[test]
fn a_folder_that_may_not_be_written_keeps_its_files() {
    let folder = project(&[("train.py", UNUSED), ("secret.py", ""), ("sub/a.py", UNUSED)]);
    let folder = inside(&folder);
    chmod(&folder.join("sub"), 0o555);
    chmod(&folder.join("sub/a.py"), 0o444);
    let (code, _, err) = as_nobody(&folder, &["--fix", "--quiet"]);
    assert!(code == 2 && err.contains("cannot write sub/a.py") && err.contains("no file was changed"), "{err}");
    assert_eq!((read(folder.join("train.py")), read(folder.join("sub/a.py"))), (UNUSED.to_owned(), UNUSED.to_owned()));
    let names = std::fs::read_dir(folder.join("sub")).expect("a folder").count();
    assert_eq!(names, 1, "no temporary file is left");
    chmod(&folder.join("sub"), 0o755);
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

#[test]
fn a_file_is_written_as_it_was_read_or_not_at_all() {
    let folder = project(&[("a.py", "old")]);
    let path = inside(&folder).join("a.py");
    chmod(&path, 0o640);
    let error = OsFileSystem.replace(&path, b"read before", b"new").expect_err("somebody changed it");
    assert_eq!((error.kind(), read(&path).as_str()), (std::io::ErrorKind::InvalidData, "old"));
    OsFileSystem.replace(&path, b"old", b"new").expect("as it was read");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!((read(&path).as_str(), mode), ("new", 0o640));
    std::fs::remove_file(&path).expect("removed");
    assert!(OsFileSystem.replace(&path, b"new", b"newer").is_err() && !path.exists(), "a file that is gone stays gone");
    assert_eq!(std::fs::read_dir(inside(&folder)).expect("a folder").count(), 1, "no temporary file is left");
}

#[test]
fn a_file_stands_where_its_path_says() {
    let folder = project(&[("a/b.py", "")]);
    let project = inside(&folder);
    std::fs::write(folder.path().join("out.py"), "").expect("written");
    for (link, target) in [("link.py", "a/b.py"), ("gone.py", "nothing"), ("up", ".."), ("self", "a")] {
        symlink(target, project.join(link)).expect("a link");
    }
    for (path, expected) in [
        ("a/b.py", true),
        ("new.py", true),
        ("new/folder/x.py", true),
        ("link.py", false),
        ("gone.py", false),
        ("self/b.py", false),
        ("up/out.py", false),
        ("up/project/a/b.py", false),
        ("../out.py", false),
        ("../new.py", false),
        ("a/../../out.py", false),
    ] {
        assert_eq!(stands_below(&project, &project.join(path)), expected, "{path}");
    }
    // The project itself may be reached by a link.
    symlink(&project, folder.path().join("alias")).expect("a link");
    assert!(stands_below(&folder.path().join("alias"), &folder.path().join("alias/a/b.py")));
}

#[test]
fn names_of_files_cannot_write_on_the_terminal() {
    let folder = project(&[("a\u{1b}[2J\nb.py:1:1: forged.py", UNUSED)]);
    let folder = inside(&folder);
    let is_plain = |text: &str| text.chars().all(|letter| letter == '\n' || !letter.is_control());
    for format in ["concise", "text"] {
        let (_, out, err) = run(program(&folder, &["--output-format", format]));
        assert!(is_plain(&out) && out.contains("a\\u{1b}[2J\\nb.py:1:1: forged.py"), "{out:?} {err:?}");
    }
    std::fs::write(folder.join("c\u{9b}31m.py"), b"import trl\n\xff\n").expect("written");
    let (code, _, err) = lint(&folder, &[]);
    assert!(code == 2 && is_plain(&err) && err.contains("c\\u{9b}31m.py:2: not UTF-8"), "{err:?}");
}
