//! Weights of half precision that a run with `fp16` is to train.

use super::ask::Call;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::framework::{label, push_new, push_of_each};
use super::given_model::{Given, given};
use super::launched::may_shard;
use super::report::plain;
use super::settled::{Settled, settled_directly};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Held, Options, Told};
use crate::source::Span;
use crate::syntax::python_edit;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer with `fp16=True` that trains weights which were loaded in `torch.float16`: those of the model, or those of an
    /// adapter that takes the precision of the model over.
    ///
    /// ## Why it matters
    ///
    /// `fp16` is training with mixed precision: the weights are kept in `float32`, and the loss is scaled. The gradients of weights in
    /// `float16` cannot be scaled back: `ValueError: Attempting to unscale FP16 gradients`, in the first step.
    ///
    /// ## Example
    ///
    /// ```python,bad
    /// import torch
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.float16)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out", fp16=True), train_dataset=data())
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// import torch
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.float32)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out", fp16=True), train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// import torch
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.float16)
    /// args = SFTConfig(output_dir="out", fp16=True)
    /// trainer = SFTTrainer(model, args=args, train_dataset=data(), peft_config=LoraConfig(r=8))
    /// ```
    ///
    /// ```text,requirements
    /// peft==0.11.1
    /// trl==0.9.6
    /// transformers==4.41.2
    /// ```
    ///
    /// ```python,bad
    /// import torch
    /// from peft import LoraConfig, get_peft_model
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.float16)
    /// model = get_peft_model(model, LoraConfig(r=8))
    /// trainer = Trainer(model, args=TrainingArguments("out", fp16=True), train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: the weights are loaded in `float32`, which takes twice the memory. `bf16=True` with weights in `bfloat16` is the other
    /// way, where the device has it.
    ///
    /// ## Versions
    ///
    /// All releases of transformers and TRL. Adapters are in `float32` since a release of peft that is known, unless
    /// `autocast_adapter_dtype=False` is passed; modules that are saved with an adapter (`modules_to_save`, the head of a classifier)
    /// never are. `DeepSpeed` and FSDP scale in another way, and nothing is said of them. Of configurations: ms-swift loads weights as
    /// `torch_dtype` says and axolotl as `fp16` does, and both train them so where there is no adapter; LLaMA-Factory brings all that it
    /// trains to `float32`.
    ///
    /// ## References
    ///
    /// - torch `amp/grad_scaler.py`, `_unscale_grads_`; peft `cast_adapter_dtype`
    /// - transformers issue 30559, diffusers issue 6442
    Fp16WithFp16Weights = "fp16-with-fp16-weights", "DPL302", Error, "`fp16` is to train weights that are in `float16`"
}

/// Names of the option, the newest first.
pub(super) const DTYPE: [&str; 2] = ["dtype", "torch_dtype"];

/// Code that may bring weights into another precision.
const CASTING: [&str; 8] =
    [".float()", ".to(torch.float", ".to(dtype", "prepare_model_for", ".data =", ".data=", "requires_grad", ".apply("];

impl Rule for Fp16WithFp16Weights {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), of_configuration);
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        for settled in settled_directly(call) {
            push_new(found, check(analysis, call, &settled));
        }
    }
}

fn check<'a>(analysis: &Analysis, call: &Call<'a>, settled: &Settled<'a>) -> Option<Diagnostic> {
    let (true, asked) = settled.truth("fp16")? else { return None };
    let is_native = settled.setting("half_precision_backend").is_none_or(|held| held.origin.is_none());
    if !is_native || !settled.is_whole() || may_shard(analysis, settled.run.variant) {
        return None;
    }
    let given = given(analysis, call, settled, &CASTING)?;
    let half = given.option(&DTYPE).filter(|held| is_half(&held.value))?;
    let trained = trained(call, settled, &given)?;
    if given.may_be_quantized() {
        return None;
    }
    let place = half.origin?;
    let message = format!("`{}` is to train weights in float16 with `fp16`", call.short_name());
    let primary = label(place, "ValueError: Attempting to unscale FP16 gradients");
    let mut finding = plain(&Fp16WithFp16Weights::META, Severity::Error, message, primary);
    finding.related.extend(asked.map(|place| label(place, "this is mixed precision")));
    finding.related.extend(trained);
    finding.help = Some("load the weights in `float32`, or use `bfloat16` for both".to_owned());
    finding.fixes.extend(fix(analysis, place));
    Some(finding)
}

