//! Releases folded into facts that hold for intervals; what leads to no import of another library is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::Version;

use super::MinedRelease;
use super::module::Mined;
use crate::knowledge::{
    Checks, Fact, Found, ImportedModule, Imports, Minimum, Release, ReleaseSet, When, write_intervals,
};
use crate::mine::combine::Fold;

/// Folds the releases of one library, in any order.
pub(super) fn fold(package: &str, mut mined: Vec<MinedRelease>) -> Imports {
    mined.sort_by_cached_key(|one| Version::from_str(&one.release.version).ok());
    mined.dedup_by(|later, earlier| later.release.version == earlier.release.version);
    let releases: Vec<Release> = mined.iter().map(|one| one.release.clone()).collect();
    let fold = Fold { releases: &releases };
    let kept = kept(package, &mined);
    let all: ReleaseSet = (0..releases.len()).collect();
    let modules = kept.iter().map(|name| {
        let by_release = mined.iter().enumerate().filter_map(|(at, one)| Some((at, one.modules.get(name)?, one)));
        (name.clone(), fold.imported_module(name, &by_release.collect::<Vec<_>>(), &kept, &all))
    });
    let modules = modules.collect();
    let mut checked: BTreeMap<String, ReleaseSet> = BTreeMap::new();
    let mut minimum: BTreeMap<String, Vec<(usize, Minimum)>> = BTreeMap::new();
    for (at, module) in mined.iter().enumerate().flat_map(|(at, one)| one.modules.values().map(move |one| (at, one))) {
        module.checked.iter().for_each(|name| checked.entry(name.clone()).or_default().insert(at));
        for (name, version) in &module.minimum {
            minimum.entry(name.clone()).or_default().push((at, Minimum { version: version.clone() }));
        }
    }
    let minimum = minimum.into_iter().map(|(name, values)| (name, fold.facts(&ReleaseSet::default(), values)));
    let checks = Checks {
        checked: checked.into_iter().map(|(name, set)| (name, write_intervals(&set, &releases))).collect(),
        minimum: minimum.collect(),
    };
    Imports::new(package.to_owned(), checks, modules)
}

/// Modules that import something of another library in some release, or lead to one that does, or whose names are wanted.
fn kept(package: &str, mined: &[MinedRelease]) -> BTreeSet<String> {
    let speaks = |module: &Mined| !module.needs.is_empty() || !module.raises.is_empty() || !module.requires.is_empty();
    let modules = || mined.iter().flat_map(|one| &one.modules);
    let mut telling: BTreeSet<&str> =
        modules().filter(|(_, module)| speaks(module)).map(|(name, _)| name.as_str()).collect();
    loop {
        let leads = |name: &str, module: &Mined| {
            let inner = module.loads.keys().any(|loaded| telling.contains(loaded.as_str()));
            let parent = name.rsplit_once('.').is_some_and(|(parent, _)| parent != package && telling.contains(parent));
            inner || parent
        };
        let more: Vec<&str> = modules()
            .filter(|(name, module)| !telling.contains(name.as_str()) && leads(name, module))
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        telling.extend(more);
    }
    let wanted = mined.iter().flat_map(|one| one.names.keys());
    telling.into_iter().map(str::to_owned).chain(wanted.cloned()).collect()
}

type ByRelease<'a> = [(usize, &'a Mined, &'a MinedRelease)];

impl Fold<'_> {
    fn table(
        &self,
        owner: &ReleaseSet,
        by_release: &ByRelease<'_>,
        of: fn(&Mined) -> &BTreeMap<String, BTreeSet<String>>,
    ) -> BTreeMap<String, Vec<Fact<When>>> {
        let keys: BTreeSet<&String> = by_release.iter().flat_map(|(_, one, _)| of(one).keys()).collect();
        let facts = |key: &String| {
            let ways = by_release.iter().filter_map(|(at, one, _)| Some((*at, of(one).get(key)?)));
            let each = ways.flat_map(|(at, ways)| ways.iter().map(move |when| (at, When { when: when.clone() })));
            self.facts(owner, each)
        };
        keys.into_iter().map(|key| (key.clone(), facts(key))).collect()
    }

    fn imported_module(
        &self,
        name: &str,
        by_release: &ByRelease<'_>,
        kept: &BTreeSet<String>,
        all: &ReleaseSet,
    ) -> ImportedModule {
        let owner: ReleaseSet = by_release.iter().map(|(at, ..)| *at).collect();
        let dynamic: ReleaseSet = by_release.iter().filter(|(_, one, _)| one.dynamic).map(|(at, ..)| *at).collect();
        let mut loads = self.table(&owner, by_release, |one| &one.loads);
        loads.retain(|loaded, _| kept.contains(loaded) && !is_above(loaded, name));
        let names: BTreeSet<&String> =
            by_release.iter().filter_map(|(.., one)| one.names.get(name)).flat_map(BTreeMap::keys).collect();
        let found = |wanted: &String| {
            let values = by_release.iter().filter_map(|(at, _, one)| {
                let (loads, tuple) = one.names.get(name)?.get(wanted)?;
                let loads = loads.iter().filter(|loaded| kept.contains(*loaded)).cloned().collect();
                Some((*at, Found { loads, tuple: *tuple }))
            });
            self.facts(&owner, values)
        };
        let raises = by_release.iter().flat_map(|(at, one, _)| one.raises.iter().map(|when| (*at, when.clone())));
        ImportedModule {
            releases: self.within(&owner, all),
            dynamic: if dynamic.is_empty() { String::new() } else { write_intervals(&dynamic, self.releases) },
            loads,
            needs: self.table(&owner, by_release, |one| &one.needs),
            requires: self.table(&owner, by_release, |one| &one.requires),
            raises: self.facts(&owner, raises.map(|(at, when)| (at, When { when }))),
            names: names.into_iter().map(|wanted| (wanted.clone(), found(wanted))).collect(),
        }
    }
}

/// Whether a module is a package around another one, which is loaded anyway.
fn is_above(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}
