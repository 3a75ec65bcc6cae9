//! Looks on while a run trains: a bar on a terminal, and an ear for Ctrl-C.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::runner::StepMetrics;
use crate::runner::session::Watch;

/// A bar, and whether the user has had enough.
pub(super) struct Bar {
    line: ProgressBar,
    start: Instant,
    tokens: usize,
    stopped: Arc<AtomicBool>,
}

impl Bar {
    /// For so many steps; shown only where there is somebody to see it.
    pub fn new(steps: usize, is_wanted: bool, stopped: &Arc<AtomicBool>) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let is_shown = is_wanted && io::stderr().is_terminal();
        bar.set_draw_target(if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg} {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { line: bar, start: Instant::now(), tokens: 0, stopped: Arc::clone(stopped) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

impl Watch for Bar {
    fn stepped(&mut self, metrics: &StepMetrics) {
        self.tokens += metrics.tokens;
        #[expect(clippy::cast_precision_loss, reason = "shown without decimals")]
        let speed = self.tokens as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
        let (loss, margin) = (metrics.loss, metrics.rewards_margins);
        self.line.set_message(format!("loss {loss:.4}, margin {margin:.4}, {speed:.0} tokens/s"));
        self.line.inc(1);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Is set by Ctrl-C; a second one ends the program as usual.
pub(super) fn interruption() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    // Where no handler can be set, Ctrl-C does what it always does.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stopped
}
