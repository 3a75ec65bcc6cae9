//! Arguments and settings that releases do not take: who says so, and who stays silent.

use super::testing::lint;
use crate::diagnostic::Applicability;
use crate::syntax::edit;

/// Rule and place of what is found, the text at the place shortened to its first word.
fn found(files: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let (sources, found) = lint(files);
    let place = |finding: &crate::diagnostic::Diagnostic| {
        let text = sources.get(finding.primary.span.file).slice(finding.primary.span).to_owned();
        text.split(['=', ' ', ':']).next().unwrap_or_default().to_owned()
    };
    found.iter().map(|finding| (finding.rule, place(finding))).collect()
}

const SCRIPT: &str = "\
from transformers import HfArgumentParser, TrainingArguments

parser = HfArgumentParser(TrainingArguments)
args = parser.PARSE
";

#[test]
fn a_flag_that_the_class_lost_stops_a_strict_parser() {
    let run = "python train.py --output_dir out --overwrite_output_dir --no_cuda True\n";
    let strict = "parse_args_into_dataclasses()";
    for (parse, requirement, expected) in [
        (
            strict,
            "transformers==5.20.0\n",
            vec![("removed-argument", "--overwrite_output_dir"), ("renamed-argument", "--no_cuda")],
        ),
        (strict, "transformers==4.46.3\n", vec![]),
        ("parse_args_into_dataclasses(return_remaining_strings=True)", "transformers==5.20.0\n", vec![]),
        // Nothing says whether it does.
        ("parse_args_into_dataclasses(return_remaining_strings=x)", "transformers==5.20.0\n", vec![]),
    ] {
        let script = SCRIPT.replace("PARSE", parse);
        let found = found(&[("requirements.txt", requirement), ("train.py", &script), ("run.sh", run)]);
        let found: Vec<(&str, &str)> = found.iter().map(|(rule, place)| (*rule, place.as_str())).collect();
        assert_eq!(found, expected, "{parse} {requirement}");
    }
}

#[test]
fn a_flag_goes_with_its_line() {
    let run = "python train.py \\\n  --output_dir out \\\n  --overwrite_output_dir \\\n  --seed 1\n";
    let script = SCRIPT.replace("PARSE", "parse_args_into_dataclasses()");
    let files = [("requirements.txt", "transformers==5.20.0\n"), ("train.py", &*script), ("run.sh", run)];
    let (_, found) = lint(&files);
    let fix = &found[0].fixes[0];
    assert_eq!(fix.applicability, Applicability::Unsafe);
    let fixed = edit::apply(run, &fix.edits).expect("edits that fit");
    assert_eq!(fixed, "python train.py \\\n  --output_dir out \\\n  --seed 1\n");
}

#[test]
fn the_parser_of_trl_refuses_unknown_keys_in_some_releases() {
    let script = "\
from trl import DPOConfig, TrlParser

args, = TrlParser(DPOConfig).parse_args_and_config()
";
    let config = "output_dir: out\nmax_prompt_length: 512\n";
    let run = "python dpo.py --config dpo.yaml\n";
    for (requirement, expected) in [("trl==1.16.0\n", 1), ("trl==0.28.0\n", 0)] {
        let files = [("requirements.txt", requirement), ("dpo.py", script), ("dpo.yaml", config), ("run.sh", run)];
        let wanted = vec![("removed-argument", "max_prompt_length".to_owned()); expected];
        assert_eq!(found(&files), wanted, "{requirement}");
    }
    // Not yet there, and passed over.
    let config = "output_dir: out\nloss_weights: [1.0]\n";
    for (requirement, expected) in [("trl==0.19.1\n", 1), ("trl==0.17.0\n", 0)] {
        let files = [("requirements.txt", requirement), ("dpo.py", script), ("dpo.yaml", config), ("run.sh", run)];
        let wanted = vec![("unknown-argument", "loss_weights".to_owned()); expected];
        assert_eq!(found(&files), wanted, "{requirement}");
    }
}