/// The same of a program that loads the model itself.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    configured.case(&configured.runs.trains_half)?;
    let key = configured.key(&["torch_dtype", "fp16"]).filter(|_| !configured.is_sharded())?;
    let reader = &configured.reader;
    let message = format!("{} is to train weights in float16 with `fp16`", reader.title());
    let primary = label(key.span, "ValueError: Attempting to unscale FP16 gradients");
    let mut finding = reader.finding(&Fp16WithFp16Weights::META, Severity::Error, message, primary);
    let all = configured.key(&["tuner_type", "train_type"]);
    finding.related.extend(all.map(|key| label(key.span, "this trains the weights of the model")));
    finding.help = Some("use `bfloat16`, or train an adapter".to_owned());
    Some(finding)
}

/// Whether something is `torch.float16`.
fn is_half(value: &Told) -> bool {
    match value {
        Told::Name(name) => matches!(&**name, "torch.float16" | "torch.half"),
        Told::Const(Const::Str(word)) => &**word == "float16",
        _ => false,
    }
}

/// What of the model is trained in the precision in which it was loaded: all of it, or what this says of its adapter.
fn trained(call: &Call<'_>, settled: &Settled<'_>, given: &Given<'_>) -> Option<Vec<Label>> {
    let Some(adapter) = &given.adapter else { return Some(Vec::new()) };
    if adapter.callee() != "peft.LoraConfig" {
        return None;
    }
    let of_base = |value: &str| settled.facts(call, ("peft", "get_peft_model"), "adapter_dtype").contains(&value);
    let said = |place: Span, what: &str| Some(vec![label(place, what)]);
    if of_base("of_base") {
        return said(adapter.span(), "this release of peft makes the adapter in the precision of the model");
    }
    if !of_base("float32") {
        return None;
    }
    let wrapped = given.wrapped.as_ref();
    if let Some(held) = wrapped.and_then(|wrapped| wrapped.argument("autocast_adapter_dtype")) {
        let is_off = matches!(held.value, Told::Const(Const::Bool(false)));
        return if is_off { said(held.origin?, "the adapter stays in the precision of the model") } else { None };
    }
    said(saved(adapter)?, "modules that are saved with the adapter stay in the precision of the model")
}

/// Where an adapter asks for whole modules to be trained, too.
pub(super) fn saved(adapter: &Options<'_>) -> Option<Span> {
    let modules = adapter.argument("modules_to_save");
    let is_some = |held: &Held| matches!(&held.value, Told::List(items) if !items.is_empty());
    if let Some(held) = modules {
        return held.origin.filter(|_| is_some(&held));
    }
    // The head of a classifier is.
    let task = adapter.argument("task_type")?;
    let is_classifier = match &task.value {
        Told::Name(name) => &**name == "peft.TaskType.SEQ_CLS",
        Told::Const(Const::Str(word)) => &**word == "SEQ_CLS",
        _ => false,
    };
    task.origin.filter(|_| is_classifier)
}

fn fix(analysis: &Analysis, place: Span) -> Option<Fix> {
    let module = analysis.modules.get(&place.file)?;
    let text = &module.text()[place.start as usize..place.end as usize];
    let (_, value) = text.split_once('=')?;
    let start = place.end - u32::try_from(value.trim_start().len()).ok()?;
    let instead = match value.trim() {
        "torch.float16" | "torch.half" => "torch.float32",
        "\"float16\"" => "\"float32\"",
        "'float16'" => "'float32'",
        _ => return None,
    };
    let edits = python_edit::set_value(module, Span { start, ..place }, instead).ok()?;
    Some(Fix { title: format!("load the weights in `{instead}`"), applicability: Applicability::Unsafe, edits })
}
