//! An adapter on a model that has one.

use super::ask::Call;
use super::declare::declare_rule;
use super::guards::requires;
use super::report::{Reach, label_argument, raises};
use super::{Rule, RuleMeta};
use crate::diagnostic::{Diagnostic, Label};
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that gets a model which already carries an adapter, together with a `peft_config`, when a release
    /// that the project allows refuses that.
    ///
    /// ## Why it matters
    ///
    /// `get_peft_model` and `PeftModel.from_pretrained` put an adapter on the model; `peft_config` asks the trainer to put one
    /// on it. Newer releases of TRL raise `ValueError`. Older ones merge the first adapter into the weights and train another.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from peft import LoraConfig, get_peft_model
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// peft_config = LoraConfig(task_type="CAUSAL_LM")
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// model = get_peft_model(model, peft_config)
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"), peft_config=peft_config)
    /// ```
    ///
    /// ```python,good
    /// from peft import LoraConfig
    /// from transformers import AutoModelForCausalLM
    /// from trl import DPOConfig, DPOTrainer
    ///
    /// peft_config = LoraConfig(task_type="CAUSAL_LM")
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B-Instruct")
    /// trainer = DPOTrainer(model=model, args=DPOConfig(output_dir="out"), peft_config=peft_config)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which of the two adapters is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// Asked of each release: the condition under which its constructor raises is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - trl issues 926 and 956
    PeftModelWithPeftConfig = "peft-model-with-peft-config", "DPL003", Error,
        "a model that already has an adapter gets a `peft_config`, which a release that the project allows refuses"
}

impl Rule for PeftModelWithPeftConfig {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let (outcome, guard) = call.stopped_by(|guard| {
            guard.when.contains("isinstance")
                && requires(guard, &["isinstance(model, PeftModel)", "peft_config is not None"])
        });
        let (Some(guard), Some(adapter), Some(model)) = (guard, call.argument("peft_config"), call.argument("model"))
        else {
            return;
        };
        let reach = call.reach(&outcome);
        let affected = if outcome.certain.is_empty() { &outcome.conditional } else { &outcome.certain };
        let trainer = call.short_name();
        let message = match reach {
            Reach::Elsewhere => return,
            Reach::InEffect => {
                format!("`{trainer}` gets a `PeftModel` and a `peft_config`, which {} refuses", call.release_judged())
            }
            Reach::Allowed | Reach::Conditional => {
                let releases = call.releases(&(affected & &call.allowed()));
                format!("`{trainer}` gets a `PeftModel` and a `peft_config`, which {releases} refuses")
            }
        };
        let primary = Label { span: adapter.span, message: "asks for another adapter".to_owned() };
        let mut finding = call.finding(&Self::META, reach, affected, message, primary);
        label_argument(&mut finding, model, "this model has an adapter already");
        for object in super::report::objects(&model.value.value) {
            finding.related.push(Label { span: object.span, message: "the adapter is put on here".to_owned() });
        }
        raises(&mut finding, guard);
        call.explain(&mut finding, &outcome);
        finding.help =
            Some("drop `peft_config` to go on training that adapter, or pass the model without it".to_owned());
        found.push(finding);
    }
}
