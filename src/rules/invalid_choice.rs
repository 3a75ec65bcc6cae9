//! Values that are none of those that a setting may have.

use super::ask::Call;
use super::declare::declare_rule;
use super::later;
use super::raised::{Raised, Topic, given, report_raised};
use super::report::Reach;
use super::rewritten;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta, refused_words};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Argument, Cond, Const, Value};
use crate::lower::{Analysis, Script};
use crate::source::{Span, did_you_mean};
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a setting with a value that is none of those which a release that the project allows knows: kinds of loss,
    /// strategies, schedulers, ways to initialise an adapter, targets of `report_to`. On a launch line, also a word that the parser of
    /// the script makes no field of: none of the choices that a field lists, or no number where one is needed.
    ///
    /// ## Why it matters
    ///
    /// Some of these are checked when the configuration is built, others only at the first step, on the rented GPU.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.25.1
    /// ```
    ///
    /// ```python,bad
    /// from datasets import load_dataset
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// args = SFTConfig(output_dir="out", loss_type="nlll")
    /// trainer = SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=args, train_dataset=data)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from datasets import load_dataset
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// args = SFTConfig(output_dir="out", loss_type="nll")
    /// trainer = SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=args, train_dataset=data)
    /// ```
    ///
    /// ```python,good
    /// from datasets import load_dataset
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// args = SFTConfig(output_dir="out", loss_type="nll")
    /// trainer = SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=args, train_dataset=data)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A misspelt value is replaced by the one that is written almost alike. Unsafe, since it is a guess. A value that the release
    /// knows under another name gets that name.
    ///
    /// ## Versions
    ///
    /// The values are mined from the released wheels: from the code that compares them and raises. Those that are compared only
    /// when they are used (kinds of loss, ways to initialise an adapter) were read from that code, release by release. Choices that
    /// only a command line is compared with are mined from the metadata of the fields; an argument file and a script may say anything
    /// there.
    ///
    /// ## References
    ///
    /// - trl issue 5020
    InvalidChoice = "invalid-choice", "DPL701", Error, "a setting has a value that the release does not know"
}

impl Rule for InvalidChoice {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn judges_parsed(&self) -> bool {
        true
    }

    fn check_script(&self, analysis: &Analysis, script: &Script, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        found.extend(refused_words::check(analysis, script, context, &Self::META));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |raised: &Raised<'_>, releases: &str| match written(call, raised) {
            Some((argument, value)) => {
                let name = argument.name.as_deref().unwrap_or_default();
                format!("{releases} knows no `{name}={value}`")
            }
            None => format!("{releases} refuses a value of this call"),
        };
        for (mut finding, raised) in report_raised(call, &Self::META, Topic::Choice, &headline) {
            let known = constants(&raised.guard.when);
            if let Some((argument, Const::Str(value))) = written(call, raised)
                && let Some(meant) = did_you_mean(&value, known.iter().map(String::as_str))
            {
                finding.help = Some(format!("did you mean `{meant}`?"));
                finding.fixes.extend(respelt(analysis, &argument, meant));
            }
            let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
            finding.notes.push(format!("known are {}", enumerate(&known)));
            found.push(finding);
        }
        let renamed = if call.is_about_callee() { renamed_values(analysis, call) } else { Vec::new() };
        // That it has another name says more than that it is not known.
        let is_told = |one: &Diagnostic| renamed.iter().any(|other| other.primary.span == one.primary.span);
        found.extend(later::check(analysis, call, &Self::META).into_iter().filter(|one| !is_told(one)));
        found.extend(renamed);
    }
}

/// Values that the release in effect knows under another name.
fn renamed_values(analysis: &Analysis, call: &Call<'_>) -> Vec<Diagnostic> {
    let Some(release) = call.in_effect() else { return Vec::new() };
    let found = call.run.arguments().iter().filter(|argument| argument.when == Cond::TRUE).filter_map(|argument| {
        let rewrite = rewritten::rewrite(call, argument)?;
        let (name, value) = (argument.name.as_deref()?, rewrite.value.as_deref()?);
        let [only] = &rewrite.becomes[..] else { return None };
        let affected = call.package.releases_in(&rewrite.releases);
        let outcome = call.when("True", &affected);
        let reach = call.reach_in(&outcome, release);
        if only.argument != name || reach != Reach::InEffect {
            return None;
        }
        let message = format!("{} knows no `{name}={value}`", call.release(release));
        let primary = Label { span: argument.span, message: "unknown value".to_owned() };
        let mut finding = call.finding(&InvalidChoice::META, reach, &affected, message, primary);
        finding.help = Some(format!("it is called `{}` there", only.value.trim_matches('"')));
        finding.fixes.extend(rewritten::fix(analysis, call, argument, rewrite));
        call.explain(&mut finding, &outcome);
        Some(finding)
    });
    found.collect()
}

/// The argument that has the value, and the value.
fn written(call: &Call<'_>, raised: &Raised<'_>) -> Option<(Argument, Const)> {
    given(call, &raised.guard.when).into_iter().find_map(|argument| match &argument.value.value {
        Value::Const(value) => Some((argument.clone(), value.clone())),
        _ => None,
    })
}

/// The string constants of a condition.
fn constants(condition: &str) -> Vec<String> {
    condition.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

pub(super) fn respelt(analysis: &Analysis, argument: &Argument, value: &str) -> Option<Fix> {
    let Some(module) = analysis.modules.get(&argument.value.span.file) else {
        // One of several words is not told from the others.
        let is_whole = matches!(argument.value.value, Value::Const(_));
        return is_whole.then(|| respelt_setting(analysis, argument.span, value))?;
    };
    let written = &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))];
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let edits = python_edit::set_value(module, argument.value.span, &format!("{quote}{value}{quote}")).ok()?;
    Some(Fix { title: format!("write `{value}`"), applicability: Applicability::Unsafe, edits })
}

/// Gives what an argument file or a launch line sets at a place another value.
pub(super) fn respelt_setting(analysis: &Analysis, place: Span, value: &str) -> Option<Fix> {
    let edits = vec![analysis.written.set_at(place, value)?];
    Some(Fix { title: format!("write `{value}`"), applicability: Applicability::Unsafe, edits })
}
