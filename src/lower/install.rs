//! What an install of a project holds, and whether it can be imported.

use std::collections::BTreeMap;

use pep440_rs::{Version, VersionSpecifiers};
use rustc_hash::FxHashSet;

use crate::knowledge::{Asked, Installed, Knowledge, Need, Package, Presence, Refusal, Verdict};
use crate::model::{Declaration, Environment, Evidence, PackageFacts};
use crate::syntax::requirements::parse_requirement_text;

/// The known libraries that an install of a project holds, and what is known of the rest.
#[derive(Clone)]
pub struct Install<'a> {
    knowledge: &'a Knowledge,
    environment: &'a Environment,
    releases: BTreeMap<&'a str, usize>,
    /// Whether what else may be installed counts.
    has_neighbours: bool,
}

impl<'a> Install<'a> {
    /// What the project asks for in the releases in effect, and what those require.
    pub fn of(knowledge: &'a Knowledge, environment: &'a Environment) -> Self {
        let mut install = Self { knowledge, environment, releases: BTreeMap::new(), has_neighbours: true };
        let asked = environment.packages.values().filter(|facts| facts.evidence != Evidence::Assumed);
        let mut open: Vec<&Package> = asked.filter_map(|facts| knowledge.distribution(&facts.package)).collect();
        while let Some(package) = open.pop() {
            if install.releases.contains_key(package.name()) {
                continue;
            }
            let Some(release) = environment.in_effect(package) else { continue };
            install.releases.insert(package.name(), release);
            let extras = environment.package(package.name()).map(PackageFacts::extras).unwrap_or_default();
            let is_brought = |need: &&Need| need.extra.as_ref().is_some_and(|extra| extras.contains(extra));
            let brought = (!extras.is_empty()).then(|| package.extra_needs().iter().filter(is_brought));
            let needs = package.needs().iter().chain(brought.into_iter().flatten());
            let needs = needs.filter(|need| need.releases.contains(release));
            // Of what no file speaks of, nothing says which release it is.
            let needs = needs.filter(|need| environment.package(&need.name).is_some());
            open.extend(needs.filter_map(|need| knowledge.distribution(&need.name)));
        }
        install
    }

    /// Exactly these releases, next to what else the project asks for.
    pub fn holding(
        knowledge: &'a Knowledge,
        environment: &'a Environment,
        releases: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Self {
        Self { knowledge, environment, releases: releases.into_iter().collect(), has_neighbours: true }
    }

    /// The same without a word on anything but the known libraries.
    #[must_use]
    pub fn libraries_only(self) -> Self {
        Self { has_neighbours: false, ..self }
    }

    /// The same with another release of a library.
    #[must_use]
    pub fn with(mut self, package: &'a Package, release: usize) -> Self {
        self.releases.insert(package.name(), release);
        self
    }

    /// The release of a library.
    pub fn release(&self, package: &str) -> Option<usize> {
        self.releases.get(package).copied()
    }

    /// The libraries with their releases.
    pub fn releases(&self) -> impl Iterator<Item = (&'a Package, usize)> {
        self.releases.iter().filter_map(|(name, release)| Some((self.knowledge.distribution(name)?, *release)))
    }

    /// Whether something can be imported.
    pub fn imports(&self, asked: &Asked) -> Verdict {
        let others = |name: &str| self.presence(name, 0);
        Installed::new(self.knowledge, self.releases(), &others).imports(asked)
    }

    /// Imports one after the other, until something comes of it. Most of them load the same modules.
    pub fn import_until<'q, R>(
        &self,
        asked: impl IntoIterator<Item = &'q Asked>,
        mut judge: impl FnMut(&'q Asked, Verdict) -> Option<R>,
    ) -> Option<R> {
        let others = |name: &str| self.presence(name, 0);
        let installed = Installed::new(self.knowledge, self.releases(), &others);
        let mut loaded = FxHashSet::default();
        // What cannot be imported is not trained with, either.
        let (training, importing): (Vec<_>, Vec<_>) = asked.into_iter().partition(|one| one.trains);
        let mut all = importing.into_iter().chain(training);
        all.find_map(|one| judge(one, installed.imports_after(one, &mut loaded)))
    }

    /// Why the first of these that cannot be imported cannot.
    pub fn refusal<'q>(&self, asked: &'q [Asked]) -> Option<(&'q Asked, Refusal)> {
        self.import_until(asked, |one, verdict| match verdict {
            Verdict::Fails(refusal) => Some((one, *refusal)),
            Verdict::Works | Verdict::Unknown => None,
        })
    }

