//! One library: loading its file and finding releases.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::callables::Callables;
use super::exports::Exports;
use super::intervals;
use super::joined::Joined;
use super::needs::Need;
use super::pack::Packing;
use super::parts::{Stored, message, unpack};
use super::stored::{Callable, Fact, Module, Release};
use super::{Learnt, LoadError, ReleaseSet};

/// Everything known of one library. The stored form is the JSON of this type.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    #[serde(rename = "package")]
    name: String,
    /// Whether only some callables were mined, so that what is not here may still exist.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    releases: Releases,
    exports: Exports,
    callables: Callables,
    /// The releases that were learnt, by their place; see [`super::joined`].
    #[serde(skip)]
    learnt: Vec<usize>,
    #[serde(skip)]
    derived: Derived,
}

/// What follows from the rest, found when it is first asked for.
#[derive(Debug, Default)]
struct Derived {
    versions: OnceLock<Vec<Version>>,
    /// Releases by their text, so that intervals are read without parsing versions.
    places: OnceLock<FxHashMap<String, usize>>,
    module_names: OnceLock<Vec<String>>,
    /// See [`Package::defining`]: to find them takes a walk through all modules.
    defining: Mutex<FxHashMap<String, Arc<[usize]>>>,
    needs: OnceLock<Vec<Need>>,
    extra_needs: OnceLock<Vec<Need>>,
}

impl Package {
    /// A package from its parts: releases oldest first, modules by name, callables by full name of their definition.
    pub fn new(
        name: String,
        releases: Vec<Release>,
        exports: BTreeMap<String, Module>,
        callables: BTreeMap<String, Callable>,
    ) -> Self {
        Self {
            name,
            partial: false,
            releases: Releases::from(releases),
            exports: Exports::whole(exports),
            callables: Callables::whole(callables),
            learnt: Vec::new(),
            derived: Derived::default(),
        }
    }

    /// Says whether only some callables are in it.
    #[must_use]
    pub fn partial(mut self, partial: bool) -> Self {
        self.partial = partial;
        self
    }

