//! A thread that writes conversations out, and somebody who waits for it, but not for ever.
//!
//! A thread cannot be stopped. One that is given up goes on until the program ends, which it does with an error soon after.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use minijinja::{Environment, Value};

use super::Failure;
use crate::runner::memory::{Machine, shown};

/// How often is looked after a conversation that is not written out yet. Nearly all are before the first time.
const LOOK: Duration = Duration::from_millis(20);

/// Nobody waits longer for one conversation.
const LONGEST: Duration = Duration::from_secs(20);

/// No conversation may take more memory, or more than half of what there is.
const MOST: u64 = 1 << 30;

/// Addresses for the stack: values that hold each other are written out and taken apart one inside the other, and all the fuel makes
/// half a million of them. Memory is only used as far as that goes. Where there are not so many addresses, fewer must do.
const STACKS: [usize; 3] = [1 << 30, 64 << 20, 8 << 20];

/// The other end of the thread.
pub(super) struct Worker {
    /// `None` where it was given up.
    line: Mutex<Option<Line>>,
    /// How long somebody waits.
    pub(super) longest: Duration,
}

struct Line {
    contexts: Sender<Value>,
    texts: Receiver<Result<String, Failure>>,
}

impl Worker {
    /// Starts the thread. It ends when nobody asks it any more.
    pub fn start(environment: Environment<'static>) -> io::Result<Self> {
        let environment = std::sync::Arc::new(environment);
        let mut last = None;
        // What a limit leaves is for the model.
        let first = if Machine::here().is_limited() { STACKS.len() - 1 } else { 0 };
        for stack in STACKS.into_iter().skip(first) {
            let (contexts, asked) = channel::<Value>();
            let (answer, texts) = channel();
            let environment = std::sync::Arc::clone(&environment);
            let work = move || {
                for context in asked {
                    if answer.send(super::written(&environment, context)).is_err() {
                        break;
                    }
                }
            };
            match thread::Builder::new().name(String::from("template")).stack_size(stack).spawn(work) {
                Ok(_) => return Ok(Self { line: Mutex::new(Some(Line { contexts, texts })), longest: LONGEST }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("no thread")))
    }

    /// Has a conversation written out.
    pub fn render(&self, context: Value) -> Result<String, Failure> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = line.as_ref() else { return Err(Failure::Ended(String::from("was given up before"))) };
        // Where the thread is gone, nothing comes back either.
        let _ = open.contexts.send(context);
        match wait(&open.texts, self.longest) {
            Ok(text) => text,
            Err(why) => {
                *line = None;
                Err(Failure::Ended(why))
            }
        }
    }
}

fn wait(texts: &Receiver<Result<String, Failure>>, longest: Duration) -> Result<Result<String, Failure>, String> {
    let (start, machine) = (Instant::now(), Machine::here());
    let mut limits = None;
    loop {
        match texts.recv_timeout(LOOK) {
            Ok(text) => return Ok(text),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(String::from("ends in a way that only a bug of ours explains"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let held = machine.held();
        let (before, most) =
            *limits.get_or_insert_with(|| (held, machine.free().map_or(MOST, |free| MOST.min(free.bytes / 2))));
        if held > before + most {
            return Err(format!("takes more than {} of memory", shown(most)));
        }
        if start.elapsed() > longest {
            return Err(format!("takes more than {} s for one conversation", longest.as_secs()));
        }
    }
}
