//! Repair against checkers made up for the purpose: a finding is a word in a file.

use std::cell::Cell;
use std::io;
use std::path::Path;

use super::*;
use crate::diagnostic::{Confidence, Label};
use crate::source::{DirEntry, MemoryFileSystem, OsFileSystem, Span};
use crate::syntax::Edit;

/// `(word, replacement)`: each `word` is an error (a warning if it begins with `warn`), mended by the replacement. Edits of
/// other files may follow: `|file:word:replacement`.
struct Words {
    paths: &'static [&'static str],
    wrong: &'static [(&'static str, &'static str)],
    applicability: Applicability,
    checks: Cell<usize>,
}

impl Words {
    fn new(paths: &'static [&'static str], words: &'static [(&'static str, &'static str)]) -> Self {
        Self { paths, wrong: words, applicability: Applicability::Safe, checks: Cell::new(0) }
    }
}

impl Recheck for Words {
    fn check(&self, file_system: &dyn FileSystem) -> Checked {
        self.checks.set(self.checks.get() + 1);
        let mut checked = Checked::default();
        for path in self.paths {
            checked.sources.read(file_system, Path::new(path)).expect("a file");
        }
        for path in self.paths {
            let source = checked.sources.find(Path::new(path)).expect("read");
            for (word, fix) in self.wrong {
                for (at, _) in source.text().match_indices(word) {
                    let span = source.span(at..at + word.len());
                    checked.findings.push(finding(word, span, edits(fix, span, &checked.sources), self.applicability));
                }
            }
        }
        checked
    }
}

fn edits(fix: &str, span: Span, sources: &Sources) -> Vec<Edit> {
    let mut parts = fix.split('|');
    let mut edits = vec![Edit { span, text: parts.next().unwrap_or_default().to_owned() }];
    for part in parts {
        let [path, word, text] = part.split(':').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let other = sources.find(Path::new(path)).expect("read");
        let at = other.text().find(word).unwrap_or(0);
        edits.push(Edit { span: other.span(at..at + word.len()), text: text.to_owned() });
    }
    edits
}

fn finding(word: &str, span: Span, edits: Vec<Edit>, applicability: Applicability) -> Diagnostic {
    Diagnostic {
        rule: "word",
        code: "W",
        severity: if word.starts_with("warn") { Severity::Warning } else { Severity::Error },
        confidence: Confidence::High,
        message: format!("`{word}` is wrong"),
        primary: Label { span, message: String::new() },
        related: Vec::new(),
        notes: Vec::new(),
        help: None,
        versions: Vec::new(),
        fixes: vec![Fix { title: format!("mend {word}"), applicability, edits }],
        follows: None,
    }
}

fn disk(files: &[(&str, &str)]) -> MemoryFileSystem {
    let disk = MemoryFileSystem::default();
    for (path, text) in files {
        disk.insert(*path, text.as_bytes().to_vec());
    }
    disk
}

fn run(words: &Words, disk: &MemoryFileSystem) -> Repaired {
    let first = words.check(disk);
    repair(words, disk, first, Options::default())
}

/// Repairs one file and returns its text afterwards, after a second repair that must change nothing.
#[track_caller]
fn mended(
    path: &'static [&'static str; 1],
    text: &str,
    words: &'static [(&'static str, &'static str)],
) -> (String, Repaired) {
    let disk = disk(&[(path[0], text)]);
    let words = Words::new(path, words);
    let repaired = run(&words, &disk);
    let after = repaired.files.first().map_or_else(|| text.to_owned(), |file| file.after.to_string());
    disk.insert(path[0], after.as_bytes().to_vec());
    if !repaired.is_cut_short {
        assert_eq!(run(&words, &disk).files, [], "the second time changed something");
    }
    (after, repaired)
}

fn reasons(repaired: &Repaired) -> Vec<String> {
    repaired.rejected.iter().map(|fix| format!("{}: {}", fix.title, fix.reason)).collect()
}

#[test]
fn all_findings_of_a_file_are_mended_at_once() {
    let words = Words::new(&["a.py"], &[("bad", "ok")]);
    let disk = disk(&[("a.py", "bad = 1\nx = bad\n")]);
    let repaired = run(&words, &disk);
    assert_eq!(&*repaired.files[0].after, "ok = 1\nx = ok\n");
    assert_eq!(repaired.applied.len(), 2);
    assert_eq!(words.checks.get(), 2, "one check before, one after");
    assert_eq!(repaired.remaining.findings, []);
    assert_eq!(disk.read(Path::new("a.py")).expect("a file"), b"bad = 1\nx = bad\n", "nothing is written");
}

