//! Scripts and the calls of libraries in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use ruff_python_ast::Stmt;

use super::config::ArgumentFile;
use super::environment::Environments;
use super::host::{Alone, Beside, ProjectHost};
use super::reach::Reach;
use super::{Analysis, Request, SavedAdapter, Script, Written, configuration, parsed, trees};
use crate::eval::{self, CallEvent, Host, Trace};
use crate::knowledge::Knowledge;
use crate::model::LibraryCall;
use crate::syntax::Format;
use crate::syntax::python::PythonModule;

/// What peft calls the file with the settings of an adapter.
const ADAPTER_FILE: &str = "adapter_config.json";

pub(super) fn analyse(request: &Request<'_>) -> Analysis {
    let environments = Environments::collect(request);
    let host = ProjectHost::new(request);
    let written = Written::collect(request);
    let mut scripts = evaluate_all(request, &host, &environments, &written);
    let variants: Vec<_> = scripts.iter().map(|script| written.of(script, &scripts, request)).collect();
    for (script, variants) in scripts.iter_mut().zip(variants) {
        script.variants = variants.into();
    }
    let calls = scripts.iter().flat_map(|script| calls(script, request.knowledge)).collect();
    let parsed = scripts.iter().flat_map(|script| parsed::constructions(script, request)).collect();
    let paths: Vec<&Path> = scripts.iter().map(|script| script.path.as_path()).collect();
    let reported = scripts.iter().map(|script| (script.path.clone(), (*script.environment).clone())).collect();
    let is_adapter = |file: &&ArgumentFile| file.path.file_name().is_some_and(|name| name == ADAPTER_FILE);
    let adapter = |file: &ArgumentFile| SavedAdapter {
        source: Arc::clone(&file.source),
        document: Arc::clone(&file.document),
        environment: environments.of(&file.path),
    };
    Analysis {
        configurations: configuration::collect(&written, &environments, request.file_system),
        adapters: written.files.iter().filter(is_adapter).map(adapter).collect(),
        calls,
        parsed,
        modules: host.into_modules(),
        environments: reported,
        problems: environments.problems_for(&paths),
        written,
        scripts,
    }
}

/// Evaluates every file that speaks of a known library, or that a program reads as a configuration.
fn evaluate_all(
    request: &Request<'_>,
    host: &ProjectHost<'_>,
    environments: &Environments,
    written: &Written,
) -> Vec<Script> {
    let is_code = |path: &&PathBuf| matches!(Format::of(path), Some(Format::Python | Format::Notebook));
    let is_named = |path: &&PathBuf| {
        let source = request.sources.read(request.file_system, path);
        source.is_ok_and(|source| {
            request.knowledge.packages().any(|package| source.text().contains(package.name()))
                || trees::may_be(source.text())
        })
    };
    let code: Vec<&PathBuf> = request.files.iter().filter(is_code).collect();
    let read = |path: &&PathBuf| is_named(path).then(|| host.module_at(path)).flatten();
    let named = in_parallel(&code, read).into_iter().zip(&code).filter_map(|(module, path)| Some((*path, module?)));
    let (paths, modules): (Vec<&PathBuf>, Vec<_>) = named.unzip();
    let reaching = Reach::new(host, request.knowledge).files(&modules);
    let evaluate = |module: &Arc<PythonModule>| {
        if (request.is_stopped)() {
            return Trace::default();
        }
        let (alone, beside) = (Alone(host), Beside(host));
        let may_be_tree = trees::may_be(module.text());
        let host: &dyn Host = match reaching.contains(&module.file()) {
            true => host,
            false if may_be_tree => &beside,
            false => &alone,
        };
        let run = if may_be_tree { eval::run_configuration } else { eval::run_script };
        let mut trace = run(module, host);
        super::flags::complete(&mut trace, request.knowledge);
        trace
    };
    let evaluate_all = || in_parallel(&modules, evaluate);
    let meanwhile = || {
        let of_each = || in_parallel(&paths, |path| Arc::new(environments.of(path)));
        // Whichever thread is done first takes that over.
        rayon::join(of_each, || read_ahead(&modules, request.knowledge)).0
    };
    let (traces, known) = rayon::join(evaluate_all, meanwhile);
    let bases = trees::bases(traces.iter().filter(|trace| !trace.names.is_empty()));
    let all = paths.iter().zip(traces).zip(known);
    let script = |((path, mut trace), known): ((&&PathBuf, Trace), _)| {
        let is_base = trace.files.first().is_some_and(|file| bases.contains(file));
        let tree = trees::complete(&mut trace, (path, is_base), written);
        let environment = tree.map_or(known, |tree| Arc::new(environments.of_configuration(path, &tree.package)));
        Script { path: PathBuf::clone(path), trace: Arc::new(trace), environment, variants: Arc::default() }
    };
    all.map(script).collect()
}

/// Reads what is known of the names that scripts import.
fn read_ahead(modules: &[Arc<PythonModule>], knowledge: &Knowledge) {
    let mut names = BTreeSet::new();
    for statement in modules.iter().flat_map(|module| module.body()) {
        let Stmt::ImportFrom(import) = statement else { continue };
        let Some(module) = import.module.as_ref().filter(|_| import.level == 0) else { continue };
        names.extend(import.names.iter().map(|alias| format!("{module}.{}", alias.name)));
    }
    names.par_iter().for_each(|name| knowledge.read_ahead(name));
}

/// Does the same with each item, in order; on several threads unless there is only one, for which starting them takes long.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
    match items {
        [] | [_] => items.iter().map(act).collect(),
        _ => items.par_iter().map(act).collect(),
    }
}

/// Every call in a script of something that a known package defines, or whose arguments are known otherwise.
fn calls(script: &Script, knowledge: &Knowledge) -> Vec<LibraryCall> {
    let calls = script.trace.calls.iter().enumerate();
    let known = calls.filter(|(_, call)| is_known(&call.object.callee, knowledge));
    let call = |(index, call): (usize, &CallEvent)| LibraryCall {
        trains: is_trainer(&call.object.callee, knowledge),
        script: script.path.clone(),
        trace: Arc::clone(&script.trace),
        call: index,
        parsed: None,
        variants: Arc::clone(&script.variants),
        environment: Arc::clone(&script.environment),
    };
    known.map(call).collect()
}

/// Whether what a call of this name does with its arguments is known.
pub(super) fn is_known(callee: &str, knowledge: &Knowledge) -> bool {
    defines(callee, knowledge) || knowledge.curated().passes_arguments_on(callee)
}

/// Whether some release of a known package defines a class or function that is called by this full name.
fn defines(callee: &str, knowledge: &Knowledge) -> bool {
    let package = callee.split_once('.').and_then(|(top, _)| knowledge.package(top));
    package.is_some_and(|package| package.defines(callee))
}

/// Whether a full name is a class that some release of a known package defines and calls a trainer.
pub(super) fn is_trainer(callee: &str, knowledge: &Knowledge) -> bool {
    callee.ends_with("Trainer") && defines(callee, knowledge)
}