    /// Whether a refusal does not depend on the day, nor on what else is installed.
    pub fn is_certain(&self, refusal: &Refusal) -> bool {
        refusal.is_certain() || self.environment.is_complete && refusal.is_about_others()
    }

    /// Whether a distribution that is no known library in the set is installed.
    fn presence(&self, name: &str, depth: u32) -> Presence {
        if depth > 3 {
            return Presence::Unknown;
        }
        let neighbours = self.knowledge.curated().neighbours();
        if !self.has_neighbours {
            // What a user must ask for by name is not there.
            let comes_by_name = neighbours.brings(name).next().is_none();
            let is_absent = comes_by_name && neighbours.are_without(std::iter::empty(), name);
            return if is_absent { Presence::None } else { Presence::Unknown };
        }
        let declarations = self.environment.package(name).map(|facts| facts.declarations.as_slice());
        let declarations: Vec<&Declaration> = declarations.unwrap_or_default().iter().collect();
        if self.knowledge.package(name).is_some() {
            // A library that nothing asks for may be there all the same: the code may import it.
            return Presence::Unknown;
        }
        if let Some(pin) = declarations.iter().find_map(|one| one.pinned()) {
            return Presence::Version(pin.clone());
        }
        let required = self.required(name);
        if !declarations.is_empty() || !required.is_empty() {
            let all = declarations.iter().map(|one| one.specifiers.clone()).chain(required);
            return match self.pick(name, &all.collect::<Vec<_>>()) {
                Some(version) => Presence::Version(version),
                None => Presence::Some,
            };
        }
        // What is not listed where everything is, is not there; of others than these, the name says nothing.
        if self.environment.is_complete && neighbours.are_without(std::iter::empty(), name) {
            return Presence::None;
        }
        // A distribution that only comes with another one, of which every release counts.
        if let Some(version) = self.pick(name, &[]).filter(|_| self.comes_along(name)) {
            return Presence::Version(version);
        }
        let mut brought = neighbours.brings(name).map(|one| self.is_there(&one.by, depth));
        if brought.any(|there| there != Some(false)) {
            return Presence::Unknown;
        }
        if self.is_without(name) { Presence::None } else { Presence::Unknown }
    }

    /// `pyarrow`, where a release in the set requires `datasets`.
    fn comes_along(&self, name: &str) -> bool {
        let clashes = self.knowledge.curated().neighbours().clashes();
        clashes.iter().any(|clash| {
            clash.when.split(' ').any(|literal| literal.starts_with(name)) && !self.required(&clash.imports).is_empty()
        })
    }

    fn pick(&self, name: &str, specifiers: &[VersionSpecifiers]) -> Option<Version> {
        let as_of = self.environment.choice.as_of.as_deref();
        self.knowledge.curated().neighbours().pick(name, specifiers, as_of)
    }

    /// What the releases of the set require of a distribution.
    fn required(&self, name: &str) -> Vec<VersionSpecifiers> {
        let needs = self
            .releases()
            .flat_map(|(package, release)| package.needs().iter().filter(move |need| need.releases.contains(release)));
        needs.filter(|need| need.name == name).map(|need| need.specifiers.clone()).collect()
    }

    /// Whether `tyro<1.0.0` is installed.
    fn is_there(&self, requirement: &str, depth: u32) -> Option<bool> {
        let (name, specifiers) = parse_requirement_text(requirement)?;
        match self.presence(&name, depth + 1) {
            Presence::Version(version) => Some(specifiers.contains(&version)),
            Presence::None => Some(false),
            Presence::Some if specifiers.is_empty() => Some(true),
            Presence::Some | Presence::Unknown => None,
        }
    }

    /// Whether nothing that the project declares brings a distribution, as far as is known.
    fn is_without(&self, name: &str) -> bool {
        let declared = self.environment.packages.values().filter(|facts| !facts.declarations.is_empty());
        let names = declared.map(|facts| facts.package.as_str());
        self.knowledge.curated().neighbours().are_without(names, name)
    }
}
