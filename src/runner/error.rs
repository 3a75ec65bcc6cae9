//! What keeps a run from going on.

use std::io;
use std::path::{Path, PathBuf};

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
