//! Releases folded into facts that hold for intervals.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::Version;

use super::definition::Definition;
use super::library::ModuleExports;
use crate::knowledge::{Callable, Export, Fact, Kind, Module, Names, Package, Release, ReleaseSet, write_intervals};

/// One release.
pub(super) struct Mined {
    pub release: Release,
    pub exports: BTreeMap<String, ModuleExports>,
    pub definitions: BTreeMap<String, Definition>,
}

/// Folds releases, in any order.
pub(super) fn combine(package: &str, partial: bool, mut mined: Vec<Mined>) -> Package {
    mined.sort_by_cached_key(|one| Version::from_str(&one.release.version).ok());
    mined.dedup_by(|later, earlier| later.release.version == earlier.release.version);
    let releases: Vec<Release> = mined.iter().map(|one| one.release.clone()).collect();
    let fold = Fold { releases: &releases };
    let modules: BTreeSet<&String> = mined.iter().flat_map(|one| one.exports.keys()).collect();
    let exports = modules.into_iter().map(|name| {
        let by_release = mined.iter().enumerate().filter_map(|(at, one)| Some((at, one.exports.get(name)?)));
        (name.clone(), fold.module(&by_release.collect::<Vec<_>>()))
    });
    let names: BTreeSet<&String> = mined.iter().flat_map(|one| one.definitions.keys()).collect();
    let callables = names.into_iter().map(|name| {
        let by_release = mined.iter().enumerate().filter_map(|(at, one)| Some((at, one.definitions.get(name)?)));
        (name.clone(), fold.callable(&by_release.collect::<Vec<_>>()))
    });
    let (exports, callables) = (exports.collect(), callables.collect());
    Package::new(package.to_owned(), releases, exports, callables).partial(partial)
}

/// What the releases say, one after the other, written down by intervals.
pub(super) struct Fold<'a> {
    pub(super) releases: &'a [Release],
}

impl Fold<'_> {
    fn everything(&self) -> ReleaseSet {
        (0..self.releases.len()).collect()
    }

    /// The stored interval of `set` inside what `owner` holds for: empty where they are the same.
    pub(super) fn within(&self, set: &ReleaseSet, owner: &ReleaseSet) -> String {
        if set == owner { String::new() } else { write_intervals(set, self.releases) }
    }

    /// The stored interval of the releases in which something is the case.
    fn whenever<'d, D>(&self, by_release: &[(usize, &'d D)], holds: impl Fn(&'d D) -> bool) -> String {
        let set: ReleaseSet = by_release.iter().filter(|(_, one)| holds(one)).map(|(at, _)| *at).collect();
        let owner: ReleaseSet = by_release.iter().map(|(at, _)| *at).collect();
        if set.is_empty() {
            String::new()
        } else if set == owner {
            "-".to_owned()
        } else {
            self.within(&set, &owner)
        }
    }

    /// One fact for each distinct value, in the order in which they appeared.
    pub(super) fn facts<T: PartialEq>(
        &self,
        owner: &ReleaseSet,
        values: impl IntoIterator<Item = (usize, T)>,
    ) -> Vec<Fact<T>> {
        let mut distinct: Vec<(T, ReleaseSet)> = Vec::new();
        for (at, value) in values {
            match distinct.iter_mut().find(|(known, _)| *known == value) {
                Some((_, set)) => set.insert(at),
                None => distinct.push((value, ReleaseSet::interval(at, at))),
            }
        }
        distinct.into_iter().map(|(fact, set)| Fact { releases: self.within(&set, owner), fact }).collect()
    }

    fn module(&self, by_release: &[(usize, &ModuleExports)]) -> Module {
        let owner: ReleaseSet = by_release.iter().map(|(at, _)| *at).collect();
        let names: BTreeSet<&String> = by_release.iter().flat_map(|(_, one)| one.names.keys()).collect();
        let mut module = Module {
            releases: self.within(&owner, &self.everything()),
            dynamic: self.whenever(by_release, |one| one.dynamic),
            ..Module::default()
        };
        for name in names {
            let values =
                by_release.iter().filter_map(|(at, one)| Some((*at, Export { at: one.names.get(name)?.clone()? })));
            let definitions = self.facts(&owner, values);
            if !definitions.is_empty() {
                module.definitions.insert(name.clone(), definitions);
            }
            let others = self.whenever(by_release, |one| one.names.get(name).is_some_and(Option::is_none));
            if !others.is_empty() {
                module.others.insert(name.clone(), others);
            }
        }
        module
    }

    fn callable(&self, by_release: &[(usize, &Definition)]) -> Callable {
        let owner: ReleaseSet = by_release.iter().map(|(at, _)| *at).collect();
        let each = |list: fn(&Definition) -> &Vec<String>| {
            let values = by_release.iter().map(|(at, one)| (*at, Names::new(list(one).iter().map(String::as_str))));
            self.facts(&owner, values.filter(|(_, names)| !names.is_empty()))
        };
        let parameters: BTreeSet<&String> = by_release.iter().flat_map(|(_, one)| one.parameters.keys()).collect();
        let parameters = parameters.into_iter().map(|name| {
            let values = by_release.iter().filter_map(|(at, one)| Some((*at, one.parameters.get(name)?.clone())));
            (name.clone(), self.facts(&owner, values))
        });
        let methods: BTreeSet<&String> = by_release.iter().flat_map(|(_, one)| one.methods.keys()).collect();
        let methods = methods.into_iter().map(|name| {
            let values = by_release.iter().filter_map(|(at, one)| Some((*at, one.methods.get(name)?.clone())));
            (name.clone(), self.facts(&owner, values))
        });
        Callable {
            releases: self.within(&owner, &self.everything()),
            kind: self.facts(&owner, by_release.iter().map(|(at, one)| (*at, Kind { kind: one.kind }))),
            bases: each(|one| &one.bases),
            inherits: self.whenever(by_release, |one| one.inherits),
            positional: each(|one| &one.positional),
            parameters: parameters.collect(),
            any_positional: self.whenever(by_release, |one| one.any_positional),
            any_keyword: self.whenever(by_release, |one| one.any_keyword),
            guards: self.facts(&owner, flatten(by_release, |one| &one.guards)),
            before: self.facts(&owner, flatten(by_release, |one| &one.before)),
            warnings: self.facts(&owner, flatten(by_release, |one| &one.warnings)),
            reads: self.facts(&owner, flatten(by_release, |one| &one.reads)),
            forwards: self.facts(&owner, flatten(by_release, |one| &one.forwards)),
            returns: self.facts(&owner, flatten(by_release, |one| &one.returns)),
            methods: methods.collect(),
        }
    }
}

