//! Linting a handful of files in memory.

use std::path::PathBuf;

use super::{Context, Rule, all, calls, check_calls, check_files, join, without_consequences};
use crate::diagnostic::Diagnostic;
use crate::knowledge::Knowledge;
use crate::lower::{Request, analyse};
use crate::model::Choice;
use crate::source::{MemoryFileSystem, Sources};

/// What the rules that run by default find in these files.
pub(crate) fn lint(files: &[(&str, &str)]) -> (Sources, Vec<Diagnostic>) {
    lint_by(files, &|rule| !rule.meta().is_opt_in)
}

/// What some rules find in these files.
pub(crate) fn lint_by(files: &[(&str, &str)], runs: &dyn Fn(&dyn Rule) -> bool) -> (Sources, Vec<Diagnostic>) {
    let disk = MemoryFileSystem::default();
    for (path, text) in files {
        disk.insert(*path, *text);
    }
    let mut paths: Vec<PathBuf> = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
    paths.sort();
    let sources = Sources::default();
    let knowledge = Knowledge::bundled();
    let request = Request {
        file_system: &disk,
        sources: &sources,
        knowledge,
        files: &paths,
        targets: &[],
        python: None,
        choice: &Choice::default(),
        is_stopped: &|| false,
    };
    let analysis = analyse(&request);
    let context = Context::new(&request);
    let calls = calls(&analysis, &context);
    let check = |rule: &&'static dyn Rule| {
        let found = [check_files(*rule, &analysis, &context), check_calls(*rule, &analysis, &calls)];
        join(found.concat())
    };
    let found = all().iter().filter(|rule| runs(**rule)).flat_map(check);
    let mut found = without_consequences(found.collect());
    found.sort_by_key(|finding| (finding.primary.span, finding.code));
    (sources, found)
}
