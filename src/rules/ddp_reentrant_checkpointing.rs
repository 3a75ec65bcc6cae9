//! Adapters that several processes train with reentrant checkpointing.

use super::ask::Call;
use super::checkpointing::{Checkpointing, of_adapter};
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::launched::{Started, started};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::Const;
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::model::Variant;
use crate::source::Span;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports runs that train an adapter in several processes (`DistributedDataParallel`) with reentrant gradient checkpointing: said in
    /// `gradient_checkpointing_kwargs`, or by default in the releases in effect.
    ///
    /// ## Why it matters
    ///
    /// For a model with an adapter the trainer looks for unused parameters in each step, and reentrant checkpointing goes over the
    /// same parameters twice: `RuntimeError: Expected to mark a variable ready only once`, in the first step.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// transformers==4.57.1
    /// ```
    ///
    /// ```sh,beside
    /// torchrun --nproc_per_node 4 train.py
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", gradient_checkpointing=True)
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```python,fixed
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False})
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// args = DPOConfig(output_dir="out", gradient_checkpointing=True, ddp_find_unused_parameters=False)
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```text,requirements
    /// llamafactory==0.9.4
    /// ```
    ///
    /// ```yaml,beside
    /// model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
    /// stage: sft
    /// do_train: true
    /// finetuning_type: lora
    /// dataset: data
    /// template: qwen
    /// output_dir: out
    /// ```
    ///
    /// ```sh,bad
    /// FORCE_TORCHRUN=1 NPROC_PER_NODE=2 llamafactory-cli train config.yaml ddp_find_unused_parameters=true
    /// ```
    ///
    /// ```sh,good
    /// FORCE_TORCHRUN=1 NPROC_PER_NODE=2 llamafactory-cli train config.yaml
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Checkpointing is made non-reentrant: safe where the project starts the script only so, since no such run gets through a step.
    ///
    /// ## Versions
    ///
    /// LLaMA-Factory, axolotl and ms-swift switch the search for unused parameters off for adapters, unless the configuration asks for it.
    /// By default reentrant in transformers before its fifth major release, unless the trainer of TRL decides otherwise; both are known by release. A
    /// full model, `use_reentrant: False` and `ddp_find_unused_parameters=False` were run and get through.
    ///
    /// ## References
    ///
    /// - trl issues 921 and 4782, transformers issue 23728, accelerate issue 3536
    DdpReentrantCheckpointing = "ddp-reentrant-checkpointing", "DPL405", Error,
        "several processes train an adapter with reentrant checkpointing"
}

impl Rule for DdpReentrantCheckpointing {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), of_configuration);
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_several = |_: &Variant, launch: &Launch| {
            ["torchrun", "accelerate launch"].iter().any(|launcher| launch.launcher(launcher).is_some())
        };
        for started in started(analysis, call.run, call.knowledge, is_several) {
            push_new(found, check(analysis, call, &started));
        }
    }
}

/// A configuration of a framework that asks for the search itself: by default frameworks switch it off for adapters.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    let runs = configured.runs;
    let asked = configured.reader.configuration.get("ddp_find_unused_parameters")?;
    let (count, place) = configured.processes().filter(|(count, _)| *count > 1)?;
    let said = configured.is_reentrant();
    let is_reentrant = said.map_or_else(|| configured.is_any(&runs.reentrant_by_default), |(is_so, _)| is_so);
    let is_so =
        configured.is_any(&runs.finds_unused) && configured.is(&runs.adapter) && configured.is_any(&runs.checkpointing);
    if !is_so || !is_reentrant || configured.is_sharded() {
        return None;
    }
    let message = format!("each of {count} processes trains an adapter with reentrant gradient checkpointing");
    let primary = label(asked.span, "RuntimeError: Expected to mark a variable ready only once");
    let mut finding = configured.reader.finding(&DdpReentrantCheckpointing::META, Severity::Error, message, primary);
    finding.related.push(label(place, "this starts several processes"));
    match said {
        Some((_, said)) => finding.related.push(label(said, "this makes checkpointing reentrant")),
        None => finding.notes.push("checkpointing is reentrant by default".to_owned()),
    }
    finding.help = Some("leave `ddp_find_unused_parameters` out, or make checkpointing not reentrant".to_owned());
    Some(finding)
}

fn check(analysis: &Analysis, call: &Call<'_>, started: &Started<'_>) -> Option<Diagnostic> {
    let (count, place) = started.processes().filter(|(count, _)| *count > 1)?;
    let is_default = matches!(started.field("ddp_find_unused_parameters")?.0, Const::None | Const::Bool(true));
    if !started.is_data_parallel() || !is_default {
        return None;
    }
    let checkpointing = of_adapter(started, analysis, call.knowledge).filter(|found| found.is_reentrant)?;
    let at = checkpointing.said.or(checkpointing.switched_on).unwrap_or(call.run.call().object.span);
    let message = format!("each of {count} processes trains an adapter with reentrant gradient checkpointing");
    let primary = label(at, "RuntimeError: Expected to mark a variable ready only once");
    let mut finding = plain(&DdpReentrantCheckpointing::META, Severity::Error, message, primary);
    finding.related.push(label(place, "this starts several processes"));
    finding.related.push(label(checkpointing.adapter, "this is the adapter"));
    if checkpointing.said.is_none() {
        finding.notes.push("checkpointing is reentrant by default in the releases in effect".to_owned());
    }
    finding.help = Some("pass `gradient_checkpointing_kwargs={\"use_reentrant\": False}`".to_owned());
    finding.fixes.extend(fix(analysis, call, started, &checkpointing));
    Some(finding)
}

/// The argument of a configuration that the script makes itself.
fn fix(analysis: &Analysis, call: &Call<'_>, started: &Started<'_>, found: &Checkpointing) -> Option<Fix> {
    let config: Span = started.made_config().filter(|_| found.said.is_none())?;
    let module = analysis.modules.get(&config.file)?;
    let (name, value) = ("gradient_checkpointing_kwargs", "{\"use_reentrant\": False}");
    let edits = python_edit::insert_keyword(module, config, name, value).ok()?;
    let is_only = call.run.variants.len() == 1;
    let applicability = if is_only { Applicability::Safe } else { Applicability::Unsafe };
    Some(Fix { title: format!("pass `{name}={value}`"), applicability, edits })
}
