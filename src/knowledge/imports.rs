//! What happens when modules of a library are imported: the stored form, `schemas/imports/<package>.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parts::{Parts, StoredImports};
use super::stored::Fact;

/// The imports of one library, release by release. Intervals are those of the library's knowledge file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    package: String,
    #[serde(flatten)]
    checks: Checks,
    /// One that is missing imports nothing of other libraries, by itself or by what it loads.
    modules: Parts<ImportedModule>,
}

/// What a library checks at run time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checks {
    /// Distributions whose releases are compared with the declared requirement whenever the library is imported, with the
    /// releases of the library that do so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checked: BTreeMap<String, String>,
    /// The oldest releases of other libraries that the library works with, checked when something is used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimum: BTreeMap<String, Vec<Fact<Minimum>>>,
}

impl Imports {
    /// The imports of a library, modules by dotted name.
    pub fn new(package: String, checks: Checks, modules: BTreeMap<String, ImportedModule>) -> Self {
        Self { package, checks, modules: Parts::Whole(modules) }
    }

    /// Those that are built into the tool; nothing of them is read before it is asked for.
    pub(super) fn open(stored: &'static StoredImports) -> Self {
        let checks = serde_json::from_str(stored.checks).unwrap_or_default();
        Self { package: stored.name.to_owned(), checks, modules: Parts::packed(&stored.modules) }
    }

    /// Normalised distribution name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// What is checked at run time.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// A module that leads to imports of other libraries, or that they import from.
    pub fn module(&self, name: &str) -> Option<&ImportedModule> {
        self.modules.get(name)
    }
}

/// What importing one module does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedModule {
    /// The releases that have the module; empty: all.
    #[serde(rename = "in", default, skip_serializing_if = "String::is_empty")]
    pub releases: String,
    /// Releases in which any name may exist; `-` for all of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dynamic: String,
    /// Modules of the same library that are loaded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loads: BTreeMap<String, Vec<Fact<When>>>,
    /// What is imported from elsewhere: `transformers.utils:is_rich_available`, `peft:` for a module.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, Vec<Fact<When>>>,
    /// Requirements that are checked, and that end the import where they are not met: `accelerate>=0.20`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<String, Vec<Fact<When>>>,
    /// When the module refuses to be imported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raises: Vec<Fact<When>>,
    /// The names that other libraries import from the module, or users.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<Fact<Found>>>,
}

/// A condition: literals that must all hold. `peft` (installed), `!rich`, `transformers>=4.46`, `?` (cannot be told),
/// `mergekit@transformers.utils.import_utils._is_package_available` (what that function says of it).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct When {
    /// Empty: always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
}

/// A name that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found {
    /// The modules that are loaded to get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<String>,
    /// Whether it is a function that returns a tuple whatever is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tuple: bool,
}

/// The oldest release of another library.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Minimum {
    /// PEP 440 version.
    pub version: String,
}
