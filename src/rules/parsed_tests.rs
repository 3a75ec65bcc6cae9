//! What argument files and launch lines set is judged like the arguments of a call that the script writes.

use super::testing::lint;
use crate::diagnostic::Applicability;
use crate::syntax::edit;

const SCRIPT: &str = "\
from trl import DPOConfig, DPOTrainer, ModelConfig, ScriptArguments, TrlParser, get_peft_config

script_args, training_args, model_args = TrlParser((ScriptArguments, DPOConfig, ModelConfig)).parse_args_and_config()
trainer = DPOTrainer(
    model=model_args.model_name_or_path, args=training_args, train_dataset=data(), peft_config=get_peft_config(model_args)
)
";
const RUN: &str = "python dpo.py --config config.yaml\n";
const PINS: &str = "trl==1.16.0\ntransformers==5.23.0\n";

/// `severity rule at text`, for each finding.
fn found(script: &str, run: &str, config: &str) -> Vec<String> {
    let files = [("dpo.py", script), ("run.sh", run), ("config.yaml", config), ("requirements.txt", PINS)];
    let (sources, found) = lint(&files);
    let at = |span: crate::source::Span| sources.get(span.file).slice(span).to_owned();
    found.iter().map(|one| format!("{} {} at {}", one.severity.as_str(), one.rule, at(one.primary.span))).collect()
}

#[test]
fn a_setting_that_the_class_refuses_is_reported_where_it_is_set() {
    for (config, expected) in [
        ("loss_type: sigmoidd\n", "error invalid-choice at loss_type: sigmoidd"),
        ("loss_type: [sigmoid, sftt]\n", "error invalid-choice at loss_type: [sigmoid, sftt]"),
        ("optim: adamw_torchh\n", "error invalid-choice at optim: adamw_torchh"),
        ("bf16: true\nfp16: true\n", "error fp16-and-bf16 at bf16: true"),
        ("load_best_model_at_end: true\n", "error best-model-strategy-mismatch at load_best_model_at_end: true"),
        ("load_in_4bit: true\nload_in_8bit: true\n", "error constructor-raises at load_in_4bit: true"),
    ] {
        assert_eq!(found(SCRIPT, RUN, config), [expected]);
    }
    let line = "python dpo.py --config config.yaml --optim adamw_torchh\n";
    assert_eq!(found(SCRIPT, line, "optim: adamw\n"), ["error invalid-choice at --optim adamw_torchh"]);
}

#[test]
fn what_may_be_meant_otherwise_is_not() {
    let own = "\
@dataclass
class Mine(DPOConfig):
    def __post_init__(self):
        self.loss_type = str(self.loss_type)[:7]
        super().__post_init__()


";
    let head = format!(
        "from dataclasses import dataclass\n{}",
        SCRIPT.replace("\nscript_args", &format!("\n{own}script_args"))
    );
    let own = head.replace("ScriptArguments, DPOConfig, ModelConfig))", "ScriptArguments, Mine, ModelConfig))");
    let field = own.replace("    def __post_init__(self):\n        self.loss_type = str(self.loss_type)[:7]\n        super().__post_init__()\n", "    loss_type: str = 'x'\n");
    assert!(field.contains("loss_type: str") && own.contains("Mine, ModelConfig"));
    let line = "python dpo.py --config config.yaml --loss_type sigmoid\n";
    for (script, run, config) in [
        (SCRIPT, RUN, "loss_type: sigmoid\nbf16: true\n"),
        (SCRIPT, line, "loss_type: sigmoidd\n"),
        (SCRIPT, "python dpo.py --config config.yaml --fp16 $FP16\n", "bf16: true\n"),
        (&own, RUN, "loss_type: sigmoidd\n"),
        (&field, RUN, "loss_type: sigmoidd\n"),
    ] {
        assert_eq!(found(script, run, config), Vec::<String>::new(), "{run} {config}");
    }
}

#[test]
fn a_file_that_several_lines_name_is_told_once() {
    let lines = format!("{RUN}{RUN}python dpo.py --config config.yaml --seed 2\n");
    assert_eq!(found(SCRIPT, &lines, "loss_type: sigmoidd\n"), ["error invalid-choice at loss_type: sigmoidd"]);
}

#[test]
fn the_value_is_mended_where_it_is_set() {
    let fixed = |run: &str, config: &str| {
        let files = [("dpo.py", SCRIPT), ("run.sh", run), ("config.yaml", config), ("requirements.txt", PINS)];
        let (sources, found) = lint(&files);
        let fix = found[0].fixes.first()?.clone();
        let source = sources.get(fix.edits[0].span.file);
        Some((edit::apply(source.text(), &fix.edits).expect("edits that fit"), fix.applicability))
    };
    let safe = |text: &str| Some((text.to_owned(), Applicability::Safe));
    let unsafe_one = |text: &str| Some((text.to_owned(), Applicability::Unsafe));
    assert_eq!(fixed(RUN, "loss_type: aot_pair # old\n"), safe("loss_type: aot_unpaired # old\n"));
    assert_eq!(fixed(RUN, "loss_type: sigmoidd\n"), unsafe_one("loss_type: sigmoid\n"));
    assert_eq!(fixed(RUN, "loss_type: [sigmoidd, sft]\n"), None);
    let line = "python dpo.py --loss_type sigmoidd --beta 0.1\n";
    assert_eq!(fixed(line, ""), unsafe_one("python dpo.py --loss_type sigmoid --beta 0.1\n"));
    assert_eq!(fixed("python dpo.py --loss_type sigmoidd sft\n", ""), None);
}

#[test]
fn a_word_that_reaches_a_call_through_a_flag_is_the_same_mistake() {
    let script = "\
from dataclasses import dataclass

from transformers import HfArgumentParser
from trl import DPOConfig, DPOTrainer


@dataclass
class Arguments:
    loss: str = 'sigmoid'


args = HfArgumentParser(Arguments).parse_args_into_dataclasses()[0]
config = DPOConfig(output_dir='o', loss_type=args.loss)
";
    let given = |script: &str, run: &str| found(script, run, "");
    let wanted = ["error invalid-choice at loss_type=args.loss"];
    assert_eq!(given(script, "python dpo.py --loss sigmoidd\n"), wanted);
    let lower = script.replace("config = ", "args.loss = args.loss.lower()\nconfig = ");
    let other = script.replace("config = ", "if args.loss == 'sigmoid':\n  config = ");
    for (script, run) in [
        (script, "python dpo.py --loss hinge\n"),
        (script, "python dpo.py\n"),
        (&lower, "python dpo.py --loss Sigmoid\n"),
        (&other, "python dpo.py --loss own\n"),
    ] {
        assert_eq!(given(script, run), Vec::<String>::new(), "{script} {run}");
    }
}
