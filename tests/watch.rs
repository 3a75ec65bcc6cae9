//! `dpo-lint check --watch`: checks again when something changes, until it is ended.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const SCRIPT: &str = "from trl import DPOTrainer\n\ntrainer = DPOTrainer('model', no_such=1)\n";

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
        // What the user of this machine has learnt does not count.
        command.env("DPO_LINT_CACHE", env!("CARGO_TARGET_TMPDIR")).env_remove("FORCE_COLOR");
        command.args(["check", "--watch", "--output-format", "concise"]).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// The lines up to the next pause, those of both streams.
    fn round(&self) -> Vec<String> {
        let mut round = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(90)).expect("it says something");
            if line.contains("waiting for changes") {
                // What the other stream holds comes a moment later.
                while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(150)) {
                    round.push(line);
                }
                round.sort();
                return round;
            }
            round.push(line);
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn places(round: &[String]) -> Vec<String> {
    let findings = round.iter().filter(|line| line.contains("DPL"));
    findings.map(|line| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")).collect()
}

#[test]
fn every_change_is_checked_and_an_interrupt_ends_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    std::fs::create_dir(folder.join(".git")).expect("a folder");
    write("requirements.txt", "trl==0.16.0\n");
    write("a.py", SCRIPT);
    let mut watching = Watching::start(folder);
    let first = watching.round();
    assert_eq!(places(&first), ["a.py:3"]);
    assert!(!first.iter().any(|line| line.contains('\x1b')), "this is no screen: {first:?}");

    write("b.py", SCRIPT);
    assert_eq!(places(&watching.round()), ["a.py:3", "b.py:3"], "a new file");
    std::fs::remove_file(folder.join("b.py")).expect("it is there");
    write("a.py", "import trl\n");
    let mended = watching.round();
    assert!(mended.contains(&"All checks passed!".to_owned()), "{mended:?}");
    write("dpo-lint.toml", "ignor = []\n");
    let broken = watching.round();
    assert!(broken.iter().any(|line| line.contains("unknown key `ignor`")), "{broken:?}");
    write("dpo-lint.toml", "");
    assert!(watching.round().contains(&"All checks passed!".to_owned()), "a mistake in the configuration ends nothing");

    let interrupt = Command::new("kill").args(["-INT", &watching.child.id().to_string()]).status();
    assert!(interrupt.expect("it runs").success());
    assert_eq!(watching.child.wait().expect("it ends").signal(), Some(2));
}

#[test]
fn standard_input_cannot_be_watched() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dpo-lint"));
    let output = command.args(["check", "--watch", "-", "--stdin-filename", "a.py"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is none"));
}
