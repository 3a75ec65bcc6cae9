//! A reference that should follow the model, where there is none of its own.

use super::ask::Call;
use super::declare::declare_rule;
use super::guards::requires;
use super::option;
use super::report::{Reach, label_argument, raises};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Fix, Label};
use crate::eval::{Argument, Const, Value};
use crate::lower::{Analysis, Change};
use crate::syntax::python_edit;

const OPTION: &str = "sync_ref_model";

declare_rule! {
    /// ## What it does
    ///
    /// Reports `sync_ref_model=True` in a run whose reference cannot be synchronised: with an adapter, or with precomputed
    /// reference log probabilities.
    ///
    /// ## Why it matters
    ///
    /// Synchronising copies the model's weights into the reference every few steps. With an adapter the reference is the model
    /// without it, and precomputed values no longer change; releases that check this raise in the constructor.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(
    ///     model="Qwen/Qwen2.5-0.5B-Instruct",
    ///     args=DPOConfig(output_dir="out", sync_ref_model=True),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ```python,unsafe-fixed
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(
    ///     model="Qwen/Qwen2.5-0.5B-Instruct",
    ///     args=DPOConfig(output_dir="out", sync_ref_model=False),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(
    ///     model="Qwen/Qwen2.5-0.5B-Instruct",
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Unsafe: whether the synchronisation or the adapter is meant cannot be told; the fix keeps the adapter. It stands where the
    /// option is set: in the script, in the argument file or on the launch line.
    ///
    /// ## Versions
    ///
    /// Asked of each release: the condition under which its constructor raises is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl `trainer/dpo_trainer.py`, the checks on `sync_ref_model`
    SyncRefModelWithPeft = "sync-ref-model-with-peft", "DPL005", Error, "`sync_ref_model` where the reference cannot be synchronised"
}

impl Rule for SyncRefModelWithPeft {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (outcome, guard) =
            call.stopped_by(|guard| guard.when.contains(OPTION) && requires(guard, &["args.sync_ref_model"]));
        let (Some(guard), Some(arguments)) = (guard, call.argument("args")) else { return };
        let reach = call.reach(&outcome);
        let affected = &outcome.certain;
        // Nobody sets it by accident: that a flag could is no mistake.
        if matches!(reach, Reach::Elsewhere | Reach::Conditional) {
            return;
        }
        let releases = call.releases(&(affected & &call.allowed()));
        let message = format!("`{OPTION}` cannot work in this run, and {releases} refuses it");
        let written = option::written(call, OPTION).map(|(_, argument)| argument);
        let place = written.as_ref().map_or(arguments.span, |argument| argument.span);
        let mut finding =
            call.finding(&Self::META, reach, affected, message, Label { span: place, message: String::new() });
        if let Some(adapter) = call.argument("peft_config") {
            label_argument(&mut finding, adapter, "with an adapter, the reference is the model without it");
        }
        raises(&mut finding, guard);
        call.explain(&mut finding, &outcome);
        finding.help = Some(format!("leave `{OPTION}` out, or train without the adapter"));
        finding.fixes = match written {
            Some(argument) => in_script(analysis, &argument),
            None => option::flag(call, OPTION).and_then(|(_, flag)| {
                let unsafe_ = Applicability::Unsafe;
                option::take_back(analysis, call, flag, &outcome.variants, Change::Off, unsafe_)
            }),
        }
        .into_iter()
        .collect();
        found.push(finding);
    }
}

/// Says no where the script says yes.
fn in_script(analysis: &Analysis, argument: &Argument) -> Option<Fix> {
    let module = analysis.modules.get(&argument.span.file)?;
    // A flag or a variable serves other runs as well.
    if !matches!(argument.value.value, Value::Const(Const::Bool(true))) {
        return None;
    }
    let edits = python_edit::set_value(module, argument.value.span, "False").ok()?;
    Some(Fix { title: format!("pass `{OPTION}=False`"), applicability: Applicability::Unsafe, edits })
}
