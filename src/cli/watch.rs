//! `--watch`: checks again whenever something changes, until somebody ends it.
//!
//! What has changed is told by looking at the project's files again and again, which works on every disk, over networks and in
//! containers, and costs a walk over the tree: it is done less often where that takes long.

use std::time::{Duration, Instant};

use super::args::{CheckArgs, GlobalArgs};
use super::plan::Watched;
use super::terminal::Terminal;
use super::{Exit, Failure, check, say};
use crate::engine::collect::Stamps;

/// How long a change may go unseen in a project that is looked at quickly.
const PAUSE: Duration = Duration::from_millis(250);

/// Of the time that passes, at most one part in this many is spent on looking.
const SHARE: u32 = 20;

/// Files are often written in several steps. When nothing changes for so long, they are done.
const SETTLED: Duration = Duration::from_millis(60);

/// Ends only if nothing can be written any more, or the command line asks for what cannot be; else by Ctrl-C, as every program does.
pub(super) fn run(args: &CheckArgs, global: &GlobalArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    loop {
        let watched = Watched::all(&args.project, &args.overrides())?;
        // What changes during the check is seen after it.
        let before = stamps(&watched);
        terminal.clear()?;
        match check::run(args, global, terminal) {
            Ok(_) => {}
            Err(Failure::Write(error)) => return Err(Failure::Write(error)),
            // It may be mended by the next change.
            Err(failure) => say(&failure, terminal),
        }
        if !global.quiet {
            terminal.note_line("waiting for changes; Ctrl-C ends");
        }
        wait(&watched, &before);
    }
}

/// Returns when the files are others than before, and stay so.
fn wait(watched: &[Watched], before: &[Stamps]) {
    let mut now = before.to_vec();
    while now == before {
        let start = Instant::now();
        now = stamps(watched);
        std::thread::sleep(PAUSE.max(start.elapsed() * SHARE));
    }
    loop {
        std::thread::sleep(SETTLED);
        let next = stamps(watched);
        if next == now {
            return;
        }
        now = next;
    }
}

fn stamps(watched: &[Watched]) -> Vec<Stamps> {
    watched.iter().map(Watched::stamps).collect()
}
