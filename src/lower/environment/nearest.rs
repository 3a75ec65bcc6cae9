//! The newest releases that install together *and* can be imported.
//!
//! A resolver that learns: it chooses as an installer would, tries the imports, and of every failure remembers which
//! releases do not go together, until a choice works.

use std::collections::BTreeMap;

use super::marker::Pythons;
use super::resolve::is_fine;
use super::solve::{Candidate, Conflict, needs, search};
use crate::knowledge::{Asked, Knowledge, Package, Reason, Refusal, ReleaseSet, Verdict};
use crate::lower::Install;
use crate::model::{Environment, Evidence, PackageFacts};

/// So many sets are tried, each of which rules out at least one release next to another.
const MAX_TRIES: usize = 200;

/// The releases of each package to choose from.
#[derive(Debug, Clone)]
pub struct Pools<'a> {
    knowledge: &'a Knowledge,
    environment: &'a Environment,
    /// Every package that takes part.
    releases: BTreeMap<&'a str, ReleaseSet>,
    /// See [`Install::libraries_only`].
    libraries_only: bool,
    /// Whether only certain refusals count.
    certain_only: bool,
}

impl<'a> Pools<'a> {
    /// What the project allows.
    pub fn allowed(knowledge: &'a Knowledge, environment: &'a Environment) -> Self {
        let mut pools = Self::all(knowledge, environment);
        for (name, pool) in &mut pools.releases {
            let Some((facts, package)) = environment.package(name).zip(knowledge.distribution(name)) else { continue };
            match facts.evidence {
                Evidence::Assumed => {}
                // What is pinned, locked or installed is that, however it is withdrawn.
                Evidence::Pin | Evidence::Lock | Evidence::Installed | Evidence::Target => {
                    *pool = facts.in_effect.iter().filter_map(|version| package.index_of(version)).collect();
                }
                Evidence::Range => {
                    *pool = &*pool & &facts.allowed.iter().filter_map(|one| package.index_of(one)).collect();
                }
            }
        }
        pools
    }

    /// Whatever an installer may take.
    pub fn all(knowledge: &'a Knowledge, environment: &'a Environment) -> Self {
        let pythons = Pythons::new(environment.python.as_ref());
        let as_of = environment.choice.as_of.as_deref();
        let fine = |package: &'a Package| {
            let is_early = |index: usize| {
                let day = package.brief()[index].date.as_deref();
                as_of.is_none_or(|limit| day.is_some_and(|day| day <= limit))
            };
            let all = (0..package.brief().len()).filter(|index| is_fine(*index, &pythons, package) && is_early(*index));
            (package.name(), all.collect())
        };
        let mut releases: BTreeMap<&'a str, ReleaseSet> = knowledge.packages().map(fine).collect();
        // What else the project asks for must go with them. The day is not known of a release that was learnt.
        let declared = environment.packages.values().filter(|facts| facts.deciding > 0 && facts.known);
        let others = declared.filter(|facts| !knowledge.is_library(&facts.package));
        let others = others.filter_map(|facts| knowledge.distribution(&facts.package));
        releases.extend(others.map(fine).filter(|(_, releases)| !releases.is_empty()));
        Self { knowledge, environment, releases, libraries_only: false, certain_only: false }
    }

    /// The same without a word on anything but the known libraries.
    #[must_use]
    pub fn libraries_only(self) -> Self {
        Self { libraries_only: true, ..self }
    }

    /// The same where only what surely fails counts as failing; see [`Refusal::is_certain`].
    #[must_use]
    pub fn for_certain(self) -> Self {
        Self { certain_only: true, ..self }
    }

    /// Takes releases of a package away; `None` where none would be left.
    #[must_use]
    pub fn without(&self, package: &str, releases: &ReleaseSet) -> Option<Self> {
        let mut pools = self.clone();
        let pool = pools.releases.get_mut(package)?;
        let left = &*pool - releases;
        if left.is_empty() || left == *pool {
            return None;
        }
        *pool = left;
        Some(pools)
    }

    /// Leaves one release of a package.
    #[must_use]
    pub fn with(mut self, package: &'a str, release: usize) -> Self {
        self.releases.insert(package, ReleaseSet::interval(release, release));
        self
    }

    /// The releases of a package that may be chosen, oldest first.
    pub fn releases(&self, package: &str) -> Vec<usize> {
        self.releases.get(package).map(|pool| pool.iter().collect()).unwrap_or_default()
    }

    /// These releases, next to what else the project asks for.
    pub(super) fn holding(&self, releases: impl IntoIterator<Item = (&'a str, usize)>) -> Install<'a> {
        let install = Install::holding(self.knowledge, self.environment, releases);
        if self.libraries_only { install.libraries_only() } else { install }
    }

    /// The requirements of a set that concern these packages and that it does not meet.
    pub(super) fn is_installable(&self, set: &Install<'a>, moved: [&str; 2]) -> bool {
        let pythons = Pythons::new(self.environment.python.as_ref());
        set.releases().all(|(package, release)| {
            let concerned = |name: &str| moved.contains(&name);
            let mut needs =
                needs(package, release, &pythons).filter(|need| concerned(&need.name) || concerned(package.name()));
            needs.all(|need| {
                let on = self.knowledge.distribution(&need.name);
                let Some((on, release)) = on.and_then(|on| Some((on, set.release(on.name())?))) else {
                    // What is required and not there has to be chosen first.
                    return on.is_none();
                };
                need.specifiers.contains(&on.versions()[release])
            })
        })
    }

    fn candidates(&self, wanted: &[&str]) -> Vec<Candidate<'a>> {
        let place = |name: &str| {
            let origin = self.environment.package(name).and_then(PackageFacts::origin);
            origin.map_or(usize::MAX, |span| span.start as usize)
        };
        let mut candidates: Vec<Candidate<'a>> = self
            .releases
            .iter()
            .filter_map(|(name, releases)| {
                let package = self.knowledge.distribution(name)?;
                let extras = self.environment.package(name).map(PackageFacts::extras).unwrap_or_default();
                Some(Candidate { package, releases: releases.clone(), is_asked: wanted.contains(name), extras })
            })
            .collect();
        // In one file the order is that of the lines; what is written nowhere comes last, trl first: it says most.
        candidates.sort_by_key(|one| (place(one.package.name()), std::cmp::Reverse(one.package.name())));
        candidates
    }
}

