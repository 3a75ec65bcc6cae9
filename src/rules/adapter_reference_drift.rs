//! The same code, another reference.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::Reach;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::lower::Analysis;
use crate::model::Evidence;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that gets a `PeftModel` and no reference, in a project that allows releases of TRL which disagree on
    /// what the reference then is.
    ///
    /// ## Why it matters
    ///
    /// In older releases the reference is the base model: the adapter is switched off. In newer ones it is a frozen copy of the
    /// adapter as it was before training. For an adapter that was trained before (on top of an SFT adapter, say) these are
    /// different references, so the same code trains a different model, without a message.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl>=0.24,<1.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import AutoPeftModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoPeftModelForCausalLM.from_pretrained("me/sft-adapter", is_trainable=True)
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("me/sft-merged")
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: pin the side of the change whose reference is meant.
    ///
    /// ## Versions
    ///
    /// The release where the meaning changes is recorded with its source in the curated knowledge.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_trainer.py`, how the reference of a `PeftModel` is made
    AdapterReferenceDrift = "adapter-reference-drift", "DPL014", Warning,
        "the reference of a `PeftModel` differs between releases that the project allows"
}

impl Rule for AdapterReferenceDrift {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (Some(model), Some(facts)) = (call.argument("model"), call.facts()) else { return };
        let Some(drift) = call.knowledge.curated().adapter_reference(call.callee()) else { return };
        let copies = call.package.releases_in(&drift.copied_adapter);
        let allowed = call.allowed();
        let straddles = !(&allowed & &copies).is_empty() && !(&allowed - &copies).is_empty();
        if !straddles || facts.evidence != Evidence::Range {
            return;
        }
        let condition = "isinstance(model, PeftModel) and ref_model is None and peft_config is None";
        let outcome = call.when(condition, &allowed);
        if call.reach(&outcome) != Reach::InEffect || is_new_adapter(model) {
            return;
        }
        let message = "the reference of this `PeftModel` depends on the release that gets installed".to_owned();
        let primary = Label { span: model.span, message: "a model with an adapter, and no reference".to_owned() };
        let mut finding = call.finding(&Self::META, Reach::Allowed, &(&allowed & &copies), message, primary);
        finding.severity = Severity::Warning;
        finding.confidence = Confidence::High;
        finding
            .notes
            .push(format!("{}: the model with its adapter switched off", call.releases(&(&allowed - &copies))));
        finding.notes.push(format!(
            "{}: a frozen copy of the adapter as it is before training",
            call.releases(&(&allowed & &copies))
        ));
        call.explain(&mut finding, &outcome);
        finding.help = Some("pin trl on the side of the change that you mean".to_owned());
        found.push(finding);
    }
}

/// Whether the adapter was made for this run: it changes nothing yet, so both references are the base model.
fn is_new_adapter(model: &crate::eval::Argument) -> bool {
    let objects = super::report::objects(&model.value.value);
    !objects.is_empty() && objects.iter().all(|object| object.callee.ends_with("get_peft_model"))
}
