//! A trainer without anything to train on.

use super::ask::Call;
use super::declare::declare_rule;
use super::raised::{Topic, report_raised};
use super::{Rule, RuleMeta};
use crate::diagnostic::Diagnostic;
use crate::lower::Analysis;

declare_rule! {
    /// ## What it does
    ///
    /// Reports a trainer that is built without a data set to train on, in releases whose constructor refuses that.
    ///
    /// ## Why it matters
    ///
    /// Older releases accept it, for a trainer that only evaluates, and fail in `train()`; newer ones raise `ValueError` in the
    /// constructor.
    ///
    /// ## Example
    ///
    /// ```text,requirements
    /// trl==1.16.0
    /// ```
    ///
    /// ```python,bad
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// trainer = SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=SFTConfig(output_dir="out"))
    /// ```
    ///
    /// ```python,good
    /// from datasets import load_dataset
    /// from trl import SFTConfig, SFTTrainer
    ///
    /// data = load_dataset("json", data_files="train.jsonl", split="train")
    /// trainer = SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=SFTConfig(output_dir="out"), train_dataset=data)
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
    /// - trl `trainer/dpo_trainer.py` and `trainer/sft_trainer.py`, the checks on `train_dataset`
    NoTrainDataset = "no-train-dataset", "DPL505", Error, "a trainer gets no data set to train on"
}

impl Rule for NoTrainDataset {
    fn meta(&self) -> &'static RuleMeta {
        &Self::META
    }

    fn check_any_call(&self, _: &Analysis, call: &Call<'_>, found: &mut Vec<Diagnostic>) {
        let headline = |_: &super::raised::Raised<'_>, releases: &str| {
            format!("`{}` gets no `train_dataset`, which {releases} requires", call.short_name())
        };
        for (mut finding, _) in report_raised(call, &Self::META, Topic::TrainDataset, &headline) {
            finding.help = Some("pass `train_dataset`".to_owned());
            found.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::lint;

    #[test]
    fn what_is_missing_is_said_once() {
        let script = "from trl import DPOTrainer\n\nDPOTrainer(model=load())\n";
        let found = lint(&[("dpo.py", script), ("requirements.txt", "trl==1.16.0\n")]).1;
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["no-train-dataset"], "that it is of no allowed class either follows");
        // One of a wrong class is another mistake.
        let given = script.replace("load()", "load(), train_dataset=[1]");
        let found = lint(&[("dpo.py", &given), ("requirements.txt", "trl==1.16.0\n")]).1;
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["constructor-raises"]);
    }
}
