//! A reference model and an adapter configuration, both given.

use super::ask::Call;
use super::declare::declare_rule;
use super::force_use_ref_model::{force_fix, is_about_explicit_no};
use super::guards::requires;
use super::reference::{REFERENCE, reference_fixes};
use super::report::{Reach, label_argument, raises};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Applicability, Diagnostic, Label};
use crate::knowledge::Guard;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that gets a reference model together with a `peft_config`, when a release that the project allows
    /// refuses that.
    ///
    /// ## Why it matters
    ///
    /// DPO compares the model with a frozen reference. With an adapter the model without the adapter *is* that reference, so
    /// several releases of TRL refuse a second one with `ValueError`, after the models were loaded. Other releases accept the
    /// call and hold a second model in memory.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.12.2
    /// ```
    ///
    /// ```python,bad
    /// from copy import deepcopy
    ///
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(
    ///     model=model,
    ///     ref_model=deepcopy(model),
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// ```python,fixed
    /// from copy import deepcopy
    ///
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(
    ///     model=model,
    ///     ref_model=None,
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// With unsafe fixes, what only the reference needed goes as well:
    ///
    /// ```python,unsafe-fixed
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(
    ///     model=model,
    ///     ref_model=None,
    ///     args=DPOConfig(output_dir="out"),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM"),
    /// )
    /// ```
    ///
    /// One flag that decides both is fine:
    ///
    /// ```python,good
    /// from copy import deepcopy
    /// from dataclasses import dataclass, field
    ///
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM, HfArgumentParser
    /// from trl import DPOTrainer
    ///
    /// @dataclass
    /// class ScriptArguments:
    ///     use_peft: bool = field(default=True)
    ///
    /// args = HfArgumentParser(ScriptArguments).parse_args_into_dataclasses()[0]
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(
    ///     model,
    ///     ref_model=None if args.use_peft else deepcopy(model),
    ///     peft_config=LoraConfig(task_type="CAUSAL_LM") if args.use_peft else None,
    /// )
    /// ```
    ///
    /// ## Fix safety
    ///
    /// Where an argument file or a launch line asks for the reference, it is taken away there: YAML and JSON get `null`, a key of
    /// TOML and a flag go. Else the script is changed. Safe when the reference is provably the same checkpoint as the model (a copy
    /// of it, or loaded by the same call from the same path) and the adapter leaves the base model as it is. Unsafe otherwise,
    /// because training would then optimise something else, and where a launch line names an argument file that is not there, which may
    /// ask for both; there `force_use_ref_model=True` is shown for the releases that have
    /// it. A reference that nothing uses any more is reported by `unused-reference-model`.
    ///
    /// ## Versions
    ///
    /// Asked of each release: the condition under which its constructor raises is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - `MedicalGPT` issue 334
    /// - trl issues 1289 and 1365
    /// - alignment-handbook pull request 224
    RefModelWithPeftConfig = "ref-model-with-peft-config", "DPL001", Error,
        "a reference model and a `peft_config` are both given, which a release that the project allows refuses"
}

impl Rule for RefModelWithPeftConfig {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, analysis: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (outcome, guard) = call.stopped_by(is_about_both);
        let reach = call.reach(&outcome);
        let (Some(guard), Some(reference), Some(adapter)) =
            (guard, call.argument(REFERENCE), call.argument("peft_config"))
        else {
            return;
        };
        let trainer = call.short_name();
        let message = match reach {
            Reach::Elsewhere => return,
            Reach::InEffect => {
                format!("`{trainer}` gets both `ref_model` and `peft_config`, which {} refuses", call.release_judged())
            }
            Reach::Allowed => {
                let refusing = &outcome.certain & &call.allowed();
                format!(
                    "`{trainer}` gets both `ref_model` and `peft_config`, which {} refuses",
                    call.releases(&refusing)
                )
            }
            Reach::Conditional => format!(
                "`{trainer}` can get both `ref_model` and `peft_config`, which {} refuses",
                call.release_judged()
            ),
        };
        let affected = if reach == Reach::Conditional { &outcome.conditional } else { &outcome.certain };
        let primary = Label { span: reference.span, message: "a second model is the reference".to_owned() };
        let mut finding = call.finding(&Self::META, reach, affected, message, primary);
        label_argument(&mut finding, adapter, "the model without this adapter is the reference");
        raises(&mut finding, guard);
        call.explain(&mut finding, &outcome);
        finding.help = Some("pass `ref_model=None`".to_owned());
        finding.fixes = reference_fixes(analysis, call, &outcome);
        if finding.fixes.iter().all(|fix| fix.applicability < Applicability::Safe) {
            // It may be another model on purpose.
            finding.fixes.extend(force_fix(analysis, call));
        }
        found.push(finding);
    }
}

/// Whether a guard needs both: it speaks of both, and of nothing that another rule is about.
fn is_about_both(guard: &Guard) -> bool {
    requires(guard, &["ref_model is not None", "peft_config is not None"]) && !is_about_explicit_no(guard)
}
