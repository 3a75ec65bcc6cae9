//! Adapters that reentrant checkpointing cuts off from the loss.

use super::ask::Call;
use super::checkpointing::{KWARGS, kind};
use super::declare::declare_rule;
use super::fp16_with_fp16_weights::saved;
use super::framework::{label, push_new};
use super::given_model::{Given, given};
use super::launched::may_shard;
use super::report::plain;
use super::settled::{Settled, settled_directly};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Options, Told};
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a run that trains an adapter with reentrant gradient checkpointing where neither the script nor the trainer calls
    /// `enable_input_require_grads`.
    ///
    /// ## Why it matters
    ///
    /// Reentrant checkpointing passes a gradient on only where the input of a layer asks for one, and the embeddings below an adapter are
    /// frozen. The first step fails: `RuntimeError: element 0 of tensors does not require grad`. Where something above the layers is
    /// trained, too (the head of a reward model, `modules_to_save`), nothing fails: that learns, and the adapter stays as it was.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==4.57.1
    /// trl==0.19.1
    /// peft==0.17.1
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from transformers import AutoModelForSequenceClassification
    /// from trl import RewardConfig, RewardTrainer
    ///
    /// model = AutoModelForSequenceClassification.from_pretrained("Qwen/Qwen2.5-0.5B", num_labels=1)
    /// args = RewardConfig(output_dir="out", gradient_checkpointing=True)
    /// adapter = LoraConfig(task_type="SEQ_CLS", r=16)
    /// trainer = RewardTrainer(model, args=args, processing_class=tokenizer(), train_dataset=data(), peft_config=adapter)
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from peft import LoraConfig
    /// from transformers import AutoModelForSequenceClassification
    /// from trl import RewardConfig, RewardTrainer
    ///
    /// model = AutoModelForSequenceClassification.from_pretrained("Qwen/Qwen2.5-0.5B", num_labels=1)
    /// args = RewardConfig(output_dir="out", gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False})
    /// adapter = LoraConfig(task_type="SEQ_CLS", r=16)
    /// trainer = RewardTrainer(model, args=args, processing_class=tokenizer(), train_dataset=data(), peft_config=adapter)
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig, get_peft_model
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// model.enable_input_require_grads()
    /// model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM"))
    /// args = TrainingArguments("out", gradient_checkpointing=True)
    /// trainer = Trainer(model, args=args, train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Checkpointing is made non-reentrant where the project writes the configuration of the trainer in a script. Unsafe: the run trains
    /// something else than before.
    ///
    /// ## Versions
    ///
    /// transformers before its fifth major release, in which every checkpointed model lets gradients through. Which trainers of TRL do so
    /// themselves, for an adapter that they put on the model and for one that is on it already, is known by release. peft does it for a
    /// model that checkpoints already when the adapter is put on it. Nothing is said of quantised models, which
    /// `prepare_model_for_kbit_training` prepares, nor of adapters on the embeddings.
    ///
    /// ## References
    ///
    /// - transformers issues 26221 and 42489, trl issue 3089, peft issue 1142
    UntrainedAdapter = "untrained-adapter", "DPL406", Error, "reentrant checkpointing cuts an adapter off from the loss"
}

/// Code that may let gradients through: of the input of a layer, or by another kind of checkpointing.
const ENABLING: [&str; 6] = [
    "enable_input_require_grads",
    "prepare_model_for",
    "gradient_checkpointing_enable",
    "requires_grad",
    "register_forward",
    "enable_gradient_checkpointing",
];

/// What the names of embeddings have in common.
const EMBEDDINGS: [&str; 5] = ["embed", "wte", "wpe", "shared", "word"];

impl Rule for UntrainedAdapter {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        for settled in settled_directly(call) {
            push_new(found, check(analysis, call, &settled));
        }
    }
}

