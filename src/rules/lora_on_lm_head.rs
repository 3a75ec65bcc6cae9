//! An adapter on the head of a model whose trainer does not use that adapter.

use std::sync::Arc;

use super::ask::{Call, Outcome};
use super::declare::declare_rule;
use super::report::{Reach, label_argument};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Argument, Cond, Const, Object, Traced, Value};
use crate::lower::Analysis;
use crate::source::Span;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports an adapter on `lm_head` for a trainer that refuses it in a release that the project allows.
    ///
    /// ## Why it matters
    ///
    /// Newer releases of TRL compute log-probabilities from `lm_head.weight` itself, so that an adapter on it would never be
    /// trained. Their constructors raise `ValueError`, after the model was loaded and wrapped.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// adapter = LoraConfig(r=8, target_modules=["q_proj", "v_proj", "lm_head"])
    /// trainer = SFTTrainer(
    ///     model="Qwen/Qwen2.5-0.5B", args=SFTConfig(output_dir="out"), train_dataset=data, peft_config=adapter
    /// )
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from peft import LoraConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// adapter = LoraConfig(r=8, target_modules=["q_proj", "v_proj"])
    /// trainer = SFTTrainer(
    ///     model="Qwen/Qwen2.5-0.5B", args=SFTConfig(output_dir="out"), train_dataset=data, peft_config=adapter
    /// )
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// adapter = LoraConfig(r=8, target_modules=["q_proj", "v_proj"], modules_to_save=["lm_head"])
    /// trainer = SFTTrainer(
    ///     model="Qwen/Qwen2.5-0.5B", args=SFTConfig(output_dir="out"), train_dataset=data, peft_config=adapter
    /// )
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The name is taken out of the list. Unsafe, since the head was meant to be trained: `modules_to_save` does that.
    ///
    /// ## Versions
    ///
    /// The releases that refuse it are listed by hand, from the sources of TRL: the check asks the loaded model.
    ///
    /// ## References
    ///
    /// - trl `trainer/sft_trainer.py`, the check on `get_output_embeddings`; unsloth issue 1971
    LoraOnLmHead = "lora-on-lm-head", "DPL006", Error, "an adapter is put on `lm_head`, which the trainer refuses"
}

/// What the head is called in nearly every model for text.
const HEAD: &str = "lm_head";

impl Rule for LoraOnLmHead {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some((when, given, modules)) = adapter(call) else { return };
        let mut outcome = Outcome::default();
        for refusal in call.knowledge.curated().head_refusals(call.package.name(), call.short_name()) {
            let releases = call.package.releases_in(&refusal.releases);
            let happens = match &*refusal.when {
                "True" => call.holds(&when, &releases),
                condition if when == Cond::TRUE => call.when(condition, &releases),
                _ => continue,
            };
            outcome.merge(happens);
        }
        let reach = call.reach(&outcome);
        if reach == Reach::Conditional || !call.versions().speaks_of(reach) {
            return;
        }
        let releases = match reach {
            Reach::InEffect => call.release_judged(),
            _ => call.releases(&(&outcome.certain & &call.allowed())),
        };
        let message = format!("`{}` of {releases} refuses an adapter on `{HEAD}`", call.short_name());
        let primary = Label { span: modules.span, message: "ValueError: it would never be trained".to_owned() };
        let mut finding = call.finding(&Self::META, reach, &outcome.certain, message, primary);
        label_argument(&mut finding, given, "this trainer gets it");
        call.explain(&mut finding, &outcome);
        finding.help = Some(format!("take `{HEAD}` out of `target_modules`; `modules_to_save` trains it as a whole"));
        finding.fixes.extend(without_head(analysis, modules.span, &modules.value));
        found.push(finding);
    }
}

/// Under which condition the call gets a model with an adapter on the head, the argument that brings it, and the list of modules.
fn adapter<'a>(call: &Call<'a>) -> Option<(Cond, &'a Argument, Argument)> {
    let (given, objects) = match call.argument("peft_config") {
        Some(given) if !matches!(given.value.value, Value::Const(Const::None)) => {
            (given, given.value.value.alternatives())
        }
        _ => {
            let given = call.argument("model")?;
            let wrapped = given.value.value.alternatives().into_iter().filter_map(|(when, model)| match &model {
                Value::Object(object) if object.callee.ends_with("get_peft_model") => {
                    let by_name = object.args.iter().find(|argument| argument.name.as_deref() == Some("peft_config"));
                    let config = by_name.or_else(|| object.args.get(1).filter(|second| second.name.is_none()))?;
                    Some((when, config.value.value.clone()))
                }
                _ => None,
            });
            (given, wrapped.collect())
        }
    };
    let on_head = objects.into_iter().filter_map(|(when, value)| match value {
        Value::Object(object) => Some((when, targets_head(&object)?)),
        _ => None,
    });
    let on_head: Vec<_> = on_head.collect();
    let when = on_head.iter().fold(Cond::FALSE, |any, (when, _)| any.or(when.clone()));
    let (_, modules) = on_head.into_iter().next()?;
    Some((when, given, modules))
}

/// The argument of an adapter's configuration that names the head, if nothing else in it takes the head out again.
fn targets_head(config: &Arc<Object>) -> Option<Argument> {
    if !config.callee.starts_with("peft.") || !config.stored.is_empty() {
        return None;
    }
    let argument = |name: &str| config.args.iter().find(|argument| argument.name.as_deref() == Some(name));
    let names_head = |argument: &Argument| match &argument.value.value {
        Value::List(items) => items.iter().any(is_head),
        _ => false,
    };
    let is_left_out = ["modules_to_save", "exclude_modules"].into_iter().filter_map(argument).any(|other| {
        !matches!(&other.value.value, Value::List(items) if !items.iter().any(is_head))
            && !matches!(&other.value.value, Value::Const(Const::None))
    });
    argument("target_modules")
        .filter(|modules| names_head(modules) && !is_left_out && modules.when == Cond::TRUE)
        .cloned()
}

fn is_head(item: &Traced) -> bool {
    matches!(&item.value, Value::Const(Const::Str(name)) if &**name == HEAD)
}

/// Takes the head out of a list that is written in one line.
fn without_head(analysis: &Analysis, argument: Span, modules: &Traced) -> Option<Fix> {
    let module = analysis.modules.get(&argument.file)?;
    let Value::List(items) = &modules.value else { return None };
    let text = |span: Span| &module.text()[std::ops::Range::<usize>::from(module.range(span))];
    let written = text(modules.span);
    let kept: Vec<&str> = items.iter().filter(|item| !is_head(item)).map(|item| text(item.span)).collect();
    if !written.starts_with('[') || written.contains(['\n', '*']) || kept.is_empty() {
        return None;
    }
    let edits = python_edit::set_value(module, modules.span, &format!("[{}]", kept.join(", "))).ok()?;
    Some(Fix { title: format!("take `{HEAD}` out"), applicability: Applicability::Unsafe, edits })
}
