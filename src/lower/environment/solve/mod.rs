//! What an installer chooses: one release of each package so that all that they require of each other is met.
//!
//! The search is that of the `pubgrub` crate over the requirements of the mined releases; distributions that are not known
//! limit nothing.

mod provider;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use pubgrub::{DerivationTree, External, PubGrubError};

use self::provider::{Name, Provider, Releases};
use super::marker::Pythons;
use crate::eval::Tri;
use crate::knowledge::{Need, Package, ReleaseSet};
use crate::model::Order;

/// A package that may be chosen.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    pub(super) package: &'a Package,
    /// The releases to choose from.
    pub(super) releases: ReleaseSet,
    /// Whether the project asks for it, not only something that it asks for.
    pub(super) is_asked: bool,
    /// The extras with which it does.
    pub(super) extras: BTreeSet<String>,
}

/// A release that does not work with some releases of another package, or, without one, at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict<'a> {
    pub(super) of: (&'a str, usize),
    pub(super) with: Option<(&'a str, ReleaseSet)>,
}

/// The chosen releases by package.
pub(super) type Solution<'a> = BTreeMap<&'a str, usize>;

/// Facts that contradict each other, each as one line.
pub(super) type Contradiction = Vec<String>;

/// Chooses releases. Those of packages that nothing asks for are chosen last, so that they limit none of the others.
pub(super) fn solve<'a>(
    candidates: &[Candidate<'a>],
    pythons: &Pythons,
    order: Order,
) -> Result<Solution<'a>, Contradiction> {
    let mut solution = search(candidates, &[], pythons, order)?;
    for at in 0..candidates.len() {
        let name = candidates[at].package.name();
        if solution.contains_key(name) {
            continue;
        }
        let mut fixed = candidates.to_vec();
        for one in &mut fixed {
            if let Some(&release) = solution.get(one.package.name()) {
                one.releases = ReleaseSet::interval(release, release);
                one.is_asked = true;
            }
        }
        fixed[at].is_asked = true;
        if let Ok(wider) = search(&fixed, &[], pythons, order) {
            solution = wider;
        }
    }
    Ok(solution)
}

/// Chooses releases of what is asked for and of what that requires, so that none of the conflicts is met.
pub(super) fn search<'a>(
    candidates: &[Candidate<'a>],
    conflicts: &[Conflict<'a>],
    pythons: &Pythons,
    order: Order,
) -> Result<Solution<'a>, Contradiction> {
    let provider = Provider::new(candidates, conflicts, pythons, order);
    match pubgrub::resolve(&provider, Name::Project, 0_u32) {
        Ok(chosen) => {
            let library = |(name, release)| match name {
                Name::Library(name) => Some((name, release as usize)),
                Name::Project | Name::Extra(..) => None,
            };
            Ok(chosen.into_iter().filter_map(library).collect())
        }
        Err(PubGrubError::NoSolution(error)) => {
            let mut facts = Contradiction::new();
            tell(&error, candidates, &mut facts);
            Err(facts)
        }
        // The provider never fails.
        Err(_) => Err(Contradiction::new()),
    }
}

/// The facts at the leaves of a proof, in its order.
fn tell(proof: &DerivationTree<Name<'_>, Releases, String>, candidates: &[Candidate<'_>], facts: &mut Contradiction) {
    match proof {
        DerivationTree::Derived(derived) => {
            tell(&derived.cause1, candidates, facts);
            tell(&derived.cause2, candidates, facts);
        }
        DerivationTree::External(External::FromDependencyOf(
            Name::Library(by) | Name::Extra(by, _),
            releases,
            Name::Library(on),
            wanted,
        )) if by != on => {
            let find = |name: &str| candidates.iter().find(|one| one.package.name() == name);
            let (Some(by), Some(on)) = (find(by), find(on)) else { return };
            let (by, on) = (by.package, on.package);
            let releases: ReleaseSet = members(by, releases);
            let asks = |need: &&Need| need.name == on.name() && !(&need.releases & &releases).is_empty();
            let mut texts: Vec<String> =
                by.needs().iter().chain(by.extra_needs()).filter(asks).map(Need::requirement).collect();
            texts.sort_unstable();
            texts.dedup();
            let needed = if texts.len() == 1 { texts.remove(0) } else { shown(on, &members(on, wanted)) };
            let fact = format!("{} needs {needed}", shown(by, &releases));
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        DerivationTree::External(_) => {}
    }
}

fn members(package: &Package, releases: &Releases) -> ReleaseSet {
    (0..package.versions().len()).filter(|index| releases.contains(&(*index as u32))).collect()
}

fn shown(package: &Package, set: &ReleaseSet) -> String {
    format!("{} {}", package.name(), package.intervals(set).join(", "))
}

/// What the chosen release of a package, and that alone, requires of another one; the markers of requirements hold for the
/// Pythons of the project.
pub(super) fn needs<'p>(package: &'p Package, release: usize, pythons: &Pythons) -> impl Iterator<Item = &'p Need> {
    let holds = move |need: &&Need| {
        need.releases.contains(release) && need.marker.as_deref().is_none_or(|marker| pythons.holds(marker) != Tri::No)
    };
    package.needs().iter().filter(holds)
}

/// The same of what one of its extras brings.
pub(super) fn extra_needs<'p>(
    package: &'p Package,
    extra: &str,
    release: usize,
    pythons: &Pythons,
) -> impl Iterator<Item = &'p Need> {
    let holds = move |need: &&Need| {
        need.extra.as_deref() == Some(extra)
            && need.releases.contains(release)
            && need.marker.as_deref().is_none_or(|marker| pythons.holds(marker) != Tri::No)
    };
    package.extra_needs().iter().filter(holds)
}
