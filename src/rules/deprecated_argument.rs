//! Arguments that a release still takes and does not want any more.

use super::ask::Call;
use super::declare::declare_rule;
use super::from_pretrained_argument::{own, written_otherwise};
use super::guards::names;
use super::raised::given;
use super::report::Reach;
use super::{Rule, RuleMeta, rewritten};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::{Argument, Cond, Value};
use crate::knowledge::{Guard, Takes};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Names arguments that the release in effect still takes, with a warning that this will end.
    ///
    /// ## Why it matters
    ///
    /// The run works; the next upgrade of the library stops it. Where a release is known that has dropped the argument, the finding
    /// says which.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.15.2
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", tokenizer=tokenizer, train_dataset=data)
    /// ```
    ///
    /// ```python,fixed
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", processing_class=tokenizer, train_dataset=data)
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", processing_class=tokenizer, train_dataset=data)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A new name for the same value is safe where every release that the project allows knows it. Other arguments have no fix
    /// here: the library's own words say what to do.
    ///
    /// ## Versions
    ///
    /// Warnings and aliases are mined from the released wheels; those of `from_pretrained` are listed by hand.
    ///
    /// ## References
    ///
    /// - the constructors and `__post_init__` methods of each release
    DeprecatedArgument = "deprecated-argument", "DPL115", Info, "an argument is passed that the release calls deprecated"
}

impl Rule for DeprecatedArgument {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // Of a release that is only assumed nobody needs to know what it will drop.
        let Some(release) = call.in_effect().filter(|_| !call.versions().is_assumed()) else { return };
        let arguments = call.run.arguments().iter().filter(|argument| argument.when == Cond::TRUE);
        found.extend(arguments.filter_map(|argument| by_parameter(analysis, call, argument, release)));
        for (warning, _) in call.warned(release).iter().filter(|(warning, _)| is_about_the_end(warning)) {
            let Some(finding) = by_warning(call, warning, release) else { continue };
            if !found.iter().any(|other| other.rule == finding.rule && other.primary.span == finding.primary.span) {
                found.push(finding);
            }
        }
    }
}

/// What the parameter itself says: a decorator warns, or another name has taken its place.
fn by_parameter(analysis: &Analysis, call: &Call<'_>, argument: &Argument, release: usize) -> Option<Diagnostic> {
    let name = argument.name.as_deref()?;
    if let Some(fact) = own(call, name) {
        let is_everywhere = |new: &str| {
            own(call, new).is_none_or(|new| call.allowed().is_subset(&call.package.releases_in(&new.releases)))
        };
        let waits = fact.instead.as_ref().is_some_and(|instead| !is_everywhere(&instead.argument));
        if waits || !call.package.releases_in(&fact.deprecated).contains(release) {
            return None;
        }
        let mut finding = report(call, argument, &format!("`{name}`"), release)?;
        let dropped = &call.package.all() - &call.package.releases_in(&fact.releases);
        if let Some(first) = dropped.iter().find(|one| *one > release) {
            finding.notes.push(format!("{} takes it no more", call.release(first)));
        }
        if let Some(instead) = &fact.instead {
            finding.help = Some(format!(
                "pass it as `{}`",
                instead
                    .value
                    .as_ref()
                    .map_or_else(|| instead.argument.clone(), |value| format!("{}={value}", instead.argument),)
            ));
            finding.fixes.extend(written_otherwise(analysis, call, argument, instead));
        }
        return Some(finding);
    }
    let Takes::Parameter(parameter) = call.takes(name, release) else { return None };
    let new = parameter.alias_of.as_deref();
    // To write down the default asks for nothing.
    let is_default = match &argument.value.value {
        Value::Const(value) => parameter.default.as_deref() == Some(&*value.to_string()),
        _ => false,
    };
    if !(parameter.deprecated || new.is_some()) || is_default || !call.declares(name, release) {
        return None;
    }
    // Where an allowed release knows only the old name, or means something else by the new one, there is nothing to do yet.
    if new.is_some_and(|new| !call.receiver().means_the_same(&call.versions(), name, new)) {
        return None;
    }
    let mut finding = report(call, argument, &format!("`{name}`"), release)?;
    note_the_end(call, name, release, &mut finding);
    if let Some(new) = new {
        finding.help = Some(format!("pass it as `{new}`"));
        finding.fixes.extend(rewritten::renamed(analysis, call, argument, new));
    }
    Some(finding)
}

/// Whether a warning says that something will not be taken any more.
fn is_about_the_end(warning: &Guard) -> bool {
    let is_kind = matches!(&*warning.raises, "FutureWarning" | "DeprecationWarning");
    is_kind || warning.message.as_deref().is_some_and(|message| message.contains("deprecated"))
}

/// What the constructor says of a value that is passed.
fn by_warning(call: &Call<'_>, warning: &Guard, release: usize) -> Option<Diagnostic> {
    let arguments = given(call, &warning.when);
    let argument = arguments.first().filter(|argument| argument.when == Cond::TRUE)?;
    let name = argument.name.as_deref()?;
    // What the oldest allowed release does not mind, it may not know under another name either.
    let oldest = call.allowed().iter().next()?;
    let is_same = |other: &Guard| given(call, &other.when).first().is_some_and(|one| one.span == argument.span);
    if oldest != release && !call.warned(oldest).iter().any(|(other, _)| is_same(other)) {
        return None;
    }
    let asks_only_for_it = |condition: &str| {
        let condition = condition.strip_suffix(" is not None").unwrap_or(condition);
        condition == name || condition.ends_with(&format!(".{name}"))
    };
    let is_whole = warning.when.split(" and ").any(asks_only_for_it);
    let what = match &argument.value.value {
        Value::Const(value) if !is_whole => format!("`{name}={value}`"),
        _ => format!("`{name}`"),
    };
    let mut finding = report(call, argument, &what, release)?;
    if let Some(message) = &warning.message {
        finding.notes.push(format!("{} says: {message}", call.package.name()));
    }
    if is_whole && names(&warning.when, name) {
        note_the_end(call, name, release, &mut finding);
    }
    Some(finding)
}

fn report(call: &Call<'_>, argument: &Argument, what: &str, release: usize) -> Option<Diagnostic> {
    let only = [release].into_iter().collect();
    let outcome = call.holds(&Cond::TRUE, &only);
    if outcome.certain.is_empty() {
        return None;
    }
    // A configuration of one package has fields of another.
    let of = if call.is_about_callee() { "of" } else { "with" };
    let message = format!("`{}` {of} {} calls {what} deprecated", call.short_name(), call.release(release));
    let primary = Label { span: argument.span, message: "it still works".to_owned() };
    let mut finding = call.finding(&DeprecatedArgument::META, Reach::InEffect, &only, message, primary);
    call.explain(&mut finding, &outcome);
    Some(finding)
}

/// Says which later release does not take the argument any more.
fn note_the_end(call: &Call<'_>, name: &str, release: usize, finding: &mut Diagnostic) {
    let mut later = call.package.all().iter().filter(|one| *one > release).collect::<Vec<_>>().into_iter();
    if let Some(first) = later.find(|one| call.takes(name, *one) == Takes::Nothing) {
        finding.notes.push(format!("{} takes it no more", call.release(first)));
    }
}
