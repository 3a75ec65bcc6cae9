//! What happens when modules of a library are imported: the stored form, `schemas/imports/<package>.json`, and the form in which
//! it is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::imported::{ImportedModule, ModuleLines};
use super::parts::{Parts, StoredImports, message};
use super::stored::Fact;

/// The imports of one library, release by release. Intervals are those of the library's knowledge file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    package: String,
    #[serde(flatten)]
    checks: Checks,
    /// One that is missing imports nothing of other libraries, by itself or by what it loads.
    modules: BTreeMap<String, ImportedModule>,
}

/// The same, to be asked.
#[derive(Debug)]
pub struct ImportGraph {
    checks: Checks,
    modules: Parts<String>,
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
        Self { package, checks, modules }
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

impl ImportGraph {
    /// What is built into the tool; nothing of it is read before it is asked for.
    pub(super) fn open(stored: &'static StoredImports) -> Self {
        Self { checks: message(stored.checks).unwrap_or_default(), modules: Parts::packed(stored.modules) }
    }

    /// What is checked at run time.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// A module that leads to imports of other libraries, or that they import from.
    pub fn module(&self, name: &str) -> Option<ModuleLines<'_>> {
        self.modules.get(name).map(|lines| ModuleLines::new(lines))
    }
}

impl From<Imports> for ImportGraph {
    fn from(imports: Imports) -> Self {
        let modules = imports.modules.into_iter().map(|(name, module)| (name, module.to_text()));
        Self { checks: imports.checks, modules: Parts::Whole(modules.collect()) }
    }
}

/// The oldest release of another library.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Minimum {
    /// PEP 440 version.
    pub version: String,
}
