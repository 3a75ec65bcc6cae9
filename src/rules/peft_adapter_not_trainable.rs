//! An adapter that is loaded for inference and then trained.

use std::sync::Arc;

use super::ask::Call;
use super::declare::declare_rule;
use super::report::{Reach, label_argument};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Argument, CallEvent, Cond, Const, Object, Value};
use crate::lower::Analysis;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that trains a model whose adapter was loaded without `is_trainable=True`.
    ///
    /// ## Why it matters
    ///
    /// `PeftModel.from_pretrained` loads an adapter for inference: none of its weights gets a gradient, and those of the base
    /// model do not either. The run stops at its first step ("does not require grad"), or goes on to the end and changes nothing.
    ///
    /// ## Example
    ///
    /// ```python,bad
    /// from peft import PeftModel
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// model = PeftModel.from_pretrained(base, "out/adapter")
    /// trainer = SFTTrainer(model=model, args=SFTConfig(output_dir="out"), train_dataset=data)
    /// trainer.train()
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from peft import PeftModel
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// model = PeftModel.from_pretrained(base, "out/adapter", is_trainable=True)
    /// trainer = SFTTrainer(model=model, args=SFTConfig(output_dir="out"), train_dataset=data)
    /// trainer.train()
    /// ```
    ///
    /// ```python,good
    /// from peft import PeftModel
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// model = PeftModel.from_pretrained(base, "out/adapter").merge_and_unload()
    /// trainer = SFTTrainer(model=model, args=SFTConfig(output_dir="out"), train_dataset=data)
    /// trainer.train()
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: whether this adapter is to be trained, or to be merged and another one trained, cannot be told. Nothing is
    /// reported where something else may make it trainable: a loop that sets `requires_grad`, another adapter, a class of the
    /// project.
    ///
    /// ## Versions
    ///
    /// Every release of peft. Some trainers add a second adapter as reference, by which older releases of peft make the first one
    /// trainable; there nothing is reported.
    ///
    /// ## References
    ///
    /// - trl issue 6700, peft issues 282 and 1340
    PeftAdapterNotTrainable = "peft-adapter-not-trainable", "DPL004", Error, "a frozen adapter is trained"
}

/// The argument that makes the adapter trainable.
const OPTION: &str = "is_trainable";

/// Methods of a model that leave alone what is trained.
const HARMLESS: &[&str] = &[
    "cpu",
    "cuda",
    "enable_input_require_grads",
    "eval",
    "generate",
    "get_input_embeddings",
    "get_nb_trainable_parameters",
    "gradient_checkpointing_disable",
    "gradient_checkpointing_enable",
    "named_parameters",
    "num_parameters",
    "parameters",
    "print_trainable_parameters",
    "save_pretrained",
    "to",
    "train",
];

/// Words of code that may make an adapter trainable in a way that the evaluation does not see.
const WAKING: &[&str] =
    &["set_adapter", "load_adapter", "add_adapter", "add_weighted_adapter", "inference_mode", "unfreeze"];

impl Rule for PeftAdapterNotTrainable {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(model) = call.argument("model") else { return };
        let is_asked_otherwise = |name: &str| call.argument(name).is_some_and(|given| !is_none(&given.value.value));
        if is_asked_otherwise("peft_config") || call.run.call().open || call.run.call().through.is_some() {
            return;
        }
        let frozen: Vec<(Cond, Frozen<'_>)> = model
            .value
            .value
            .alternatives()
            .into_iter()
            .filter_map(|(when, value)| Some((when, frozen(analysis, call, &value)?)))
            .collect();
        let when = frozen.iter().fold(Cond::FALSE, |any, (when, _)| any.or(when.clone()));
        let Some((_, first)) = frozen.into_iter().next() else { return };
        let Some(judged) = call.judged().filter(|_| is_trained(call)) else { return };
        let outcome = call.holds(&when, &[judged].into_iter().collect());
        if call.reach(&outcome) != Reach::InEffect || is_woken(call, judged) || speaks_of_gradients(analysis, call) {
            return;
        }
        let message = format!("`{}` trains a model whose adapter is frozen", call.short_name());
        let primary =
            Label { span: first.event.object.span, message: "the adapter is loaded for inference".to_owned() };
        let mut finding = call.finding(&Self::META, Reach::InEffect, &call.allowed(), message, primary);
        // What a release of the trainer's package has to do with it is little.
        finding.versions.clear();
        label_argument(&mut finding, model, "nothing of this model gets a gradient");
        finding.help = Some(format!("load it with `{OPTION}=True`, or merge it into the model first"));
        finding.fixes.extend(first.fix(analysis));
        found.push(finding);
    }
}

/// A call that loads an adapter for inference.
struct Frozen<'a> {
    event: &'a CallEvent,
    /// `is_trainable=False`.
    said: Option<&'a Argument>,
}

