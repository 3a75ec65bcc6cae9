//! A second model in memory for nothing.

use super::ask::Call;
use super::declare::declare_rule;
use super::guards::requires;
use super::reference::{REFERENCE, is_spare, reference_fixes, serving_releases};
use super::reference_settings::is_spare_in;
use super::report::{Reach, label_argument};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label, VersionScope};
use crate::eval::{Tri, is_none, same};
use crate::knowledge::Guard;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that gets a reference model together with a `peft_config`, where every release that the project
    /// allows accepts that, and the reference is the same checkpoint as the model. Trainers that do something with a reference
    /// which the model without its adapter does not do for them (`NashMDTrainer`, `XPOTrainer`) are left alone, and so are
    /// adapters that change the base model (`init_lora_weights="pissa"`, `bias="all"`).
    ///
    /// ## Why it matters
    ///
    /// With an adapter, the model without the adapter is the reference. A second copy of the same weights changes nothing about
    /// the result and fills the memory of the GPU with one more model.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// ref_model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(
    ///     model=model,
    ///     ref_model=ref_model,
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// ref_model = AutoModelForCausalLM.from_pretrained("me/another-checkpoint")
    /// trainer = DPOTrainer(
    ///     model=model,
    ///     ref_model=ref_model,
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Safe: the reference is known to be the same checkpoint, and every allowed release works without it. Unsafe where an
    /// older allowed release does not. The statement that loads it is then reported by `unused-reference-model` and removed
    /// as an unsafe fix.
    ///
    /// ## Versions
    ///
    /// Releases of TRL whose constructor accepts both; the finding names those that do not.
    ///
    /// ## References
    ///
    /// - trl issue 1289
    RedundantReferenceModel = "redundant-reference-model", "DPL012", Warning,
        "a second copy of the model is held as reference although the model without its adapter serves"
}

impl Rule for RedundantReferenceModel {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let both = ["ref_model is not None", "peft_config is not None"];
        let (Some(model), Some(reference), Some(adapter)) =
            (call.argument("model"), call.argument(REFERENCE), call.argument("peft_config"))
        else {
            return;
        };
        let one_object = same(&model.value.value, &reference.value.value).verdict() == Tri::Yes;
        let is_missing = [reference, adapter].iter().any(|given| is_none(&given.value.value).verdict() == Tri::Yes);
        if one_object || is_missing {
            return;
        }
        let is_about_both = |guard: &Guard| guard.when.contains("ref_model") && requires(guard, &both);
        if call.reach(&call.stopped_by(is_about_both).0) > Reach::Elsewhere {
            // `ref-model-with-peft-config` says so already.
            return;
        }
        let held = call.when(&both.join(" and "), &(&call.allowed() & &serving_releases(call)));
        // A reference that follows the model is no copy of where it started.
        let synced = call.when("args is not None and args.sync_ref_model", &call.allowed());
        if call.reach(&held) != Reach::InEffect || call.reach(&synced) > Reach::Elsewhere {
            return;
        }
        let in_each_run = || held.variants.iter().all(|index| is_spare_in(call, &call.run.variants[*index]));
        if !is_spare(call) && !in_each_run() {
            return;
        }
        let message = format!("`{}` holds a second copy of the model as reference for nothing", call.short_name());
        let primary = Label { span: reference.span, message: "the same checkpoint as the model".to_owned() };
        let mut finding = call.finding(&Self::META, Reach::InEffect, &held.certain, message, primary);
        label_argument(&mut finding, adapter, "the model without this adapter is the reference");
        if let Some(cost) = super::memory::second_copy(call, &model.value.value) {
            finding.notes.push(cost);
        }
        let refused = call.stopped_anywhere(is_about_both);
        if !refused.certain.is_empty() {
            let effect = Some("refuses this call with an exception".to_owned());
            finding.versions.push(VersionScope { effect, ..call.scope(&refused.certain) });
        }
        call.explain(&mut finding, &held);
        finding.help = Some("pass `ref_model=None`".to_owned());
        finding.fixes = reference_fixes(analysis, call, &held);
        found.push(finding);
    }
}
