//! From the declarations that govern a package to the releases they allow and the one that an install gets.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Operator, Version, VersionSpecifier};

use super::kind::Standing;
use super::marker::Pythons;
use super::statement::intersect;
use crate::eval::Tri;
use crate::knowledge::{Package, ReleaseSet};
use crate::model::{Declaration, Evidence, PackageFacts};

/// Declarations that are installed together: those of one file and of the files it includes.
#[derive(Debug)]
pub(super) struct Installation<'a> {
    /// Which of several a reader would take first.
    pub(super) standing: Standing,
    /// What it says of the package.
    pub(super) declarations: Vec<&'a Declaration>,
}

/// What governs one package: the installations that decide, and others worth keeping.
#[derive(Debug, Default)]
pub(super) struct Governing<'a> {
    pub(super) deciding: Vec<Installation<'a>>,
    pub(super) others: Vec<&'a Declaration>,
}

impl<'a> Governing<'a> {
    /// Adds a declaration that decides.
    pub(super) fn declare(&mut self, declaration: &'a Declaration) {
        self.deciding.push(Installation { standing: Standing::Canonical, declarations: vec![declaration] });
    }

    /// Whether no declaration decides.
    pub(super) fn is_empty(&self) -> bool {
        self.deciding.iter().all(|one| one.declarations.is_empty())
    }
}

/// What declarations say of a package.
pub(super) struct Resolved {
    /// The facts, with the newest release in effect.
    pub(super) facts: PackageFacts,
    /// The releases that the installation taken to be in effect allows.
    pub(super) preferred: ReleaseSet,
}

/// Puts declarations together with the known releases.
///
/// The strongest evidence decides. Within it everything is joined; installations that contradict each other are
/// alternatives, the most canonical of which is taken to be in effect.
pub(super) fn resolve(name: &str, governing: &Governing<'_>, pythons: &Pythons, known: Option<&Package>) -> Resolved {
    let holding = |one: &&Declaration| one.condition.as_deref().is_none_or(|text| pythons.holds(text) != Tri::No);
    let all = governing.deciding.iter().flat_map(|one| &one.declarations).copied().filter(holding);
    let Some(evidence) = all.clone().map(|one| one.evidence).max() else {
        return assumed(name, governing, pythons, known);
    };
    let mut deciding: Vec<Installation<'_>> = governing
        .deciding
        .iter()
        .map(|one| {
            let strongest = one.declarations.iter().copied().filter(holding).filter(|one| one.evidence == evidence);
            Installation { standing: one.standing, declarations: strongest.collect() }
        })
        .filter(|one| !one.declarations.is_empty())
        .collect();
    deciding.sort_by_key(|one| (one.standing, !one.declarations.iter().any(|one| is_branch(one))));

    let (allowed, preferred) = known.map(|known| allowed(&deciding, known)).unwrap_or_default();
    let newest = known.and_then(|known| newest(&preferred, pythons, known));
    // A release that is named counts even where the tool does not know it.
    let in_effect = newest.or_else(|| named(&deciding));
    let mut declarations: Vec<Declaration> = Vec::new();
    for one in deciding.iter().flat_map(|one| &one.declarations) {
        push_new(&mut declarations, one);
    }
    // Those that name the release in effect first: they are its reason.
    declarations.sort_by_key(|one| {
        let is_reason = in_effect.as_ref().is_some_and(|version| one.names(version));
        (!is_reason, in_effect.is_some() && is_branch(one))
    });
    let count = declarations.len();
    let mut rest: Vec<&Declaration> = all.chain(governing.others.iter().copied()).collect();
    rest.sort_by_key(|one| std::cmp::Reverse(one.evidence));
    for one in rest {
        push_new(&mut declarations, one);
    }
    let facts = PackageFacts {
        package: name.to_owned(),
        known: known.is_some(),
        declarations,
        deciding: count,
        evidence,
        allowed: known.map(|known| versions(&allowed, known)).unwrap_or_default(),
        in_effect,
        limits: Vec::new(),
    };
    Resolved { facts, preferred }
}

/// Nothing decides: an install gets the newest release.
fn assumed(name: &str, governing: &Governing<'_>, pythons: &Pythons, known: Option<&Package>) -> Resolved {
    let all = known.map(|known| known.matching(&pep440_rs::VersionSpecifiers::empty())).unwrap_or_default();
    let facts = PackageFacts {
        package: name.to_owned(),
        known: known.is_some(),
        declarations: governing.others.iter().map(|one| (*one).clone()).collect(),
        deciding: 0,
        evidence: Evidence::Assumed,
        in_effect: known.and_then(|known| newest(&all, pythons, known)),
        allowed: known.map(|known| versions(&all, known)).unwrap_or_default(),
        limits: Vec::new(),
    };
    Resolved { facts, preferred: all }
}

