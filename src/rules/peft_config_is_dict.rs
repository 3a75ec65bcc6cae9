//! A dictionary where PEFT wants an object.

use super::ask::Call;
use super::declare::declare_rule;
use super::report::Reach;
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::eval::Value;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer whose `peft_config` is a dictionary.
    ///
    /// ## Why it matters
    ///
    /// Older releases of TRL annotate the parameter as a dictionary, but PEFT reads attributes of it: the call raises
    /// `AttributeError` or `TypeError`.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==0.24.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), peft_config={"r": 8})
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// trainer = DPOTrainer(model="Qwen/Qwen2.5-0.5B", args=DPOConfig(output_dir="out"), peft_config=LoraConfig(r=8))
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which configuration class is meant is not written down.
    ///
    /// ## Versions
    ///
    /// Every release that has the parameter.
    ///
    /// ## References
    ///
    /// - peft `get_peft_model`, which reads `peft_config.base_model_name_or_path`
    PeftConfigIsDict = "peft-config-is-dict", "DPL015", Error, "`peft_config` is a dictionary, not a PEFT configuration"
}

impl Rule for PeftConfigIsDict {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let Some(argument) = call.argument("peft_config") else { return };
        let Value::Dict(_) = &argument.value.value else { return };
        let all = call.package.all();
        let having = all.iter().filter(|release| {
            call.signature(*release).is_some_and(|signature| signature.parameters.contains_key("peft_config"))
        });
        let outcome = call.when("True", &having.collect());
        let reach = call.reach(&outcome);
        if reach == Reach::Elsewhere {
            return;
        }
        let message = "`peft_config` is a dictionary, but PEFT reads attributes of it".to_owned();
        let primary = Label { span: argument.span, message: "a dictionary".to_owned() };
        let mut finding = call.finding(&Self::META, reach, &outcome.certain, message, primary);
        call.explain(&mut finding, &outcome);
        finding.help = Some("pass a `peft.LoraConfig(...)` with these settings".to_owned());
        found.push(finding);
    }
}
