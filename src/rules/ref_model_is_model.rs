//! The model as its own reference.

use super::ask::Call;
use super::declare::declare_rule;
use super::guards::requires;
use super::reference::{REFERENCE, none_fix};
use super::report::{Reach, label_argument, raises};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Label};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer whose `ref_model` is the very object that it trains.
    ///
    /// ## Why it matters
    ///
    /// The reference must stay as it is while the model moves. If both are one object, the reference moves along and the loss
    /// compares the model with itself. Newer releases raise `ValueError`; older ones train and learn nothing of use.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(model=model, ref_model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,fixed
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(model=model, ref_model=None, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from copy import deepcopy
    ///
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(model=model, ref_model=deepcopy(model), args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: with `ref_model=None` the trainer makes the frozen copy itself, or uses the model without its adapter.
    ///
    /// ## Versions
    ///
    /// Asked of each release: the condition under which its constructor raises is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_trainer.py`, the check on `ref_model is model`
    RefModelIsModel = "ref-model-is-model", "DPL002", Error, "`ref_model` is the object that is being trained"
}

impl Rule for RefModelIsModel {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (Some(reference), Some(model)) = (call.argument(REFERENCE), call.argument("model")) else { return };
        let (refused, guard) =
            call.stopped_by(|guard| guard.when.contains(" is ") && requires(guard, &["ref_model is model"]));
        let trainer = call.short_name();
        let (outcome, reach, message) = match call.reach(&refused) {
            Reach::Elsewhere => {
                // Accepted, and then the reference moves with the model. An adapter is put on a copy or merged first.
                let condition = "ref_model is model and model is not None and peft_config is None";
                let outcome = call.when(condition, &call.allowed());
                match call.reach(&outcome) {
                    Reach::InEffect => (
                        outcome,
                        Reach::Allowed,
                        format!("`{trainer}` gets the model as its own reference, so the two never differ"),
                    ),
                    _ => return,
                }
            }
            Reach::InEffect => {
                let message =
                    format!("`{trainer}` gets the model as its own reference, which {} refuses", call.release_judged());
                (refused, Reach::InEffect, message)
            }
            reach => {
                let releases = call.releases(&(&(&refused.certain | &refused.conditional) & &call.allowed()));
                (refused, reach, format!("`{trainer}` gets the model as its own reference, which {releases} refuses"))
            }
        };
        let affected = if outcome.certain.is_empty() { outcome.conditional.clone() } else { outcome.certain.clone() };
        let primary = Label { span: reference.span, message: "this is the model itself".to_owned() };
        let mut finding = call.finding(&Self::META, reach, &affected, message, primary);
        label_argument(&mut finding, model, "the model that is trained");
        if let Some(guard) = guard {
            raises(&mut finding, guard);
        }
        call.explain(&mut finding, &outcome);
        finding.help = Some("pass `ref_model=None`; the trainer then makes the frozen reference itself".to_owned());
        finding.fixes = none_fix(analysis, reference, Applicability::Safe);
        found.push(finding);
    }
}
