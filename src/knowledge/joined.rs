//! What is built into the tool, joined with releases that were learnt.
//!
//! Facts of the stored file hold for its own releases: an end that is left out (`0.29.0 -`) says nothing about a release that
//! the file does not have. So the facts of a learnt release name it, and whatever holds without an `in` is closed first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;
use serde::de::DeserializeOwned;

use super::exports::PIECE;
use super::stored::{Callable, Fact, Module};
use super::{Learnt, Package};

/// The `in` of what holds for every release of the stored file.
const ALL: &str = "-";

/// The parts of a stored file and of learnt releases, each joined when it is first asked for.
#[derive(Debug)]
pub(super) struct Joined<T> {
    stored: Box<dyn Base<T>>,
    learnt: Vec<Arc<Learnt>>,
    parts: Known<T>,
    /// All names, for those few who want them.
    names: OnceLock<BTreeSet<String>>,
}

/// What is known by its key, each made once. Nothing is taken out, so that what is known stays where it is.
#[derive(Debug)]
struct Known<T> {
    rows: Box<[OnceLock<Box<Entry<T>>>]>,
}

/// One of a row of keys.
#[derive(Debug)]
struct Entry<T> {
    key: String,
    value: Option<T>,
    next: OnceLock<Box<Self>>,
}

/// More rows than a run asks for parts.
const ROWS: usize = 512;

impl<T> Known<T> {
    fn new() -> Self {
        Self { rows: std::iter::repeat_with(OnceLock::new).take(ROWS).collect() }
    }

    fn get(&self, key: &str, make: impl Fn() -> Option<T>) -> Option<&T> {
        let row = FxBuildHasher.hash_one(key) % ROWS as u64;
        let mut place = self.rows.get(usize::try_from(row).ok()?)?;
        loop {
            let new = || Box::new(Entry { key: key.to_owned(), value: make(), next: OnceLock::new() });
            let entry = place.get_or_init(new);
            if entry.key == key {
                return entry.value.as_ref();
            }
            place = &entry.next;
        }
    }
}

impl<T: Part> Joined<T> {
    pub(super) fn new(stored: impl Base<T> + 'static, learnt: &[Arc<Learnt>]) -> Self {
        Self { stored: Box::new(stored), learnt: learnt.to_vec(), parts: Known::new(), names: OnceLock::new() }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let all = || {
            let learnt = self.learnt.iter().flat_map(|one| T::names(one.content()));
            self.stored.names().chain(learnt).map(str::to_owned).collect()
        };
        self.names.get_or_init(all).iter().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.parts.get(name, || self.join(name))
    }

    /// `None` where no release has it.
    fn join(&self, name: &str) -> Option<T> {
        let stored = self.stored.part(name);
        let mut is_known = stored.is_some();
        let mut part = stored.unwrap_or_default();
        part.close();
        for one in &self.learnt {
            if let Some(new) = T::find(one.content(), name) {
                part.add(&new, &one.release().version);
                is_known = true;
            }
        }
        is_known.then_some(part)
    }
}

/// The parts of a stored file.
pub(super) trait Base<T>: fmt::Debug + Send + Sync {
    /// All names.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;
    /// The whole part of this name.
    fn part(&self, name: &str) -> Option<T>;
}

/// A part of a package: a module, a callable.
pub(super) trait Part: Clone + Default + DeserializeOwned + fmt::Debug + Send + Sync {
    /// The names of all parts of a package.
    fn names(package: &Package) -> Box<dyn Iterator<Item = &str> + '_>;
    /// The part of this name.
    fn find<'a>(package: &'a Package, name: &str) -> Option<Cow<'a, Self>>;
    /// Makes what holds without an `in` hold for the releases of the stored file.
    fn close(&mut self);
    /// Adds what it is in one more release.
    fn add(&mut self, new: &Self, version: &str);
}