/// The releases that some installation allows, and those of the installation taken to be in effect.
fn allowed(deciding: &[Installation<'_>], known: &Package) -> (ReleaseSet, ReleaseSet) {
    let sets: Vec<(Standing, ReleaseSet)> =
        deciding.iter().map(|one| (one.standing, installed(&one.declarations, known))).collect();
    let joined = sets.iter().map(|(_, set)| set.clone()).reduce(|left, right| &left & &right).unwrap_or_default();
    if !joined.is_empty() {
        return (joined.clone(), joined);
    }
    let union = sets.iter().fold(ReleaseSet::default(), |all, (_, set)| &all | set);
    let best = sets.iter().min_by_key(|(standing, _)| *standing);
    (union, best.map(|(_, set)| set.clone()).unwrap_or_default())
}

/// The releases that one installation allows. Declarations under different conditions are alternatives: one extra or
/// marker or another holds, not all of them.
fn installed(declarations: &[&Declaration], known: &Package) -> ReleaseSet {
    let mut by_condition: BTreeMap<Option<&str>, Vec<&Declaration>> = BTreeMap::new();
    for one in declarations {
        by_condition.entry(one.condition.as_deref()).or_default().push(one);
    }
    let always = by_condition.remove(&None).map_or_else(|| known.all(), |always| joined(&always, known));
    let alternatives = by_condition.values().map(|some| joined(some, known)).reduce(|left, right| &left | &right);
    alternatives.map_or(always.clone(), |alternatives| &always & &alternatives)
}

fn joined(declarations: &[&Declaration], known: &Package) -> ReleaseSet {
    // A branch of a repository is no release.
    if declarations.iter().any(|one| is_branch(one)) {
        return ReleaseSet::default();
    }
    let all = intersect(declarations.iter().map(|one| &one.specifiers));
    let found = known.matching(&all);
    if !found.is_empty() {
        return found;
    }
    // A build of a release (`2.3.0+cu121`) is that release.
    let public = |specifier: &VersionSpecifier| match specifier.operator() {
        Operator::Equal if specifier.version().is_local() => {
            VersionSpecifier::equals_version(specifier.version().clone().without_local())
        }
        _ => specifier.clone(),
    };
    known.matching(&all.iter().map(public).collect())
}

/// The newest release that an installer may take.
fn newest(set: &ReleaseSet, pythons: &Pythons, known: &Package) -> Option<Version> {
    let best = set.iter().rev().find(|index| is_fine(*index, pythons, known));
    // Only what is pinned is left: an install gets it all the same.
    best.or_else(|| set.iter().next_back()).map(|index| known.versions()[index].clone())
}

/// What an installer may take: a release that is final, not withdrawn, and runs under a Python of the project.
pub(super) fn is_fine(index: usize, pythons: &Pythons, known: &Package) -> bool {
    let release = &known.brief()[index];
    let is_admitted = release.requires_python.as_deref().is_none_or(|python| pythons.any_satisfies(python));
    is_admitted && !known.versions()[index].any_prerelease() && !release.yanked
}

/// The release that the most canonical installation names, known or not.
fn named(deciding: &[Installation<'_>]) -> Option<Version> {
    let best = deciding.iter().min_by_key(|one| one.standing)?;
    let pins: BTreeSet<&Version> = best.declarations.iter().filter_map(|one| one.pinned()).collect();
    let agree = |pin: &&Version| best.declarations.iter().all(|one| one.specifiers.contains(pin));
    // Alternatives under conditions name several; the newest is what a new machine gets.
    let conditional = best.declarations.iter().all(|one| one.condition.is_some());
    pins.into_iter().rev().find(|pin| conditional || agree(pin)).cloned()
}

/// Whether it comes from a place that names no release.
fn is_branch(declaration: &Declaration) -> bool {
    declaration.direct.is_some() && declaration.specifiers.is_empty()
}

fn versions(set: &ReleaseSet, known: &Package) -> Vec<Version> {
    set.iter().map(|index| known.versions()[index].clone()).collect()
}

fn push_new(declarations: &mut Vec<Declaration>, one: &Declaration) {
    if !declarations.contains(one) {
        declarations.push(one.clone());
    }
}