impl Frozen<'_> {
    fn fix(&self, analysis: &Analysis) -> Option<Fix> {
        let module = analysis.modules.get(&self.event.object.span.file)?;
        let edits = match self.said {
            Some(argument) => python_edit::set_value(module, argument.value.span, "True"),
            None => python_edit::insert_keyword(module, self.event.object.span, OPTION, "True"),
        };
        Some(Fix { title: format!("pass `{OPTION}=True`"), applicability: Applicability::Unsafe, edits: edits.ok()? })
    }
}

/// The call that loaded a model with a frozen adapter, if nothing but trainers gets the model and nothing is done to it.
fn frozen<'a>(analysis: &Analysis, call: &Call<'a>, model: &Value) -> Option<Frozen<'a>> {
    let Value::Object(object) = model else { return None };
    let callee = &object.callee;
    let loads = callee.starts_with("peft.") && callee.ends_with(".from_pretrained");
    if !loads || !call.knowledge.curated().makes_adapter_model(callee) || !object.stored.is_empty() {
        return None;
    }
    let events = &call.run.trace.calls;
    let event = events.iter().find(|event| event.object.id == object.id).filter(|event| !event.open)?;
    let said = event.object.args.iter().find(|argument| argument.name.as_deref() == Some(OPTION));
    let by_position = event.object.args.iter().filter(|argument| argument.name.is_none()).count();
    let is_frozen = match said {
        // The base model, the adapter, its name, and then it.
        None => by_position < if callee.starts_with("peft.Auto") { 3 } else { 4 },
        Some(argument) => matches!(argument.value.value, Value::Const(Const::Bool(false))),
    };
    let is_read = analysis.modules.contains_key(&object.span.file);
    (is_frozen && is_read && events.iter().all(|event| leaves_alone(event, object))).then_some(Frozen { event, said })
}

/// Whether a call does nothing to a model that could make it trainable.
fn leaves_alone(event: &CallEvent, model: &Object) -> bool {
    let is_model = |value: &Value| {
        value.alternatives().iter().any(|(_, one)| matches!(one, Value::Object(object) if object.id == model.id))
    };
    let name = event.object.callee.rsplit('.').next().unwrap_or_default();
    if event.object.receiver.as_ref().is_some_and(is_model) {
        return HARMLESS.contains(&name);
    }
    let is_given = event.object.args.iter().any(|argument| is_model(&argument.value.value));
    !is_given || name.ends_with("Trainer") || matches!(name, "print" | "len" | "isinstance" | "hasattr")
}

fn is_none(value: &Value) -> bool {
    matches!(value, Value::Const(Const::None))
}

/// Whether the script calls `train` of the trainer, and not to go on from a checkpoint, which loads the adapter anew.
fn is_trained(call: &Call<'_>) -> bool {
    let trainer: &Arc<Object> = &call.run.call().object;
    let is_it = |receiver: &Value| {
        receiver.alternatives().iter().any(|(_, one)| matches!(one, Value::Object(object) if object.id == trainer.id))
    };
    let trains = |event: &&CallEvent| {
        event.object.callee.ends_with(".train") && event.object.receiver.as_ref().is_some_and(is_it)
    };
    let mut runs = call.run.trace.calls.iter().filter(trains).peekable();
    runs.peek().is_some()
        && runs.all(|run| !run.open && run.object.args.iter().all(|given| is_none(&given.value.value)))
}

/// Whether the trainer makes the adapter trainable, by adding another one.
fn is_woken(call: &Call<'_>, release: usize) -> bool {
    let Some(waker) = call.knowledge.curated().adapter_waker(call.package.name(), call.short_name()) else {
        return false;
    };
    if !call.package.releases_in(&waker.releases).contains(release) {
        return false;
    }
    let stays_frozen = || {
        let package = call.knowledge.package(&waker.frozen.package)?;
        let in_effect = call.run.environment.in_effect(package)?;
        Some(package.releases_in(&waker.frozen.releases).contains(in_effect))
    };
    stays_frozen() != Some(true)
}

/// Whether a module that took part may set what gets a gradient.
fn speaks_of_gradients(analysis: &Analysis, call: &Call<'_>) -> bool {
    // What such an import brings is called without a trace.
    if call.run.trace.imports.iter().any(|import| import.name.as_deref() == Some("*")) {
        return true;
    }
    let files = call.run.trace.files.iter().filter_map(|file| analysis.modules.get(file));
    files.into_iter().any(|module| {
        let text = module.text();
        WAKING.iter().any(|word| text.contains(word)) || text.split("requires_grad").skip(1).any(sets)
    })
}

/// Whether the code after `requires_grad` sets it to anything but `False`.
fn sets(after: &str) -> bool {
    let set = |value: &str| !value.trim_start().starts_with("False");
    let blank = after.trim_start();
    match after.strip_prefix("_(") {
        Some(value) => set(value),
        None if after.starts_with(['"', '\'']) => true,
        None => blank.strip_prefix('=').is_some_and(|value| !value.starts_with('=') && set(value)),
    }
}
