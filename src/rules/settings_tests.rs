//! Fixes stand where the deciding value is written: in the argument file, on the launch line, else in the script.

use super::testing::lint;
use crate::diagnostic::{Applicability, Fix, Severity};
use crate::syntax::edit;

const SCRIPT: &str = "\
from dataclasses import dataclass
from typing import Optional

from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, ModelConfig, TrlParser, get_peft_config


@dataclass
class Arguments:
    ref_model: Optional[str] = None


args, training_args, model_args = TrlParser((Arguments, DPOConfig, ModelConfig)).parse_args_and_config()
model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
ref_model = AutoModelForCausalLM.from_pretrained(args.ref_model) if args.ref_model else None
trainer = DPOTrainer(
    model=model, ref_model=ref_model, args=training_args, peft_config=get_peft_config(model_args)
)
";

const RUN: &str = "accelerate launch dpo.py --config config.yaml\n";

type Files<'a> = &'a [(&'a str, &'a str)];

/// The fixes of the only finding of a rule, with what each makes of the files.
fn fixed(rule: &str, files: Files<'_>) -> Vec<(Fix, Vec<String>)> {
    let (sources, found) = lint(files);
    let found: Vec<_> = found.into_iter().filter(|finding| finding.rule == rule).collect();
    assert_eq!(found.len(), 1, "{rule}: {found:?}");
    let apply = |fix: &Fix| -> Vec<String> {
        let of = |path: &str, text: &str| {
            let file = sources.find(std::path::Path::new(path)).map(|source| source.id());
            let edits: Vec<_> = fix.edits.iter().filter(|edit| Some(edit.span.file) == file).cloned().collect();
            edit::apply(text, &edits).expect("edits that fit")
        };
        files.iter().map(|(path, text)| of(path, text)).collect()
    };
    found[0].fixes.iter().map(|fix| (fix.clone(), apply(fix))).collect()
}

/// The best fix changes one file to this, and no other file.
#[track_caller]
fn check(rule: &str, files: Files<'_>, changed: &str, after: &str, applicability: Applicability) {
    let ways = fixed(rule, files);
    let (fix, texts) = ways.first().expect("a fix");
    assert_eq!(fix.applicability, applicability, "{}", fix.title);
    for ((path, before), text) in files.iter().zip(texts) {
        assert_eq!(text, if *path == changed { after } else { before }, "{path}: {}", fix.title);
    }
}

const BOTH: &str = "ref-model-with-peft-config";

#[test]
fn a_dead_key_does_not_hide_the_other_settings() {
    let recipe = "\
# reads as a recipe of `dpo.py`
model_name_or_path: tiny
use_peft: true
lora_r: 8
lora_alpha: 16
ref_model: tiny
mixer: {a: 1.0}
beta: 0.1
max_length: 512
output_dir: out
learning_rate: 1.0e-6
num_train_epochs: 1
seed: 1
";
    let files =
        [("scripts/dpo.py", SCRIPT), ("recipes/tiny/dpo/qlora.yaml", recipe), ("requirements.txt", "trl==0.19.1\n")];
    let found = lint(&files).1;
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [BOTH, "unknown-argument"], "{found:?}");
}

