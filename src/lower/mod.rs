//! From files to meaning: scripts, argument files and launch lines become training runs, declarations an environment.

mod environment;
pub mod launch;

use std::path::{Path, PathBuf};

use crate::diagnostic::Problem;
use crate::knowledge::Knowledge;
use crate::model::Environment;
use crate::source::{FileSystem, Sources};

pub use environment::Environments;

/// What to look at.
pub struct Request<'a> {
    /// The disk.
    pub file_system: &'a dyn FileSystem,
    /// Where read files are kept.
    pub sources: &'a Sources,
    /// What is known of the libraries.
    pub knowledge: &'a Knowledge,
    /// Every file of the project that may matter, sorted: scripts, argument files, launch scripts, declarations.
    pub files: &'a [PathBuf],
    /// Releases the user asked for: `trl==0.12.2`.
    pub targets: &'a [String],
    /// A Python interpreter or virtual environment whose installed releases count.
    pub python: Option<&'a Path>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Analysis {
    /// The environment of each script that uses a known library, by path.
    pub environments: Vec<(PathBuf, Environment)>,
    /// Input that could not be read.
    pub problems: Vec<Problem>,
}

/// Reads and joins the files of a request.
pub fn analyse(_request: &Request<'_>) -> Analysis {
    Analysis::default()
}
