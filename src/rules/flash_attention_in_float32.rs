//! Flash attention over weights that it cannot compute with.

use super::ask::Call;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::fp16_with_fp16_weights::DTYPE;
use super::framework::{label, push_new, push_of_each};
use super::given_model::given;
use super::launched::{may_be_mixed, sets_precision};
use super::report::plain;
use super::settled::{Settled, settled_directly};
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Held, Told};

declare_rule! {
    /// ## What it does
    ///
    /// Reports a model that is loaded with `attn_implementation="flash_attention_2"` in `float32` and trained without mixed precision
    /// (`bf16`, `fp16`).
    ///
    /// ## Why it matters
    ///
    /// The kernels of flash attention are written for numbers of 16 bits. Mixed precision gives them such ones; without it the first step
    /// fails: `RuntimeError: FlashAttention only support fp16 and bf16 data type`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==4.57.1
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", attn_implementation="flash_attention_2")
    /// trainer = Trainer(model, args=TrainingArguments("out"), train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", attn_implementation="flash_attention_2")
    /// trainer = Trainer(model, args=TrainingArguments("out", bf16=True), train_dataset=data())
    /// ```
    ///
    /// ```text,requirements
    /// transformers==5.3.0
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", attn_implementation="flash_attention_2")
    /// trainer = Trainer(model, args=TrainingArguments("out"), train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: `bf16=True` or weights of 16 bits are meant, depending on memory and device.
    ///
    /// ## Versions
    ///
    /// Where no type is asked for, models are loaded in `float32` up to a release of transformers that is known, and then in the type in
    /// which they were saved. Newer releases of TRL train with `bf16` by default. Nothing is said of runs under `DeepSpeed` or FSDP, or
    /// where `accelerate launch` may ask for mixed precision. Of configurations: axolotl with `bf16: false`, ms-swift with
    /// `torch_dtype: float32` and `fp16: false`, and LLaMA-Factory where it trains all weights, which it brings to `float32` (without
    /// flash attention installed it uses another one, so that this is a warning).
    ///
    /// ## References
    ///
    /// - transformers `modeling_flash_attention_utils.py`, issue 28052; flash-attention issue 622
    FlashAttentionInFloat32 = "flash-attention-in-float32", "DPL305", Error,
        "flash attention is to compute with `float32`"
}

/// Code that may bring weights into another precision, or compute in one.
const CASTING: [&str; 8] = [
    ".half()",
    "bfloat16()",
    ".to(",
    "autocast",
    "prepare_model_for",
    ".data =",
    "set_default_dtype",
    "mixed_precision",
];

impl Rule for FlashAttentionInFloat32 {
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
    // A trainer that gets no configuration has that of its package.
    settled.made_config()?;
    let is_off = |name: &str| matches!(settled.truth(name), Some((false, _)));
    if !is_off("fp16") || !is_off("bf16") || !settled.is_whole() || may_be_mixed(analysis, settled.run.variant) {
        return None;
    }
    let given = given(analysis, call, settled, &CASTING)?;
    let flash = given.option(&["attn_implementation", "use_flash_attention_2"]).filter(asks_for_flash)?;
    if given.may_be_quantized() || given.option(&["trust_remote_code", "config"]).is_some() {
        return None;
    }
    let said = match given.option(&DTYPE) {
        Some(held) if is_single(&held.value) => held.origin,
        None if settled.facts(call, ("transformers", "from_pretrained"), "default_dtype") == ["float32"] => None,
        _ => return None,
    };
    let message = format!("`{}` trains in float32 a model with flash attention", call.short_name());
    let primary = label(flash.origin?, "RuntimeError: FlashAttention only support fp16 and bf16 data type");
    let mut finding = plain(&FlashAttentionInFloat32::META, Severity::Error, message, primary);
    match said {
        Some(place) => finding.related.push(label(place, "this loads it in float32")),
        None => finding.notes.push("models are loaded in float32 by default in the release in effect".to_owned()),
    }
    finding.related.extend(settled.made_config().map(|place| label(place, "this asks for no mixed precision")));
    finding.help = Some("pass `bf16=True` to the configuration, or load the model in `torch.bfloat16`".to_owned());
    Some(finding)
}

/// The same of a program that loads the model itself.
fn of_configuration(configured: &Configured<'_>) -> Option<Diagnostic> {
    let case = configured.case(&configured.runs.flash_in_single)?;
    let key = configured.key(&["flash_attn", "attn_impl", "attn_implementation", "flash_attention"])?;
    // One that says the precision to accelerate itself says none here.
    let is_mixed = || configured.accelerate_option("mixed_precision").is_some_and(|(word, _)| word != "no");
    let is_set = || configured.launch().is_some_and(|(launch, _)| sets_precision(launch));
    if configured.is_sharded() || (!configured.runs.overwrites_precision && (is_mixed() || is_set())) {
        return None;
    }
    let reader = &configured.reader;
    let message = format!("{} trains in float32 a model with flash attention", reader.title());
    let primary = label(key.span, "RuntimeError: FlashAttention only support fp16 and bf16 data type");
    let is_certain = case.says.is_empty();
    let severity = if is_certain { Severity::Error } else { Severity::Warning };
    let mut finding = reader.finding(&FlashAttentionInFloat32::META, severity, message, primary);
    if !is_certain {
        let title = reader.configuration.consumer.title.as_str();
        finding.notes.push(format!("where flash attention is not installed, {title} does without: {}", case.says));
    }
    let said = ["torch_dtype", "bf16", "fp16"].into_iter().filter_map(|name| configured.key(&[name]));
    finding.related.extend(said.map(|key| label(key.span, "neither weights nor computation are of 16 bits")).take(1));
    finding.help = Some("set `bf16: true`, or use another attention".to_owned());
    Some(finding)
}

fn asks_for_flash(held: &Held) -> bool {
    match &held.value {
        Told::Const(Const::Str(word)) => &**word == "flash_attention_2",
        Told::Const(Const::Bool(value)) => *value,
        _ => false,
    }
}

/// Whether something is `torch.float32`.
fn is_single(value: &Told) -> bool {
    match value {
        Told::Name(name) => matches!(&**name, "torch.float32" | "torch.float"),
        Told::Const(Const::Str(word)) => &**word == "float32",
        _ => false,
    }
}