fn check<'a>(analysis: &Analysis, call: &Call<'a>, settled: &Settled<'a>) -> Option<Diagnostic> {
    let (true, switched) = settled.truth("gradient_checkpointing")? else { return None };
    let given = given(analysis, call, settled, &ENABLING)?;
    let adapter = given.adapter.as_ref().filter(|adapter| is_cut_off(adapter))?;
    if given.may_be_quantized() || given.option(&["trust_remote_code"]).is_some() || lets_through(call, settled, &given)
    {
        return None;
    }
    let kwargs = settled.setting(KWARGS).filter(|held| held.origin.is_some());
    let (true, said) = kind(&settled.run, kwargs, analysis, call.knowledge)? else { return None };
    let silent = saved(adapter);
    let message = match silent {
        Some(_) => format!("`{}` trains what is saved with the adapter, and not the adapter itself", call.short_name()),
        None => format!("`{}` trains an adapter that gets no gradient", call.short_name()),
    };
    let outcome = match silent {
        Some(_) => "the weights of this adapter stay as they are",
        None => "RuntimeError: element 0 of tensors does not require grad",
    };
    let primary = label(adapter.span(), outcome);
    let mut finding = plain(&UntrainedAdapter::META, Severity::Error, message, primary);
    finding.related.extend(switched.map(|place| label(place, "this switches checkpointing on")));
    finding.related.extend(silent.map(|place| label(place, "this learns")));
    match said {
        Some(place) => finding.related.push(label(place, "this makes it reentrant")),
        None => finding.notes.push("checkpointing is reentrant by default in the releases in effect".to_owned()),
    }
    finding.help =
        Some("call `enable_input_require_grads()` of the model, or make checkpointing not reentrant".to_owned());
    if said.is_none() && settled.is_whole() && !may_shard(analysis, settled.run.variant) {
        finding.fixes.extend(fix(analysis, settled));
    }
    Some(finding)
}

/// Whether an adapter trains nothing below the layers that are checkpointed.
fn is_cut_off(adapter: &Options<'_>) -> bool {
    let is_above = |value: &Told| match value {
        Told::Const(Const::None) => true,
        Told::Const(Const::Str(word)) => &**word == "all-linear",
        Told::List(items) => items.iter().all(|item| match item {
            Told::Const(Const::Str(word)) => !EMBEDDINGS.iter().any(|part| word.to_ascii_lowercase().contains(part)),
            _ => false,
        }),
        _ => false,
    };
    let above = |name: &str| adapter.argument(name).is_none_or(|held| is_above(&held.value));
    let is_absent = |name: &str| adapter.argument(name).is_none_or(|held| held.value.is_none());
    adapter.callee() == "peft.LoraConfig"
        && above("target_modules")
        && above("modules_to_save")
        && ["trainable_token_indices", "target_parameters", "bias"].into_iter().all(is_absent)
}

/// Whether the trainer, or that of transformers below it, may make the input of the layers ask for gradients.
fn lets_through(call: &Call<'_>, settled: &Settled<'_>, given: &Given<'_>) -> bool {
    let facts = |package: &str, trainer: &str| settled.facts(call, (package, trainer), "input_grads");
    if facts("transformers", "Trainer").is_empty() {
        return true;
    }
    let own = match call.callee() {
        "transformers.Trainer" | "transformers.Seq2SeqTrainer" => return false,
        callee => facts("trl", callee.strip_prefix("trl.").unwrap_or_default()),
    };
    let is_on_it = given.wrapped.is_some();
    !own.iter().any(|fact| *fact == "not for an adapter" || (is_on_it && *fact == "not for a model with an adapter"))
}

/// The argument of a configuration that the script makes itself.
fn fix(analysis: &Analysis, settled: &Settled<'_>) -> Option<Fix> {
    settled.setting(KWARGS).filter(|held| held.origin.is_none())?;
    let config = settled.made_config()?;
    let value = "{\"use_reentrant\": False}";
    let edits = python_edit::insert_keyword(analysis.modules.get(&config.file)?, config, KWARGS, value).ok()?;
    Some(Fix { title: format!("pass `{KWARGS}={value}`"), applicability: Applicability::Unsafe, edits })
}
