//! The tool that tells two builds apart (`examples/corpus`), on one program with two settings and on programs that are none.

#[path = "../examples/corpus/compare.rs"]
mod compare;

use std::path::Path;

use compare::Seen;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dpo-lint");

fn projects() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let calls = "from trl import DPOTrainer\n\nDPOTrainer('m', no_such=1)\nDPOTrainer('m', no_such=1)\n";
    for (path, text) in [
        ("a/requirements.txt", "trl==0.16.0\n"),
        ("a/train.py", calls),
        ("b/requirements.txt", "trl==0.12.2\n"),
        ("b/train.py", "from trl import DPOTrainer\n\nDPOTrainer('m', ref_model='m', peft_config={})\n"),
        ("empty/readme.md", "nothing\n"),
        ("notes.txt", "no project\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn compared(old: &str, new: &str, folder: &Path) -> (Seen, String) {
    let mut out = Vec::new();
    let seen = compare::folder(old, new, folder, &mut out).expect("both programs are there");
    (seen, String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn one_program_differs_from_itself_by_its_settings() {
    let folder = projects();
    let fewer = format!("{PROGRAM} --ignore unknown-argument");
    let (seen, text) = compared(PROGRAM, PROGRAM, folder.path());
    assert!(!seen.differs() && seen.projects == 3 && seen.old > 2, "{text}");
    let (removed, text) = compared(PROGRAM, &fewer, folder.path());
    assert_eq!((removed.removed, removed.added, removed.old), (2, 0, seen.old), "{text}");
    assert!(text.starts_with("a\n  - unknown-argument train.py:3: "), "{text}");
    assert!(text.contains("      DPOTrainer('m', no_such=1)\n"), "{text}");
    let (added, _) = compared(&fewer, PROGRAM, folder.path());
    assert_eq!((added.removed, added.added), (0, 2));
    // The same findings with another release in effect say something else.
    let (other, text) = compared(PROGRAM, &format!("{PROGRAM} --target trl==0.15.0"), &folder.path().join("."));
    assert!(other.reworded >= 2 && text.contains("  + unknown-argument train.py:3: "), "{text}");
}

#[test]
#[cfg(unix)]
fn lines_may_move_and_a_program_may_fail() {
    use std::os::unix::fs::PermissionsExt;
    let folder = projects();
    let script = |name: &str, body: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
        path.to_str().expect("UTF-8").to_owned()
    };
    let found = |line: u32| {
        let place = format!(r#""path": "train.py", "start": {{"line": {line}}}"#);
        format!(r#"echo '{{"findings": [{{"rule": "r", "message": "m", {place}}}]}}'"#)
    };
    // Lines 3 and 4 of `a/train.py` are the same; in the other projects there is no fourth.
    let (third, fourth) = (script("third", &found(3)), script("fourth", &found(4)));
    let (seen, text) = compared(&third, &fourth, folder.path());
    assert_eq!((seen.old, seen.new, seen.added, seen.removed), (3, 3, 1, 1), "{text}");
    assert!(text.starts_with("b\n  + r train.py:4: m\n  - r train.py:3: m\n"), "{text}");
    let broken = script("broken", "echo 'it is broken' >&2; exit 2");
    let (seen, text) = compared(&third, &broken, folder.path());
    assert_eq!((seen.failed, seen.differs()), (3, true), "{text}");
    assert!(text.contains("the new program made no report: exit status: 2: it is broken"), "{text}");
    assert!(compare::folder("no/such", PROGRAM, folder.path(), &mut Vec::new()).is_err());
}
