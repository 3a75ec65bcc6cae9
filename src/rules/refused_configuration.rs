//! Configurations that a check of the program which reads them stops.

use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{Reader, Stage, label, push_new, push_of_each, readers, removed};
use super::raised::shown;
use super::versions::enumerate;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Severity};
use crate::knowledge::{Case, Guard};
use crate::lower::Analysis;
use crate::lower::configuration::Key;

declare_rule! {
    /// ## What it does
    ///
    /// Reports configurations of a training framework that a check of the framework itself stops: combinations that it does not
    /// support, keys that need another one or that must be given, a quantised model without an adapter, a reference model where the adapter can be switched
    /// off instead, and what LLaMA-Factory refuses with stage 3 of `DeepSpeed`.
    ///
    /// ## Why it matters
    ///
    /// The framework raises one of these at a time, some after it has loaded data and models. Here all of them are reported from one
    /// run.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// ms-swift==3.9.0
    /// ```
    ///
    /// ```sh,bad
    /// swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-0.5B --ref_model Qwen/Qwen2.5-0.5B --dataset data.jsonl
    /// ```
    ///
    /// ```sh,unsafe-fixed
    /// swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-0.5B --dataset data.jsonl
    /// ```
    ///
    /// ```sh,good
    /// swift rlhf --rlhf_type dpo --model Qwen/Qwen2.5-0.5B --adapters sft --ref_adapters sft --dataset data.jsonl
    /// ```
    ///
    /// ```text,requirements
    /// llamafactory==0.9.3
    /// ```
    ///
    /// ```json,deepspeed
    /// {"zero_optimization": {"stage": 3}}
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: sft
    /// do_train: true
    /// finetuning_type: full
    /// dataset: data
    /// pure_bf16: true
    /// deepspeed: ds.json
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// A reference model that is refused is taken out: with an adapter the model without it is the reference, which ms-swift uses
    /// then. Unsafe, since that may be another model. Nothing else is fixed.
    ///
    /// ## Versions
    ///
    /// The checks are mined from the released wheels: `__post_init__` methods, validators of pydantic models, and LLaMA-Factory's
    /// `get_train_args`. What depends on hardware, files or installed libraries is left out. Where no file declares the framework, a
    /// check is reported if all recent releases have it.
    ///
    /// ## References
    ///
    /// - the argument classes of each release
    RefusedConfiguration = "refused-configuration", "DPL504", Error, "a check of the framework stops the configuration"
}

impl Rule for RefusedConfiguration {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        for reader in readers(analysis, context) {
            let refusals = reader.refusals();
            push_new(found, refusals.iter().filter_map(|(guard, keys)| report(analysis, &reader, guard, keys)));
            push_new(found, missing(&reader));
        }
        push_of_each(found, configured(analysis, context), with_stage3);
    }
}

/// Keys without a default that the configuration does not set.
fn missing(reader: &Reader<'_>) -> Option<Diagnostic> {
    let names: Vec<String> = reader.missing().into_iter().map(|name| format!("`{name}`")).collect();
    let place = reader.configuration.place().filter(|_| !names.is_empty())?;
    let message = format!("{} needs {}", reader.title(), enumerate(&names));
    let primary = label(place, "nothing here sets it");
    Some(reader.finding(&RefusedConfiguration::META, Severity::Error, message, primary))
}

/// What the program refuses with stage 3 of `DeepSpeed`.
fn with_stage3(configured: &Configured<'_>) -> Vec<Diagnostic> {
    let cases = &configured.runs.refused_with_stage3;
    let Some(stage) = configured.stage3().filter(|_| !cases.is_empty()) else { return Vec::new() };
    let reader = &configured.reader;
    let report = |case: &'static Case| {
        let package = reader.versions.package;
        let is_so = |release| case.is_in(package, release) && reader.holds(&case.when, release, Stage::Made);
        let key = *reader.named(&case.when, "").first().filter(|_| configured.everywhere(&is_so))?;
        let message = format!("{} refuses `{}` with stage 3 of DeepSpeed", reader.title(), key.name);
        let primary = label(key.span, "ValueError");
        let mut finding = reader.finding(&RefusedConfiguration::META, Severity::Error, message, primary);
        finding.related.push(label(stage, "this is stage 3"));
        finding.notes.push(format!("it says: {}", case.says));
        Some(finding)
    };
    cases.iter().filter_map(report).collect()
}

fn report(analysis: &Analysis, reader: &Reader<'_>, guard: &Guard, keys: &[&Key]) -> Option<Diagnostic> {
    let title = reader.title();
    let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
    let what =
        if keys.is_empty() { "this configuration".to_owned() } else { format!("{} like this", enumerate(&names)) };
    let place = keys.first().map(|key| key.span).or_else(|| reader.configuration.place())?;
    let (primary, message) = (label(place, guard.raises.clone()), format!("{title} refuses {what}"));
    let mut finding = reader.finding(&RefusedConfiguration::META, Severity::Error, message, primary);
    finding.related.extend(keys.iter().skip(1).map(|key| label(key.span, "with this")));
    if let Some(message) = &guard.message {
        finding.notes.push(format!("it says: {message}"));
    }
    finding.notes.push(format!("it fails where `{}`", shown(&guard.when)));
    let reference = keys.iter().find(|key| key.name == "ref_model");
    if let Some(reference) = reference {
        finding.help = Some("the model without its adapter is the reference".to_owned());
        finding.fixes.extend(removed(analysis, reference.span, "ref_model", Applicability::Unsafe));
    }
    Some(finding)
}