impl Part for Module {
    fn names(package: &Package) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(package.modules())
    }

    fn find<'a>(package: &'a Package, name: &str) -> Option<Cow<'a, Self>> {
        // What was learnt is not cut.
        match name.split_once(PIECE) {
            None => package.module(name, "").map(Cow::Borrowed),
            Some((module, name)) => package.module(module, name).map(|module| Cow::Owned(module.only(name))),
        }
    }

    fn close(&mut self) {
        // One that no stored release has stays without.
        if *self != Self::default() {
            close(&mut self.releases);
        }
        self.definitions.values_mut().for_each(|facts| close_facts(facts));
    }

    fn add(&mut self, new: &Self, version: &str) {
        let Self { releases: _, dynamic, definitions, others } = new;
        name(&mut self.releases, version);
        name_if(&mut self.dynamic, dynamic, version);
        for (key, facts) in definitions {
            add_facts(self.definitions.entry(key.clone()).or_default(), facts, version);
        }
        for (key, intervals) in others {
            name_if(self.others.entry(key.clone()).or_default(), intervals, version);
        }
    }
}

impl Part for Callable {
    fn names(package: &Package) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(package.definitions())
    }

    fn find<'a>(package: &'a Package, name: &str) -> Option<Cow<'a, Self>> {
        package.callable(name).map(Cow::Borrowed)
    }

    fn close(&mut self) {
        if *self != Self::default() {
            close(&mut self.releases);
        }
        close_facts(&mut self.kind);
        close_facts(&mut self.bases);
        close_facts(&mut self.positional);
        self.parameters.values_mut().for_each(|facts| close_facts(facts));
        close_facts(&mut self.guards);
        close_facts(&mut self.before);
        close_facts(&mut self.warnings);
        close_facts(&mut self.reads);
        close_facts(&mut self.forwards);
        close_facts(&mut self.returns);
        self.methods.values_mut().for_each(|facts| close_facts(facts));
    }

    fn add(&mut self, new: &Self, version: &str) {
        // Every field, so that one that is added later is not forgotten here.
        let Self {
            releases: _,
            kind,
            bases,
            inherits,
            positional,
            parameters,
            any_positional,
            any_keyword,
            guards,
            before,
            warnings,
            reads,
            forwards,
            returns,
            methods,
        } = new;
        name(&mut self.releases, version);
        add_facts(&mut self.kind, kind, version);
        add_facts(&mut self.bases, bases, version);
        name_if(&mut self.inherits, inherits, version);
        add_facts(&mut self.positional, positional, version);
        for (key, facts) in parameters {
            add_facts(self.parameters.entry(key.clone()).or_default(), facts, version);
        }
        name_if(&mut self.any_positional, any_positional, version);
        name_if(&mut self.any_keyword, any_keyword, version);
        add_facts(&mut self.guards, guards, version);
        add_facts(&mut self.before, before, version);
        add_facts(&mut self.warnings, warnings, version);
        add_facts(&mut self.reads, reads, version);
        add_facts(&mut self.forwards, forwards, version);
        add_facts(&mut self.returns, returns, version);
        for (key, facts) in methods {
            add_facts(self.methods.entry(key.clone()).or_default(), facts, version);
        }
    }
}

fn close(intervals: &mut String) {
    if intervals.is_empty() {
        ALL.clone_into(intervals);
    }
}

fn close_facts<T>(facts: &mut [Fact<T>]) {
    for fact in facts {
        close(&mut fact.releases);
    }
}

/// Adds a release to an interval text.
fn name(intervals: &mut String, version: &str) {
    if !intervals.is_empty() {
        intervals.push_str(", ");
    }
    intervals.push_str(version);
}

/// The same where something is the case in that release, of which `new` is the whole text.
fn name_if(intervals: &mut String, new: &str, version: &str) {
    if !new.is_empty() {
        name(intervals, version);
    }
}

