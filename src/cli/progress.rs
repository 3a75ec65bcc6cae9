//! One line on standard error while a run takes longer than a reader likes to wait in silence.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
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
        let running = (wanted && io::stderr().is_terminal()).then(|| {
            let (done, wait) = channel::<()>();
            let counter = Arc::clone(&seen);
            let watch = move || {
                let mut pause = PATIENCE;
                let mut shown = false;
                while wait.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let _ = write!(io::stderr(), "\r\x1b[2Kchecking, {} files seen", counter.load(Ordering::Relaxed));
                    (pause, shown) = (BEAT, true);
                }
                if shown {
                    let _ = write!(io::stderr(), "\r\x1b[2K");
                }
            };
            (done, std::thread::spawn(watch))
        });
        Self { seen, running }
    }

    /// What to count.
    pub fn seen(&self) -> &AtomicUsize {
        &self.seen
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