#[test]
fn a_reference_in_an_argument_file_goes_there() {
    let yaml = "model_name_or_path: me/base\r\nref_model: me/sft  # compare with\r\nuse_peft: true\r\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", yaml)];
    check(BOTH, &files, "config.yaml", &yaml.replace("me/sft", "null"), Applicability::Unsafe);
    // The same checkpoint: nothing is lost.
    let same = yaml.replace("me/sft", "me/base");
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", &same)];
    let after = "model_name_or_path: me/base\r\nref_model: null  # compare with\r\nuse_peft: true\r\n";
    check(BOTH, &files, "config.yaml", after, Applicability::Safe);
    // Releases that accept both hold it for nothing.
    let files = [("requirements.txt", "trl==1.16.0"), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", &same)];
    check("redundant-reference-model", &files, "config.yaml", after, Applicability::Safe);

    let json = "{\n  \"model_name_or_path\": \"me/base\",\n  \"ref_model\": \"me/sft\",\n  \"use_peft\": true\n}\n";
    let run = "python dpo.py config.json\n";
    let script = SCRIPT.replace("TrlParser", "HfArgumentParser").replace("parse_args_and_config", "parse_json_file");
    let script = script.replace("import AutoModelForCausalLM", "import AutoModelForCausalLM, HfArgumentParser");
    let script = script.replace("ModelConfig, HfArgumentParser, get", "ModelConfig, get");
    let script = script.replace("parse_json_file()", "parse_json_file(sys.argv[1])");
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", &*script), ("run.sh", run), ("config.json", json)];
    check(BOTH, &files, "config.json", &json.replace("\"me/sft\"", "null"), Applicability::Unsafe);

    let toml = "model_name_or_path = 'me/base'\nref_model = 'me/sft'  # compare with\nuse_peft = true\n";
    let run = "python dpo.py --config config.toml\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", run), ("config.toml", toml)];
    let after = "model_name_or_path = 'me/base'\n# compare with\nuse_peft = true\n";
    check(BOTH, &files, "config.toml", after, Applicability::Unsafe);
}

#[test]
fn a_reference_on_a_launch_line_goes_with_its_continuation() {
    let before = "python dpo.py \\\n    --model_name_or_path me/base \\\n    --ref_model me/sft \\\n    --use_peft\n";
    let after = "python dpo.py \\\n    --model_name_or_path me/base \\\n    --use_peft\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", before)];
    check(BOTH, &files, "run.sh", after, Applicability::Unsafe);
    // What the line hides comes to light: the file has it, too, so the line alone does not do.
    let yaml = "ref_model: me/other\nuse_peft: true\n";
    let run = "python dpo.py --config config.yaml --ref_model me/sft\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", run), ("config.yaml", yaml)];
    let (fix, _) = &fixed(BOTH, &files)[0];
    assert_eq!(fix.title, "pass the reference only when there is no adapter");
}

