//! The nearest releases with which a set can be imported, and how a declaration asks for them.

use std::collections::BTreeSet;

use pep440_rs::Version;

use super::Context;
use super::failures::Failure;
use crate::diagnostic::{Applicability, Fix};
use crate::knowledge::{Asked, Package, Verdict};
use crate::lower::{Install, Pythons, bound_pin, rewrite_pin};
use crate::model::{Environment, Evidence, PackageFacts};
use crate::source::Sources;

/// One library in another release.
#[derive(Debug)]
pub(super) struct Remedy {
    /// What to do: `pin transformers==4.57.6`.
    pub(super) order: String,
    /// Whether the declarations allow that release already, so that only a bound is missing.
    pub(super) is_allowed: bool,
    /// The edit, where the declaration is written in a form that can be changed.
    pub(super) fix: Option<Fix>,
}

/// What would help, of each library that takes part; that which does not ask first, because the code is written for the other one.
pub(super) fn remedies(
    failure: &Failure,
    install: &Install<'_>,
    asked: &BTreeSet<Asked>,
    context: &Context<'_>,
) -> Vec<Remedy> {
    let known: Vec<&Asked> = asked.iter().filter(|asked| install.imports(asked) != Verdict::Unknown).collect();
    let packages = failure.packages();
    let found = packages.into_iter().rev().filter_map(|name| {
        let package = context.knowledge.distribution(name)?;
        let facts = failure.environment.package(name)?;
        let counts = install.release(name)?;
        let mut candidates = nearest(package, facts, counts, failure);
        let release = candidates.find(|release| {
            let set = install.clone().with(package, *release);
            is_installable(&set, package, context)
                && set
                    .import_until(known.iter().copied(), |_, verdict| (verdict != Verdict::Works).then_some(()))
                    .is_none()
        })?;
        Some(remedy(package, facts, (counts, release), context))
    });
    let mut found: Vec<Remedy> = found.collect();
    found.sort_by_key(|remedy| !remedy.is_allowed);
    found
}

/// Releases that an installer takes, from the one that counts away. Of a range, older ones that it allows.
fn nearest<'p>(
    package: &'p Package,
    facts: &'p PackageFacts,
    counts: usize,
    failure: &'p Failure,
) -> impl Iterator<Item = usize> + 'p {
    let pythons = Pythons::new(failure.environment.python.as_ref());
    let is_fine = move |release: usize| is_fine(package, &pythons, release);
    let is_open = facts.evidence <= Evidence::Range;
    let is_meant = move |release: usize| !is_open || facts.allowed.binary_search(&package.versions()[release]).is_ok();
    let last = package.versions().len();
    let around = (1..last).flat_map(move |step| {
        let newer = Some(counts + step).filter(|release| !is_open && *release < last);
        counts.checked_sub(step).into_iter().chain(newer)
    });
    around.filter(move |release| is_fine(*release) && is_meant(*release))
}

/// Whether an installer takes a release without being told to.
fn is_fine(package: &Package, pythons: &Pythons, release: usize) -> bool {
    let brief = &package.brief()[release];
    let is_admitted = brief.requires_python.as_deref().is_none_or(|needed| pythons.any_satisfies(needed));
    is_admitted && !brief.yanked && !package.versions()[release].any_prerelease()
}

/// The nearest release that an installer takes, a newer one if there is one.
pub(super) fn fine_near(package: &Package, environment: &Environment, release: usize) -> Option<usize> {
    let pythons = Pythons::new(environment.python.as_ref());
    let newer = release + 1..package.versions().len();
    newer.chain((0..release).rev()).find(|near| is_fine(package, &pythons, *near))
}

/// The only declaration of a package, moved to another release.
pub(super) fn moved(facts: &PackageFacts, sources: &Sources, version: &Version) -> Option<Fix> {
    let edits = written(facts, sources, |source, span, one| rewrite_pin(source, span, one, version).ok())?;
    Some(Fix { title: format!("use {} {version}", facts.package), applicability: Applicability::Unsafe, edits })
}

/// Whether the releases of a set declare no requirement that the release of one of them does not meet.
fn is_installable(set: &Install<'_>, moved: &Package, context: &Context<'_>) -> bool {
    let meets = |package: &Package, release: usize| {
        let needs = package.needs().iter().filter(move |need| need.releases.contains(release));
        needs.filter(|need| need.name == moved.name() || package.name() == moved.name()).all(|need| {
            let Some(on) = context.knowledge.distribution(&need.name) else { return true };
            let Some(release) = set.release(&need.name) else { return true };
            need.specifiers.contains(&on.versions()[release])
        })
    };
    set.releases().all(|(package, release)| meets(package, release))
}

fn remedy(package: &Package, facts: &PackageFacts, (counts, release): (usize, usize), context: &Context<'_>) -> Remedy {
    let (name, version) = (package.name(), &package.versions()[release]);
    let is_allowed = facts.evidence <= Evidence::Range;
    if !is_allowed {
        let order = format!("use {name} {version}");
        return Remedy { order, is_allowed, fix: moved(facts, context.sources, version) };
    }
    let next = (release + 1..=counts).find(|next| !package.versions()[*next].any_prerelease()).unwrap_or(counts);
    let bound = between(version, &package.versions()[next]);
    let order = format!("ask for {name}<{bound}; {name} {version} works");
    let fix = written(facts, context.sources, |source, span, one| bound_pin(source, span, one, &bound).ok());
    let title = format!("ask for {name}<{bound}");
    let fix = fix.map(|edits| Fix { title, applicability: Applicability::Safe, edits });
    Remedy { order, is_allowed, fix }
}

/// What an edit of the only declaration in a file makes of it.
pub(super) fn written(
    facts: &PackageFacts,
    sources: &Sources,
    edit: impl Fn(
        &crate::source::SourceFile,
        crate::source::Span,
        &crate::model::Declaration,
    ) -> Option<Vec<crate::syntax::Edit>>,
) -> Option<Vec<crate::syntax::Edit>> {
    let [only] = facts.deciding() else { return None };
    let span = only.origin.span()?;
    edit(&sources.get(span.file), span, only).filter(|edits| !edits.is_empty())
}

/// The shortest bound that keeps one release and leaves out a later one: `5` between 4.57.6 and 5.0.0.
fn between(kept: &Version, left_out: &Version) -> String {
    let numbers = left_out.release();
    let bounds = (1..=numbers.len()).map(|length| Version::new(&numbers[..length]));
    let mut bounds = bounds.filter(|bound| bound > kept && bound <= left_out);
    bounds.next().unwrap_or_else(|| left_out.clone()).to_string()
}
