//! Which part of a large library is mined: `schemas/surface.json`.
//!
//! A library that is not named there is mined whole.

use std::collections::BTreeMap;

use serde::Deserialize;

const SURFACES: &str = include_str!("../../schemas/surface.json");

/// The part of one library that is mined. Lists hold patterns: `*` stands for any letters, a leading `!` takes back what an
/// earlier pattern said, an empty list is everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Surface {
    /// Callables that are kept, by full name of the definition; those they derive from are kept, too.
    #[serde(default)]
    kept: Vec<String>,
    /// Callables whose conditions are read.
    #[serde(default)]
    asked: Vec<String>,
    /// Modules of which only the names in `__all__` count. Here an empty list is nothing.
    #[serde(default)]
    outlined: Vec<String>,
    /// Names of the package itself from which imports are followed, besides those that other libraries import.
    reached: Option<Vec<String>>,
    /// The name by which the package is imported, where that is not its own.
    import: Option<String>,
    /// Whether nothing but what is kept is known of the package: of a framework only what a user configures counts.
    #[serde(default)]
    configured: bool,
    /// Whether of parameters only the names count.
    #[serde(default)]
    bare: bool,
    /// Whether a constructor takes what it hands on to its base.
    #[serde(default)]
    passing: bool,
    /// Whether classes that a field holds are mined with the class, and named in full in its annotation.
    #[serde(default)]
    nested: bool,
    /// Whether of an enumeration the names count, as `OmegaConf` reads them, and not the values.
    #[serde(default)]
    by_name: bool,
    /// Methods that check an object after it was made. Here an empty list is nothing.
    #[serde(default)]
    validating: Vec<String>,
    /// Functions that take apart what a parser filled and check it: `model_args, data_args = parse(args)`. Here an empty list is
    /// nothing.
    #[serde(default)]
    unpacking: Vec<String>,
    /// Methods whose parameters are written down, since a class of another package calls them. Here an empty list is nothing.
    #[serde(default)]
    overridden: Vec<String>,
}

impl Surface {
    /// The part of a package.
    pub fn of(package: &str) -> Self {
        let mut all: BTreeMap<String, Self> = serde_json::from_str(SURFACES).unwrap_or_default();
        all.remove(package).unwrap_or_default()
    }

    /// Whether only some callables are kept.
    pub fn is_narrow(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The name by which the package is imported.
    pub fn import_name(&self, package: &str) -> String {
        self.import.clone().unwrap_or_else(|| package.replace('-', "_").to_lowercase())
    }

    /// Whether only what a user configures is known of the package.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Whether of parameters only the names count.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether a constructor takes what it hands on to its base.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Whether classes that a field holds are mined, too.
    pub fn is_nested(&self) -> bool {
        self.nested
    }

    /// Whether of an enumeration the names count.
    pub fn is_by_name(&self) -> bool {
        self.by_name
    }

    /// Whether a method checks an object after it was made.
    pub fn validates(&self, method: &str) -> bool {
        self.validating.iter().any(|one| one == method)
    }

    /// Whether a function checks what a parser filled.
    pub fn unpacks(&self, definition: &str) -> bool {
        self.unpacking.iter().any(|one| one == definition)
    }

    /// Whether the parameters of a method are written down.
    pub fn overrides(&self, method: &str) -> bool {
        self.overridden.iter().any(|one| one == method)
    }

    /// The names from which imports are followed; `None`: all modules.
    pub fn reached(&self) -> Option<&[String]> {
        self.reached.as_deref()
    }

    /// Whether a callable is kept.
    pub fn keeps(&self, definition: &str) -> bool {
        self.kept.is_empty() || decide(&self.kept, definition)
    }

    /// Whether the conditions of a callable are read.
    pub fn asks(&self, definition: &str) -> bool {
        self.asked.is_empty() || decide(&self.asked, definition)
    }

    /// Whether a module is read in outline.
    pub fn outlines(&self, module: &str) -> bool {
        decide(&self.outlined, module)
    }
}

/// What the last pattern that fits says.
fn decide(patterns: &[String], name: &str) -> bool {
    patterns.iter().rev().find_map(|pattern| match pattern.strip_prefix('!') {
        Some(pattern) => fits(pattern, name).then_some(false),
        None => fits(pattern, name).then_some(true),
    }) == Some(true)
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|left| {
            let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.into_iter().any(|at| fits(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let patterns = ["p.models.*", "!p.models.auto.*"].map(str::to_owned);
        for (name, expected) in
            [("p.models.llama", true), ("p.models.auto.factory", false), ("p.models", false), ("p.trainer", false)]
        {
            assert_eq!(decide(&patterns, name), expected, "{name}");
        }
        assert!(fits("p.*.config.*Config", "p.tuners.lora.config.LoraConfig"));
        assert!(!fits("p.*.config.*Config", "p.tuners.lora.layer.LoraLayer"));
    }

    #[test]
    fn the_bundled_surfaces_are_valid() {
        let all: BTreeMap<String, Surface> = serde_json::from_str(SURFACES).expect("the file is valid");
        assert!(all.contains_key("transformers"));
        assert!(Surface::of("trl").keeps("trl.anything") && Surface::of("trl").asks("trl.anything"));
    }
}
