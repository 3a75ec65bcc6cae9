//! What a reader should know after a migration.

use pep440_rs::VersionSpecifiers;

use super::Goal;
use crate::diagnostic::Diagnostic;
use crate::engine::driver::{self, Job};
use crate::lower::Analysis;
use crate::model::Environment;
use crate::rules::{self, Before, Drift};
use crate::source::{FileId, Span};
use crate::syntax::requirements::parse_requirement;

/// Defaults of what the project constructs that were others with the releases it had before, and models with another reference.
pub(super) fn drift(job: &Job<'_>, analysis: &Analysis, before: &Before) -> (Vec<Drift>, Vec<Diagnostic>) {
    let context = rules::Context::new(&driver::request(job));
    let calls = rules::calls(analysis, &context);
    let is_given = |span: Span| (job.is_given)(&job.folder.join(job.sources.get(span.file).path()));
    let mut found = rules::drifts(analysis, &calls, &context, before);
    found.retain(|drift| is_given(drift.span));
    found.sort_by_key(|drift| {
        let path = job.sources.get(drift.span.file).path().to_path_buf();
        (path, drift.span, drift.parameter.clone())
    });
    found.dedup();
    let mut changed = rules::changed_references(&calls, before);
    changed.retain(|finding| is_given(finding.primary.span));
    (found, changed)
}

/// A requirement of a release that holds without an extra.
fn required(text: &str) -> Option<(String, VersionSpecifiers)> {
    let nowhere = Span::new(FileId(0), 0, 0);
    let read = parse_requirement(text, nowhere).ok()?;
    let is_extra = read.marker.as_ref().is_some_and(|marker| marker.text.contains("extra"));
    (!is_extra).then(|| (read.package(), read.allowed()))
}

/// What the wanted releases ask of each other.
pub(super) fn notes<'e>(
    job: &Job<'_>,
    goals: &[Goal],
    environments: impl Iterator<Item = &'e Environment>,
) -> Vec<String> {
    let environments: Vec<&Environment> = environments.collect();
    let mut notes: Vec<String> = Vec::new();
    for goal in goals {
        let Some((package, release)) = job.knowledge.package(goal.package()).zip(goal.release()) else { continue };
        let Some(release) = package.releases().get(release) else { continue };
        let wanted = release.requires.iter().filter_map(|text| required(text));
        for (name, specifiers) in wanted {
            for environment in &environments {
                let Some(version) = environment.package(&name).and_then(|facts| facts.in_effect.as_ref()) else {
                    continue;
                };
                if specifiers.contains(version) {
                    continue;
                }
                let needs = specifiers.to_string().replace(", ", ",");
                let (goal, flag) = (goal.requirement(), "--to");
                let note =
                    format!("{goal} requires {name}{needs}, and the project gets {version}: add `{flag} {name}==...`");
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
    }
    notes
}
