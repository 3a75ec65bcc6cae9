//! Linting a handful of files in memory.

use std::path::PathBuf;

use super::{Context, all, calls, check};
use crate::diagnostic::Diagnostic;
use crate::knowledge::Knowledge;
use crate::lower::{Request, analyse};
use crate::source::{MemoryFileSystem, Sources};

/// What the rules find in these files.
pub(crate) fn lint(files: &[(&str, &str)]) -> (Sources, Vec<Diagnostic>) {
    let disk = MemoryFileSystem::default();
    files.iter().for_each(|(path, text)| disk.insert(*path, *text));
    let mut paths: Vec<PathBuf> = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
    paths.sort();
    let sources = Sources::default();
    let knowledge = Knowledge::bundled();
    let request =
        Request { file_system: &disk, sources: &sources, knowledge, files: &paths, targets: &[], python: None };
    let analysis = analyse(&request);
    let context = Context { knowledge, sources: &sources };
    let calls = calls(&analysis, &context);
    let mut found: Vec<Diagnostic> = all().iter().flat_map(|rule| check(*rule, &analysis, &calls, &context)).collect();
    found.sort_by_key(|finding| (finding.primary.span, finding.code));
    (sources, found)
}

/// One line per finding: `error DPL001 train.py:9 message`.
pub(crate) fn shown(files: &[(&str, &str)]) -> String {
    let (sources, found) = lint(files);
    let line = |finding: &Diagnostic| {
        let file = sources.get(finding.primary.span.file);
        let line = file.position(finding.primary.span.start).line;
        format!("{} {} {}:{line} {}\n", finding.severity.as_str(), finding.code, file.path().display(), finding.message)
    };
    found.iter().map(line).collect()
}
