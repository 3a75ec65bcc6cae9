//! The local files that a trainer's data comes from, whether the script names them or a launch line, an argument file or a default.

use std::path::{Path, PathBuf};

use crate::eval::{Argument, Cond};
use crate::knowledge::Knowledge;
use crate::lower::{Analysis, Loaded, TrainingRun, loaded};
use crate::model::{LibraryCall, Variant};
use crate::source::Span;

/// A file of data that a trainer gets as it is.
pub(super) struct DataFile<'a> {
    /// The path, as written.
    pub(super) path: String,
    /// Where it is written.
    pub(super) place: Span,
    /// `json` or `csv`.
    pub(super) format: String,
    /// The folder from which it is looked for.
    pub(super) from: PathBuf,
    /// The argument of the trainer.
    pub(super) argument: &'a Argument,
}

/// The files of a trainer's data sets, where nothing changes their columns on the way.
pub(super) fn data_files<'a>(
    analysis: &'a Analysis,
    call: &'a LibraryCall,
    knowledge: &Knowledge,
) -> Vec<DataFile<'a>> {
    let argument = |name: &str| call.arguments().iter().find(|argument| argument.name.as_deref() == Some(name));
    let mut found = Vec::new();
    for argument in ["train_dataset", "eval_dataset"].into_iter().filter_map(argument) {
        let module = analysis.modules.get(&argument.span.file);
        let Some(set) = module.and_then(|module| loaded(module, argument.span)) else { continue };
        let from = || call.script.parent().map(Path::to_path_buf);
        let files: Vec<(String, Span, Option<PathBuf>)> = match &set.files {
            Some(files) => files.iter().map(|(path, place)| (path.clone(), *place, from())).collect(),
            None => given(analysis, call, &set, knowledge),
        };
        for (path, place, from) in files {
            let Some(from) = from else { continue };
            let format = set.format.clone();
            found.push(DataFile { path, place, format, from, argument });
        }
    }
    found
}

/// The files that come to `load_dataset` through flags, in each way to start the script.
fn given(
    analysis: &Analysis,
    call: &LibraryCall,
    set: &Loaded,
    knowledge: &Knowledge,
) -> Vec<(String, Span, Option<PathBuf>)> {
    let mut events = call.trace.calls.iter().filter(|event| event.object.span == set.call);
    // Of a function that is called several times, one call is meant.
    let Some(event) = events.next().filter(|_| events.next().is_none()) else { return Vec::new() };
    let named = event.object.args.iter().find(|argument| argument.name.as_deref() == Some("data_files"));
    let Some(named) = named.filter(|named| named.when == Cond::TRUE && !event.open && !event.uncalled) else {
        return Vec::new();
    };
    let of_variant = |variant: &Variant| {
        let run = TrainingRun::of(call, variant, knowledge).filter(|_| !variant.is_guessed)?;
        let texts = run.texts(&named.value.value, set.part.as_deref())?;
        let files = texts.into_iter().map(|(path, place)| {
            let from = folder(analysis, variant, place).or_else(|| call.script.parent().map(Path::to_path_buf));
            (path.to_string(), place, from)
        });
        Some(files.collect::<Vec<_>>())
    };
    let mut found: Vec<_> = call.variants.iter().filter_map(of_variant).flatten().collect();
    found.dedup();
    found
}

/// Where a command runs, else where a file lies that names another one.
fn folder(analysis: &Analysis, variant: &Variant, place: Span) -> Option<PathBuf> {
    let launch = variant.origin.and_then(|origin| analysis.written.launch_at(origin));
    let inside = launch.and_then(|launch| Some((launch, launch.directory.as_ref()?)));
    match inside {
        Some((launch, word)) => {
            let start = analysis.written.path_at(launch.span)?.parent()?;
            Some(start.join(word.text.as_deref().unwrap_or("$")))
        }
        None => Some(analysis.written.path_at(place)?.parent()?.to_path_buf()),
    }
}
