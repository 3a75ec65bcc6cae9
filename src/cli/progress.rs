//! One line on standard error while a run takes longer than a reader likes to wait in silence.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(500);
const BEAT: Duration = Duration::from_millis(100);

/// Shows and finally removes the line.
pub(super) struct Progress {
    seen: Arc<AtomicUsize>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts to watch, if standard error is a terminal and `wanted`.
    pub fn start(wanted: bool) -> Self {
        let seen = Arc::new(AtomicUsize::new(0));
        let running = is_shown(wanted, io::stderr().is_terminal()).then(|| {
            let (done, wait) = channel::<()>();
            let counter = Arc::clone(&seen);
            let thread = std::thread::spawn(move || watch(&wait, &counter, PATIENCE, &mut io::stderr()));
            (done, thread)
        });
        Self { seen, running }
    }

    /// What to count.
    pub fn seen(&self) -> &AtomicUsize {
        &self.seen
    }
}

/// Whether there is anybody to show it to.
fn is_shown(wanted: bool, is_terminal: bool) -> bool {
    wanted && is_terminal
}

/// Writes the line again and again from `patience` on until `wait` is closed, and then removes it.
fn watch(wait: &Receiver<()>, counter: &AtomicUsize, patience: Duration, out: &mut dyn Write) {
    let mut pause = patience;
    let mut shown = false;
    while wait.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let _ = write!(out, "\r\x1b[2Kchecking, {} files seen", counter.load(Ordering::Relaxed));
        (pause, shown) = (BEAT, true);
    }
    if shown {
        let _ = write!(out, "\r\x1b[2K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.running.take() {
            drop(done);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_wants_it_is_shown_progress() {
        assert!(is_shown(true, true));
        assert!(!is_shown(true, false));
        assert!(!is_shown(false, true));
    }

    fn written(patience: Duration, run: Duration) -> String {
        let (done, wait) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut out = Vec::new();
            watch(&wait, &AtomicUsize::new(7), patience, &mut out);
            String::from_utf8(out).expect("UTF-8")
        });
        std::thread::sleep(run);
        drop(done);
        thread.join().expect("ended")
    }

    #[test]
    fn a_short_run_shows_nothing_and_a_long_one_leaves_nothing() {
        assert_eq!(written(Duration::from_mins(1), Duration::ZERO), "");
        let text = written(Duration::ZERO, Duration::from_millis(150));
        assert!(text.starts_with("\r\x1b[2Kchecking, 7 files seen"), "{text:?}");
        assert!(text.ends_with("\r\x1b[2K"), "{text:?}");
    }
}
