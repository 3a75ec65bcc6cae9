//! The mined releases as `pubgrub` sees them: versions are places in the list of releases.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;

use pubgrub::{Dependencies, DependencyConstraints, DependencyProvider, PackageResolutionStatistics, Ranges};

use super::super::marker::Pythons;
use super::{Candidate, Conflict, extra_needs, needs};
use crate::knowledge::{Need, Package, ReleaseSet};
use crate::model::Order;

/// Releases by their place.
pub(super) type Releases = Ranges<u32>;

/// What can be installed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name<'a> {
    /// The project, which asks for the others.
    Project,
    /// A known library.
    Library(&'a str),
    /// A known library with one of its extras: the same release of the library, and what the extra brings.
    Extra(&'a str, String),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project => f.write_str("the project"),
            Self::Library(name) => f.write_str(name),
            Self::Extra(name, extra) => write!(f, "{name}[{extra}]"),
        }
    }
}

pub(super) struct Provider<'a, 'c> {
    candidates: BTreeMap<&'a str, &'c Candidate<'a>>,
    /// The project's own requirements in the order in which it writes them.
    asked: Vec<&'a str>,
    conflicts: &'c [Conflict<'a>],
    pythons: &'c Pythons,
    order: Order,
    /// When a package was first met: what is met first is chosen first.
    met: RefCell<BTreeMap<&'a str, usize>>,
}

impl<'a, 'c> Provider<'a, 'c> {
    pub(super) fn new(
        candidates: &'c [Candidate<'a>],
        conflicts: &'c [Conflict<'a>],
        pythons: &'c Pythons,
        order: Order,
    ) -> Self {
        let asked = candidates.iter().filter(|one| one.is_asked).map(|one| one.package.name()).collect();
        let candidates = candidates.iter().map(|one| (one.package.name(), one)).collect();
        Self { candidates, asked, conflicts, pythons, order, met: RefCell::default() }
    }

    fn meet(&self, name: &'a str) -> usize {
        let mut met = self.met.borrow_mut();
        let next = met.len();
        *met.entry(name).or_insert(next)
    }

    /// What the project asks for.
    fn project(&self) -> DependencyConstraints<Name<'a>, Releases> {
        let asked = self.asked.iter().flat_map(|name| {
            self.meet(name);
            let candidate = self.candidates[name];
            let extras = candidate.extras.iter().map(|extra| Name::Extra(name, extra.clone()));
            let all = std::iter::once(Name::Library(name)).chain(extras);
            all.map(|one| (one, ranges(&candidate.releases)))
        });
        asked.collect()
    }

    /// What requirements ask for; what is not known limits nothing.
    fn wanted<'n>(&self, needs: impl Iterator<Item = &'n Need>) -> BTreeMap<Name<'a>, Releases> {
        let mut wanted: BTreeMap<Name<'a>, Releases> = BTreeMap::new();
        for need in needs {
            let Some((name, on)) = self.candidates.get_key_value(need.name.as_str()) else { continue };
            let set = ranges(&matching(on.package, &need.specifiers));
            let extras = need.extras.iter().map(|extra| Name::Extra(name, extra.clone()));
            for one in std::iter::once(Name::Library(name)).chain(extras) {
                let known = wanted.entry(one).or_insert_with(Releases::full);
                *known = known.intersection(&set);
            }
            self.meet(name);
        }
        wanted
    }
}

impl<'a> DependencyProvider for Provider<'a, '_> {
    type P = Name<'a>;
    type V = u32;
    type VS = Releases;
    /// What names one release first, as installers do; then what was met first.
    type Priority = (bool, bool, Reverse<usize>);
    type M = String;
    type Err = Infallible;

    fn prioritize(&self, package: &Name<'a>, range: &Releases, _: &PackageResolutionStatistics) -> Self::Priority {
        let (Name::Library(name) | Name::Extra(name, _)) = package else { return (true, true, Reverse(0)) };
        (false, range.as_singleton().is_some(), Reverse(self.meet(name)))
    }

    fn choose_version(&self, package: &Name<'a>, range: &Releases) -> Result<Option<u32>, Infallible> {
        let (Name::Library(name) | Name::Extra(name, _)) = package else { return Ok(Some(0)) };
        let Some(candidate) = self.candidates.get(name) else { return Ok(None) };
        let mut allowed = candidate.releases.iter().map(|index| index as u32).filter(|index| range.contains(index));
        Ok(match self.order {
            Order::Highest => allowed.next_back(),
            Order::Lowest => allowed.next(),
        })
    }

    fn get_dependencies(
        &self,
        package: &Name<'a>,
        release: &u32,
    ) -> Result<Dependencies<Name<'a>, Releases, String>, Infallible> {
        let name = match package {
            Name::Project => return Ok(Dependencies::Available(self.project())),
            Name::Extra(name, extra) => {
                let by = self.candidates[name].package;
                let mut wanted = self.wanted(extra_needs(by, extra, *release as usize, self.pythons));
                wanted.insert(Name::Library(name), Releases::singleton(*release));
                return Ok(Dependencies::Available(wanted.into_iter().collect()));
            }
            Name::Library(name) => name,
        };
        let by = self.candidates[name].package;
        let mut wanted = self.wanted(needs(by, *release as usize, self.pythons));
        for conflict in self.conflicts.iter().filter(|one| one.of == (by.name(), *release as usize)) {
            let Some((other, bad)) = &conflict.with else {
                return Ok(Dependencies::Unavailable("it cannot be imported".to_owned()));
            };
            if !self.candidates.contains_key(other) {
                continue;
            }
            let left = wanted.entry(Name::Library(other)).or_insert_with(Releases::full);
            *left = left.intersection(&ranges(bad).complement());
        }
        Ok(Dependencies::Available(wanted.into_iter().collect()))
    }
}

/// Every release that specifiers allow; which of them can be chosen the candidates say.
fn matching(package: &Package, specifiers: &pep440_rs::VersionSpecifiers) -> ReleaseSet {
    let versions = package.versions().iter().enumerate();
    versions.filter(|(_, version)| specifiers.contains(version)).map(|(index, _)| index).collect()
}

fn ranges(set: &ReleaseSet) -> Releases {
    let one = |(first, last): (usize, usize)| Ranges::from_range_bounds(first as u32..=last as u32);
    set.runs().into_iter().map(one).fold(Ranges::empty(), |all, run| all.union(&run))
}
