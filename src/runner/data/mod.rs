//! From files of preference pairs to tokens in the order of training, as the TRL release in effect does it.

mod batches;
#[cfg(test)]
mod goldens;
mod json;
mod read;
mod row;
mod table;
mod tokenise;

pub use batches::{Batches, cut};
pub use read::{parse, read};
pub use row::{BadRow, Place, Row, Text};
pub use tokenise::{Tokenised, tokenise};

use std::path::PathBuf;

/// The pairs that come with the tool, for a project whose own are not at hand.
pub const SAMPLE: &str = include_str!("sample.jsonl");

/// What is wrong with a data file.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It cannot be opened or read.
    #[error("cannot read {path}: {error}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its ending says nothing of its format.
    #[error("{path} has to end in .jsonl, .json, .csv or .parquet", path = .path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// It is not what its ending says.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// Rows that the trainer stops at; it trains on none of the others then.
    #[error("{}", listed(.0, "TRL stops at such a row and trains on none of the others"))]
    Rows(Vec<BadRow>),
    /// Prompts begin with a token that the tokenizer does not have.
    #[error(
        "the tokenizer has no beginning-of-sequence token (`bos_token`), and this release of TRL puts it before every prompt: its first \
         batch ends in a TypeError; set one, or take a newer release"
    )]
    NoStart,
    /// Rows that the model cannot take.
    #[error("{}", listed(.0, "training stops at a batch with such a row"))]
    Unfit(Vec<BadRow>),
    /// There is nothing to train on.
    #[error("{path} has no rows", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No row is left after those were dropped whose prompt leaves no room for an answer.
    #[error("all {0} rows are dropped, since each prompt fills max_length; a larger max_length keeps them")]
    AllDropped(usize),
}

/// How many bad rows are named.
const NAMED: usize = 5;

fn listed(rows: &[BadRow], end: &str) -> String {
    let mut lines: Vec<String> = rows.iter().take(NAMED).map(ToString::to_string).collect();
    if rows.len() > NAMED {
        lines.push(format!("and {} more rows", rows.len() - NAMED));
    }
    lines.push(end.to_owned());
    lines.join("\n")
}
