//! Values that a constructor takes and that fail when they are used.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An argument that must be one of some words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterChoice {
    /// `*` stands for any letters inside one component.
    pub(super) callables: Vec<String>,
    /// The argument or field.
    pub argument: String,
    /// The package whose releases decide, where that is not the one that defines the callable.
    #[serde(default)]
    package: Option<String>,
    /// The releases that refuse other words.
    pub releases: String,
    /// The words, each with the releases that know it.
    pub values: BTreeMap<String, String>,
    /// Beginnings of words that are known in every release.
    pub prefixes: Vec<String>,
    /// When it fails: "at the first step".
    pub fails: String,
    /// Whether that is in the training, not where the object is handed to something.
    #[serde(default)]
    pub in_training: bool,
    #[serde(rename = "source")]
    _source: String,
}

/// An argument that must fulfil a condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterCheck {
    /// `*` stands for any letters inside one component.
    pub(super) callables: Vec<String>,
    /// The argument or field.
    pub argument: String,
    /// The releases that check it.
    pub releases: String,
    /// When it fails, as an expression over the argument.
    pub when: String,
    /// What it must do: "be positive".
    pub must: String,
    /// When it fails in the run: "when the adapter is made".
    pub fails: String,
    /// Whether that is in the training, not where the object is handed to something.
    #[serde(default)]
    pub in_training: bool,
    #[serde(rename = "source")]
    _source: String,
}

impl LaterChoice {
    /// The package whose releases decide for a callable.
    pub fn package<'a>(&'a self, callee: &'a str) -> &'a str {
        self.package.as_deref().unwrap_or_else(|| callee.split('.').next().unwrap_or_default())
    }
}
