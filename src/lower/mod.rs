//! From files to meaning: scripts, argument files and launch lines become calls of libraries, declarations an environment.

mod asked;
mod config;
pub mod configuration;
mod environment;
mod flags;
mod here;
mod host;
mod hydra;
mod install;
mod instead;
pub mod launch;
mod loaded;
mod parsed;
mod reach;
mod releases;
mod script;
mod timeline;
mod training;
pub mod trees;
mod variants;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use asked::{asked, trained};
pub use flags::{fields, library_class};
pub use host::ReleaseHost;
pub use install::Install;
pub use instead::{Instead, written_down};
pub use loaded::{Loaded, loaded};
pub use releases::Releases;
pub(crate) use script::in_parallel;
pub use timeline::{Doing, Timeline, timelines};
pub use training::{Held, Options, Told, TrainingRun};

use crate::diagnostic::Problem;
use crate::eval::Trace;
use crate::knowledge::Knowledge;
use crate::model::{Choice, Environment, LibraryCall, Variant};
use crate::source::{FileId, FileSystem, SourceFile, Sources};
use crate::syntax::Document;
use crate::syntax::python::PythonModule;

pub use config::reads_any_word_as_true;
pub use configuration::Configuration;
pub use environment::{
    Environments, NoSet, Pair, Pairs, PinError, Pools, Pythons, bound_pin, environment_of_targets, installed,
    is_canonical, nearest, raise_pin, rewrite_pin,
};
pub use written::{Change, Rewrite, Written};

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
    /// Which releases an installer is taken to choose.
    pub choice: &'a Choice,
    /// Whether nobody waits for the analysis any more: what is not evaluated by then never is.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Scripts that were evaluated, in path order.
    pub scripts: Vec<Script>,
    /// Every call in them of something that a known library defines.
    pub calls: Vec<LibraryCall>,
    /// The constructions that their parsers make of argument files and launch lines.
    pub parsed: Vec<LibraryCall>,
    /// The modules that took part, by file.
    pub modules: BTreeMap<FileId, Arc<PythonModule>>,
    /// The environment of each script that uses a known library, by path.
    pub environments: Vec<(PathBuf, Environment)>,
    /// The files that give settings to the scripts.
    pub written: Written,
    /// Configurations of programs that the project starts.
    pub configurations: Vec<Configuration>,
    /// Adapters that lie in the project.
    pub adapters: Vec<SavedAdapter>,
    /// Input that could not be read.
    pub problems: Vec<Problem>,
}

/// The settings of an adapter that was saved: `adapter_config.json`.
#[derive(Debug)]
pub struct SavedAdapter {
    /// The file.
    pub source: Arc<SourceFile>,
    /// What it says.
    pub document: Arc<Document>,
    /// The releases that a script beside it gets.
    pub environment: Environment,
}

/// A script that was evaluated.
#[derive(Debug)]
pub struct Script {
    /// Its path.
    pub path: PathBuf,
    /// What the evaluation left behind.
    pub trace: Arc<Trace>,
    /// The releases it gets.
    pub environment: Arc<Environment>,
    /// The ways in which the project starts it; see [`LibraryCall::variants`].
    pub variants: Arc<[Variant]>,
}

/// Reads and joins the files of a request.
pub fn analyse(request: &Request<'_>) -> Analysis {
    script::analyse(request)
}
