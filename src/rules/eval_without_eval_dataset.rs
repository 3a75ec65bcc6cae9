//! Evaluation without a data set for it.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Raised, Topic, report_raised};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer whose configuration asks for evaluation, and that gets no data set to evaluate on, in releases whose
    /// constructor refuses that.
    ///
    /// ## Why it matters
    ///
    /// The constructor raises `ValueError`, after the model was loaded. Older releases fail at the first evaluation.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// transformers==4.57.1
    /// ```
    ///
    /// ```python,bad
    /// from datasets import load_dataset
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// args = TrainingArguments(output_dir="out", eval_strategy="steps")
    /// trainer = Trainer(model=model, args=args, train_dataset=data)
    /// ```
    ///
    /// ```python,good
    /// from datasets import load_dataset
    /// from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
    ///
    /// model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// args = TrainingArguments(output_dir="out")
    /// trainer = Trainer(model=model, args=args, train_dataset=data)
    /// ```
    ///
    /// ## Fix safety
    ///
    /// No automatic fix: which data set is meant cannot be told.
    ///
    /// ## Versions
    ///
    /// The check is mined from the released wheels.
    ///
    /// ## References
    ///
    /// - transformers `trainer.py`, the check on `eval_strategy`
    EvalWithoutEvalDataset = "eval-without-eval-dataset", "DPL502", Error, "a trainer is to evaluate and gets no data set for it"
}

impl Rule for EvalWithoutEvalDataset {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |_: &Raised<'_>, releases: &str| {
            format!("`{}` is to evaluate and gets no `eval_dataset`, which {releases} refuses", call.short_name())
        };
        for (mut finding, _) in report_raised(call, &Self::META, Topic::EvalDataset, &headline) {
            finding.help = Some("pass `eval_dataset`, or evaluate nothing".to_owned());
            found.push(finding);
        }
    }
}
