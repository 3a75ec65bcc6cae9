//! Adapters: what trainers do with them, what peft makes of their settings.

use serde::Deserialize;

use super::Curated;

/// Against what a trainer compares a `PeftModel` that comes without a reference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterReference {
    /// The trainer.
    pub callable: String,
    /// The package whose releases count.
    pub package: String,
    /// Releases in which the reference is a frozen copy of the adapter; in older ones it is the base model.
    pub copied_adapter: String,
    /// Where this was read.
    pub source: String,
}

/// A trainer for which, with an adapter and without a reference, the model with the adapter switched off is the reference in
/// all it does with one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseReference {
    /// The class, wherever it lives in the release.
    trainer: String,
    package: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

/// An argument of an adapter's configuration with which switching the adapter off does not give the base model back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseChanging {
    argument: String,
    /// Values with which it does.
    harmless: Vec<serde_json::Value>,
    #[serde(rename = "source")]
    _source: String,
}

/// A trainer that adds an adapter to a `PeftModel`, and by that may make the one that is there trainable.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterWaker {
    /// The class, wherever it lives in the release.
    pub trainer: String,
    /// Its package.
    pub package: String,
    /// The releases that do so.
    pub releases: String,
    /// The releases of the other package with which an adapter that was frozen stays frozen all the same.
    pub frozen: Interval,
    /// Where this was read.
    pub source: String,
}

/// A trainer that refuses an adapter on the head of the model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRefusal {
    /// The class, wherever it lives in the release.
    pub trainer: String,
    /// Its package.
    pub package: String,
    /// The releases that refuse it.
    pub releases: String,
    /// Under this condition over the parameters.
    pub when: String,
    /// Where this was read.
    pub source: String,
}

/// Releases that cannot load an adapter whose file has a key of which they know nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StrictAdapterFile {
    package: String,
    releases: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A word that stands for modules where an adapter's configuration wants their names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetWord {
    /// The word.
    pub word: String,
    /// The package that knows it.
    pub package: String,
    /// In these releases.
    pub releases: String,
    /// Where this was read.
    pub source: String,
}

/// Releases of a package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Its name.
    pub package: String,
    /// As intervals.
    pub releases: String,
}

impl Curated {
    /// What the trainer `callee` takes as the reference of a `PeftModel`.
    pub fn adapter_reference(&self, callee: &str) -> Option<&AdapterReference> {
        self.adapter_references.iter().find(|entry| entry.callable == callee)
    }

    /// The releases of a package, as intervals, in which the model without its adapter does all that a reference does for a
    /// trainer of this class name; `None` where that is not known.
    pub fn base_is_reference(&self, package: &str, trainer: &str) -> Option<&str> {
        let entry = self.base_references.iter().find(|entry| entry.package == package && entry.trainer == trainer)?;
        Some(&entry.releases)
    }

    /// How a trainer of this class name may make a frozen adapter trainable.
    pub fn adapter_waker(&self, package: &str, trainer: &str) -> Option<&AdapterWaker> {
        self.adapter_wakers.iter().find(|entry| entry.package == package && entry.trainer == trainer)
    }

    /// When a trainer of this class name refuses an adapter on the head of the model.
    pub fn head_refusals<'a>(&'a self, package: &'a str, trainer: &'a str) -> impl Iterator<Item = &'a HeadRefusal> {
        self.head_refusals.iter().filter(move |entry| entry.package == package && entry.trainer == trainer)
    }

    /// The releases of a package that cannot load an adapter whose file has a key of which they know nothing.
    pub fn strict_adapter_files(&self, package: &str) -> Option<&str> {
        self.strict_adapter_files.iter().find(|entry| entry.package == package).map(|entry| &*entry.releases)
    }

    /// The word that stands for modules in the configurations of a package.
    pub fn target_word(&self, package: &str) -> Option<&TargetWord> {
        self.target_words.iter().find(|entry| entry.package == package)
    }

    /// Arguments of an adapter's configuration that may change the base model, each with the values that do not.
    pub fn base_changing(&self) -> impl Iterator<Item = (&str, &[serde_json::Value])> {
        self.base_changing.iter().map(|entry| (entry.argument.as_str(), entry.harmless.as_slice()))
    }
}
