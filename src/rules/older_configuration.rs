//! A trainer's own configuration class where the release has none yet: plain `TrainingArguments`, and the rest to the trainer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Context;
use super::ask::definition;
use super::import_missing::Missing;
use super::training_arguments::ever_in_transformers;
use super::versions::enumerate;
use crate::diagnostic::{Applicability, Fix};
use crate::eval::{Argument, CallEvent, Value};
use crate::knowledge::Takes;
use crate::lower::{Analysis, Releases, Script};
use crate::source::Span;
use crate::syntax::python::PythonModule;
use crate::syntax::{Edit, python_edit};

/// The class that every release has.
const PLAIN: &str = "transformers.TrainingArguments";

/// Builds `TrainingArguments` in the place of every configuration that is missing, and hands the settings that they do not have to the
/// trainer. `None` where something else is missing, or a setting would be lost.
pub(super) fn plain(
    analysis: &Analysis,
    script: &Script,
    context: &Context<'_>,
    missing: &[Missing<'_>],
) -> Option<Fix> {
    let (mut edits, mut names) = (Vec::new(), BTreeSet::new());
    for (import, name, _) in missing {
        let (config, trainer) = (format!("{}.{name}", import.module), name.strip_suffix("Config")?);
        let trainer = format!("{}.{trainer}Trainer", import.module);
        edits.extend(replaced(analysis, script, context, &config, &trainer)?);
        names.insert(format!("`{name}`"));
    }
    edits.sort_unstable();
    let names: Vec<String> = names.into_iter().collect();
    let title = format!("build `TrainingArguments` instead of {}", enumerate(&names));
    Some(Fix { title, applicability: Applicability::Unsafe, edits })
}

fn replaced(
    analysis: &Analysis,
    script: &Script,
    context: &Context<'_>,
    config: &str,
    trainer: &str,
) -> Option<Vec<Edit>> {
    let calls = || script.trace.calls.iter();
    let of = |callee: &str| -> Vec<&CallEvent> { calls().filter(|call| *call.object.callee == *callee).collect() };
    let ([built], [gets]) = (&of(config)[..], &of(trainer)[..]) else { return None };
    let given = gets.object.args.iter().find(|argument| argument.name.as_deref() == Some("args"))?;
    let is_handed_on = matches!(&given.value.value, Value::Object(object) if object.id == built.object.id);
    let is_plain = built.object.parsed.is_none() && !built.open && built.through.is_none() && gets.through.is_none();
    let module = analysis.modules.get(&built.object.span.file)?;
    if !is_handed_on || !is_plain || gets.object.span.file != module.file() {
        return None;
    }
    let package = context.knowledge.package(trainer.split('.').next()?)?;
    let release = script.environment.in_effect(package)?;
    definition(package, trainer, release)?;
    let at = Releases::new(context.knowledge, &script.environment, package, release);
    // What transformers had under another name is renamed there.
    let stays = |argument: &Argument| {
        argument
            .name
            .as_deref()
            .is_none_or(|name| at.takes(PLAIN, name) != Takes::Nothing || ever_in_transformers(context.knowledge, name))
    };
    let moved: Vec<&Argument> = built.object.args.iter().filter(|argument| !stays(argument)).collect();
    let mut keywords = Vec::new();
    for argument in &moved {
        let name = argument.name.as_deref()?;
        let is_taken = matches!(at.takes(trainer, name), Takes::Parameter(_));
        let is_given = gets.object.args.iter().any(|given| given.name.as_deref() == Some(name));
        let value = text(module, argument)?;
        if !is_taken || is_given || !(is_literal(argument, value) || built.stack == gets.stack) {
            return None;
        }
        keywords.push((name, value));
    }
    let spans: Vec<Span> = moved.iter().map(|argument| argument.span).collect();
    let (from, plain) = PLAIN.rsplit_once('.')?;
    let (_, name) = config.rsplit_once('.')?;
    let mut edits = python_edit::replace_class(module, built.object.span, name, from, plain).ok()?;
    if !spans.is_empty() {
        edits.extend(python_edit::remove_arguments(module, &spans).ok()?);
        edits.extend(python_edit::insert_keywords(module, gets.object.span, &keywords).ok()?);
    }
    Some(edits)
}

/// The value as it is written, if it is written in the call itself.
fn text<'m>(module: &'m Arc<PythonModule>, argument: &Argument) -> Option<&'m str> {
    let is_here = argument.unpacked.is_none() && argument.span.file == module.file();
    is_here.then(|| &module.text()[std::ops::Range::<usize>::from(module.range(argument.value.span))])
}

/// Whether it means the same wherever it stands.
fn is_literal(argument: &Argument, text: &str) -> bool {
    let is_word = text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    matches!(argument.value.value, Value::Const(_)) && (!is_word || matches!(text, "None" | "True" | "False"))
}