#[test]
fn fixes_that_touch_or_overlap_wait_for_the_next_round() {
    // `badbad` touch; `bad` and `adx` overlap.
    assert_eq!(mended(&["a.py"], "badbad\n", &[("bad", "ok")]).0, "okok\n");
    let (after, repaired) = mended(&["a.py"], "badx\n", &[("bad", "ok"), ("adx", "o")]);
    assert_eq!(after, "okx\n");
    assert_eq!(repaired.applied.len(), 1);
}

#[test]
fn a_fix_that_breaks_the_file_is_taken_back() {
    let (after, repaired) = mended(&["a.py"], "x = bad\ny = worse\n", &[("bad", "ok"), ("worse", "(")]);
    assert_eq!(after, "x = ok\ny = worse\n");
    assert_eq!(reasons(&repaired), ["mend worse: a.py could not be parsed afterwards"]);
    assert_eq!(repaired.remaining.findings.len(), 1);
    let (after, _) = mended(&["a.json"], "{\"bad\": 1}", &[("bad", "\"")]);
    assert_eq!(after, "{\"bad\": 1}");
}

#[test]
fn a_fix_that_brings_something_as_bad_is_taken_back() {
    let (after, repaired) = mended(&["a.py"], "bad\n", &[("bad", "evil"), ("evil", "")]);
    assert_eq!(after, "bad\n");
    assert_eq!(reasons(&repaired), ["mend bad: it would bring another finding: `evil` is wrong"]);
    // Something milder may come, and is mended in turn.
    assert_eq!(mended(&["a.py"], "bad\n", &[("bad", "warn"), ("warn", "ok")]).0, "ok\n");
}

#[test]
fn a_fix_that_loses_a_comment_is_taken_back() {
    for (path, text) in
        [(&["a.py"], "bad  # why\n"), (&["a.yaml"], "a: bad  # why\n"), (&["a.toml"], "a = 'bad  # why' # why\n")]
    {
        let (after, repaired) = mended(path, text, &[("  # why", "")]);
        if text.contains('\'') {
            assert_eq!(after, "a = 'bad' # why\n", "a string is no comment");
        } else {
            assert_eq!(after, text);
            assert_eq!(reasons(&repaired), ["mend   # why: the comment `# why` would be lost"]);
        }
    }
}

