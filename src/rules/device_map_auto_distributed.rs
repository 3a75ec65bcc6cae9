//! Models that are spread over all devices by each of several processes.

use super::ask::Call;
use super::declare::declare_rule;
use super::device_map::{self, placed, word};
use super::framework::label;
use super::launched::{processes, zero3};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::lower::Analysis;

/// Words that spread a model over devices.
const SPREADING: [&str; 4] = ["auto", "balanced", "balanced_low_0", "sequential"];

declare_rule! {
    /// ## What it does
    ///
    /// Reports `from_pretrained(..., device_map="auto")` in a script that the project launches with several processes (`torchrun
    /// --nproc_per_node 8`, `accelerate launch --num_processes 8`).
    ///
    /// ## Why it matters
    ///
    /// Each process would spread a model of its own over all devices. The trainer stops: `You can't train a model that has been loaded
    /// with device_map='auto' in any distributed mode`.
    ///
    /// ## Example
    ///
    /// ```sh,beside
    /// torchrun --nproc_per_node 8 train.py
    /// ```
    ///
    /// ```python,bad
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", device_map="auto")
    /// trainer = DPOTrainer(model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// trainer = DPOTrainer(model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from accelerate import PartialState
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// place = {"": PartialState().process_index}
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", device_map=place)
    /// trainer = DPOTrainer(model, args=DPOConfig(output_dir="out"))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// The argument is removed, so that each process holds a whole model. Unsafe: it may not fit.
    ///
    /// ## Versions
    ///
    /// All releases.
    ///
    /// ## References
    ///
    /// - transformers issue 31557, accelerate issue 2486
    DeviceMapAutoDistributed = "device-map-auto-distributed", "DPL402", Error,
        "a model is spread over all devices by each of several processes"
}

impl Rule for DeviceMapAutoDistributed {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        // A model that no trainer gets may be spread as one likes.
        let trains = || analysis.calls.iter().any(|other| other.trains && other.script == call.run.script);
        if call.is_about_callee() && trains() {
            found.extend(check(analysis, call));
        }
    }
}

fn check(analysis: &Analysis, call: &Call<'_>) -> Option<Diagnostic> {
    let argument = placed(call.run)?;
    let word = word(argument).filter(|word| SPREADING.contains(word))?;
    let started = call.run.variants.iter().filter(|variant| zero3(analysis, call.run, variant).is_none());
    let (place, count) = started.into_iter().find_map(|variant| processes(analysis, variant))?;
    let message = format!("each of {count} processes spreads the model over all devices");
    let outcome = format!("`{word}` is for one process");
    let meta = &DeviceMapAutoDistributed::META;
    let mut finding = device_map::finding(analysis, meta, argument, message, outcome, Applicability::Unsafe)?;
    finding.related = vec![label(place, "this starts several")];
    finding.help = Some("leave the argument out, or give each process its own device".to_owned());
    Some(finding)
}
