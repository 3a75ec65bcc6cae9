//! The few facts about distributions that are not mined: what they bring along, and which of them do not go together.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;

/// Facts about distributions next to the known libraries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    releases: BTreeMap<String, Vec<Series>>,
    brings: Vec<Brings>,
    clashes: Vec<Clash>,
    plain: Plain,
}

/// Releases of a distribution that do the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    first: String,
    last: String,
    /// Day of the first one.
    date: String,
}

/// A distribution that comes with another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brings {
    /// The one that is installed: `tyro<1.0.0`.
    pub by: String,
    /// The one that comes with it.
    pub brings: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Distributions that install together and do not work together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clash {
    /// The distribution that fails when it is imported.
    pub imports: String,
    /// Literals as in the mined imports: `pyarrow>=26.0.0 numpy<2`.
    pub when: String,
    /// What the exception says.
    pub message: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Distributions of which it is known that they do not bring certain others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    names: BTreeSet<String>,
    /// What they do not bring; of anything else nothing is said.
    without: BTreeSet<String>,
    #[serde(rename = "source")]
    _source: String,
}

impl Neighbours {
    /// What comes with what.
    pub fn brings(&self, distribution: &str) -> impl Iterator<Item = &Brings> {
        self.brings.iter().filter(move |one| one.brings == distribution)
    }

    /// Sets that do not work together.
    pub fn clashes(&self) -> &[Clash] {
        &self.clashes
    }

    /// Whether it is known of all these distributions that they do not bring another one.
    pub fn are_without<'d>(&self, mut distributions: impl Iterator<Item = &'d str>, other: &str) -> bool {
        self.plain.without.contains(other) && distributions.all(|one| self.plain.names.contains(one))
    }

    /// About which release an install gets: one that does what the newest allowed one does. `None` where it cannot be told.
    pub fn pick(&self, distribution: &str, specifiers: &[VersionSpecifiers], as_of: Option<&str>) -> Option<Version> {
        let series = self.releases.get(distribution)?.iter().rev();
        let mut early = series.filter(|one| as_of.is_none_or(|day| one.date.as_str() <= day));
        early.find_map(|one| {
            let ends = [Version::from_str(&one.last).ok()?, Version::from_str(&one.first).ok()?];
            ends.into_iter().find(|version| specifiers.iter().all(|allowed| allowed.contains(version)))
        })
    }
}
