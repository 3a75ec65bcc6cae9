//! The best model is to be loaded, and nothing finds out which it is.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Raised, Topic, report_raised};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports `load_best_model_at_end` where evaluation and saving do not go together: other strategies, or steps of which one is no
    /// multiple of the other.
    ///
    /// ## Why it matters
    ///
    /// The configuration raises `ValueError`, since the best model is one that was evaluated and saved at the same step.
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
    /// args = TrainingArguments(output_dir="out", load_best_model_at_end=True, eval_strategy="epoch", save_strategy="steps")
    /// ```
    ///
    /// ```python,good
    /// from transformers import TrainingArguments
    ///
    /// args = TrainingArguments(output_dir="out", load_best_model_at_end=True, eval_strategy="epoch", save_strategy="epoch")
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
    /// - transformers issue 17374
    BestModelStrategyMismatch = "best-model-strategy-mismatch", "DPL501", Error, "`load_best_model_at_end` with strategies that do not fit"
}

impl Rule for BestModelStrategyMismatch {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |_: &Raised<'_>, releases: &str| {
            format!("`{}` is to load the best model, with strategies that {releases} refuses", call.short_name())
        };
        for (mut finding, _) in report_raised(call, &Self::META, Topic::BestModel, &headline) {
            finding.help = Some("evaluate and save by the same strategy".to_owned());
            found.push(finding);
        }
    }
}
