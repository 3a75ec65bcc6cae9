//! Models that are placed on devices although `DeepSpeed` cuts them into pieces.

use super::ask::Call;
use super::configured::{Configured, configured};
use super::declare::declare_rule;
use super::device_map::{self, parses_before, placed, word};
use super::framework::{label, push_of_each, removed};
use super::launched::zero3;
use super::{Context, Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Severity};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports `from_pretrained(..., device_map="auto")` in a script that the project launches with `DeepSpeed` stage 3, and ms-swift's
    /// `--device_map` beside such a configuration. The other frameworks leave the map out themselves.
    ///
    /// ## Why it matters
    ///
    /// With stage 3 the parameters are cut into pieces over all processes when the model is made; a device map would put each of them
    /// in one place. transformers raises: `DeepSpeed Zero-3 is not compatible with passing a device_map`.
    ///
    /// ## Example
    ///
    /// ```json,deepspeed
    /// {"zero_optimization": {"stage": 3}}
    /// ```
    ///
    /// ```sh,beside
    /// torchrun --nproc_per_node 8 train.py --deepspeed ds.json --output_dir out
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM, HfArgumentParser
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// (args,) = HfArgumentParser(DPOConfig).parse_args_into_dataclasses()
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", device_map="auto")
    /// ```
    ///
    /// ```python,fixed
    /// from transformers import AutoModelForCausalLM, HfArgumentParser
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// (args,) = HfArgumentParser(DPOConfig).parse_args_into_dataclasses()
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// ```
    ///
    /// ```python,good
    /// from transformers import AutoModelForCausalLM, HfArgumentParser
    /// from transformers.integrations import is_deepspeed_zero3_enabled
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// (args,) = HfArgumentParser(DPOConfig).parse_args_into_dataclasses()
    /// device_map = None if is_deepspeed_zero3_enabled() else "auto"
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", device_map=device_map)
    /// ```
    ///
    /// ```sh,bad
    /// NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-7B --dataset data.jsonl --deepspeed zero3 --device_map auto
    /// ```
    ///
    /// ```sh,fixed
    /// NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-7B --dataset data.jsonl --deepspeed zero3
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The argument is removed: safe where the project starts the script with stage 3 only, else unsafe.
    ///
    /// ## Versions
    ///
    /// All releases.
    ///
    /// ## References
    ///
    /// - peft issue 306, LLaMA-Factory issue 3949
    Zero3WithDeviceMap = "zero3-with-device-map", "DPL401", Error, "a model gets a device map under DeepSpeed stage 3"
}

impl Rule for Zero3WithDeviceMap {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_project(&self, analysis: &Analysis, context: &Context<'_>, found: &mut Vec<Diagnostic>) {
        push_of_each(found, configured(analysis, context), |configured| of_configuration(analysis, configured));
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        if call.is_about_callee() {
            found.extend(check(analysis, call));
        }
    }
}

/// A map in a configuration whose program hands it on.
fn of_configuration(analysis: &Analysis, configured: &Configured<'_>) -> Option<Diagnostic> {
    let key = configured.reader.configuration.get(configured.runs.device_map.as_deref()?)?;
    let word = key.value.as_str().filter(|word| !word.is_empty())?;
    let stage = configured.stage3()?;
    let message = format!("DeepSpeed stage 3 does not go with `{}` {word}", key.name);
    let primary = label(key.span, "ValueError: not compatible with ZeRO-3");
    let mut finding = configured.reader.finding(&Zero3WithDeviceMap::META, Severity::Error, message, primary);
    finding.related.push(label(stage, "this is stage 3"));
    finding.help = Some("leave it out: DeepSpeed places the model".to_owned());
    finding.fixes.extend(removed(analysis, key.span, &key.name, Applicability::Safe));
    Some(finding)
}

fn check(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let argument = placed(call.run)?;
    let word = word(argument).filter(|_| parses_before(call.run, argument.span))?;
    let stages: Vec<_> =
        call.run.variants.iter().map(|variant| (variant, zero3(analysis, call.run, variant))).collect();
    let (variant, stage) = stages.iter().find_map(|(variant, stage)| Some((variant, (*stage)?)))?;
    let is_always = stages.iter().all(|(_, stage)| stage.is_some());
    let applicability = if is_always { Applicability::Safe } else { Applicability::Unsafe };
    let message = format!("DeepSpeed stage 3 does not go with `device_map=\"{word}\"`");
    let outcome = "ValueError: not compatible with ZeRO-3".to_owned();
    let meta = &Zero3WithDeviceMap::META;
    let mut finding = device_map::finding(analysis, meta, argument, message, outcome, applicability)?;
    finding.related = vec![label(stage, "this is stage 3")];
    finding.related.extend(variant.origin.map(|origin| label(origin, "this starts the script")));
    finding.help = Some("leave the argument out: DeepSpeed places the model".to_owned());
    Some(finding)
}
