//! One file per rule. A rule reads what the lowering layer found and what is known of the libraries, and says what is wrong.

use crate::diagnostic::{Diagnostic, Severity};
use crate::knowledge::Knowledge;
use crate::lower::Analysis;

/// What is said about a rule before it runs.
#[derive(Debug)]
pub struct RuleMeta {
    /// Names the problem: `ref-model-with-peft-config`.
    pub name: &'static str,
    /// Short code: `DPL001`.
    pub code: &'static str,
    /// One sentence, no full stop.
    pub summary: &'static str,
    /// The worst severity it reports.
    pub severity: Severity,
    /// Former names; they stay valid for ever.
    pub aliases: &'static [&'static str],
    /// The rule's page in Markdown: What it does, Why it matters, Example, Fix safety, Versions, References.
    pub page: &'static str,
}

/// A rule.
pub trait Rule: Sync {
    /// Its description.
    fn meta(&self) -> &'static RuleMeta;
    /// Adds what it finds.
    fn check(&self, analysis: &Analysis, knowledge: &Knowledge, found: &mut Vec<Diagnostic>);
}

/// Every rule, by code.
pub fn all() -> &'static [&'static dyn Rule] {
    &[]
}
