//! Arguments that a callable has under another name.

use super::ask::Call;
use super::declare::declare_rule;
use super::misfit::{Fate, report_unfit};
use super::misfit_settings::report_settings;
use super::{Context, Rule, RuleMeta, rewritten};
use crate::diagnostic::Diagnostic;
use crate::lower::{Analysis, Script};

declare_rule! {
    /// ## What it does
    ///
    /// Reports arguments that a release which the project allows knows under another name only: the former name of a newer
    /// release, or the new name in an older one.
    ///
    /// ## Why it matters
    ///
    /// The call raises `TypeError`: `tokenizer` became `processing_class`, `evaluation_strategy` became `eval_strategy`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", tokenizer=tokenizer)
    /// ```
    ///
    /// ```python,fixed
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", processing_class=tokenizer)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", processing_class=tokenizer)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: some release accepts both names for the same thing. Unsafe where the argument stands in a dictionary, which may be
    /// passed elsewhere, too, or where the project allows releases that know the old name only, or says nothing about releases.
    ///
    /// ## Versions
    ///
    /// Pairs of names are mined from the released wheels: a decorator or a constructor that takes the one for the other.
    ///
    /// ## References
    ///
    /// - trl pull request 2162, transformers pull request 30190
    RenamedArgument = "renamed-argument", "DPL102", Error, "an argument is passed under a name that the release does not know",
        left_by: ["training-arguments-for-trl-trainer"]
}

impl Rule for RenamedArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        found.extend(report_settings(analysis, script, context, &Self::META, |fate| matches!(fate, Fate::Renamed(_))));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        for unfit in call.unfit() {
            let Fate::Renamed(name) = &unfit.misfit.fate else { continue };
            let Some(mut finding) = report_unfit(call, &Self::META, &[unfit]) else { continue };
            finding.help = Some(format!("pass it as `{name}`"));
            finding.fixes.extend(rewritten::renamed(analysis, call, unfit.argument, name));
            found.push(finding);
        }
    }
}