/// Why no set works.
#[derive(Debug, Clone)]
pub enum NoSet {
    /// What the releases require of each other cannot be met, each fact as one line.
    Contradiction(Vec<String>),
    /// Every set that installs fails at an import; this is how the newest one does.
    Refused(Box<Refusal>),
    /// No set was found in time; this is how the newest one that installs fails.
    Unknown(Option<Box<Refusal>>),
}

/// The newest set of the packages that are wanted, and of what they require, of which everything that is asked can be imported.
pub fn nearest<'a>(pools: &Pools<'a>, wanted: &[&str], asked: &[Asked]) -> Result<Install<'a>, NoSet> {
    nearest_after(pools, wanted, asked, &mut Vec::new())
}

/// The same after other searches for the same imports, whose failures are known.
pub(super) fn nearest_after<'a>(
    pools: &Pools<'a>,
    wanted: &[&str],
    asked: &[Asked],
    conflicts: &mut Vec<Conflict<'a>>,
) -> Result<Install<'a>, NoSet> {
    let pythons = Pythons::new(pools.environment.python.as_ref());
    let candidates = pools.candidates(wanted);
    let mut newest: Option<Box<Refusal>> = None;
    let knew_before = !conflicts.is_empty();
    for _ in 0..MAX_TRIES {
        let solution = match search(&candidates, conflicts, &pythons, pools.environment.choice.order) {
            Ok(solution) => solution,
            // It may be what is known from before that leaves nothing.
            Err(_) if newest.is_none() && knew_before => {
                let solution = search(&candidates, &[], &pythons, pools.environment.choice.order);
                let install = pools.holding(solution.map_err(NoSet::Contradiction)?);
                let refusal = install.refusal(asked).map(|(_, refusal)| NoSet::Refused(Box::new(refusal)));
                return refusal.map_or(Ok(install), Err);
            }
            Err(contradiction) => return Err(newest.map_or(NoSet::Contradiction(contradiction), NoSet::Refused)),
        };
        let install = pools.holding(solution);
        let failing = install.import_until(asked, |one, verdict| match verdict {
            Verdict::Fails(refusal) if !pools.certain_only || install.is_certain(&refusal) => Some((one, *refusal)),
            Verdict::Fails(_) | Verdict::Works | Verdict::Unknown => None,
        });
        let Some((one, refusal)) = failing else { return Ok(install) };
        let learnt = conflict(&install, &refusal, one).filter(|learnt| !conflicts.contains(learnt));
        newest.get_or_insert(Box::new(refusal));
        let Some(learnt) = learnt else { break };
        conflicts.push(learnt);
    }
    Err(NoSet::Unknown(newest))
}

/// Which releases a refusal says do not go together. Neighbours of the other release that are refused for the same reason are
/// taken along, so that a search walks over intervals, not over releases.
fn conflict<'a>(install: &Install<'a>, refusal: &Refusal, asked: &Asked) -> Option<Conflict<'a>> {
    let release = |name: &str| install.releases().find(|(package, _)| package.name() == name);
    let (by, of) = release(&refusal.package)?;
    let of = (by.name(), of);
    let other = match &refusal.reason {
        Reason::Name { package, .. }
        | Reason::Module { package, .. }
        | Reason::Version { package, .. }
        | Reason::Called { package, .. } => release(package),
        // The function that misleads may tell the truth in another release.
        Reason::Missing { misled: Some(function), .. } => function.split('.').next().and_then(release),
        Reason::Missing { misled: None, .. } | Reason::Clash { .. } | Reason::Refuses => None,
    };
    let Some((other, at)) = other.filter(|(other, _)| other.name() != by.name()) else {
        return Some(Conflict { of, with: None });
    };
    let is_same = |release: usize| {
        let found = install.clone().with(other, release).refusal(std::slice::from_ref(asked));
        found.is_some_and(|(_, found)| found.is_like(refusal))
    };
    let older = (0..at).rev().take_while(|release| is_same(*release));
    let newer = (at + 1..other.versions().len()).take_while(|release| is_same(*release));
    let bad: ReleaseSet = older.chain(newer).chain([at]).collect();
    Some(Conflict { of, with: Some((other.name(), bad)) })
}
