//! A reference that should follow the model, where there is none of its own.

use super::ask::{Call, requires};
use super::declare::declare_rule;
use super::report::{Reach, label_argument, raises};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports `sync_ref_model=True` in a run whose reference cannot be synchronised: with an adapter, or with precomputed
    /// reference log probabilities.
    ///
    /// ## Why it matters
    ///
    /// Synchronising copies the model's weights into the reference every few steps. With an adapter the reference is the model
    /// without it, and precomputed values no longer change; releases that check this raise in the constructor.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(
    ///     model="Qwen/Qwen2.5-0.5B-Instruct",
    ///     args=DPOConfig(output_dir="out", sync_ref_model=True),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(
    ///     model="Qwen/Qwen2.5-0.5B-Instruct",
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: whether the synchronisation or the adapter is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// Asked of each release: the condition under which its constructor raises is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_trainer.py`, the checks on `sync_ref_model`
    SyncRefModelWithPeft = "sync-ref-model-with-peft", "DPL005", Error, "`sync_ref_model` where the reference cannot be synchronised"
}

impl Rule for SyncRefModelWithPeft {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (outcome, guard) =
            call.stopped_by(|guard| guard.when.contains("sync_ref_model") && requires(guard, &["args.sync_ref_model"]));
        let (Some(guard), Some(arguments)) = (guard, call.argument("args")) else { return };
        let reach = call.reach(&outcome);
        let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
        if reach == Reach::Elsewhere {
            return;
        }
        let releases = call.releases(&(affected & &call.allowed()));
        let message = format!("`sync_ref_model` cannot work in this run, and {releases} refuses it");
        let place = super::report::objects(&arguments.value.value)
            .iter()
            .flat_map(|object| object.args.clone())
            .find(|argument| argument.name.as_deref() == Some("sync_ref_model"))
            .map_or(arguments.span, |argument| argument.span);
        let mut finding =
            call.finding(&Self::META, reach, affected, message, Label { span: place, message: String::new() });
        if let Some(adapter) = call.argument("peft_config") {
            label_argument(&mut finding, adapter, "with an adapter, the reference is the model without it");
        }
        raises(&mut finding, guard);
        call.explain(&mut finding, &outcome);
        finding.help = Some("leave `sync_ref_model` out, or train without the adapter".to_owned());
        found.push(finding);
    }
}
