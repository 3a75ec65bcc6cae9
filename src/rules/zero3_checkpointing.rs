//! Adapters that stage 3 of `DeepSpeed` trains with checkpointing that is not reentrant.

use super::ask::Call;
use super::checkpointing::{fact, of_adapter};
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::launched::{Started, started, zero3};
use super::report::plain;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Severity};
use crate::lower::Analysis;
use crate::lower::launch::Launch;
use crate::model::Variant;

const MESSAGE: &str = "stage 3 of DeepSpeed trains an adapter with checkpointing that is not reentrant";

declare_rule! {
    /// ## What it does
    ///
    /// Reports runs that train an adapter with `DeepSpeed` stage 3 and gradient checkpointing that is not reentrant: said in
    /// `gradient_checkpointing_kwargs` (LLaMA-Factory: `use_reentrant_gc`), or by default in the releases in effect.
    ///
    /// ## Why it matters
    ///
    /// Stage 3 has taken the parameters away again when checkpointing computes a layer for the second time, so that it meets tensors of
    /// another shape: `CheckpointError: Recomputed values for the following tensors have different metadata`, in the first backward pass.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// transformers==4.57.1
    /// ```
    ///
    /// ```json,deepspeed
    /// {"zero_optimization": {"stage": 3}}
    /// ```
    ///
    /// ```sh,beside
    /// torchrun --nproc_per_node 4 train.py --deepspeed ds.json --output_dir out --gradient_checkpointing True
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer, TrlParser
    ///
    /// args, = TrlParser(DPOConfig).parse_args_and_config()
    /// args.gradient_checkpointing_kwargs = {"use_reentrant": False}
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer, TrlParser
    ///
    /// args, = TrlParser(DPOConfig).parse_args_and_config()
    /// args.gradient_checkpointing_kwargs = {"use_reentrant": True}
    /// trainer = DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```yaml,bad
    /// model_name_or_path: Qwen/Qwen2.5-7B-Instruct
    /// stage: dpo
    /// do_train: true
    /// finetuning_type: lora
    /// use_reentrant_gc: false
    /// deepspeed: ds.json
    /// output_dir: out
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: the other kind fails where the script is started without `DeepSpeed`.
    ///
    /// ## Versions
    ///
    /// Newer trainers of TRL switch to the reentrant kind themselves; they are known by release.
    ///
    /// ## References
    ///
    /// - trl issues 2514 and 5217, transformers issue 34928
    Zero3Checkpointing = "zero3-checkpointing", "DPL404", Error,
        "DeepSpeed stage 3 trains an adapter with checkpointing that is not reentrant"
}

impl Rule for Zero3Checkpointing {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), of_configuration);
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_cut = |variant: &Variant, _: &Launch| zero3(analysis, call.run, variant).is_some();
        for started in started(analysis, call.run, call.knowledge, is_cut) {
            push_new(found, check(analysis, call, &started));
        }
    }
}

/// A configuration that says so itself: what frameworks do by default is known to work.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    let (_, place) = configured.is_reentrant().filter(|(is_reentrant, _)| !is_reentrant)?;
    let stage = configured.stage3()?;
    if !configured.is(&configured.runs.adapter) || !configured.is_any(&configured.runs.checkpointing) {
        return None;
    }
    let primary = label(place, "CheckpointError: Recomputed values have different metadata");
    let mut finding =
        configured.reader.finding(&Zero3Checkpointing::META, Severity::Error, MESSAGE.to_owned(), primary);
    finding.confidence = Confidence::Medium;
    finding.related.push(label(stage, "this is stage 3"));
    finding.help = Some("leave it out, or make it reentrant".to_owned());
    Some(finding)
}

fn check(analysis: &Analysis, call: &Call<'_>, started: &Started<'_>) -> Option<Diagnostic> {
    let stage = zero3(analysis, call.run, started.run.variant)?;
    let checkpointing = of_adapter(started, analysis, call.knowledge).filter(|found| !found.is_reentrant)?;
    let package = call.callee().split('.').next().unwrap_or_default();
    // By default the trainer of transformers calls what the user's own code may have called before.
    let is_said = checkpointing.said.is_some() || package == "trl";
    if !is_said || fact(&started.run, call.knowledge, (package, call.short_name()), "zero3_reentrant").is_some() {
        return None;
    }
    let at = checkpointing.said.or(checkpointing.switched_on).unwrap_or(call.run.call().object.span);
    let primary = label(at, "CheckpointError: Recomputed values have different metadata");
    let mut finding = plain(&Zero3Checkpointing::META, Severity::Error, MESSAGE.to_owned(), primary);
    finding.confidence = Confidence::Medium;
    finding.related.push(label(stage, "this is stage 3"));
    finding.related.push(label(checkpointing.adapter, "this is the adapter"));
    if checkpointing.said.is_none() {
        finding.notes.push("checkpointing is not reentrant by default in the releases in effect".to_owned());
    }
    finding.help = Some("pass `gradient_checkpointing_kwargs={\"use_reentrant\": True}` in this run".to_owned());
    Some(finding)
}
