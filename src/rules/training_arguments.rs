//! The wrong configuration class.

use super::ask::{Call, definition};
use super::declare::declare_rule;
use super::report::{Reach, objects};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};

use crate::knowledge::{Knowledge, ReleaseSet};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a TRL trainer that gets `transformers.TrainingArguments` where it reads settings which only its own
    /// configuration class has.
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
    /// ```python,good
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix yet: the configuration class has other defaults.
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

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(argument) = call.argument("args") else { return };
        let given = objects(&argument.value.value);
        let Some(object) = given.iter().find(|object| &*object.callee == "transformers.TrainingArguments") else {
            return;
        };
        let stored = |name: &str| object.stored.iter().any(|(attribute, _)| &**attribute == name);
        let mut missing: Option<&str> = None;
        let mut releases = ReleaseSet::default();
        for release in call.package.all().iter() {
            let Some(definition) = call.definition(release) else { continue };
            for read in call.package.reads(definition, release) {
                let Some(attribute) = read.path.strip_prefix("args.").filter(|name| !name.contains('.')) else {
                    continue;
                };
                let only: ReleaseSet = [release].into_iter().collect();
                if !stored(attribute)
                    && lacks(call, attribute, release)
                    && !call.when(&read.when, &only).certain.is_empty()
                {
                    missing = Some(attribute);
                    releases.insert(release);
                    break;
                }
            }
        }
        let Some(missing) = missing else { return };
        let outcome = call.when("True", &releases);
        let reach = call.reach(&outcome);
        if reach == Reach::Elsewhere {
            return;
        }
        let trainer = call.short_name();
        let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
        let message = format!("`{trainer}` reads `args.{missing}`, which `TrainingArguments` does not have");
        let primary = Label { span: argument.span, message: "AttributeError".to_owned() };
        let mut finding = call.finding(&Self::META, reach, affected, message, primary);
        finding.related.push(Label { span: object.span, message: "these are plain `TrainingArguments`".to_owned() });
        call.explain(&mut finding, &outcome);
        let config = trainer.replace("Trainer", "Config");
        if call.in_effect().is_some_and(|release| definition(call.package, &format!("trl.{config}"), release).is_some())
        {
            finding.help =
                Some(format!("build a `{config}` instead; it takes the same arguments and has other defaults"));
        }
        found.push(finding);
    }
}

/// Whether `TrainingArguments` is known not to have an attribute: the configuration class of TRL declares it and no known
/// release of transformers does.
fn lacks(call: &Call<'_>, attribute: &str, release: usize) -> bool {
    let config = call.callee().replace("Trainer", "Config");
    let declares = definition(call.package, &config, release)
        .and_then(|found| call.package.signature(found, release))
        .is_some_and(|signature| signature.parameters.contains_key(attribute));
    declares && !ever_in_transformers(call.knowledge, attribute)
}

fn ever_in_transformers(knowledge: &Knowledge, attribute: &str) -> bool {
    let Some(package) = knowledge.package("transformers") else { return true };
    package.all().iter().any(|release| {
        definition(package, "transformers.TrainingArguments", release)
            .and_then(|found| package.signature(found, release))
            .is_none_or(|signature| signature.parameters.contains_key(attribute))
    })
}
