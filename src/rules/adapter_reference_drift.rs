//! The same code, another reference.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::Reach;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Confidence, Diagnostic, Label, Severity};
use crate::knowledge::ReleaseSet;
use crate::lower::Analysis;
use crate::model::{Environment, Evidence};

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
        let (Some(facts), Some(copies)) = (call.facts(), copying(call)) else { return };
        let allowed = call.allowed();
        let straddles = !(&allowed & &copies).is_empty() && !(&allowed - &copies).is_empty();
        if straddles && facts.evidence == Evidence::Range {
            let message = "the reference of this `PeftModel` depends on the release that gets installed".to_owned();
            let (older, newer) = (&allowed - &copies, &allowed & &copies);
            let finding = report(call, Reach::Allowed, message, &older, &newer);
            found.extend(finding.map(|finding| Diagnostic {
                help: Some("pin trl on the side of the change that you mean".to_owned()),
                ..finding
            }));
        }
    }
}

/// The same for a script that had other releases before: its reference is another one now.
pub(super) fn changed(call: &Call<'_>, before: &Environment) -> Option<Diagnostic> {
    let copies = copying(call)?;
    let (was, now) = (before.in_effect(call.package)?, call.in_effect()?);
    if copies.contains(was) == copies.contains(now) {
        return None;
    }
    let message = format!("the reference of this `PeftModel` is another one in {}", call.release(now));
    let (older, newer) = if copies.contains(now) { (was, now) } else { (now, was) };
    report(call, Reach::InEffect, message, &ReleaseSet::interval(older, older), &ReleaseSet::interval(newer, newer))
}

/// The releases in which the trainer copies the adapter.
fn copying(call: &Call<'_>) -> Option<ReleaseSet> {
    let drift = call.knowledge.curated().adapter_reference(call.callee())?;
    Some(call.package.releases_in(&drift.copied_adapter))
}

/// Reports a model with an adapter that was trained before, and no reference.
fn report(
    call: &Call<'_>,
    reach: Reach,
    message: String,
    older: &ReleaseSet,
    newer: &ReleaseSet,
) -> Option<Diagnostic> {
    let model = call.argument("model")?;
    let condition = "isinstance(model, PeftModel) and ref_model is None and peft_config is None";
    let outcome = call.when(condition, &call.allowed());
    if call.reach(&outcome) != Reach::InEffect || is_new_adapter(model) {
        return None;
    }
    let primary = Label { span: model.span, message: "a model with an adapter, and no reference".to_owned() };
    let mut finding = call.finding(&AdapterReferenceDrift::META, reach, newer, message, primary);
    finding.severity = Severity::Warning;
    finding.confidence = Confidence::High;
    finding.notes.push(format!("{}: the model with its adapter switched off", call.releases(older)));
    let copied = "a frozen copy of the adapter as it is before training";
    finding.notes.push(format!("{}: {copied}", call.releases(newer)));
    call.explain(&mut finding, &outcome);
    Some(finding)
}

/// Whether the adapter was made for this run: it changes nothing yet, so both references are the base model.
fn is_new_adapter(model: &crate::eval::Argument) -> bool {
    let objects = super::report::objects(&model.value.value);
    !objects.is_empty() && objects.iter().all(|object| object.callee.ends_with("get_peft_model"))
}
