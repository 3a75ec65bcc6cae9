//! What releases require of other distributions.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::VersionSpecifiers;

use super::ReleaseSet;
use super::parts::message;
use super::stored::Release;
use crate::syntax::requirements::{normalize, parse_requirement_with_extras};

/// One requirement, and the releases that have it.
#[derive(Debug, Clone)]
pub struct Need {
    /// Normalised name of the distribution.
    pub name: String,
    /// What it must be.
    pub specifiers: VersionSpecifiers,
    /// The extras of it that are wanted, by normalised name.
    pub extras: BTreeSet<String>,
    /// The environment marker under which it holds, as written.
    pub marker: Option<String>,
    /// The extra that brings it, by normalised name.
    pub extra: Option<String>,
    /// The releases that require it.
    pub releases: ReleaseSet,
}

impl Need {
    /// `transformers>=4.46`
    pub fn requirement(&self) -> String {
        format!("{}{}", self.name, self.specifiers.to_string().replace(", ", ","))
    }

    /// The requirements of these releases without those of extras, or only those.
    pub(super) fn all(releases: &[Release], of_extras: bool) -> Vec<Self> {
        let mut needs: BTreeMap<&str, ReleaseSet> = BTreeMap::new();
        for (at, release) in releases.iter().enumerate() {
            for requirement in release.requires.iter().filter(|text| text.contains("extra ==") == of_extras) {
                needs.entry(requirement).or_default().insert(at);
            }
        }
        needs.into_iter().filter_map(|(text, releases)| Self::read(text, releases)).collect()
    }

    /// The same from the form that is built into the tool, and of releases that were learnt, by their place among all.
    pub(super) fn packed(data: &[u8], learnt: &[(usize, &Release)], of_extras: bool) -> Vec<Self> {
        let stored: BTreeMap<String, Vec<(usize, usize)>> = message(data).unwrap_or_default();
        // Each learnt release that comes before it moves a stored one.
        let place = |stored: usize| learnt.iter().fold(stored, |at, (learnt, _)| at + usize::from(*learnt <= at));
        let set = |runs: Vec<(usize, usize)>| -> ReleaseSet {
            runs.into_iter().flat_map(|(first, last)| (first..=last).map(place)).collect()
        };
        let mut needs: BTreeMap<String, ReleaseSet> =
            stored.into_iter().map(|(text, runs)| (text, set(runs))).collect();
        for (at, release) in learnt {
            for requirement in release.requires.iter().filter(|text| text.contains("extra ==") == of_extras) {
                needs.entry(requirement.clone()).or_default().insert(*at);
            }
        }
        needs.into_iter().filter_map(|(text, releases)| Self::read(&text, releases)).collect()
    }

    fn read(text: &str, releases: ReleaseSet) -> Option<Self> {
        let (name, specifiers, extras) = parse_requirement_with_extras(text)?;
        let marker = text.split_once(';').map(|(_, marker)| marker.trim().to_owned());
        let extra = marker.as_deref().and_then(extra_of);
        Some(Self { name, specifiers, extras, marker, extra, releases })
    }
}

/// `peft` of `python_version >= "3.9" and extra == "peft"`.
fn extra_of(marker: &str) -> Option<String> {
    let (_, rest) = marker.split_once("extra ==")?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    Some(normalize(rest[1..].split(quote).next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::{Knowledge, Learnt, Package};

    /// A release that is not built in, somewhere among those that are.
    fn learnt(version: &str, requires: &[&str]) -> Learnt {
        let requires = requires.iter().map(|one| (*one).to_owned()).collect();
        let release = Release { version: version.to_owned(), requires, ..Release::default() };
        let package = Package::new("trl".to_owned(), vec![release], BTreeMap::new(), BTreeMap::new());
        Learnt::new(&package, String::new()).expect("it has a version")
    }

    #[test]
    fn what_is_built_in_is_what_the_releases_say() {
        let joined = Knowledge::with(vec![
            learnt("0.7.5.dev0", &["transformers>=4.31.0", "new; extra == \"x\""]),
            learnt("0.3", &["transformers>=4.31.0"]),
            learnt("77.0", &["other>2"]),
        ]);
        assert_eq!(joined.package("trl").map(|trl| trl.versions()[0].to_string()).as_deref(), Some("0.3"));
        let learnt = joined.packages().filter(|package| package.name() == "trl");
        for package in Knowledge::bundled().packages().chain(learnt) {
            let whole = Need::all(package.releases(), false).into_iter();
            let mut whole = whole.chain(Need::all(package.releases(), true));
            for need in package.needs().iter().chain(package.extra_needs()) {
                let other = whole.next().expect("as many");
                assert_eq!((&need.name, need.requirement()), (&other.name, other.requirement()));
                assert!(need.extra == other.extra && need.extras == other.extras, "{}", need.requirement());
                assert!(need.releases == other.releases && need.marker == other.marker, "{}", need.requirement());
            }
            assert!(whole.next().is_none());
        }
    }
}