fn add_facts<T: Clone + PartialEq>(facts: &mut Vec<Fact<T>>, new: &[Fact<T>], version: &str) {
    for one in new {
        match facts.iter_mut().find(|known| known.fact == one.fact) {
            Some(known) => name(&mut known.releases, version),
            None => facts.push(Fact { releases: version.to_owned(), fact: one.fact.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::knowledge::{Aspect, Knowledge, Resolution};

    fn package(versions: &[&str], exports: &str, callables: &str) -> Package {
        let releases: Vec<String> = versions.iter().map(|version| format!("{{\"version\":\"{version}\"}}")).collect();
        let releases = releases.join(",");
        let json = format!(
            "{{\"package\":\"p\",\"releases\":[{releases}],\"exports\":{{{exports}}},\"callables\":{{{callables}}}}}"
        );
        Package::load("p", &json).expect("the file is valid")
    }

    /// `p.f` of 1.0 and 3.0, joined with 2.0.dev0 and 4.0.
    fn joined() -> Package {
        let stored = package(
            &["1.0", "3.0"],
            r#""p":{"definitions":{"f":[{"at":"p.f"}],"gone":[{"at":"p.gone"}]},"others":{"LIMIT":"-"}},
               "p.old":{"others":{"LIMIT":"-"}}"#,
            r##""p.f":{"kind":[{"kind":"function"}],"parameters":{"a":[{"default":"1"}],"b":[{"in":"3.0 -"}],"c":[{"in":"#1-"}]}},
               "p.gone":{"kind":[{"kind":"function"}],"any_keyword":"-"}"##,
        );
        let learn = |version: &str, parameters: &str| {
            let one = package(
                &[version],
                r#""p":{"definitions":{"f":[{"at":"p.f"}],"new":[{"at":"p.new"}]}}"#,
                &format!(
                    r#""p.f":{{"kind":[{{"kind":"function"}}],"parameters":{{{parameters}}},"any_keyword":"-"}},
                       "p.new":{{"kind":[{{"kind":"function"}}]}}"#
                ),
            );
            Arc::new(Learnt::new(&one, String::new()).expect("it has a version"))
        };
        stored.with(&[learn("4.0", r#""a":[{"default":"1"}]"#), learn("2.0.dev0", r#""a":[{"default":"2"}]"#)])
    }

    #[test]
    fn releases_are_in_order_and_each_says_what_it_is() {
        let package = joined();
        let versions: Vec<String> = package.versions().iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["1.0", "2.0.dev0", "3.0", "4.0"]);
        assert!(package.releases().iter().map(|one| &one.version).eq(&versions));
        let shown = |release: usize| {
            let signature = package.signature("p.f", release).expect("every release has it");
            let default = signature.parameters["a"].default.clone().unwrap_or_default();
            let names: Vec<&str> = signature.parameters.keys().copied().collect();
            format!("{} a={default}{}", names.join(" "), if signature.any_keyword { " **" } else { "" })
        };
        assert_eq!([0, 1, 2, 3].map(shown), ["a a=1", "a a=2 **", "a b c a=1", "a a=1 **"]);
    }

    #[test]
    fn what_is_stored_says_nothing_about_a_learnt_release() {
        let package = joined();
        let exists = |name: &str| [0, 1, 2, 3].map(|one| package.resolve(name, one) != Resolution::NotExported);
        assert_eq!(exists("p.gone"), [true, false, true, false]);
        assert_eq!(exists("p.LIMIT"), [true, false, true, false]);
        assert_eq!(exists("p.new"), [false, true, false, true]);
        assert!(package.signature("p.gone", 3).is_none() && package.signature("p.new", 0).is_none());
        assert_eq!(package.releases_exporting("p", "f"), package.all());
        assert_eq!(package.releases_in("3.0 -").len(), 2, "what is curated holds for later ones, too");
        let again = Package::load("p", &package.to_json().to_string()).expect("valid");
        assert_eq!(again.versions(), package.versions());
    }

    #[test]
    fn a_learnt_release_is_asked_by_itself() {
        let knowledge = Knowledge::new([joined()]);
        let package = knowledge.package("p").expect("it is there");
        let alike = knowledge.alike(package, ["p.old.LIMIT"], Aspect::Parameters(&BTreeSet::new()), &|_| None);
        assert_eq!([0, 1, 2, 3].map(|release| alike.oldest(release)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_release_that_is_stored_stays_as_it_is() {
        let one = || package(&["1.0"], "", "");
        let other = package(&["1.0"], r#""p":{"others":{"x":"-"}}"#, "");
        let joined = one().with(&[Arc::new(Learnt::new(&other, String::new()).expect("it has a version"))]);
        assert_eq!(joined.to_json(), one().to_json());
    }
}
