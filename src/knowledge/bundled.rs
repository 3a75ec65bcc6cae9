//! The files that are built into the tool.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::parts::{Stored, StoredImports, Table};
use super::{Curated, ImportGraph, Imports, Learnt, Package};

/// Every mined file under `schemas/knowledge`, as `build.rs` packs it.
#[expect(clippy::unreadable_literal, reason = "no reader sees the tables")]
static FILES: &[Stored] = include!(concat!(env!("OUT_DIR"), "/knowledge.rs"));

/// Every file under `schemas/frameworks`, packed in the same way.
#[expect(clippy::unreadable_literal, reason = "no reader sees the tables")]
static FRAMEWORKS: &[Stored] = include!(concat!(env!("OUT_DIR"), "/frameworks.rs"));

/// Every file under `schemas/companions`, packed in the same way.
static COMPANIONS: &[Stored] = include!(concat!(env!("OUT_DIR"), "/companions.rs"));

/// Frameworks that are imported by another name than the one that they are installed by.
const IMPORTED_AS: [(&str, &str); 1] = [("swift", "ms-swift")];

/// Every file under `schemas/imports`, as `build.rs` packs it.
#[expect(clippy::unreadable_literal, reason = "no reader sees the tables")]
static IMPORTS: &[StoredImports] = include!(concat!(env!("OUT_DIR"), "/imports.rs"));

/// What is known of several libraries.
#[derive(Debug, Default)]
pub struct Knowledge {
    packages: BTreeMap<String, Package>,
    frameworks: BTreeMap<String, Package>,
    /// Distributions of which only the metadata is known.
    companions: BTreeMap<String, Package>,
    imports: OnceLock<BTreeMap<String, ImportGraph>>,
    curated: OnceLock<Curated>,
}

impl Knowledge {
    /// Knowledge made of these packages.
    pub fn new(packages: impl IntoIterator<Item = Package>) -> Self {
        Self { packages: by_name(packages), ..Self::default() }
    }

    /// The same with frameworks.
    #[must_use]
    pub fn with_frameworks(self, frameworks: impl IntoIterator<Item = Package>) -> Self {
        Self { frameworks: by_name(frameworks), ..self }
    }

    /// The same with distributions of which only the metadata is known.
    #[must_use]
    pub fn with_companions(self, companions: impl IntoIterator<Item = Package>) -> Self {
        Self { companions: by_name(companions), ..self }
    }

    /// What is built into the tool, opened once.
    pub fn bundled() -> &'static Self {
        static BUNDLED: OnceLock<Knowledge> = OnceLock::new();
        BUNDLED.get_or_init(|| Self::made_of(Package::open))
    }

    /// What is built into the tool, and releases that it lacks.
    pub fn with(learnt: Vec<Learnt>) -> Self {
        let learnt: Vec<Arc<Learnt>> = learnt.into_iter().map(Arc::new).collect();
        Self::made_of(|stored| Package::open(stored).with(&learnt))
    }

    fn made_of(open: impl Fn(&'static Stored) -> Package) -> Self {
        let packages = Self::new(FILES.iter().map(&open)).with_frameworks(FRAMEWORKS.iter().map(&open));
        packages.with_companions(COMPANIONS.iter().map(&open))
    }

    /// What is known of the releases of a distribution: a library, a framework, or one that is known by its metadata only. By
    /// normalised distribution name.
    pub fn distribution(&self, name: &str) -> Option<&Package> {
        self.package(name).or_else(|| self.companions.get(name))
    }

    /// What is known of a library or a framework, by normalised distribution name or by the name it is imported by.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name).or_else(|| {
            let imported = IMPORTED_AS.iter().find(|(import, _)| *import == name);
            self.frameworks.get(imported.map_or(name, |(_, installed)| installed))
        })
    }

    /// The same with the imports of libraries.
    #[must_use]
    pub fn with_imports(self, imports: impl IntoIterator<Item = Imports>) -> Self {
        let imports: BTreeMap<_, _> = imports.into_iter().map(|one| (one.package().to_owned(), one.into())).collect();
        Self { imports: OnceLock::from(imports), ..self }
    }

    /// What happens when modules of a library are imported; of a library that is built in, or was given.
    pub fn imports(&self, package: &str) -> Option<&ImportGraph> {
        let bundled = || IMPORTS.iter().map(|stored| (stored.name.to_owned(), ImportGraph::open(stored))).collect();
        self.imports.get_or_init(bundled).get(package)
    }

    /// Reads what every project with a known library asks for, so that it is there by then.
    pub fn read_common(&self) {
        self.curated();
        for package in self.packages() {
            package.versions();
            package.needs();
            self.imports(package.name());
        }
    }

    /// Facts that no library shows, the same for every set of packages.
    pub fn curated(&self) -> &Curated {
        self.curated.get_or_init(|| Curated::load().unwrap_or_default())
    }

    /// Whether a package is a known library, and no framework: a folder of the name may well be the project's own.
    pub fn is_library(&self, name: &str) -> bool {
        self.packages.contains_key(name)
    }

    /// The name by which a package is imported.
    pub fn imported_as(package: &str) -> &str {
        IMPORTED_AS.iter().find(|(_, installed)| *installed == package).map_or(package, |(import, _)| import)
    }

    /// The training frameworks by name. Of them only what a user configures is known, and most projects use none: what goes through
    /// all libraries does not go through these.
    pub fn frameworks(&self) -> impl Iterator<Item = &Package> {
        self.frameworks.values()
    }

    /// All libraries by name.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }
}

