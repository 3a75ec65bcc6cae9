//! The best model is to be loaded, and nothing finds out which it is.

use super::ask::Call;
use super::declare::declare_rule;
use super::guards::names;
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

    fn judges_parsed(&self) -> bool {
        true
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_about_steps = |raised: &Raised<'_>| names(&raised.guard.when, "save_steps");
        let headline = |raised: &Raised<'_>, releases: &str| {
            let what = if is_about_steps(raised) { "steps" } else { "strategies" };
            format!("`{}` is to load the best model, with {what} that {releases} refuses", call.short_name())
        };
        for (mut finding, raised) in report_raised(call, &Self::META, Topic::BestModel, &headline) {
            let help = if is_about_steps(raised) {
                "save after a multiple of the steps after which is evaluated"
            } else {
                "evaluate and save by the same strategy"
            };
            finding.help = Some(help.to_owned());
            found.push(finding);
        }
    }
}