    /// Reads a stored file and checks all of it.
    pub fn load(package: &str, json: &str) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Json { package: package.to_owned(), source };
        let loaded: Self = serde_json::from_str(json).map_err(failed)?;
        for release in loaded.releases() {
            Version::from_str(&release.version)
                .map_err(|error| LoadError::Content { package: package.to_owned(), what: error.to_string() })?;
        }
        Ok(loaded)
    }

    /// A package that is built into the tool; nothing of it is read before it is asked for.
    pub(super) fn open(stored: &'static Stored) -> Self {
        Self {
            name: stored.name.to_owned(),
            partial: stored.partial,
            releases: Releases { packed: Some(stored), ..Releases::default() },
            exports: Exports::packed(stored.exports),
            callables: Callables::packed(stored.callables),
            learnt: Vec::new(),
            derived: Derived::default(),
        }
    }

    /// A package of one release, of which nothing is read before it is asked for.
    pub(super) fn learn(name: String, partial: bool, release: Release, exports: Packing, callables: Packing) -> Self {
        Self {
            name,
            partial,
            releases: Releases::from(vec![release]),
            exports: Exports::read(exports),
            callables: Callables::read(callables),
            learnt: Vec::new(),
            derived: Derived::default(),
        }
    }

    /// The package with releases added that it does not have yet; the others are left out.
    #[must_use]
    pub(super) fn with(self, learnt: &[Arc<Learnt>]) -> Self {
        let mut releases: Vec<(Version, Release, Option<Arc<Learnt>>)> = self
            .versions()
            .iter()
            .zip(self.brief())
            .map(|(version, one)| (version.clone(), one.clone(), None))
            .collect();
        for one in learnt.iter().filter(|one| one.package() == self.name) {
            let Err(at) = releases.binary_search_by(|(version, ..)| version.cmp(one.version())) else { continue };
            releases.insert(at, (one.version().clone(), one.release().clone(), Some(Arc::clone(one))));
        }
        let is_learnt = |(place, (.., learnt)): (usize, &(_, _, Option<_>))| learnt.is_some().then_some(place);
        let places: Vec<usize> = releases.iter().enumerate().filter_map(is_learnt).collect();
        if places.is_empty() {
            return self;
        }
        let sources: Vec<Arc<Learnt>> = releases.iter().filter_map(|(.., learnt)| learnt.clone()).collect();
        let brief = releases.into_iter().map(|(_, release, _)| release).collect();
        Self {
            releases: self.releases.with(brief, &sources),
            exports: Exports::Joined(Joined::new(self.exports, &sources)),
            callables: Callables::Joined(Joined::new(self.callables, &sources)),
            learnt: places,
            derived: Derived::default(),
            ..self
        }
    }

    /// The stored form as a JSON value, members sorted.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Normalised distribution name: `trl`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether only some callables were mined.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// The releases, oldest first; everywhere else a release is an index into this list.
    pub fn releases(&self) -> &[Release] {
        self.releases.complete()
    }

    /// The releases as [`Self::releases`] has them, save that of those built into the tool [`Release::requires`] is empty: it
    /// is most of what there is to read.
    pub fn brief(&self) -> &[Release] {
        self.releases.brief()
    }

    /// What the releases require whatever extras are asked for.
    pub fn needs(&self) -> &[Need] {
        self.derived.needs.get_or_init(|| match self.releases.packed {
            Some(stored) => Need::packed(stored.needs, &self.releases.learnt(&self.learnt), false),
            None => Need::all(self.releases(), false),
        })
    }

    /// What the releases require only where an extra is asked for.
    pub fn extra_needs(&self) -> &[Need] {
        self.derived.extra_needs.get_or_init(|| match self.releases.packed {
            Some(stored) => Need::packed(stored.extra_needs, &self.releases.learnt(&self.learnt), true),
            None => Need::all(self.releases(), true),
        })
    }

    /// The versions, oldest first, parallel to [`Self::releases`].
    pub fn versions(&self) -> &[Version] {
        self.derived.versions.get_or_init(|| {
            self.brief().iter().filter_map(|release| Version::from_str(&release.version).ok()).collect()
        })
    }

    /// Names of modules that some release has.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.exports.names()
    }

    /// What is known about a name in a module of some release, given by its dotted name. Other names of the module may be missing
    /// from what is returned.
    pub fn module(&self, module: &str, name: &str) -> Option<&Module> {
        self.exports.piece(module, name)
    }

    /// The classes and functions that can be imported from a module in some release.
    pub fn definitions_in(&self, module: &str) -> impl Iterator<Item = &str> {
        self.exports.pieces(module).flat_map(|piece| piece.definitions.keys().map(String::as_str))
    }

    /// Full names of everything callable in some release.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        self.callables.names()
    }

    /// The public modules that define a class or function of this name in some release, by their place among all modules.
    pub(super) fn defining(&self, name: &str) -> Vec<&str> {
        let modules = self.derived.module_names.get_or_init(|| self.modules().map(str::to_owned).collect());
        let find = || -> Arc<[usize]> {
            let is_public = |module: &str| !module.split('.').any(|part| part.starts_with('_'));
            let defines =
                |module: &str| self.module(module, name).is_some_and(|module| module.definitions.contains_key(name));
            let places = modules.iter().enumerate().filter(|(_, module)| is_public(module) && defines(module));
            places.map(|(place, _)| place).collect()
        };
        let known = self.derived.defining.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let places = known.unwrap_or_else(|| {
            let places = find();
            let mut defining = self.derived.defining.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(defining.entry(name.to_owned()).or_insert(places))
        });
        places.iter().filter_map(|place| modules.get(*place)).map(String::as_str).collect()
    }

    /// A callable of some release by the full name of its definition.
    pub fn callable(&self, definition: &str) -> Option<&Callable> {
        self.callables.get(definition)
    }

    /// All releases.
    pub fn all(&self) -> ReleaseSet {
        (0..self.brief().len()).collect()
    }

    /// The place of a version in the list of releases.
    pub fn index_of(&self, version: &Version) -> Option<usize> {
        self.versions().binary_search(version).ok()
    }

    /// The releases that specifiers allow. Pre-releases and yanked ones are included only when pinned, builds of a release
    /// (`0.12.0+fork`) only when pinned with their label: no index offers them.
    pub fn matching(&self, specifiers: &VersionSpecifiers) -> ReleaseSet {
        let is_pin = |one: &&VersionSpecifier| matches!(one.operator(), Operator::Equal | Operator::ExactEqual);
        let has_pin = specifiers.iter().any(|one| is_pin(&one));
        let is_named = |version: &Version| specifiers.iter().filter(is_pin).any(|one| one.version() == version);
        let is_offered = |index: usize, version: &Version| {
            (!(version.any_prerelease() || self.brief()[index].yanked) || has_pin)
                && (!version.is_local() || is_named(version))
        };
        let found = self.versions().iter().enumerate();
        let found = found.filter(|(index, version)| specifiers.contains(version) && is_offered(*index, version));
        found.map(|(index, _)| index).collect()
    }

    /// The releases of an interval text: `0.7.11 - 0.27.2, 0.28.0 -`. Both ends are included; an end that no release has is
    /// widened to the nearest release inside, an end that is left out is the oldest or the newest release.
    pub fn releases_in(&self, intervals: &str) -> ReleaseSet {
        self.ranges(intervals).flat_map(|interval| interval.range).collect()
    }

    /// Whether a release is among those of an interval text.
    pub fn includes(&self, intervals: &str, release: usize) -> bool {
        self.ranges(intervals).any(|one| one.range.contains(&release))
    }

    /// The releases in which a mined fact with this `in` holds.
    pub(super) fn mined_in(&self, intervals: &str) -> ReleaseSet {
        let ranges = self.ranges(intervals);
        let holds = |interval: &Interval, release: usize| interval.is_single || !self.is_learnt(release);
        ranges.flat_map(|one| one.range.clone().filter(move |release| holds(&one, *release))).collect()
    }

    /// Whether a mined fact with this `in` holds at a release.
    pub(super) fn is_in(&self, intervals: &str, release: usize) -> bool {
        if self.learnt.is_empty()
            && let Some(is_in) = intervals::contain(intervals, release)
        {
            return is_in;
        }
        let holds = |one: &Interval| one.range.contains(&release) && (one.is_single || !self.is_learnt(release));
        self.ranges(intervals).any(|interval| holds(&interval))
    }

    /// Where the answers of an interval text may change: a release is none of its neighbours if it was learnt.
    pub(super) fn changes<'a>(&'a self, intervals: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.ranges(intervals).flat_map(|one| [one.range.start, one.range.end])
    }

    /// The releases that were learnt, by their place.
    pub(super) fn learnt(&self) -> &[usize] {
        &self.learnt
    }

    /// What was mined of other releases says nothing about one that was learnt: its facts name it.
    fn is_learnt(&self, release: usize) -> bool {
        self.learnt.contains(&release)
    }

    /// The releases of each interval of a text.
    fn ranges<'a>(&'a self, intervals: &'a str) -> impl Iterator<Item = Interval> + 'a {
        // Searching one character is several times as fast as searching two, and this is asked for every fact.
        intervals.split(',').map(str::trim_ascii).filter(|text| !text.is_empty()).filter_map(|interval| {
            if let Some((first, last)) = intervals::places(interval) {
                let from = first.map_or(0, |first| self.now_at(first));
                let to = last.map_or(self.brief().len(), |last| self.now_at(last) + 1);
                return Some(Interval { range: from..to, is_single: first.is_some() && first == last });
            }
            let (first, last) = intervals::ends(interval);
            let from = if first.is_empty() { 0 } else { self.place(first)?.0 };
            let to = if last.is_empty() { self.brief().len() } else { self.place(last)?.1 };
            Some(Interval { range: from..to, is_single: !first.is_empty() && first == last })
        })
    }

    /// The place of a release that was at this one before others were learnt.
    fn now_at(&self, stored: usize) -> usize {
        self.learnt.iter().fold(stored, |place, learnt| if *learnt <= place { place + 1 } else { place })
    }

    /// How many releases are older than a version, and how many are not newer.
    fn place(&self, version: &str) -> Option<(usize, usize)> {
        let places = self.derived.places.get_or_init(|| {
            self.brief().iter().enumerate().map(|(index, release)| (release.version.clone(), index)).collect()
        });
        if let Some(&index) = places.get(version) {
            return Some((index, index + 1));
        }
        let version = Version::from_str(version).ok()?;
        let versions = self.versions();
        Some((versions.partition_point(|one| *one < version), versions.partition_point(|one| *one <= version)))
    }

    /// A set of releases for a reader: `0.7.11 - 0.27.2`, `0.28.0`.
    pub fn intervals(&self, set: &ReleaseSet) -> Vec<String> {
        let name = |index: usize| self.brief().get(index).map_or("", |release| release.version.as_str());
        let runs = set.runs().into_iter();
        runs.map(
            |(first, last)| {
                if first == last { name(first).to_owned() } else { format!("{} - {}", name(first), name(last)) }
            },
        )
        .collect()
    }

    /// Whether a fact with this `in` holds at a release in which its owner exists.
    pub(super) fn holds(&self, intervals: &str, release: usize) -> bool {
        intervals.is_empty() || self.is_in(intervals, release)
    }

    /// The fact of a list that holds at a release in which its owner exists.
    pub fn at<'a, T>(&self, facts: &'a [Fact<T>], release: usize) -> Option<&'a T> {
        facts.iter().find(|fact| self.holds(&fact.releases, release)).map(|fact| &fact.fact)
    }

    /// All facts of a list that hold at a release in which their owner exists.
    pub fn all_at<'a, T>(&'a self, facts: &'a [Fact<T>], release: usize) -> impl Iterator<Item = &'a T> {
        facts.iter().filter(move |fact| self.holds(&fact.releases, release)).map(|fact| &fact.fact)
    }
}

