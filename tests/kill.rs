//! Whoever stops the tool in the middle of writing finds every file as it was or as it was to be, never a part of it.
//!
//! The test runs itself again as the writer (marked by an environment variable), kills it after a short while, and looks.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dpo_lint::engine::repair::{ChangedFile, write};
use dpo_lint::source::{FileSystem, OsFileSystem};

const FOLDER: &str = "DPO_LINT_KILL_TEST_FOLDER";
const FILES: usize = 60;

const LINES: usize = 40_000;

/// Long enough that writing it takes a while.
fn text(kind: &str, number: usize) -> String {
    format!("{kind} = {number}\n").repeat(LINES)
}

fn size(kind: &str, number: usize) -> usize {
    format!("{kind} = {number}\n").len() * LINES
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("file_{number}.py"))
}

/// The files that are still as they were, with what they are to be.
fn open_changes(folder: &Path) -> Vec<ChangedFile> {
    let changes = (0..FILES).map(|number| ChangedFile {
        path: path(folder, number),
        before: text("before", number).into(),
        after: text("after", number).into(),
    });
    changes.filter(|file| std::fs::read(&file.path).is_ok_and(|bytes| bytes == file.before.as_bytes())).collect()
}

/// Not a test by itself: the process that is killed.
#[test]
fn writer() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write(&open_changes(Path::new(&folder)), &OsFileSystem).expect("written");
    }
}

#[test]
fn a_killed_run_leaves_whole_files() {
    let mut interrupted = 0;
    for round in 0..8_u64 {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..FILES {
            std::fs::write(path(folder.path(), number), text("before", number)).expect("written");
        }
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["writer", "--exact"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        // Wait for the first change, so that the kill falls into the writing and not before it.
        while has_not_begun(folder.path()) && child.try_wait().expect("a child").is_none() {
            sleep(Duration::from_millis(1));
        }
        watch(folder.path(), Duration::from_millis(round * 4));
        child.kill().expect("killed");
        child.wait().expect("ended");

        let left = open_changes(folder.path());
        interrupted += usize::from(!left.is_empty() && left.len() < FILES);
        for number in 0..FILES {
            let bytes = std::fs::read(path(folder.path(), number)).expect("still there");
            let is_whole = bytes == text("before", number).as_bytes() || bytes == text("after", number).as_bytes();
            assert!(is_whole, "file {number} has {} bytes of something else", bytes.len());
        }
        // The next run is not disturbed by what the killed one left behind.
        write(&left, &OsFileSystem).expect("written");
        assert!(open_changes(folder.path()).is_empty());
        let names = OsFileSystem.read_dir(folder.path()).expect("a folder");
        let is_ours = |name: &str| name.starts_with("file_") || name.starts_with(".dpo-lint-");
        assert!(names.iter().all(|name| name.path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours)));
    }
    assert!(interrupted > 0, "no run was killed while it wrote");
}

/// Looks at the file that is being written, again and again: whoever reads it meanwhile sees all of it as well.
fn watch(folder: &Path, time: Duration) {
    let start = Instant::now();
    let mut number = 0;
    while start.elapsed() < time && number < FILES {
        let length = std::fs::metadata(path(folder, number)).expect("still there").len() as usize;
        let is_written = length == size("after", number);
        if is_written {
            number += 1;
        }
        assert!(is_written || length == size("before", number), "file {number} has {length} bytes for a while");
    }
}

fn has_not_begun(folder: &Path) -> bool {
    std::fs::read(path(folder, 0)).is_ok_and(|bytes| bytes == text("before", 0).as_bytes())
}