#[test]
fn a_key_that_another_class_of_the_parser_takes_is_known() {
    let script = "\
from trl import DPOConfig, ModelConfig, TrlParser

model, args = TrlParser((ModelConfig, DPOConfig)).parse_args_and_config()
";
    // It moved from the one class to the other.
    let config = "output_dir: out\nbeta: 0.1\ntrust_remote_code: true\ntorch_dtype: bfloat16\n";
    let run = "python dpo.py --config dpo.yaml\n";
    let files = [("requirements.txt", "trl==1.16.0\n"), ("dpo.py", script), ("dpo.yaml", config), ("run.sh", run)];
    let places: Vec<String> = found(&files).into_iter().map(|(_, place)| place).collect();
    assert_eq!(places, ["torch_dtype"]);
}

#[test]
fn fields_of_a_dataclass_of_the_project_are_its_own() {
    let script = "\
from dataclasses import dataclass
from trl import DPOConfig

@dataclass
class Mine(DPOConfig):
    extra: int = 1

args = Mine(output_dir='out', extra=2, missing=3)
";
    let found = found(&[("requirements.txt", "trl==1.16.0\ntransformers==5.20.0\n"), ("train.py", script)]);
    assert_eq!(found, [("unknown-argument", "missing".to_owned())]);
}

#[test]
fn a_base_that_is_not_known_may_have_the_constructor() {
    let script = "\
from elsewhere import Mixin
from peft.tuners.lora.layer import Linear

class Layer(Mixin, Linear):
    def __init__(self, key):
        super().__init__(key, nonsense=1)
";
    assert_eq!(found(&[("requirements.txt", "peft==0.18.0\n"), ("layer.py", script)]), []);
}

#[test]
fn a_run_that_nothing_starts_is_not_judged_by_its_defaults() {
    let script = "\
from transformers import HfArgumentParser
from dataclasses import dataclass
from trl import GRPOConfig

@dataclass
class Arguments:
    count: int = 1

args, = HfArgumentParser(Arguments).parse_args_into_dataclasses()
config = GRPOConfig(output_dir='out', num_generations=args.count)
";
    let requirements = ("requirements.txt", "trl==1.16.0\ntransformers==5.20.0\n");
    assert_eq!(found(&[requirements, ("train.py", script)]), []);
    let started = found(&[requirements, ("train.py", script), ("run.sh", "python train.py\n")]);
    assert_eq!(started.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["constructor-raises"]);
}

#[test]
fn moved_arguments_follow_the_configuration() {
    let script = |config: &str, beta: &str| {
        format!(
            "from trl import DPOConfig, DPOTrainer\n\nbeta = 0.2\nargs = {config}\ntrainer = DPOTrainer(\n    model,\n    \
             args=args,\n    train_dataset=load(),\n    beta={beta},\n    max_length=512,\n)\nlate = 0.1\n"
        )
    };
    let fixes = |script: &str| {
        let (_, found) = lint(&[("requirements.txt", "trl==0.27.2\n"), ("train.py", script)]);
        let fixes = found.iter().flat_map(|finding| finding.fixes.clone());
        fixes
            .map(|fix| (fix.applicability, edit::apply(script, &fix.edits).expect("edits that fit")))
            .collect::<Vec<_>>()
    };
    let moved = |config: &str| {
        format!(
            "from trl import DPOConfig, DPOTrainer\n\nbeta = 0.2\nargs = {config}\ntrainer = DPOTrainer(\n    model,\n    \
             args=args,\n    train_dataset=load(),\n)\nlate = 0.1\n"
        )
    };
    let plain = "DPOConfig(output_dir=\"out\")";
    let into = |beta: &str| moved(&format!("DPOConfig(output_dir=\"out\", beta={beta}, max_length=512)"));
    assert_eq!(fixes(&script(plain, "0.1")), [(Applicability::Safe, into("0.1"))]);
    assert_eq!(fixes(&script(plain, "beta")), [(Applicability::Unsafe, into("beta"))]);
    let stored = |config: &str, beta: &str| moved(&format!("{config}\nargs.beta = {beta}\nargs.max_length = 512"));
    // It is bound below: the value is taken where it was taken before.
    assert_eq!(fixes(&script(plain, "late")), [(Applicability::Unsafe, stored(plain, "late"))]);
    let set = "DPOConfig(output_dir=\"out\", beta=0.3)";
    assert_eq!(fixes(&script(set, "0.1")), [(Applicability::Unsafe, stored(set, "0.1"))], "it is set already");
    assert_eq!(fixes(&script("make()", "0.1")), [], "nobody knows where it is built");
}

