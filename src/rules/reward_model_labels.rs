//! Reward models with more than one output.

use super::ask::{Call, Outcome};
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::guards::names;
use super::report::Reach;
use super::settled::{Settled, settled};
use super::touched::is_touched;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix};
use crate::eval::{Cond, Const};
use crate::knowledge::ReleaseSet;
use crate::lower::{Analysis, Options, Told};
use crate::source::Span;
use crate::syntax::python_edit;

/// The argument that counts the outputs.
const LABELS: &str = "num_labels";

/// Other arguments of a loader that decide on the labels.
const DECIDING: [&str; 3] = ["config", "id2label", "label2id"];

/// What a script may do with the model without changing its labels.
const HARMLESS: [&str; 7] = [
    ".resize_token_embeddings(",
    ".gradient_checkpointing_enable(",
    ".enable_input_require_grads(",
    ".config.pad_token_id",
    ".config.use_cache",
    ".config.eos_token_id",
    ".print_trainable_parameters(",
];

declare_rule! {
    /// ## What it does
    ///
    /// Reports a model that `RewardTrainer` gets, loaded with another number of outputs than one: `num_labels` says so, or nothing does
    /// and the checkpoint is a well-known language model, of which transformers makes a classifier of two classes.
    ///
    /// ## Why it matters
    ///
    /// A reward is one number. Newer releases of TRL raise `ValueError: The model has num_labels=2, but reward models require
    /// num_labels=1`, after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForSequenceClassification
    /// from trl import RewardConfig, RewardTrainer
    ///
    /// model = AutoModelForSequenceClassification.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// trainer = RewardTrainer(model, args=RewardConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```python,fixed
    /// from transformers import AutoModelForSequenceClassification
    /// from trl import RewardConfig, RewardTrainer
    ///
    /// model = AutoModelForSequenceClassification.from_pretrained("Qwen/Qwen2.5-0.5B", num_labels=1)
    /// trainer = RewardTrainer(model, args=RewardConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// from trl import RewardConfig, RewardTrainer
    ///
    /// trainer = RewardTrainer("Qwen/Qwen2.5-0.5B", args=RewardConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// `num_labels=1` is passed where nothing is said: safe, since no run gets past the check without it. Another number that is written is
    /// left to a human, and so is a model of another kind.
    ///
    /// ## Versions
    ///
    /// The releases of TRL with that check are mined. Nothing is said where the script does more with the model, or of a checkpoint that is
    /// not known: it may be saved with one output.
    ///
    /// ## References
    ///
    /// - TRL `reward_trainer.py`, the check of `model.config.num_labels`
    RewardModelLabels = "reward-model-num-labels", "DPL707", Error, "a reward model has more than one output"
}

impl Rule for RewardModelLabels {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let event = call.run.call();
        // A subclass may change the model itself.
        if call.callee() == "trl.RewardTrainer" && event.when == Cond::TRUE && event.through.is_none() {
            for settled in settled(call) {
                push_new(found, check(analysis, call, &settled));
            }
        }
    }
}

fn check(analysis: &Analysis, call: &Call<'_>, settled: &Settled<'_>) -> Option<Diagnostic> {
    let affected: ReleaseSet = call.package.all().iter().filter(|release| is_checked(call, *release)).collect();
    if !affected.contains(settled.run.release) {
        return None;
    }
    let model = settled.run.arguments().argument("model")?;
    let loaded = settled.run.options(&model.value)?;
    let class = loaded.callee().strip_prefix("transformers.")?.strip_suffix(".from_pretrained")?.to_owned();
    let is_classifier = class.ends_with("ForSequenceClassification");
    if !is_classifier && !class.contains("ForCausalLM") {
        return None;
    }
    let said = loaded.argument(LABELS);
    let place = match &said {
        Some(held) => match held.value {
            Told::Const(Const::Int(count)) if count != 1 => held.origin?,
            _ => return None,
        },
        None if is_plain(call, &loaded) => loaded.span(),
        None => return None,
    };
    if is_touched(call, loaded.span(), model.origin?, |after| HARMLESS.iter().any(|one| after.starts_with(one))) {
        return None;
    }
    let release = call.release(settled.run.release);
    let message = format!("`{}` of {release} takes models with one output only", call.short_name());
    let outcome = match &said {
        Some(_) => "these are not one",
        None if is_classifier => "this makes a model with two outputs",
        None => "this is no reward model",
    };
    let mut finding =
        call.finding(&RewardModelLabels::META, Reach::InEffect, &affected, message, label(place, outcome));
    finding.related.push(label(model.origin?, "ValueError: reward models require `num_labels=1`"));
    finding.help = Some(if is_classifier {
        "pass `num_labels=1`".to_owned()
    } else {
        "load it with `AutoModelForSequenceClassification` and `num_labels=1`, or pass its name to the trainer"
            .to_owned()
    });
    if is_classifier && said.is_none() {
        finding.fixes.extend(fix(analysis, loaded.span()));
    }
    call.explain(&mut finding, &Outcome::default());
    Some(finding)
}

/// Whether the trainer of a release looks at the number of outputs.
fn is_checked(call: &Call<'_>, release: usize) -> bool {
    let Some(definition) = call.definition(release) else { return false };
    call.package.guards(definition, release).iter().any(|guard| names(&guard.when, LABELS))
}

/// Whether a call loads a well-known language model as it is, so that nothing decides on its labels.
fn is_plain(call: &Call<'_>, loaded: &Options<'_>) -> bool {
    let event = call.run.trace.calls.iter().find(|event| event.object.span == loaded.span());
    let is_closed = event.is_some_and(|event| !event.open);
    let named = loaded.first().or_else(|| loaded.argument("pretrained_model_name_or_path"));
    let is_known = named.is_some_and(|named| match named.value {
        Told::Const(Const::Str(name)) => call.knowledge.curated().parameters_of(&name).is_some(),
        _ => false,
    });
    is_closed && is_known && DECIDING.iter().all(|name| loaded.argument(name).is_none())
}

fn fix(analysis: &Analysis, loading: Span) -> Option<Fix> {
    let module = analysis.modules.get(&loading.file)?;
    let edits = python_edit::insert_keyword(module, loading, LABELS, "1").ok()?;
    Some(Fix { title: format!("pass `{LABELS}=1`"), applicability: Applicability::Safe, edits })
}