/// The stored text of a set of releases; an end at the oldest or newest release is left out.
pub fn write_intervals(set: &ReleaseSet, releases: &[Release]) -> String {
    let newest = releases.len().saturating_sub(1);
    let name = |index: usize| releases.get(index).map_or("", |release| release.version.as_str());
    let one = |(first, last): (usize, usize)| match (first, last) {
        (0, last) if last == newest => "-".to_owned(),
        (0, last) => format!("- {}", name(last)),
        (first, last) if last == newest => format!("{} -", name(first)),
        (first, last) if first == last => name(first).to_owned(),
        (first, last) => format!("{} - {}", name(first), name(last)),
    };
    set.runs().into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A part of an interval text.
struct Interval {
    range: Range<usize>,
    /// Whether it names one release: `0.7.11`.
    is_single: bool,
}

/// The releases of a package.
#[derive(Debug, Default)]
struct Releases {
    /// Where they are read from, if they are built into the tool.
    packed: Option<&'static Stored>,
    brief: OnceLock<Vec<Release>>,
    complete: OnceLock<Vec<Release>>,
    /// Releases that were learnt; they are among the brief ones already.
    learnt: Vec<Arc<Learnt>>,
}

impl From<Vec<Release>> for Releases {
    fn from(releases: Vec<Release>) -> Self {
        Self { complete: OnceLock::from(releases), ..Self::default() }
    }
}

impl Releases {
    /// These with learnt ones, which are among `brief`.
    fn with(self, brief: Vec<Release>, learnt: &[Arc<Learnt>]) -> Self {
        let complete = if self.packed.is_some() { OnceLock::new() } else { OnceLock::from(brief.clone()) };
        Self { packed: self.packed, brief: OnceLock::from(brief), complete, learnt: learnt.to_vec() }
    }

    /// The learnt releases with their places.
    fn learnt<'a>(&'a self, places: &'a [usize]) -> Vec<(usize, &'a Release)> {
        places.iter().copied().zip(self.learnt.iter().map(|one| one.release())).collect()
    }

    fn complete(&self) -> &[Release] {
        self.complete.get_or_init(|| {
            let stored = self.packed.and_then(|stored| message(&unpack(stored.requirements)));
            let mut stored: Vec<Release> = stored.unwrap_or_default();
            for one in &self.learnt {
                let at = self.brief().iter().position(|release| release.version == one.release().version);
                stored.insert(at.unwrap_or(stored.len()).min(stored.len()), one.release().clone());
            }
            stored
        })
    }

    fn brief(&self) -> &[Release] {
        let Some(stored) = self.packed else { return self.complete() };
        self.brief.get_or_init(|| message(stored.releases).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Releases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Releases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.complete().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(versions: &[&str]) -> Package {
        let release = |version: &&str| Release { version: (*version).to_owned(), ..Release::default() };
        Package::new("p".into(), versions.iter().map(release).collect(), BTreeMap::new(), BTreeMap::new())
    }

    #[test]
    fn intervals_are_read_and_written() {
        let package = package(&["0.2", "0.9", "0.10", "1.0", "1.1"]);
        for (text, members) in [
            ("0.9 - 1.0", vec![1, 2, 3]),
            ("- 0.9, 1.1", vec![0, 1, 4]),
            ("1.0 -", vec![3, 4]),
            ("-", vec![0, 1, 2, 3, 4]),
            ("0.3 - 0.95", vec![1, 2]),
            ("0.3", vec![]),
            ("nonsense, 0.9", vec![1]),
            ("", vec![]),
        ] {
            assert_eq!(package.releases_in(text).iter().collect::<Vec<_>>(), members, "{text}");
        }
        for text in ["0.9 - 1.0", "- 0.2, 0.10, 1.1 -", "-", "1.0 -", "- 0.9", "0.9"] {
            assert_eq!(write_intervals(&package.releases_in(text), package.releases()), text);
        }
        assert_eq!(package.intervals(&package.releases_in("- 0.9, 1.1 -")), ["0.2 - 0.9", "1.1"]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let load = |json: &str| Package::load("p", json).map(drop).map_err(|error| error.to_string());
        assert!(load("{").is_err());
        let file = |version: &str, callables: &str| {
            format!(
                r#"{{"package":"p","releases":[{{"version":"{version}"}}],"exports":{{}},"callables":{{{callables}}}}}"#
            )
        };
        assert_eq!(load(&file("1.0", "")), Ok(()));
        assert!(load(&file("one", "")).is_err());
        assert!(load(&file("1.0", r#""p.f": {"kind": 1}"#)).is_err());
    }
}