fn by_name(packages: impl IntoIterator<Item = Package>) -> BTreeMap<String, Package> {
    packages.into_iter().map(|package| (package.name().to_owned(), package)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::knowledge::{Release, write_intervals};

    /// Intervals of places as the file writes them.
    fn named(value: Value, package: &Package) -> Value {
        let inner = |value: Value| named(value, package);
        match value {
            Value::String(text) if text.starts_with('#') => {
                write_intervals(&package.releases_in(&text), package.releases()).into()
            }
            Value::Array(items) => items.into_iter().map(inner).collect(),
            Value::Object(members) => members.into_iter().map(|(key, value)| (key, inner(value))).collect(),
            other => other,
        }
    }

    #[test]
    fn every_bundled_file_is_whole() {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let folders = ["knowledge", "frameworks", "companions"].map(|name| std::fs::read_dir(schemas.join(name)));
        let mut names = BTreeSet::new();
        for entry in folders.into_iter().flat_map(|folder| folder.expect("the folder exists")) {
            let path = entry.expect("it can be listed").path();
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            if name == "curated" {
                continue;
            }
            let json = std::fs::read_to_string(&path).expect("it can be read");
            let written = Package::load(&name, &json).expect("the file is valid");
            let packed = Knowledge::bundled().distribution(&name).expect("it is built into the tool");
            assert!(named(packed.to_json(), packed) == written.to_json(), "{name}: packed, nothing is lost");
            assert_eq!(packed.name(), name);
            assert!(packed.versions().is_sorted(), "releases are in order");
            assert_eq!(packed.versions().len(), packed.releases().len());
            let text =
                |release: &Release| (release.version.clone(), release.date.clone(), release.requires_python.clone());
            assert!(packed.brief().iter().map(text).eq(written.brief().iter().map(text)));
            assert!(packed.modules().eq(written.modules()) && packed.definitions().eq(written.definitions()));
            assert_eq!(packed.is_partial(), written.is_partial(), "{name}");
            for missing in ["", "!", "trl.", "trl.zzz", "~"] {
                assert!(packed.module(missing, "").is_none() && packed.callable(missing).is_none(), "{missing}");
            }
            names.insert(name);
        }
        let (libraries, frameworks) = (Knowledge::bundled().packages(), Knowledge::bundled().frameworks());
        let all = libraries.chain(frameworks).chain(Knowledge::bundled().companions.values());
        assert_eq!(all.map(|one| one.name().to_owned()).collect::<BTreeSet<_>>(), names);
        let curated: Curated =
            serde_json::from_str(include_str!("../../schemas/knowledge/curated.json")).expect("the file is valid");
        let packed = Curated::load().expect("the packed file is valid");
        assert_eq!(format!("{packed:?}"), format!("{curated:?}"));
    }
}
