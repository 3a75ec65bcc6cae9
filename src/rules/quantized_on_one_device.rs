//! Models of 4 or 8 bits that each of several processes loads onto the same device.

use super::ask::Call;
use super::declare::declare_rule;
use super::device_map::placed;
use super::framework::{label, push_new};
use super::launched::{Started, started};
use super::report::plain;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::{Argument, Const};
use crate::lower::launch::Launch;
use crate::lower::{Analysis, Options, Told};
use crate::model::Variant;
use crate::source::Span;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a model of 4 or 8 bits that is loaded with `device_map={"": 0}` and trained by several processes.
    ///
    /// ## Why it matters
    ///
    /// A quantised model stays on the device onto which it was loaded. accelerate raises in each process but the first: `ValueError: You
    /// can't train a model that has been loaded in 8-bit or 4-bit precision on a different device than the one you're training on`.
    ///
    /// ## Example
    ///
    /// ```sh,beside
    /// torchrun --nproc_per_node 4 train.py
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits, device_map={"": 0})
    /// trainer = SFTTrainer(model, args=SFTConfig("out"), train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ```python,good
    /// from accelerate import PartialState
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True)
    /// place = {"": PartialState().process_index}
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits, device_map=place)
    /// trainer = SFTTrainer(model, args=SFTConfig("out"), train_dataset=data(), peft_config=LoraConfig())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: the index of the process needs an import.
    ///
    /// ## Versions
    ///
    /// All known releases of accelerate. A map of `"auto"` is `device-map-auto-distributed`'s.
    ///
    /// ## References
    ///
    /// - accelerate `Accelerator.prepare_model`, issue 1515; qlora issue 186
    QuantizedOnOneDevice = "quantized-on-one-device", "DPL307", Error,
        "each of several processes loads a quantised model onto the same device"
}

impl Rule for QuantizedOnOneDevice {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let is_several = |_: &Variant, launch: &Launch| {
            ["torchrun", "accelerate launch"].iter().any(|launcher| launch.launcher(launcher).is_some())
        };
        for started in started(analysis, call.run, call.knowledge, is_several) {
            push_new(found, check(analysis, call, &started));
        }
    }
}

fn check(analysis: &Analysis, call: &Call<'_>, started: &Started<'_>) -> Option<Diagnostic> {
    let (count, place) = started.processes().filter(|(count, _)| *count > 1)?;
    if !started.is_data_parallel() {
        return None;
    }
    let trainer = started.run.arguments();
    let model = started.run.options(&trainer.argument("model")?.value)?;
    let loaded = match model.callee() {
        "peft.get_peft_model" => started.run.options(&model.argument("model")?.value)?,
        _ => model,
    };
    let bits = bits(started, &loaded)?;
    let calls = analysis.calls.iter().filter(|other| other.script == call.run.script);
    let event = calls.into_iter().find(|other| other.call().object.span == loaded.span())?;
    let map = placed(event).filter(|map| is_first(started, map))?;
    let message = format!("each of {count} processes loads a quantised model onto the first device");
    let primary = label(map.span, "ValueError: it is trained on a different device");
    let mut finding = plain(&QuantizedOnOneDevice::META, Severity::Error, message, primary);
    finding.related = vec![label(place, "this starts several"), label(bits, "in fewer bits")];
    finding.help = Some("pass `device_map={\"\": PartialState().process_index}` (of accelerate)".to_owned());
    Some(finding)
}

/// Where a model is asked for in fewer bits.
fn bits(started: &Started<'_>, loaded: &Options<'_>) -> Option<Span> {
    const BITS: [&str; 2] = ["load_in_4bit", "load_in_8bit"];
    let config = loaded.argument("quantization_config").and_then(|held| started.run.options(&held.value));
    let config = config.filter(|made| made.callee() == "transformers.BitsAndBytesConfig");
    let is_true = |value: &Told| matches!(value, Told::Const(Const::Bool(true)));
    let said = |options: &Options<'_>| {
        let held = BITS.iter().filter_map(|name| options.argument(name));
        held.filter(|held| is_true(&held.value)).find_map(|held| held.origin)
    };
    config.and_then(|config| said(&config)).or_else(|| said(loaded))
}

/// Whether a map puts the whole model onto the first device, in each process.
fn is_first(started: &Started<'_>, map: &Argument) -> bool {
    let Told::Dict(entries) = started.run.told(&map.value.value) else { return false };
    let [(Const::Str(whole), device)] = entries.as_slice() else { return false };
    let is_first = match device {
        Told::Const(Const::Int(index)) => *index == 0,
        Told::Const(Const::Str(word)) => &**word == "cuda:0",
        _ => false,
    };
    whole.is_empty() && is_first
}
