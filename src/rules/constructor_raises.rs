//! Checks of a constructor that have no rule of their own.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Topic, report_raised, shown};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports calls that a check in the library's constructor stops, in a release that the project allows, where no other rule
    /// is about that check.
    ///
    /// ## Why it matters
    ///
    /// Constructors check what was passed, each release something else: combinations that are not supported, values out of
    /// range, arguments that need another one. The check comes after the models were loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import GRPOConfig
    ///
    /// args = GRPOConfig(output_dir="out", num_generations=1)
    /// ```
    ///
    /// ```python,good
    /// from trl import GRPOConfig
    ///
    /// args = GRPOConfig(output_dir="out", num_generations=8)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: what is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// Every check that raises is mined from the released wheels, as a condition over the parameters; what depends on anything
    /// else (hardware, files, the content of a data set) is left out.
    ///
    /// ## References
    ///
    /// - the constructors and `__post_init__` methods of each release
    ConstructorRaises = "constructor-raises", "DPL113", Error, "a check in the constructor stops the call"
}

impl Rule for ConstructorRaises {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |raised: &super::raised::Raised<'_>, releases: &str| {
            format!("`{}` of {releases} refuses `{}`", call.short_name(), shown(&raised.guard.when))
        };
        let reported = report_raised(call, &Self::META, Topic::Other, &headline);
        found.extend(reported.into_iter().map(|(finding, _)| finding));
    }
}