#[test]
fn what_a_base_class_takes_depends_on_the_release_of_its_package() {
    let script = "from trl import DPOConfig\nargs = DPOConfig(output_dir='out', overwrite_output_dir=True)\n";
    for (requirements, expected) in [
        ("trl==0.29.0\ntransformers==5.3.0\n", 1),
        ("trl==0.29.0\ntransformers==4.57.1\n", 0),
        // The release of transformers cannot be told.
        ("trl==0.29.0\ntransformers @ git+https://github.com/huggingface/transformers\n", 0),
    ] {
        let found = found(&[("requirements.txt", requirements), ("train.py", script)]);
        assert_eq!(found, vec![("removed-argument", "overwrite_output_dir".to_owned()); expected], "{requirements}");
    }
}

#[test]
fn settings_of_an_adapter_come_with_releases_of_peft() {
    for (requirements, arguments, expected) in [
        ("peft==0.12.0", "r=8, eva_config=None", vec!["DPL101"]),
        ("peft==0.12.0", "r=8, use_dora=True", vec![]),
        ("peft==0.9.0", "r=8, layer_replication=None", vec!["DPL101"]),
        ("peft==0.12.0", "r=8, lora_aplha=16", vec!["DPL101"]),
        ("peft==0.12.0", "**settings", vec![]),
    ] {
        let script = format!("from peft import LoraConfig\nLoraConfig({arguments})\n");
        let (_, found) = lint(&[("requirements.txt", requirements), ("train.py", &script)]);
        assert_eq!(
            found.iter().map(|finding| finding.code).collect::<Vec<_>>(),
            expected,
            "{requirements} {arguments}"
        );
    }
}

#[test]
fn what_a_configuration_fills_when_it_is_made_is_not_none() {
    let script = "\
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

args = TrainingArguments(output_dir='out', eval_strategy='steps', load_best_model_at_end=True)
Trainer(model=AutoModelForCausalLM.from_pretrained('gpt2'), args=args, train_dataset=load(), eval_dataset=load())
";
    assert_eq!(found(&[("requirements.txt", "transformers==5.3.0\n"), ("train.py", script)]), []);
}

#[test]
fn what_an_argument_that_does_not_fit_would_have_set_is_not_missed() {
    let script = "\
from transformers import TrainingArguments

TrainingArguments(output_dir='out', evaluation_strategy='steps', load_best_model_at_end=True)
";
    let found = found(&[("requirements.txt", "transformers==5.3.0\n"), ("train.py", script)]);
    assert!(found.iter().all(|(rule, _)| rule.ends_with("-argument")), "{found:?}");
}

#[test]
fn no_fix_gives_a_name_that_the_release_in_effect_refuses() {
    let script = "from transformers import Trainer\nTrainer(model=load(), processing_class=load())\n";
    // Of the range the floor is the mistake.
    for (requirement, expected) in
        [("transformers>=4.44.2\n", "lower-bound-too-low"), ("transformers==4.44.2\n", "renamed-argument")]
    {
        let (_, found) = lint(&[("requirements.txt", requirement), ("train.py", script)]);
        let found: Vec<_> = found.iter().map(|finding| (finding.rule, finding.fixes.len())).collect();
        assert_eq!(found, [(expected, 1)], "{requirement}");
    }
}

#[test]
fn positions_of_a_dataclass_are_its_own_fields() {
    let script = |decorator: &str| {
        format!(
            "from dataclasses import dataclass\nfrom transformers.data.data_collator import DataCollatorMixin\n{decorator}class Mine(DataCollatorMixin):\n  \
             pad: int\n  many: int = 1\nMine(0, 2)\n"
        )
    };
    let check = |decorator| found(&[("requirements.txt", "transformers==5.20.0\n"), ("train.py", &script(decorator))]);
    assert_eq!(check("@dataclass\n"), []);
}
