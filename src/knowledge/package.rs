//! One library: loading its file and finding releases.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::str::FromStr;
use std::sync::OnceLock;

use pep440_rs::{Operator, Version, VersionSpecifiers};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::stored::{Callable, Fact, Module, Release};
use super::{LoadError, ReleaseSet};

/// Everything known of one library. The stored form is the JSON of this type.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    #[serde(rename = "package")]
    name: String,
    /// Whether only some callables were mined, so that what is not here may still exist.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    releases: Vec<Release>,
    exports: BTreeMap<String, Lazy<Module>>,
    callables: BTreeMap<String, Lazy<Callable>>,
    #[serde(skip)]
    versions: OnceLock<Vec<Version>>,
    /// Releases by their text, so that intervals are read without parsing versions.
    #[serde(skip)]
    places: OnceLock<HashMap<String, usize>>,
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
            releases,
            exports: exports.into_iter().map(|(name, module)| (name, Lazy::from(module))).collect(),
            callables: callables.into_iter().map(|(name, callable)| (name, Lazy::from(callable))).collect(),
            versions: OnceLock::new(),
            places: OnceLock::new(),
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
        for release in &loaded.releases {
            Version::from_str(&release.version)
                .map_err(|error| LoadError::Content { package: package.to_owned(), what: error.to_string() })?;
        }
        loaded.exports.values().try_for_each(Lazy::check).map_err(failed)?;
        loaded.callables.values().try_for_each(Lazy::check).map_err(failed)?;
        Ok(loaded)
    }

    /// Reads a stored file that a test has checked: modules and callables are parsed when they are asked for.
    pub(super) fn open(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
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
        &self.releases
    }

    /// The versions, oldest first, parallel to [`Self::releases`].
    pub fn versions(&self) -> &[Version] {
        self.versions.get_or_init(|| {
            self.releases.iter().filter_map(|release| Version::from_str(&release.version).ok()).collect()
        })
    }

    /// Names of modules that some release has.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.exports.keys().map(String::as_str)
    }

    /// A module of some release by its dotted name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.exports.get(name)?.get()
    }

    /// Full names of everything callable in some release.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        self.callables.keys().map(String::as_str)
    }

    /// A callable of some release by the full name of its definition.
    pub fn callable(&self, definition: &str) -> Option<&Callable> {
        self.callables.get(definition)?.get()
    }

    /// All releases.
    pub fn all(&self) -> ReleaseSet {
        (0..self.releases.len()).collect()
    }

    /// The place of a version in the list of releases.
    pub fn index_of(&self, version: &Version) -> Option<usize> {
        self.versions().binary_search(version).ok()
    }

    /// The releases that specifiers allow, pre-releases and yanked ones included only when pinned.
    pub fn matching(&self, specifiers: &VersionSpecifiers) -> ReleaseSet {
        self.versions()
            .iter()
            .enumerate()
            .filter(|(index, version)| {
                specifiers.contains(version)
                    && (!(version.any_prerelease() || self.releases[*index].yanked)
                        || specifiers
                            .iter()
                            .any(|one| matches!(one.operator(), Operator::Equal | Operator::ExactEqual)))
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// The releases of an interval text: `0.7.11 - 0.27.2, 0.28.0 -`. Both ends are included; an end that no release has is
    /// widened to the nearest release inside, an end that is left out is the oldest or the newest release.
    pub fn releases_in(&self, intervals: &str) -> ReleaseSet {
        self.ranges(intervals).flatten().collect()
    }

    /// Whether a release is among those of an interval text.
    pub(super) fn is_in(&self, intervals: &str, release: usize) -> bool {
        self.ranges(intervals).any(|range| range.contains(&release))
    }

    fn ranges<'a>(&'a self, intervals: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        intervals.split(", ").filter(|text| !text.is_empty()).filter_map(|interval| {
            let (first, last) = split(interval);
            let from = if first.is_empty() { 0 } else { self.place(first)?.0 };
            let to = if last.is_empty() { self.releases.len() } else { self.place(last)?.1 };
            Some(from..to)
        })
    }

    /// How many releases are older than a version, and how many are not newer.
    fn place(&self, version: &str) -> Option<(usize, usize)> {
        let places = self.places.get_or_init(|| {
            self.releases.iter().enumerate().map(|(index, release)| (release.version.clone(), index)).collect()
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
        let name = |index: usize| self.releases.get(index).map_or("", |release| release.version.as_str());
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

/// The two ends of an interval; an open end is empty.
fn split(interval: &str) -> (&str, &str) {
    if let Some((first, last)) = interval.split_once(" - ") {
        (first, last)
    } else if interval == "-" {
        ("", "")
    } else if let Some(last) = interval.strip_prefix("- ") {
        ("", last)
    } else if let Some(first) = interval.strip_suffix(" -") {
        (first, "")
    } else {
        (interval, interval)
    }
}

/// A part of a stored file that is parsed when it is first asked for: a run of the tool asks for a handful of hundreds.
#[derive(Debug)]
struct Lazy<T> {
    raw: Option<Box<RawValue>>,
    value: OnceLock<Option<T>>,
}

impl<T> From<T> for Lazy<T> {
    fn from(value: T) -> Self {
        Self { raw: None, value: OnceLock::from(Some(value)) }
    }
}

impl<T: DeserializeOwned> Lazy<T> {
    fn get(&self) -> Option<&T> {
        self.value.get_or_init(|| self.raw.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok())).as_ref()
    }

    fn check(&self) -> Result<(), serde_json::Error> {
        match &self.raw {
            Some(raw) => serde_json::from_str::<T>(raw.get()).map(drop),
            None => Ok(()),
        }
    }
}

impl<'de, T> Deserialize<'de> for Lazy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: Some(Box::deserialize(deserializer)?), value: OnceLock::new() })
    }
}

impl<T: Serialize + DeserializeOwned> Serialize for Lazy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
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
        assert!(load(&file("1.0", r#""p.f": {"kind": 1}"#)).is_err(), "parts that are read late are checked at once");
    }
}
