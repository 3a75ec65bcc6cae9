//! An adapter with a name of its own, in a trainer that looks for `default`.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::{Reach, label_argument};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::{Argument, Cond, Const, Object, Value};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that gets a `PeftModel` without a reference, in a release of TRL that copies the adapter `default` as the
    /// reference, where the adapter has another name.
    ///
    /// ## Why it matters
    ///
    /// The trainer's constructor fails with `KeyError: 'default'`. Older releases switch the adapter off instead, whatever its
    /// name is.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig, get_peft_model
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// base = AutoModelForCausalLM.from_pretrained("me/sft")
    /// model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM"), adapter_name="policy")
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig, get_peft_model
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// base = AutoModelForCausalLM.from_pretrained("me/sft")
    /// model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM"))
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: the name may be used where the adapter is saved and loaded.
    ///
    /// ## Versions
    ///
    /// The releases that copy the adapter are recorded with their source in the curated knowledge. Nothing is reported where the
    /// script adds or loads further adapters: one of them may be the `default`.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_trainer.py`, how the reference of a `PeftModel` is made
    CustomAdapterName = "custom-adapter-name", "DPL008", Error, "an adapter with a name that the trainer does not look for"
}

/// What peft calls an adapter that gets no name, and what the trainer looks for.
const DEFAULT: &str = "default";

/// The argument that names an adapter.
const NAME: &str = "adapter_name";

/// Functions that make the first adapter, with the position of its name.
const MAKERS: [(&str, usize); 2] = [("get_peft_model", 2), ("from_pretrained", 2)];

impl Rule for CustomAdapterName {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(model) = call.argument("model").filter(|_| call.is_about_callee()) else { return };
        let Some(drift) = call.knowledge.curated().adapter_reference(call.callee()) else { return };
        let named = model.value.value.alternatives().into_iter().filter_map(|(when, value)| match value {
            Value::Object(object) => Some((when, own_name(&object)?.clone())),
            _ => None,
        });
        let named: Vec<(Cond, Argument)> = named.collect();
        let Some((_, first)) = named.first() else { return };
        let adds = |name: &str| ["add_adapter", "load_adapter"].iter().any(|method| name.ends_with(method));
        if call.run.trace.calls.iter().any(|other| adds(&other.object.callee)) {
            return;
        }
        let copies = call.package.releases_in(&drift.copied_adapter);
        let when = named.iter().fold(Cond::FALSE, |any, (when, _)| any.or(when.clone()));
        let condition = "isinstance(model, PeftModel) and ref_model is None and peft_config is None";
        let is_named = call.holds(&when, &copies);
        let outcome = call.when(condition, &copies);
        let reach = call.reach(&outcome);
        if call.reach(&is_named) == Reach::Conditional || !call.versions().speaks_of(reach) {
            return;
        }
        let Some(judged) = call.judged().filter(|_| reach != Reach::Conditional) else { return };
        let releases = call.versions().meant(reach, judged, &outcome.certain);
        let message = format!(
            "`{}` of {releases} copies the adapter `{DEFAULT}`, which this model does not have",
            call.short_name()
        );
        let primary = Label { span: model.span, message: format!("KeyError: '{DEFAULT}'") };
        let mut finding = call.finding(&Self::META, reach, &outcome.certain, message, primary);
        label_argument(&mut finding, first, "the name of its adapter");
        call.explain(&mut finding, &outcome);
        finding.help =
            Some(format!("leave the name out, so that the adapter is called `{DEFAULT}`, or pass a `ref_model`"));
        found.push(finding);
    }
}

/// The argument that gives the one adapter of a model another name than [`DEFAULT`].
fn own_name(object: &Object) -> Option<&Argument> {
    let (_, position) =
        MAKERS.iter().find(|(maker, _)| object.callee.ends_with(maker) && object.callee.contains("eft"))?;
    let by_name = object.args.iter().find(|argument| argument.name.as_deref() == Some(NAME));
    let by_place = || object.args.iter().filter(|argument| argument.name.is_none()).nth(*position);
    let argument = by_name.or_else(by_place).filter(|argument| argument.when == Cond::TRUE)?;
    match &argument.value.value {
        Value::Const(Const::Str(name)) if **name != *DEFAULT => Some(argument),
        _ => None,
    }
}