#[test]
fn notebooks_are_guarded_like_scripts() {
    let text = r#"{"cells": [{"cell_type": "code", "source": ["x = bad  # why\n", "y = 1\n"]}], "nbformat": 4, "metadata": {}}"#;
    let (after, _) = mended(&["a.ipynb"], text, &[("bad", "None")]);
    assert_eq!(after, text.replace("bad", "None"));
    let table: [(&'static [_], _); 2] = [
        (&[("  # why", "")], "mend   # why: the comment `# why` would be lost"),
        (&[("1\\n", "(\\n")], "mend 1\\n: a.ipynb could not be parsed afterwards"),
    ];
    for (words, reason) in table {
        let (after, repaired) = mended(&["a.ipynb"], text, words);
        assert_eq!(after, text);
        assert_eq!(reasons(&repaired), [reason]);
    }
}

#[test]
fn a_fix_that_mends_nothing_is_taken_back() {
    let (after, repaired) = mended(&["a.py"], "bad\n", &[("bad", "bad + bad")]);
    assert_eq!(after, "bad\n");
    assert_eq!(repaired.rejected.len(), 1);
    let (_, repaired) = mended(&["a.py"], "bad\n", &[("bad", "bad ")]);
    assert_eq!(reasons(&repaired), ["mend bad: it does not mend the finding"]);
}

#[test]
fn only_fixes_that_are_safe_enough_are_applied() {
    for (applicability, threshold, applied) in [
        (Applicability::Unsafe, Applicability::Safe, 0),
        (Applicability::Unsafe, Applicability::Unsafe, 1),
        (Applicability::Display, Applicability::Unsafe, 0),
    ] {
        let words = Words { applicability, ..Words::new(&["a.py"], &[("bad", "ok")]) };
        let disk = disk(&[("a.py", "bad\n")]);
        let repaired = repair(&words, &disk, words.check(&disk), Options { threshold, ..Options::default() });
        assert_eq!(repaired.applied.len(), applied);
    }
}

#[test]
fn rounds_are_limited() {
    let disk = disk(&[("a.py", &"ba".repeat(12))]);
    let words = Words::new(&["a.py"], &[("ba", "")]);
    // Twelve findings that touch: every other one waits for the next round.
    let repaired = repair(&words, &disk, words.check(&disk), Options { max_rounds: 2, ..Options::default() });
    assert!(repaired.is_cut_short);
    assert_eq!(repaired.applied.len() + repaired.remaining.findings.len(), 12);
    assert!(!repaired.applied.is_empty());
    assert!(run(&words, &disk).remaining.findings.is_empty());
}

#[test]
fn a_fix_of_two_files_is_whole_or_not_at_all() {
    let good = Words::new(&["a.py", "b.yaml"], &[("bad", "ok|b.yaml:old:new")]);
    let repaired = run(&good, &disk(&[("a.py", "bad\n"), ("b.yaml", "a: old\n")]));
    let texts: Vec<&str> = repaired.files.iter().map(|file| &*file.after).collect();
    assert_eq!(texts, ["ok\n", "a: new\n"]);
    let broken = Words::new(&["a.py", "b.yaml"], &[("bad", "ok|b.yaml:old:[")]);
    let repaired = run(&broken, &disk(&[("a.py", "bad\n"), ("b.yaml", "a: old\n")]));
    assert_eq!(repaired.files, []);
    assert_eq!(reasons(&repaired), ["mend bad: b.yaml could not be parsed afterwards"]);
}

#[test]
fn line_endings_and_the_byte_order_mark_stay() {
    let (after, _) = mended(&["a.py"], "\u{feff}a\r\nbad\r\n", &[("bad", "b\nc")]);
    assert_eq!(after, "\u{feff}a\r\nb\r\nc\r\n");
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let (after, repaired) = mended(&["a.py"], "bad\n", &[("bad", "ok|a.py:ad:x")]);
    assert_eq!(after, "bad\n");
    assert_eq!(reasons(&repaired), ["mend bad: its edits do not fit together"]);
}

fn changed(path: impl Into<PathBuf>, before: &str, after: &str) -> ChangedFile {
    ChangedFile { path: path.into(), before: before.into(), after: after.into() }
}

#[test]
fn a_file_that_changed_meanwhile_is_left_alone_with_all_others() {
    let disk = disk(&[("a", "1"), ("b", "changed")]);
    let error = write(&[changed("a", "1", "2"), changed("b", "1", "2")], &disk).expect_err("b changed");
    assert_eq!(error.path, Path::new("b"));
    assert!(error.to_string().ends_with("; no file was changed"), "{error}");
    assert_eq!(disk.read(Path::new("a")).expect("a file"), b"1");
}

/// A disk on which `b` cannot be written, and `a` only once if `stuck`.
struct Failing {
    disk: MemoryFileSystem,
    stuck: bool,
}

impl FileSystem for Failing {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn is_file(&self, path: &Path) -> bool {
        self.disk.is_file(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.disk.is_dir(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.read_dir(path)
    }
    fn replace(&self, path: &Path, expected: &[u8], new: &[u8]) -> io::Result<()> {
        if path == Path::new("b") || self.stuck && expected == b"2" {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.replace(path, expected, new)
    }
}

#[test]
fn a_failure_in_the_middle_puts_the_others_back() {
    let files = [changed("a", "1", "2"), changed("b", "1", "2")];
    for (stuck, content, left) in [(false, b"1", vec![]), (true, b"2", vec![PathBuf::from("a")])] {
        let failing = Failing { disk: disk(&[("a", "1"), ("b", "1")]), stuck };
        let error = write(&files, &failing).expect_err("b fails");
        assert_eq!(error.not_restored, left);
        assert_eq!(failing.read(Path::new("a")).expect("a file"), content);
    }
}

#[test]
fn a_read_only_file_stays_and_no_temporary_file_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [folder.path().join("a.py"), folder.path().join("b.py")];
    for path in &paths {
        std::fs::write(path, "1").expect("written");
    }
    let mut permissions = std::fs::metadata(&paths[1]).expect("metadata").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&paths[1], permissions).expect("set");
    let files = [changed(&paths[0], "1", "2"), changed(&paths[1], "1", "2")];
    let error = write(&files, &OsFileSystem).expect_err("read-only");
    assert_eq!((error.path, error.source.kind()), (paths[1].clone(), io::ErrorKind::PermissionDenied));
    let names = OsFileSystem.read_dir(folder.path()).expect("a folder");
    assert_eq!(names.len(), 2);
    assert_eq!(std::fs::read(&paths[0]).expect("a file"), b"1");
}
