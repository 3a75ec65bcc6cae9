//! Both half precisions at once.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Raised, Topic, report_raised};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a configuration that asks for `fp16` and `bf16` together, from the script, an argument file and the launch line.
    ///
    /// ## Why it matters
    ///
    /// The configuration raises `ValueError`. It often comes from a script with one of the two as its own default, started with a
    /// flag for the other.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==5.3.0
    /// ```
    ///
    /// ```python,bad
    /// from transformers import TrainingArguments
    ///
    /// args = TrainingArguments(output_dir="out", fp16=True, bf16=True)
    /// ```
    ///
    /// ```python,good
    /// from transformers import TrainingArguments
    ///
    /// args = TrainingArguments(output_dir="out", bf16=True)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of them is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// The check is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - transformers `training_args.py`, the checks on `fp16` and `bf16`
    Fp16AndBf16 = "fp16-and-bf16", "DPL301", Error, "`fp16` and `bf16` are both asked for"
}

impl Rule for Fp16AndBf16 {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn judges_parsed(&self) -> bool {
        true
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |_: &Raised<'_>, releases: &str| {
            format!("`{}` of this call asks for both `fp16` and `bf16`, which {releases} refuses", call.short_name())
        };
        for (mut finding, _) in report_raised(call, &Self::META, Topic::Precision, &headline) {
            finding.help = Some("set one of the two to false".to_owned());
            found.push(finding);
        }
    }
}
