//! What frameworks do that no declaration of theirs shows.

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use super::Curated;
use crate::syntax::requirements::parse_requirement_text;

/// Releases of its neighbours that a framework compares with its own list whenever it is started.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartCheck {
    package: String,
    /// The releases of the framework that do, as intervals.
    pub releases: String,
    requires: Vec<String>,
    /// An environment variable that turns it off.
    pub unless: String,
    #[serde(rename = "source")]
    _source: String,
}

impl StartCheck {
    /// What it requires of a distribution.
    pub fn of(&self, distribution: &str) -> Option<VersionSpecifiers> {
        let required = self.requires.iter().filter_map(|text| parse_requirement_text(text));
        required.into_iter().find(|(name, _)| name == distribution).map(|(_, specifiers)| specifiers)
    }
}

impl Curated {
    /// What a framework compares when it is started.
    pub fn start_checks<'a>(&'a self, framework: &'a str) -> impl Iterator<Item = &'a StartCheck> {
        self.start_checks.iter().filter(move |check| check.package == framework)
    }
}
