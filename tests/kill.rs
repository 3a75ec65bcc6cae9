//! Whoever stops `dpo-lint --fix` at any moment finds every file as it was or as it was to be, never a part of it; and the next
//! run finishes the work.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FILES: usize = 80;
const ROUNDS: u32 = 12;

/// A file with a comment that the fix removes, long enough that writing it takes a while.
fn before(number: usize) -> String {
    format!("import trl\nx = {number}  # dpo-lint: ignore[DPL902]\n{}", format!("# 说明 {number}\n").repeat(300))
}

fn after(number: usize) -> String {
    before(number).replacen("  # dpo-lint: ignore[DPL902]", "", 1)
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("file_{number:03}.py"))
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    for number in 0..FILES {
        std::fs::write(path(folder.path(), number), before(number)).expect("written");
    }
    folder
}

fn start_fix(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
    // What the user of this machine has learnt does not count.
    command.env("DPO_LINT_CACHE", env!("CARGO_TARGET_TMPDIR"));
    command.arg("--fix").current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("started")
}

/// How many files are changed already; fails at one that is neither old nor new.
fn changed(folder: &Path) -> usize {
    let is_changed = |number: &usize| {
        let bytes = std::fs::read(path(folder, *number)).expect("still there");
        let is_new = bytes == after(*number).as_bytes();
        assert!(
            is_new || bytes == before(*number).as_bytes(),
            "file {number} has {} bytes of something else",
            bytes.len()
        );
        is_new
    };
    (0..FILES).filter(is_changed).count()
}

/// From the start to the first change, and from there to the end, of a run that nobody stops.
fn duration() -> (Duration, Duration) {
    let folder = project();
    let start = Instant::now();
    let mut child = start_fix(folder.path());
    wait_for_a_change(folder.path(), &mut child);
    let reading = start.elapsed();
    assert!(child.wait().expect("ended").success());
    assert_eq!(changed(folder.path()), FILES);
    (reading, start.elapsed().saturating_sub(reading))
}

fn wait_for_a_change(folder: &Path, child: &mut Child) {
    let length = |number| std::fs::metadata(path(folder, number)).map_or(0, |metadata| metadata.len());
    while length(0) == before(0).len() as u64 && child.try_wait().expect("a child").is_none() {
        sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_killed_fix_leaves_whole_files_and_the_next_one_finishes() {
    let (reading, writing) = duration();
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        // Steps of the golden ratio fall everywhere without meeting twice.
        let moment = (f64::from(round) * 0.618_033_988_75).fract();
        let folder = project();
        let mut child = start_fix(folder.path());
        if round % 4 == 0 {
            // Any moment of the run.
            sleep((reading + writing).mul_f64(moment));
        } else {
            // Most moments fall into the reading; these are in the middle of the writing.
            wait_for_a_change(folder.path(), &mut child);
            sleep(writing.mul_f64(moment));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");

        let done = changed(folder.path());
        interrupted += usize::from(done > 0 && done < FILES);

        // What the killed run left behind disturbs nobody.
        assert!(start_fix(folder.path()).wait().expect("ended").success(), "the run after {done} changes");
        assert_eq!(changed(folder.path()), FILES);
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            assert!(name == ".git" || name.starts_with("file_") || name.starts_with(".dpo-lint-"), "{name}");
        }
    }
    assert!(interrupted > 0, "no run was killed while it wrote");
}
