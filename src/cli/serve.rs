//! `dpo-lint server`

use super::terminal::Terminal;
use super::{Exit, Failure, learn};
use crate::server::{self, Ended};

/// Serves until the editor leaves. Standard output belongs to the protocol; what is to be said besides goes to standard error.
pub(super) fn run() -> Result<Exit, Failure> {
    let mut terminal = Terminal::new(clap::ColorChoice::Never);
    let learn = move |python: Option<&std::path::Path>| learn::knowledge(python.into_iter(), false, &mut terminal);
    match server::run(Box::new(learn))? {
        Ended::Orderly => Ok(Exit::Clean),
        // As the protocol wants it.
        Ended::Abruptly => Ok(Exit::Findings),
    }
}
