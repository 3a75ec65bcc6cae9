//! Models of 4 bits that FSDP cannot cut into pieces.

use super::ask::Call;
use super::declare::declare_rule;
use super::framework::label;
use super::launched::launched_with;
use super::report::plain;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Severity};
use crate::eval::{Argument, Cond, Const, Value};
use crate::lower::Analysis;
use crate::source::Span;
use crate::syntax::{Document, Scalar, python_edit};

declare_rule! {
    /// ## What it does
    ///
    /// Reports `BitsAndBytesConfig(load_in_4bit=True)` without `bnb_4bit_quant_storage` in a script that is launched with FSDP.
    ///
    /// ## Why it matters
    ///
    /// Without it the weights of 4 bits are stored in bytes (`uint8`) beside layers in `bfloat16`, and FSDP puts the weights of a layer
    /// into one tensor: `ValueError: Must flatten tensors with uniform dtype`. It says so after the model was loaded.
    ///
    /// ## Example
    ///
    /// ```yaml,beside:fsdp.yaml
    /// distributed_type: FSDP
    /// fsdp_config:
    ///   fsdp_sharding_strategy: FULL_SHARD
    /// num_processes: 4
    /// ```
    ///
    /// ```sh,beside
    /// accelerate launch --config_file fsdp.yaml train.py
    /// ```
    ///
    /// ```python,bad
    /// import torch
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// import torch
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_quant_storage=torch.bfloat16)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ```python,good
    /// import torch
    /// from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_storage=torch.bfloat16)
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", quantization_config=bits, dtype=torch.bfloat16)
    /// trainer = SFTTrainer(model, args=SFTConfig(output_dir="out"), train_dataset=data())
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The type in which is computed becomes the one that is stored. Unsafe: the model must be loaded in that type, too.
    ///
    /// ## Versions
    ///
    /// All releases. Nothing is said about the second version of FSDP (`fsdp_version: 2`).
    ///
    /// ## References
    ///
    /// - the guide on FSDP and quantisation in the documentation of peft; axolotl issue 1494, trl issue 1723
    FsdpQuantizedStorage = "fsdp-quantized-storage", "DPL306", Error, "FSDP cannot cut a model of 4 bits that is stored in bytes"
}

impl Rule for FsdpQuantizedStorage {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        if call.is_about_callee() && call.short_name() == "BitsAndBytesConfig" {
            found.extend(check(analysis, call));
        }
    }
}

fn check(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let event = call.run.call();
    let is_certain = event.when == Cond::TRUE && event.caught.is_empty() && event.object.stored.is_empty();
    let argument = |name: &str| call.run.arguments().iter().find(|argument| argument.name.as_deref() == Some(name));
    let is_true = |argument: &&Argument| matches!(argument.value.value, Value::Const(Const::Bool(true)));
    let four = argument("load_in_4bit").filter(is_true).filter(|_| is_certain)?;
    // Anything else may hide in `**kwargs`.
    if argument("bnb_4bit_quant_storage").is_some() || event.open {
        return None;
    }
    let trains = || analysis.calls.iter().any(|other| other.trains && other.script == call.run.script);
    let (sharded, started) = call.run.variants.iter().find_map(|variant| {
        let sharded = fsdp(launched_with(analysis, variant)?)?;
        Some((sharded, variant.origin?))
    })?;
    if !trains() {
        return None;
    }
    let message = "FSDP cannot cut this model of 4 bits into pieces: its weights are stored in bytes".to_owned();
    let primary = label(four.span, "ValueError: Must flatten tensors with uniform dtype");
    let mut finding = plain(&FsdpQuantizedStorage::META, Severity::Error, message, primary);
    finding.related = vec![label(sharded, "this is FSDP"), label(started, "this starts the script")];
    finding.help = Some("pass `bnb_4bit_quant_storage` with the type of the other layers".to_owned());
    finding.fixes.extend(argument("bnb_4bit_compute_dtype").and_then(|computed| fix(analysis, call, computed)));
    Some(finding)
}

fn fix(analysis: &Analysis, call: &Call<'_>, computed: &Argument) -> Option<Fix> {
    let module = analysis.modules.get(&call.run.call().object.span.file)?;
    let source = call.sources.get(computed.span.file);
    let (_, written) = source.slice(computed.span).split_once('=')?;
    let (span, name) = (call.run.call().object.span, "bnb_4bit_quant_storage");
    let edits = python_edit::insert_keyword(module, span, name, written.trim()).ok()?;
    Some(Fix { title: format!("pass `{name}={}`", written.trim()), applicability: Applicability::Unsafe, edits })
}

/// Where a configuration of accelerate asks for the first version of FSDP.
fn fsdp(document: &Document) -> Option<Span> {
    let entry = document.root.entry("distributed_type")?;
    let version = document.root.get("fsdp_config").and_then(|config| config.get("fsdp_version"));
    let is_first = version.is_none_or(|version| matches!(version.scalar(), Some(Scalar::Int(1))));
    (entry.value.as_str() == Some("FSDP") && is_first).then_some(entry.span)
}
