//! What keeps a run from going on.

use std::io;
use std::path::{Path, PathBuf};

use super::memory::{Estimate, Free, shown};

/// Why a model cannot be read, a run cannot be trained, or an adapter cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file that is needed cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file was read and is not what it should be.
    #[error("{}: {place}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The key or the tensor.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The run asks for something that is not implemented.
    #[error("`{setting}` cannot be trained here: {reason}")]
    Unsupported {
        /// The setting by its name in TRL, PEFT or transformers.
        setting: String,
        /// Why not.
        reason: String,
    },
    /// Numbers that are no numbers.
    #[error("step {}: {what} is not a finite number", .step + 1)]
    NotFinite {
        /// The step, from 0.
        step: usize,
        /// The loss, or the gradient of a tensor.
        what: String,
    },
    /// There is no GPU to train on, or it cannot go on.
    #[error("training on a GPU: {0}")]
    Gpu(String),
    /// There is not the memory that the run takes.
    #[error("{}", too_large(needed, *free))]
    Memory {
        /// What it takes.
        needed: Estimate,
        /// What can be had.
        free: Free,
    },
    /// A row that this model cannot take.
    #[error("a row cannot be trained on: {0}")]
    Row(String),
}

impl RunError {
    pub(crate) fn content(path: &Path, place: impl Into<String>, reason: impl Into<String>) -> RunError {
        RunError::Content { path: path.to_owned(), place: place.into(), reason: reason.into() }
    }

    pub(crate) fn unsupported(setting: impl Into<String>, reason: impl Into<String>) -> RunError {
        RunError::Unsupported { setting: setting.into(), reason: reason.into() }
    }
}

/// What takes how much, and what makes it smaller.
fn too_large(needed: &Estimate, free: Free) -> String {
    let (all, left) = (shown(needed.bytes()), shown(free.bytes));
    let mut lines = vec![format!("this run takes about {all} of memory, and {left} are {}", free.by)];
    for part in &needed.parts {
        let less = if part.less.is_empty() { String::new() } else { format!("; less with {}", part.less) };
        lines.push(format!("  {:>9}  {}{less}", shown(part.bytes), part.what));
    }
    lines.join("\n")
}
