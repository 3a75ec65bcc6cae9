//! The wrong configuration class.

use super::ask::{Call, definition};
use super::declare::declare_rule;
use super::report::objects;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};

use std::sync::Arc;

use crate::eval::{Const, Object, Value};
use crate::knowledge::{Knowledge, ReleaseSet, Signature};
use crate::lower::Analysis;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a TRL trainer that gets `transformers.TrainingArguments` where it reads settings which only its own
    /// configuration class has. Arguments of the call that belong into that class as well are pointed at.
    ///
    /// ## Why it matters
    ///
    /// The constructor fails with `AttributeError: 'TrainingArguments' object has no attribute ...`, after the models were
    /// loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.12.2
    /// transformers==4.46.3
    /// ```
    ///
    /// ```python,bad
    /// from transformers import TrainingArguments
    /// from trl import DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=TrainingArguments(output_dir="out"))
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The trainer's own configuration is built instead, by a call or by a parser, and imported. Unsafe: it has other defaults.
    /// Arguments of the trainer that belong into it are moved by `moved-argument` then.
    ///
    /// ## Versions
    ///
    /// The attributes that a constructor reads, and the fields of both classes, are mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl issues 1942 and 2291
    TrainingArgumentsForTrlTrainer = "training-arguments-for-trl-trainer", "DPL104", Error,
        "a TRL trainer gets `TrainingArguments`, which lacks settings that it reads"
}

impl Rule for TrainingArgumentsForTrlTrainer {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (Some(argument), Some(object)) = (call.argument("args"), plain_arguments(call)) else { return };
        if call.near().iter().all(|release| missing_attribute(call, release).is_none()) {
            return;
        }
        let all = call.package.all();
        let missing: Vec<(usize, &str)> =
            all.iter().filter_map(|release| Some((release, missing_attribute(call, release)?))).collect();
        let Some((_, example)) = missing.last() else { return };
        let outcome = call.when("True", &missing.iter().map(|(release, _)| *release).collect());
        let Some(in_effect) = call.in_effect() else { return };
        let reach = call.reach_in(&outcome, in_effect);
        if !call.versions().speaks_of(reach) {
            return;
        }
        let trainer = call.short_name();
        let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
        let attribute = missing.iter().find(|(release, _)| *release == in_effect).map_or(*example, |(_, name)| *name);
        let message = format!("`{trainer}` reads `args.{attribute}`, which `TrainingArguments` does not have");
        let primary = Label { span: argument.span, message: "AttributeError".to_owned() };
        let mut finding = call.finding(&Self::META, reach, affected, message, primary);
        finding.related.push(Label { span: object.span, message: "these are plain `TrainingArguments`".to_owned() });
        let config = trainer.replace("Trainer", "Config");
        for index in moved_arguments(call, in_effect) {
            let moved = &call.run.arguments()[index];
            finding.related.push(Label { span: moved.span, message: format!("this is a setting of `{config}`") });
        }
        call.explain(&mut finding, &outcome);
        if definition(call.package, &format!("trl.{config}"), in_effect).is_some() {
            finding.help =
                Some(format!("build a `{config}` instead; it takes the same arguments and has other defaults"));
        }
        finding.fixes.extend(rebuilt(analysis, call, &object));
        found.push(finding);
    }
}

/// Builds the trainer's own configuration instead of plain `TrainingArguments`.
pub(super) fn rebuilt(analysis: &Analysis, call: &Call<'_>, given: &Object) -> Option<Fix> {
    let (module, trainer) = call.callee().rsplit_once('.')?;
    let config = trainer.replace("Trainer", "Config");
    definition(call.package, &format!("{module}.{config}"), call.in_effect()?)?;
    // A parser makes an object of the class that it is told.
    let maker = given.parsed.map_or(given.span, |parser| call.run.trace.parsers[parser.0 as usize].span);
    let target = analysis.modules.get(&maker.file)?;
    let edits = python_edit::replace_class(target, maker, "TrainingArguments", module, &config).ok()?;
    Some(Fix { title: format!("build a `{config}`"), applicability: Applicability::Unsafe, edits })
}

/// The `TrainingArguments` that a call gets, if it gets these and no configuration of the trainer's own, whatever decides.
pub(super) fn plain_arguments(call: &Call<'_>) -> Option<Arc<Object>> {
    let given = &call.argument("args")?.value.value;
    let is_plain = |object: &Arc<Object>| &*object.callee == "transformers.TrainingArguments";
    let mut alternatives =
        given.alternatives().into_iter().filter(|(_, one)| !matches!(one, Value::Const(Const::None)));
    let is_always = alternatives.all(|(_, one)| objects(&one).iter().any(is_plain));
    objects(given).into_iter().find(is_plain).filter(|_| is_always)
}

/// An attribute that the constructor of a release reads from `TrainingArguments`, which do not have it.
pub(super) fn missing_attribute<'a>(call: &Call<'a>, release: usize) -> Option<&'a str> {
    let object = plain_arguments(call)?;
    let stored = |name: &str| object.stored.iter().any(|(attribute, _)| &**attribute == name);
    let only: ReleaseSet = [release].into_iter().collect();
    let settings = settings(call, release)?;
    // Known not to be there: the configuration class of TRL declares it and no known release of transformers does.
    let lacks = |name: &str| settings.parameters.contains_key(name) && !ever_in_transformers(call.knowledge, name);
    let reads = call.package.reads(call.definition(release)?, release);
    reads.into_iter().find_map(|read| {
        let attribute = read.path.strip_prefix("args.").filter(|name| !name.contains('.'))?;
        let happens = || !call.when(&read.when, &only).certain.is_empty();
        (!stored(attribute) && lacks(attribute) && happens()).then_some(attribute)
    })
}

/// Indices of arguments that the constructor of a release does not have and the trainer's own configuration class does.
pub(super) fn moved_arguments(call: &Call<'_>, release: usize) -> Vec<usize> {
    let arguments = call.run.arguments();
    let Some(settings) = settings(call, release) else { return Vec::new() };
    let is_setting =
        |index: &usize| arguments[*index].name.as_deref().is_some_and(|name| settings.parameters.contains_key(name));
    call.unknown_arguments(release).into_iter().filter(is_setting).collect()
}

/// What the trainer's own configuration class declares.
fn settings<'a>(call: &Call<'a>, release: usize) -> Option<Signature<'a>> {
    let config = call.callee().replace("Trainer", "Config");
    call.package.signature(definition(call.package, &config, release)?, release)
}

/// Whether some known release of transformers has a field of this name in its `TrainingArguments`.
pub(super) fn ever_in_transformers(knowledge: &Knowledge, attribute: &str) -> bool {
    let Some(package) = knowledge.package("transformers") else { return true };
    let Some(newest) = package.all().iter().next_back() else { return true };
    let found = definition(package, "transformers.TrainingArguments", newest).and_then(|name| package.callable(name));
    found.is_none_or(|callable| callable.parameters.contains_key(attribute))
}
