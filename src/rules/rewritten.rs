//! Arguments that a release does not take, and that say the same there in another way: curated, since no signature shows it.

use super::ask::Call;
use super::misfit::Unfit;
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, Value};
use crate::knowledge::{Knowledge, Rewrite, Takes};
use crate::lower::{Analysis, ReleaseHost};
use crate::syntax::python::PythonModule;
use crate::syntax::{Edit, python_edit};

/// How an argument of a call is said in the release in effect.
pub(super) fn rewrite<'a>(call: &Call<'a>, argument: &Argument) -> Option<&'a Rewrite> {
    let knowledge: &'a Knowledge = call.knowledge;
    let name = argument.name.as_deref()?;
    let release = call.in_effect()?;
    let releases = call.releases_with(release);
    let receiver = call.receiver();
    let value = || match &argument.value.value {
        Value::Const(constant) => Some(constant.to_string()),
        _ => None,
    };
    let takes = |new: &str| {
        matches!(call.takes(new, release), Takes::Parameter(_))
            || receiver.configuration(call.package, release, new).is_some()
    };
    let fits = |rewrite: &&'a Rewrite| {
        let holds = || {
            let package = knowledge.package(&rewrite.package)?;
            Some(package.releases_in(&rewrite.releases).contains(releases.of(&rewrite.package)?))
        };
        rewrite.argument == *name
            && rewrite.callable.as_deref().is_none_or(|callable| callable == call.short_name())
            && rewrite.value.as_deref().is_none_or(|wanted| value().as_deref() == Some(wanted))
            && holds() == Some(true)
            && rewrite.becomes.iter().all(|new| takes(&new.argument))
    };
    knowledge.curated().rewrites().find(fits)
}

/// Gives an argument another name, if the releases in effect take that. Safe where the names mean the same in every release that the
/// project allows.
pub(super) fn renamed(analysis: &Analysis, call: &Call<'_>, argument: &Argument, new: &str) -> Option<Fix> {
    let old = argument.name.as_deref().filter(|_| call.receiver().may_take(new))?;
    let module = analysis.modules.get(&argument.span.file)?;
    let edits = python_edit::rename_argument(module, argument.span, new).ok()?;
    let is_sure = argument.unpacked.is_none()
        && !call.versions().is_assumed()
        && call.receiver().means_the_same(&call.versions(), old, new);
    let applicability = if is_sure { Applicability::Safe } else { Applicability::Unsafe };
    Some(Fix { title: format!("rename `{old}` to `{new}`"), applicability, edits })
}

/// Writes an argument as a rewrite says.
pub(super) fn fix(analysis: &Analysis, call: &Call<'_>, argument: &Argument, rewrite: &Rewrite) -> Option<Fix> {
    let name = argument.name.as_deref()?;
    let edits = match analysis.modules.get(&argument.span.file) {
        Some(module) => edits(module, call, argument, rewrite)?,
        None => vec![in_file(analysis, argument, rewrite)?],
    };
    let is_sure = rewrite.keeps_meaning && argument.unpacked.is_none() && call.allowed().len() == 1;
    let applicability = if is_sure { Applicability::Safe } else { Applicability::Unsafe };
    let new: Vec<String> = rewrite.becomes.iter().map(|new| format!("`{}`", new.argument)).collect();
    let title = match &new[..] {
        [] => format!("remove `{name}`"),
        [_] if rewrite.becomes[0].argument == name => format!("write `{}`", rewrite.becomes[0].value.trim_matches('"')),
        new => format!("pass {} instead of `{name}`", super::versions::enumerate(new)),
    };
    Some(Fix { title, applicability, edits })
}

/// What an argument file or a launch line sets, as a rewrite says: another value of the same name.
fn in_file(analysis: &Analysis, argument: &Argument, rewrite: &Rewrite) -> Option<Edit> {
    let [only] = &rewrite.becomes[..] else { return None };
    let is_word = only.argument == rewrite.argument && !only.value.contains(['{', '[']);
    analysis.written.set_at(argument.span, only.value.trim_matches('"')).filter(|_| is_word)
}

fn edits(module: &PythonModule, call: &Call<'_>, argument: &Argument, rewrite: &Rewrite) -> Option<Vec<Edit>> {
    let text = |argument: &Argument| {
        (argument.span.file == module.file())
            .then(|| &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))])
    };
    let value = text(argument)?;
    match &rewrite.becomes[..] {
        [] => return python_edit::remove_argument(module, argument.span).ok(),
        [only] if only.value == "{value}" => {
            return python_edit::rename_argument(module, argument.span, &only.argument).ok();
        }
        [only] if only.argument == rewrite.argument => {
            return python_edit::set_value(module, argument.value.span, &only.value).ok();
        }
        _ => {}
    }
    // What comes instead of an argument stands where it stood: its name and value are replaced by all of it.
    let mut edits = Vec::new();
    let mut instead = Vec::new();
    for new in &rewrite.becomes {
        let given = call.run.arguments().iter().find(|one| one.name.as_deref() == Some(&*new.argument));
        let old = match given {
            Some(given) => Some(text(given).filter(|_| matches!(given.value.value, Value::Const(_)))?),
            None => new.old.as_deref(),
        };
        let written = new.value.replace("{value}", value);
        let written = if written.contains("{old}") { written.replace("{old}", old?) } else { written };
        match given {
            Some(given) if new.value.contains("{old}") => {
                edits.extend(python_edit::set_value(module, given.value.span, &written).ok()?);
            }
            Some(_) => return None,
            None => instead.push((new.argument.as_str(), written)),
        }
    }
    let (first, rest) = instead.split_first()?;
    let rest: Vec<String> = rest.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    if argument.unpacked.is_some() {
        return None;
    }
    edits.push(Edit { span: argument.span, text: module.escape(&format!("{}={}{}", first.0, first.1, rest.concat())) });
    edits.sort_unstable();
    Some(edits)
}

/// Whether an argument says what its releases did anyway: to leave it out loses nothing.
pub(super) fn is_default(call: &Call<'_>, unfit: &Unfit<'_>) -> bool {
    let Value::Const(given) = &unfit.argument.value.value else { return false };
    let Some(release) = unfit.misfit.having.iter().next_back() else { return false };
    let Takes::Parameter(parameter) = call.takes(unfit.name(), release) else { return false };
    let host = ReleaseHost::new(call.releases_with(release), &call.run.trace.flags);
    match parameter.default.as_deref().map(|default| crate::eval::expression(default, &host)) {
        Some(Value::Const(default)) => default == *given,
        _ => false,
    }
}
