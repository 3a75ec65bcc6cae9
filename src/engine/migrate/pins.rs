//! Declarations: what they ask for is rewritten where it does not let the wanted release in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Goal, Project};
use crate::diagnostic::Applicability;
use crate::engine::driver::{self, Job};
use crate::engine::repair::AppliedFix;
use crate::lower::{PinError, rewrite_pin};
use crate::model::Declaration;
use crate::rules::Before;
use crate::source::{FileId, Sources, Span};
use crate::syntax::{Edit, edit};

/// A declaration that was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPin {
    /// Path and line.
    pub place: (PathBuf, usize),
    /// `trl==0.9.6`
    pub requirement: String,
    /// Why.
    pub why: PinError,
}

/// Rewrites the declarations of what was asked about; returns those that have to be changed by hand. `first` is what that had before
/// anything was changed.
pub(super) fn rewrite(job: &Job<'_>, first: &Before, goals: &[Goal], project: &mut Project) -> Vec<KeptPin> {
    let is_changed = |declaration: &Declaration| {
        let span = declaration.origin.span();
        span.is_some_and(|span| project.files.contains_key(job.sources.get(span.file).path()))
    };
    let mut packages = first.all().flat_map(|environment| environment.packages.values());
    if !packages.any(|facts| facts.declarations.iter().any(is_changed)) {
        return rewrite_in(job, first, goals, project);
    }
    // Declarations stand elsewhere now: in a notebook, a script.
    let overlay = project.overlay(job.file_system);
    let sources = Sources::default();
    let now = Job { file_system: &overlay, sources: &sources, ..*job };
    let (_, seen) = driver::survey(&now, |analysis| super::environments(&now, analysis));
    rewrite_in(&now, &seen.unwrap_or_default(), goals, project)
}

fn rewrite_in(job: &Job<'_>, environments: &Before, goals: &[Goal], project: &mut Project) -> Vec<KeptPin> {
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    let mut kept: Vec<KeptPin> = Vec::new();
    for goal in goals {
        let facts = environments.all().filter_map(|environment| environment.package(goal.package()));
        for declaration in facts.flat_map(|facts| &facts.declarations) {
            let Some(span) = declaration.origin.span() else { continue };
            let source = job.sources.get(span.file);
            let rewritten = match rewrite_pin(&source, span, declaration, goal.version()) {
                Ok(new) if !new.is_empty() && !(job.is_own)(source.path()) => Err(PinError::Elsewhere),
                other => other,
            };
            match rewritten {
                Ok(new) => edits.entry(span.file).or_default().extend(new),
                Err(why) => {
                    let place = (source.path().to_path_buf(), source.position(span.start).line);
                    let pin = KeptPin { place, requirement: declaration.requirement(), why };
                    if !kept.contains(&pin) {
                        kept.push(pin);
                    }
                }
            }
        }
    }
    for (file, mut edits) in edits {
        edits.sort_unstable();
        edits.dedup();
        apply(job.sources, file, &edits, project);
    }
    kept
}

fn apply(sources: &Sources, file: FileId, edits: &[Edit], project: &mut Project) {
    let source = sources.get(file);
    let Ok(after) = edit::apply(source.text(), edits) else { return };
    let path = source.path().to_path_buf();
    let title = |edit: &Edit| AppliedFix {
        rule: "migrate",
        path: path.clone(),
        applicability: Applicability::Safe,
        title: format!("ask for `{}` instead of `{}`", edit.text, slice(sources, edit.span)),
    };
    project.applied.extend(edits.iter().map(title));
    project.change(path.clone(), source.text().into(), after.into());
}

fn slice(sources: &Sources, span: Span) -> String {
    sources.get(span.file).slice(span).to_owned()
}
