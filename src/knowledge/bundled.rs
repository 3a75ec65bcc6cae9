//! The files that are built into the tool.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Curated, Package};

/// Stored files by package. They are small enough to be opened at every start: what a run does not ask for is not parsed.
const FILES: [(&str, &str); 2] = [
    ("transformers", include_str!("../../schemas/knowledge/transformers.json")),
    ("trl", include_str!("../../schemas/knowledge/trl.json")),
];

const CURATED: &str = include_str!("../../schemas/knowledge/curated.json");

/// What is known of several libraries.
#[derive(Debug, Default)]
pub struct Knowledge {
    packages: BTreeMap<String, Package>,
    curated: OnceLock<Curated>,
}

impl Knowledge {
    /// Knowledge made of these packages.
    pub fn new(packages: impl IntoIterator<Item = Package>) -> Self {
        let packages = packages.into_iter().map(|package| (package.name().to_owned(), package)).collect();
        Self { packages, curated: OnceLock::new() }
    }

    /// What is built into the tool, opened once.
    pub fn bundled() -> &'static Self {
        static BUNDLED: OnceLock<Knowledge> = OnceLock::new();
        BUNDLED.get_or_init(|| Self::new(FILES.iter().filter_map(|(_, json)| Package::open(json))))
    }

    /// What is known of a package, by normalised distribution name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }

    /// Facts that no library shows, the same for every set of packages.
    pub fn curated(&self) -> &Curated {
        self.curated.get_or_init(|| Curated::load(CURATED).unwrap_or_default())
    }

    /// All packages by name.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_file_is_whole() {
        for (name, json) in FILES {
            let package = Package::load(name, json).expect("the bundled file is valid");
            assert_eq!(package.name(), name);
            assert!(package.versions().is_sorted(), "releases are in order");
            assert_eq!(package.versions().len(), package.releases().len());
        }
        assert_eq!(Knowledge::bundled().packages().count(), FILES.len());
        Curated::load(CURATED).expect("the curated file is valid");
    }
}
