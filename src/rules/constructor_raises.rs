//! Checks of a constructor that have no rule of their own.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Raised, Topic, given, report_raised, shown};
use super::tree::lacking_arguments;
use super::versions::enumerate;
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::eval::{Argument, Value};
use crate::lower::Analysis;

/// A headline names this many arguments, and values of at most so many letters.
const MAX_NAMED: usize = 3;
const MAX_VALUE: usize = 24;

/// Where the call names none of them, a condition of this length is shown instead.
const MAX_CONDITION: usize = 60;

declare_rule! {
    /// ## What it does
    ///
    /// Reports calls that a check in the library's constructor stops, in a release that the project allows, where no other rule
    /// is about that check. In a configuration of xtuner (`dict(type=..., ...)`) also what must be given to what it names and is not.
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

    fn judges_parsed(&self) -> bool {
        true
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |raised: &Raised<'_>, releases: &str| {
            let condition = shown(&raised.guard.when);
            let what = refused(call, raised).unwrap_or_else(|| match condition.len() {
                ..=MAX_CONDITION => format!("a call where `{condition}`"),
                _ => "this call".to_owned(),
            });
            format!("`{}` of {releases} refuses {what}", call.short_name())
        };
        for (mut finding, raised) in report_raised(call, &Self::META, Topic::Other, &headline) {
            finding.notes.push(format!("it fails where `{}`", shown(&raised.guard.when)));
            found.push(finding);
        }
        found.extend(lacking_arguments(call, &Self::META));
    }
}

/// The arguments that a check is about, with their values where these are short: `` `num_generations=1` ``.
fn refused(call: &Call<'_>, raised: &Raised<'_>) -> Option<String> {
    let written = |argument: &Argument| {
        let name = argument.name.as_deref()?;
        let value = match &argument.value.value {
            Value::Const(value) => Some(value.to_string()).filter(|value| value.len() <= MAX_VALUE),
            _ => None,
        };
        Some(value.map_or_else(|| format!("`{name}`"), |value| format!("`{name}={value}`")))
    };
    let arguments: Vec<String> = given(call, &raised.guard.when).iter().filter_map(written).take(MAX_NAMED).collect();
    (!arguments.is_empty()).then(|| enumerate(&arguments))
}
