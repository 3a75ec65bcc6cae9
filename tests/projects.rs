//! The bundled projects, linted as a user would: the report, the patch and the report after `--fix` are files under
//! `fixtures/expected`. `UPDATE=1 cargo test --test projects` writes them again; read the difference before it is committed.

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn medicalgpt() {
    check("medicalgpt");
}

#[test]
fn handbook() {
    check("handbook");
}

#[test]
fn blog() {
    check("blog");
}

#[test]
fn notebook() {
    check("notebook");
}

#[test]
fn recipes() {
    check("recipes");
}

#[test]
fn kto() {
    check("kto");
}

#[test]
fn hydra() {
    check("hydra");
}

#[test]
fn xtuner() {
    check("xtuner");
}

/// Lints a copy of a project, shows the patch, fixes it (safe fixes, then all), and lints it again.
fn check(project: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join(project);
    copy(&root.join("projects").join(project), &folder);

    expect(&root, project, "report.txt", &run(&folder, &["check", "."]));
    expect(&root, project, "safe.diff", &run(&folder, &["check", "--fix", "--diff", "."]));
    expect(&root, project, "unsafe.diff", &run(&folder, &["check", "--fix", "--unsafe-fixes", "--diff", "."]));

    let original = texts(&folder);
    run(&folder, &["check", "--fix", "."]);
    assert_kept(&original, &texts(&folder));
    expect(&root, project, "fixed.txt", &run(&folder, &["check", "."]));
    assert_stable(&folder, &["check", "--fix", "."]);
    run(&folder, &["check", "--fix", "--unsafe-fixes", "."]);
    assert_kept(&original, &texts(&folder));
    assert_stable(&folder, &["check", "--fix", "--unsafe-fixes", "."]);
    let left = run(&folder, &["check", "."]);
    assert!(!left.contains("fixable"), "{left}");
}

/// The files of a project as text, by path.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let text = |(path, bytes)| (path, String::from_utf8(bytes).expect("UTF-8"));
    contents(folder).into_iter().map(text).collect()
}

/// No fix may lose a comment, touch the ends of lines, or add or remove a file.
fn assert_kept(before: &[(PathBuf, String)], after: &[(PathBuf, String)]) {
    assert_eq!(before.len(), after.len());
    for ((path, before), (_, after)) in before.iter().zip(after) {
        let (mut had, mut has) = (comments(before), comments(after));
        had.sort_unstable();
        has.sort_unstable();
        assert_eq!(had, has, "comments of {}", path.display());
        let ends = |text: &str| (text.contains("\r\n"), text.replace("\r\n", "").contains('\n'), text.ends_with('\n'));
        assert_eq!(ends(before), ends(after), "line ends of {}", path.display());
    }
}

/// What follows a `#` that begins a line or stands behind a blank, up to the end of the line or of a notebook's string.
fn comments(text: &str) -> Vec<&str> {
    let comment = |line: &str| -> Option<usize> {
        let at = line.find("# ")?;
        (at == 0 || line[..at].ends_with([' ', '"'])).then_some(at)
    };
    text.lines()
        .filter_map(|line| Some(line[comment(line)?..].trim_end_matches(['"', ',']).trim_end_matches("\\n")))
        .collect()
}

/// Fixing again changes nothing.
fn assert_stable(folder: &Path, command: &[&str]) {
    let before = contents(folder);
    run(folder, command);
    assert!(contents(folder) == before, "{command:?} changed a fixed project in {}", folder.display());
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dpo-lint"))
        // What the user of this machine has learnt does not count.
        .env("DPO_LINT_CACHE", env!("CARGO_TARGET_TMPDIR"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        .output()
        .expect("the binary runs");
    assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn expect(root: &Path, project: &str, name: &str, actual: &str) {
    let path = root.join("expected").join(project).join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(&path, actual).expect("writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{} differs; it should be\n{actual}", path.display());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(folder).into_iter().map(|path| (path.clone(), std::fs::read(&path).expect("readable"))).collect()
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("below"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("writable");
        std::fs::copy(&file, &target).expect("copied");
    }
}
