//! Models of 4 or 8 bits that a trainer gets without an adapter.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::{label, push_new};
use super::report::plain;
use super::settled::{Settled, settled_directly};
use super::touched::is_touched;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Const;
use crate::lower::{Analysis, Told};

/// What loads a model in fewer bits.
const BITS: [&str; 2] = ["load_in_4bit", "load_in_8bit"];

declare_rule! {
    /// ## What it does
    ///
    /// Reports a model that is loaded with `BitsAndBytesConfig(load_in_4bit=True)` (or 8 bits) and goes to a trainer as it is, without
    /// `peft_config` or an adapter on it.
    ///
    /// ## Why it matters
    ///
    /// Weights of so few bits are not trained. The trainer of transformers raises `ValueError: You cannot perform fine-tuning on purely
    /// quantized models`, after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out"), train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: an adapter or more memory is needed.
    ///
    /// ## Versions
    ///
    /// The releases of transformers with that check are known. Nothing is said where anything else is called with the model or on it.
    ///
    /// ## References
    ///
    /// - transformers `trainer.py`, the check on `is_quantized`
    QuantizedWithoutAdapter = "quantized-without-adapter", "DPL011", Error, "a quantised model is to be trained without an adapter"
}

impl Rule for QuantizedWithoutAdapter {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        for settled in settled_directly(call) {
            push_new(found, check(call, &settled));
        }
    }
}

fn check(call: &Call<'_>, settled: &Settled<'_>) -> Option<Diagnostic> {
    let trainer = settled.run.arguments();
    let is_given = |name: &str| trainer.argument(name).is_some_and(|held| !held.value.is_none());
    let model = trainer.argument("model").filter(|_| !is_given("peft_config"))?;
    let loaded = settled.run.options(&model.value)?;
    let is_loader = loaded.callee().starts_with("transformers.") && loaded.callee().ends_with(".from_pretrained");
    let config = loaded.argument("quantization_config").filter(|_| is_loader)?;
    let bits = settled.run.options(&config.value).filter(|made| made.callee() == "transformers.BitsAndBytesConfig")?;
    let said = |name: &&&str| {
        let held = bits.argument(name).map(|held| held.value);
        matches!(held, Some(Told::Const(Const::Bool(true))))
    };
    let word = BITS.iter().find(said)?;
    if is_touched(call, loaded.span(), model.origin?, |after| after.starts_with(".config"))
        || settled.facts(call, ("transformers", "Trainer"), "quantized_base").is_empty()
    {
        return None;
    }
    let message = format!("`{}` gets a quantised model without an adapter", call.short_name());
    let primary = label(model.origin?, "ValueError: You cannot perform fine-tuning on purely quantized models");
    let mut finding = plain(&QuantizedWithoutAdapter::META, Severity::Error, message, primary);
    finding.related.push(label(loaded.span(), "the model is loaded here"));
    finding.related.push(label(bits.argument(word)?.origin?, "in fewer bits"));
    finding.help = Some("pass `peft_config`, or load the model in full precision".to_owned());
    Some(finding)
}