fn flatten<T: Clone>(by_release: &[(usize, &Definition)], list: fn(&Definition) -> &Vec<T>) -> Vec<(usize, T)> {
    by_release.iter().flat_map(|(at, one)| list(one).iter().map(move |item| (*at, item.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::definition::definitions;
    use crate::mine::library::Library;
    use crate::mine::wheel::Modules;

    fn mined(version: &str, text: &str) -> Mined {
        let modules = Modules::parse([("p/__init__.py".to_owned(), text.to_owned())]);
        let library = Library::new(&modules);
        let release = Release { version: version.to_owned(), ..Release::default() };
        Mined {
            release,
            exports: library.exports(None),
            definitions: definitions(&library, &crate::mine::surface::Surface::default(), &|_, _| true),
        }
    }

    #[test]
    fn releases_fold_into_intervals_in_version_order() {
        let package = combine(
            "p",
            false,
            vec![
                mined("0.10", "def f(a, c=None, **kw): ...\nX = 1"),
                mined("0.2", "def f(a, b=1): ..."),
                mined("0.9", "def f(a, b=2): ..."),
                mined("0.11", ""),
            ],
        );
        let text = crate::mine::render(&package);
        let stored: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let callable = &stored["callables"]["p.f"];
        assert_eq!(callable["in"], "- 0.10");
        assert_eq!(callable["any_keyword"], "0.10");
        assert_eq!(callable["parameters"]["a"], serde_json::json!([{}]));
        assert_eq!(
            callable["parameters"]["b"],
            serde_json::json!([{"in": "- 0.2", "default": "1"}, {"in": "0.9", "default": "2"}])
        );
        assert_eq!(stored["exports"]["p"]["others"]["X"], "0.10");
        assert!(stored["exports"]["p"].get("in").is_none());
        let loaded = Package::load("p", &text).expect("it is what the reader expects");
        assert_eq!(crate::mine::render(&loaded), text);
    }
}
