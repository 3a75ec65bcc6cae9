//! Scripts that build a TRL trainer.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::environment::Environments;
use super::host::ProjectHost;
use super::{Analysis, Request, Script, Written};
use crate::eval;
use crate::knowledge::{Knowledge, Resolution};
use crate::model::{Surface, TrainingRun};
use crate::syntax::Format;

pub(super) fn analyse(request: &Request<'_>) -> Analysis {
    let environments = Environments::collect(request);
    let host = ProjectHost::new(request);
    let written = Written::collect(request);
    let scripts: Vec<Script> = request
        .files
        .par_iter()
        .filter(|path| matches!(Format::of(path), Some(Format::Python | Format::Notebook)))
        .filter_map(|path| evaluate(path, request, &host, &environments))
        .collect();
    let runs = scripts.iter().flat_map(|script| runs(script, request.knowledge, &written, request)).collect();
    let reported = scripts.iter().map(|script| (script.path.clone(), (*script.environment).clone())).collect();
    Analysis {
        runs,
        modules: host.into_modules(),
        environments: reported,
        problems: environments.problems,
        written,
        scripts,
    }
}

/// Evaluates a file that speaks of a known library.
fn evaluate(path: &Path, request: &Request<'_>, host: &ProjectHost<'_>, environments: &Environments) -> Option<Script> {
    let source = request.sources.read(request.file_system, path).ok()?;
    if !request.knowledge.packages().any(|package| source.text().contains(package.name())) {
        return None;
    }
    let module = host.module_at(path)?;
    let mut trace = eval::run_script(&module, host);
    super::flags::complete(&mut trace, request.knowledge);
    let trace = Arc::new(trace);
    Some(Script { path: path.to_path_buf(), trace, environment: Arc::new(environments.of(path)) })
}

/// Every call in a script that builds something which trains.
fn runs(script: &Script, knowledge: &Knowledge, starts: &Written, request: &Request<'_>) -> Vec<TrainingRun> {
    let calls = script.trace.calls.iter().enumerate();
    let trainers = calls.filter(|(_, call)| is_trainer(&call.object.callee, knowledge));
    trainers
        .map(|(index, _)| TrainingRun {
            surface: Surface::TrlScript,
            script: script.path.clone(),
            trace: Arc::clone(&script.trace),
            call: index,
            variants: starts.of(script, request),
            environment: Arc::clone(&script.environment),
        })
        .collect()
}

/// Whether a full name is a class that some release of a known package defines with a constructor and calls a trainer.
fn is_trainer(callee: &str, knowledge: &Knowledge) -> bool {
    let Some((top, _)) = callee.split_once('.') else { return false };
    let Some(package) = knowledge.package(top) else { return false };
    callee.ends_with("Trainer")
        && package.all().iter().any(|release| matches!(package.resolve(callee, release), Resolution::Definition(_)))
}
