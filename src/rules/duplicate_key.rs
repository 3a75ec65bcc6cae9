//! Keys that stand twice in one configuration.

use super::declare::declare_rule;
use super::framework::{label, push_new, readers};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Reading;
use crate::lower::Analysis;
use crate::syntax::Entry;

declare_rule! {
    /// ## What it does
    ///
    /// Reports keys that a configuration of a training framework has twice.
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
            let entries = document.root.entries();
            let is_strict = matches!(reader.reading(), Some(Reading::Omegaconf | Reading::Structured))
                && !reader.versions.is_assumed();
            for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.is_merge()) {
                let is_first = |other: &&Entry| other.name() == entry.name();
                let Some(first) = entries[..at].iter().find(is_first).filter(|_| entry.name().is_some()) else {
                    continue;
                };
                let name = entry.name().unwrap_or_default();
                let message = format!("`{name}` stands here twice");
                let outcome = if is_strict { "ConstructorError: found duplicate key" } else { "only this one counts" };
                let severity = if is_strict { Severity::Error } else { Severity::Warning };
                let mut finding = reader.finding(&Self::META, severity, message, label(entry.span, outcome));
                finding.related.insert(0, label(first.span, "the first one"));
                push_new(found, [finding]);
            }
        }
    }
}