#[test]
fn every_run_that_fails_is_mended_and_no_other_is_touched() {
    let peft = "ref_model: me/sft\nuse_peft: true\n";
    let run = "python dpo.py --config a.yaml\npython dpo.py --config b.yaml\n";
    let files = [
        ("requirements.txt", "trl==0.24.0"),
        ("dpo.py", SCRIPT),
        ("run.sh", run),
        ("a.yaml", peft),
        ("b.yaml", "ref_model: me/sft\nuse_peft: true\nbeta: 0.2\n"),
    ];
    let (fix, texts) = &fixed(BOTH, &files)[0];
    assert_eq!(fix.title, "set `ref_model` to `null`");
    assert_eq!(texts[3..], ["ref_model: null\nuse_peft: true\n", "ref_model: null\nuse_peft: true\nbeta: 0.2\n"]);
    // One file for a run with an adapter and a run without: the script has to tell them apart.
    let run = "python dpo.py --config a.yaml --use_peft\npython dpo.py --config a.yaml\n";
    let files =
        [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", run), ("a.yaml", "ref_model: me/sft\n")];
    let (fix, _) = &fixed(BOTH, &files)[0];
    assert_eq!(fix.title, "pass the reference only when there is no adapter");
    // So has one array for two lines.
    let run = "ARGS=(--ref_model me/sft)\npython dpo.py \"${ARGS[@]}\" --use_peft\npython dpo.py \"${ARGS[@]}\"\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), ("run.sh", run)];
    let (fix, _) = &fixed(BOTH, &files)[0];
    assert_eq!(fix.title, "pass the reference only when there is no adapter");
}

#[test]
fn a_reference_that_the_script_makes_goes_in_the_script() {
    let script =
        SCRIPT.replace("from_pretrained(args.ref_model) if args.ref_model else None", "from_pretrained('me/sft')");
    let yaml = "model_name_or_path: me/base\nuse_peft: true\n";
    let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", &*script), ("run.sh", RUN), ("config.yaml", yaml)];
    let after =
        script.replace("ref_model=ref_model", "ref_model=ref_model if get_peft_config(model_args) is None else None");
    check(BOTH, &files, "dpo.py", &after, Applicability::Unsafe);
}

#[test]
fn an_alternative_keeps_the_reference_where_the_release_has_an_option_for_that() {
    let script = |config: &str, arguments: &str| {
        format!(
            "from peft import LoraConfig
from transformers import AutoModelForCausalLM, TrainingArguments
from trl import {}DPOTrainer

model = AutoModelForCausalLM.from_pretrained('me/base')
ref_model = AutoModelForCausalLM.from_pretrained('me/sft')
args = {config}(output_dir='out')
trainer = DPOTrainer(model, ref_model, args=args, peft_config=LoraConfig(){arguments})
",
            if config == "DPOConfig" { "DPOConfig, " } else { "" }
        )
    };
    for (requirement, config, expected) in [
        ("trl==0.8.6", "TrainingArguments", Some("DPOTrainer")),
        ("trl==0.9.6", "DPOConfig", Some("DPOConfig")),
        ("trl==0.24.0", "DPOConfig", Some("DPOConfig")),
        ("trl==0.7.11", "TrainingArguments", None),
    ] {
        let before = script(config, "");
        let ways = fixed(BOTH, &[("requirements.txt", requirement), ("train.py", &before)]);
        assert_eq!((ways[0].0.applicability, &*ways[0].0.title), (Applicability::Unsafe, "pass `ref_model=None`"));
        let Some(owner) = expected else {
            assert_eq!(ways.len(), 1, "{requirement}");
            continue;
        };
        let (fix, texts) = &ways[1];
        assert_eq!(fix.applicability, Applicability::Display);
        assert_eq!(fix.title, format!("keep the reference: pass `force_use_ref_model=True` to `{owner}`"));
        let after = if owner == "DPOTrainer" {
            script(config, ", force_use_ref_model=True")
        } else {
            before.replace("output_dir='out'", "output_dir='out', force_use_ref_model=True")
        };
        assert_eq!(texts[1], after, "{requirement}");
        // What the alternative makes is not found any more.
        let (_, found) = lint(&[("requirements.txt", requirement), ("train.py", &after)]);
        assert!(!found.iter().any(|finding| finding.rule == BOTH), "{requirement}: {found:?}");
    }
}

#[test]
fn an_option_that_is_gone_goes_where_it_is_set() {
    let rule = "force-use-ref-model";
    let yaml = "ref_model: me/sft\nforce_use_ref_model: true  # needed once\nuse_peft: true\n";
    let files = [("requirements.txt", "trl==1.16.0"), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", yaml)];
    let after = "ref_model: me/sft\n# needed once\nuse_peft: true\n";
    check(rule, &files, "config.yaml", after, Applicability::Safe);
    let run = "python dpo.py \\\n  --use_peft \\\n  --force_use_ref_model True\n";
    let files = [("requirements.txt", "trl==1.16.0"), ("dpo.py", SCRIPT), ("run.sh", run)];
    check(rule, &files, "run.sh", "python dpo.py \\\n  --use_peft\n", Applicability::Safe);
    for (requirement, yaml) in [("trl==0.24.0", yaml), ("trl==1.16.0", "ref_model: me/sft\nuse_peft: true\n")] {
        let files = [("requirements.txt", requirement), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", yaml)];
        assert!(!lint(&files).1.iter().any(|finding| finding.rule == rule), "{requirement}");
    }
}

#[test]
fn a_no_that_one_release_refuses_goes() {
    let script = "\
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer

model = AutoModelForCausalLM.from_pretrained('me/base')
ref_model = AutoModelForCausalLM.from_pretrained('me/sft')
args = DPOConfig(output_dir='out', force_use_ref_model=False)
trainer = DPOTrainer(model, ref_model, args=args, peft_config=LoraConfig())
";
    let rule = "force-use-ref-model";
    let files = [("requirements.txt", "trl==0.28.0"), ("train.py", script)];
    check(rule, &files, "train.py", &script.replace(", force_use_ref_model=False", ""), Applicability::Safe);
    assert!(!lint(&files).1.iter().any(|finding| finding.rule == BOTH), "one mistake, one finding");
    let files = [("requirements.txt", "trl==0.27.2"), ("train.py", script)];
    assert!(!lint(&files).1.iter().any(|finding| finding.rule == rule), "there it says what is so anyway");
}

#[test]
fn a_synchronisation_that_cannot_work_is_switched_off_where_it_is_on() {
    let rule = "sync-ref-model-with-peft";
    let yaml = "use_peft: true\nsync_ref_model: true  # TR-DPO\n";
    let files = [("requirements.txt", "trl==1.16.0"), ("dpo.py", SCRIPT), ("run.sh", RUN), ("config.yaml", yaml)];
    let after = "use_peft: true\nsync_ref_model: false  # TR-DPO\n";
    check(rule, &files, "config.yaml", after, Applicability::Unsafe);
    let run = "python dpo.py --use_peft --sync_ref_model --beta 0.1\n";
    let files = [("requirements.txt", "trl==1.16.0"), ("dpo.py", SCRIPT), ("run.sh", run)];
    check(rule, &files, "run.sh", "python dpo.py --use_peft --beta 0.1\n", Applicability::Unsafe);
}

#[test]
fn the_option_is_one_finding_and_what_else_does_not_fit_another() {
    let script = |arguments: &str| {
        format!(
            "from trl import DPOConfig, DPOTrainer\n\ntrainer = DPOTrainer('me/base', args=DPOConfig(output_dir='out'), train_dataset=load(), {arguments})\n"
        )
    };
    let rules = |requirement: &str, script: &str| -> Vec<(&'static str, Option<Applicability>)> {
        let (_, found) = lint(&[("requirements.txt", requirement), ("train.py", script)]);
        // Older releases need a tokenizer, too.
        let found = found.iter().filter(|finding| finding.rule != "constructor-raises");
        found.map(|finding| (finding.rule, finding.fixes.first().map(|fix| fix.applicability))).collect()
    };
    let option = script("force_use_ref_model=True");
    assert_eq!(rules("trl==1.16.0", &option), [("force-use-ref-model", Some(Applicability::Safe))]);
    // It may be meant for a release that has it.
    assert_eq!(rules("peft", &option), [("force-use-ref-model", Some(Applicability::Unsafe))]);
    assert_eq!(rules("trl>=0.9", &option), [("force-use-ref-model", Some(Applicability::Unsafe))]);
    let older = script("beta=0.1, force_use_ref_model=True");
    let safe = Some(Applicability::Safe);
    assert_eq!(rules("trl==1.16.0", &older), [("moved-argument", safe), ("force-use-ref-model", safe)]);
}

#[test]
fn a_flag_goes_in_every_way_a_command_may_be_written() {
    for (path, before, after) in [
        (
            "Dockerfile",
            "FROM python\nCMD [\"python\", \"dpo.py\", \"--ref_model\", \"me/sft\", \"--use_peft\"]\n",
            "FROM python\nCMD [\"python\", \"dpo.py\", \"--use_peft\"]\n",
        ),
        (
            "Dockerfile",
            "FROM python\nENTRYPOINT [\"python\", \"dpo.py\", \"--use_peft\", \"--ref_model=me/sft\" ]\n",
            "FROM python\nENTRYPOINT [\"python\", \"dpo.py\", \"--use_peft\" ]\n",
        ),
        (
            "Dockerfile",
            "FROM python\nRUN python dpo.py --ref_model me/sft \\\n  --use_peft\n",
            "FROM python\nRUN python dpo.py \\\n  --use_peft\n",
        ),
        (
            "Makefile",
            "all:\n\tpython dpo.py \\\n\t  --ref_model me/sft \\\n\t  --use_peft\n",
            "all:\n\tpython dpo.py \\\n\t  --use_peft\n",
        ),
        (
            "run.sh",
            "bash -c \"python dpo.py --ref_model me/sft --use_peft\"\n",
            "bash -c \"python dpo.py --use_peft\"\n",
        ),
        (
            "run.sh",
            "ARGS=(\n  --ref_model me/sft  # compare\n  --use_peft\n)\npython dpo.py \"${ARGS[@]}\"\n",
            "ARGS=(\n  # compare\n  --use_peft\n)\npython dpo.py \"${ARGS[@]}\"\n",
        ),
        (
            "run.sh",
            "python dpo.py --use_peft --ref_model=me/sft | tee log\r\n",
            "python dpo.py --use_peft | tee log\r\n",
        ),
    ] {
        let files = [("requirements.txt", "trl==0.24.0"), ("dpo.py", SCRIPT), (path, before)];
        check(BOTH, &files, path, after, Applicability::Unsafe);
    }
}

#[test]
fn a_word_for_no_on_a_launch_line_is_an_error_where_bool_reads_it() {
    let script = |declared: &str| {
        format!(
            "import argparse\nimport click\nfrom dataclasses import dataclass\nfrom transformers import HfArgumentParser\n\
             from trl import DPOTrainer\ndef str2bool(word):\n    return word == 'True'\n\
             parser = argparse.ArgumentParser()\n{declared}\nargs = parser.parse_args()\n\
             DPOTrainer(model='gpt2', train_dataset=args.x)\n"
        )
    };
    for (declared, run, expected) in [
        ("parser.add_argument('--x', type=bool, default=True)", "python dpo.py --x False\n", Some(Severity::Error)),
        ("parser.add_argument('--x', type=bool)", "python dpo.py \\\n  --x=0\n", Some(Severity::Error)),
        ("parser.add_argument('--x', type=bool)", "python dpo.py --x True\n", Some(Severity::Warning)),
        ("parser.add_argument('--x', type=bool)", "python other.py --x False\n", Some(Severity::Warning)),
        ("parser.add_argument('--x', type=str2bool)", "python dpo.py --x False\n", None),
        ("parser.add_argument('--x', action='store_true')", "python dpo.py --x\n", None),
        ("parser.add_argument('--x', type=eval, choices=[True, False])", "python dpo.py --x False\n", None),
        ("@dataclass\nclass A:\n    x: bool = True\nparser = HfArgumentParser(A)", "python dpo.py --x False\n", None),
        ("bool = str2bool\nparser.add_argument('--x', type=bool)", "python dpo.py --x False\n", None),
        (
            "@click.command()\n@click.option('--x', type=bool)\ndef main(x):\n    DPOTrainer(model='gpt2')",
            "python dpo.py --x False\n",
            None,
        ),
    ] {
        let files = [("dpo.py", &*script(declared)), ("run.sh", run)];
        let (_, found) = lint(&files);
        let found: Vec<_> = found.iter().filter(|one| one.code == "DPL802").map(|one| one.severity).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{declared} {run}");
    }
}

#[test]
fn the_option_that_names_the_file_is_the_parsers_own() {
    // An old release of the class had a field of this name.
    let script = SCRIPT.replace("ModelConfig, TrlParser", "ModelConfig, ScriptArguments, TrlParser");
    let script =
        script.replace("(Arguments, DPOConfig", "(ScriptArguments, DPOConfig").replace("args.ref_model", "None");
    let files = |release| {
        [("requirements.txt", release), ("dpo.py", &*script), ("run.sh", RUN), ("config.yaml", "beta: 0.2\n")]
    };
    for release in ["trl==0.12.2", "trl==1.16.0"] {
        let found = lint(&files(release)).1;
        assert!(found.iter().all(|finding| finding.rule != "removed-argument"), "{release}: {found:?}");
    }
}
