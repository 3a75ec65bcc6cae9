//! Keys that stand twice in one configuration.

use super::declare::declare_rule;
use super::framework::{label, push_new, readers};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Reading;
use crate::lower::{Analysis, Script};
use crate::syntax::{Entry, Node};

declare_rule! {
    /// ## What it does
    ///
    /// Reports keys that a configuration of a training framework, or the argument file of a script, has twice.
    ///
    /// ## Why it matters
    ///
    /// Most readers of YAML and JSON take the last one and say nothing, so that the value which a reader of the file sees first does
    /// not count. `OmegaConf`, which LLaMA-Factory uses from 0.9.3, stops.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// axolotl==0.9.2
    /// ```
    ///
    /// ```yaml,bad
    /// base_model: Qwen/Qwen2.5-0.5B-Instruct
    /// rl: dpo
    /// learning_rate: 0.000005
    /// sequence_len: 1024
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 4
    /// datasets: []
    /// learning_rate: 0.00001
    /// ```
    ///
    /// ```yaml,good
    /// base_model: Qwen/Qwen2.5-0.5B-Instruct
    /// rl: dpo
    /// learning_rate: 0.000005
    /// sequence_len: 1024
    /// micro_batch_size: 1
    /// gradient_accumulation_steps: 4
    /// datasets: []
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of them is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// All releases.
    ///
    /// ## References
    ///
    /// - the YAML 1.2 specification, section 3.2.1.3
    DuplicateKey = "duplicate-key", "DPL805", Error, "a configuration has a key twice"
}

impl Rule for DuplicateKey {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for reader in readers(analysis, context) {
            let Some((_, document)) = analysis.written.document_named(&reader.configuration.path) else { continue };
            let is_strict = matches!(reader.reading(), Some(Reading::Omegaconf | Reading::Structured))
                && !reader.versions.is_assumed();
            for (first, again) in twice(&document.root) {
                let outcome = if is_strict { "ConstructorError: found duplicate key" } else { LAST };
                let severity = if is_strict { Severity::Error } else { Severity::Warning };
                let mut finding = reader.finding(&Self::META, severity, message(again), label(again.span, outcome));
                finding.related.insert(0, label(first.span, "the first one"));
                push_new(found, [finding]);
            }
        }
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, _: &Context<'_>, found: &mut Vec<Diagnostic>) {
        // The argument files of a script, which PyYAML or the reader of JSON reads.
        for origin in script.variants.iter().filter_map(|variant| variant.origin) {
            let Some((launch, from)) = analysis.written.launch_at(origin).zip(analysis.written.path_at(origin)) else {
                continue;
            };
            let named = launch.configs.iter().filter_map(|word| word.text.as_deref());
            let documents = named.filter_map(|name| analysis.written.document_from(name, from));
            for (first, again) in documents.flat_map(|document| twice(&document.root)) {
                let mut finding = plain(&Self::META, Severity::Warning, message(again), label(again.span, LAST));
                finding.related = vec![label(first.span, "the first one"), label(launch.span, "this reads the file")];
                push_new(found, [finding]);
            }
        }
    }
}

/// What becomes of a key that stands twice where nothing is refused.
const LAST: &str = "only this one counts";

/// The keys that stand in a map once more: the first place and the other one.
fn twice(root: &Node) -> impl Iterator<Item = (&Entry, &Entry)> {
    let entries = root.entries();
    entries.iter().enumerate().filter(|(_, entry)| !entry.is_merge() && entry.name().is_some()).filter_map(
        |(at, entry)| {
            let first = entries[..at].iter().find(|other| other.name() == entry.name())?;
            Some((first, entry))
        },
    )
}

fn message(entry: &Entry) -> String {
    format!("`{}` stands here twice", entry.name().unwrap_or_default())
}
