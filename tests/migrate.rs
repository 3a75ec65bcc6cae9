//! `dpo-lint migrate` on small projects: forwards and backwards, once and again.

use std::collections::BTreeMap;

mod project;

use project::{Project, Ran};

impl Project {
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).expect("a file")
    }

    fn texts(&self, names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), self.read(name))).collect()
    }
}

/// Migrates, and again: the second time nothing is left to change. Returns what the first run says.
fn migrated(files: &[(&str, &str)], to: &[&str], expected: &[(&str, &str)]) -> Ran {
    let project = Project::new(files);
    let mut arguments = vec!["migrate", "--write"];
    arguments.extend(to.iter().flat_map(|target| ["--to", target]));
    let ran = project.run(&arguments);
    for (name, text) in expected {
        assert_eq!(project.read(name), *text, "{name}\n{}{}", ran.out, ran.err);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let before = project.texts(&names);
    let again = project.run(&arguments);
    assert!(again.out.starts_with("Made 0 changes in 0 files."), "{}", again.out);
    assert_eq!(project.texts(&names), before);
    ran
}

#[test]
fn a_script_of_the_first_days_gets_to_the_newest_release() {
    let script = "\
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments
from trl import DPOTrainer

model = AutoModelForCausalLM.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
tokenizer = AutoTokenizer.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
# what all runs share
args = TrainingArguments(
    output_dir=\"out\",
    warmup_ratio=0.1,  # of all steps
    evaluation_strategy=\"no\",
    no_cuda=True,
    overwrite_output_dir=True,
)
trainer = DPOTrainer(
    model,
    None,
    0.2,  # beta
    args=args,
    train_dataset=load_dataset(\"json\", data_files=\"train.jsonl\", split=\"train\"),
    tokenizer=tokenizer,
    max_length=512,
    max_prompt_length=256,
)
";
    let expected = "\
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

model = AutoModelForCausalLM.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
tokenizer = AutoTokenizer.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
# what all runs share
args = DPOConfig(
    output_dir=\"out\",
    warmup_steps=0.1,  # of all steps
    eval_strategy=\"no\",
    use_cpu=True,
    beta=0.2,
    max_length=512,
)
trainer = DPOTrainer(
    model,
    None,
    # beta
    args=args,
    train_dataset=load_dataset(\"json\", data_files=\"train.jsonl\", split=\"train\"),
    processing_class=tokenizer,
)
";
    let ran = migrated(
        &[("train.py", script), ("requirements.txt", "trl==0.7.4  # old\ntransformers>=4.31,<4.38\n")],
        &["trl==1.16", "transformers==5.20"],
        &[("train.py", expected), ("requirements.txt", "trl==1.16.0  # old\ntransformers>=4.31,<5.21\n")],
    );
    assert_eq!(ran.code, 0, "{}", ran.out);
    let wanted = "train.py:8: `DPOConfig` now has `learning_rate=1e-6`; `learning_rate=5e-5` keeps what it was";
    assert!(ran.out.contains(wanted), "{}", ran.out);
    assert!(ran.out.contains("the release has nothing like it:\n  train.py: `max_prompt_length`\n"), "{}", ran.out);
    assert!(!ran.out.contains("`beta="), "it is set: {}", ran.out);
}

#[test]
fn names_values_and_losses_are_said_as_the_release_says_them() {
    for (release, to, before, after) in [
        (
            "trl==0.18.2",
            "trl==1.16",
            "from trl import ORPOConfig, ORPOTrainer, ModelConfig as M  # all\n",
            "from trl import ModelConfig as M  # all\nfrom trl.experimental.orpo import ORPOConfig, ORPOTrainer\n",
        ),
        (
            "trl==1.16.0",
            "trl==0.18.2",
            "from trl.experimental.orpo import ORPOConfig, ORPOTrainer\n",
            "from trl import ORPOConfig, ORPOTrainer\n",
        ),
        (
            "trl==0.18.2",
            "trl==1.16",
            "from trl import DPOConfig\nargs = DPOConfig(loss_type=\"aot_pair\")\n",
            "from trl import DPOConfig\nargs = DPOConfig(loss_type=\"aot_unpaired\")\n",
        ),
        (
            "trl==1.16.0",
            "trl==0.18.2",
            "from trl import DPOConfig\nargs = DPOConfig(loss_type=\"aot_unpaired\")\n",
            "from trl import DPOConfig\nargs = DPOConfig(loss_type=\"aot_pair\")\n",
        ),
        (
            "trl==0.18.2",
            "trl==1.16",
            "from trl import DPOConfig\nargs = DPOConfig(\"out\", rpo_alpha=0.5)\n",
            "from trl import DPOConfig\nargs = DPOConfig(\"out\", loss_type=[\"sigmoid\", \"sft\"], loss_weights=[1.0, 0.5])\n",
        ),
        (
            "trl==0.18.2",
            "trl==1.16",
            "from trl import DPOConfig\nargs = DPOConfig(rpo_alpha=w, loss_type='ipo')\n",
            "from trl import DPOConfig\nargs = DPOConfig(loss_weights=[1.0, w], loss_type=['ipo', \"sft\"])\n",
        ),
        (
            "trl==0.15.2",
            "trl==1.16",
            "from trl import SFTConfig\nargs = SFTConfig(max_seq_length=9)\n",
            "from trl import SFTConfig\nargs = SFTConfig(max_length=9)\n",
        ),
        (
            "trl==1.16.0",
            "trl==0.15.2",
            "from trl import SFTConfig\nargs = SFTConfig(max_length=9)\n",
            "from trl import SFTConfig\nargs = SFTConfig(max_seq_length=9)\n",
        ),
        (
            "trl==0.15.2",
            "trl==0.11.4",
            "from trl import DPOTrainer\nt = DPOTrainer(m, processing_class=t)\n",
            "from trl import DPOTrainer\nt = DPOTrainer(m, tokenizer=t)\n",
        ),
    ] {
        let version = to.split("==").nth(1).expect("a version");
        let pinned = format!("trl=={version}{}\n", if version == "1.16" { ".0" } else { "" });
        let files = [("train.py", before), ("requirements.txt", &format!("{release}\n"))];
        migrated(&files, &[to], &[("train.py", after), ("requirements.txt", &pinned)]);
    }
}

#[test]
fn guards_of_a_human_are_left_alone() {
    let script = "\
import trl
from packaging import version
from trl import DPOConfig, DPOTrainer

if version.parse(trl.__version__) >= version.parse(\"0.16\"):
    trainer = DPOTrainer(m, args=DPOConfig(\"out\"), train_dataset=d, processing_class=t)
else:
    trainer = DPOTrainer(m, args=DPOConfig(\"out\"), train_dataset=d, tokenizer=t)
try:
    trainer = DPOTrainer(m, train_dataset=d, tokenizer=t)
except TypeError:
    trainer = DPOTrainer(m, train_dataset=d, processing_class=t)
try:
    from trl import ORPOTrainer
except ImportError:
    from trl.experimental.orpo import ORPOTrainer
";
    for to in ["trl==1.16", "trl==0.11.4"] {
        let project = Project::new(&[("train.py", script), ("requirements.txt", "trl\n")]);
        let ran = project.run(&["migrate", "--to", to, "--write"]);
        assert_eq!((ran.code, project.read("train.py").as_str()), (0, script), "{}", ran.out);
    }
    // A check says nothing of them either.
    let project = Project::new(&[("train.py", script), ("requirements.txt", "trl==0.11.4\n")]);
    assert_eq!(project.run(&["check"]).out, "All checks passed!\n");
}

#[test]
fn a_configuration_may_be_built_anywhere() {
    let config = "from transformers import TrainingArguments\n\n\ndef make():\n    return TrainingArguments(output_dir=\"out\")\n";
    let script = "from trl import DPOTrainer\nfrom config import make\n\ntrainer = DPOTrainer(m, args=make(), tokenizer=t, beta=0.3)\n";
    migrated(
        &[("config.py", config), ("train.py", script), ("requirements.txt", "trl==0.8.6\n")],
        &["trl==1.16"],
        &[
            (
                "config.py",
                "from trl import DPOConfig\n\n\ndef make():\n    return DPOConfig(output_dir=\"out\", beta=0.3)\n",
            ),
            (
                "train.py",
                "from trl import DPOTrainer\nfrom config import make\n\ntrainer = DPOTrainer(m, args=make(), processing_class=t)\n",
            ),
        ],
    );
    let script = "\
from transformers import HfArgumentParser, TrainingArguments
from trl import DPOTrainer

parser = HfArgumentParser((TrainingArguments,))
(training_args,) = parser.parse_args_into_dataclasses()
trainer = DPOTrainer(m, args=training_args, tokenizer=t, beta=0.3)
";
    let expected = "\
from transformers import HfArgumentParser
from trl import DPOConfig, DPOTrainer

parser = HfArgumentParser((DPOConfig,))
(training_args,) = parser.parse_args_into_dataclasses()
training_args.beta = 0.3
trainer = DPOTrainer(m, args=training_args, processing_class=t)
";
    let files = [("train.py", script), ("requirements.txt", "trl==0.8.6\n")];
    migrated(&files, &["trl==1.16"], &[("train.py", expected)]);
}

#[test]
fn settings_of_files_and_launch_lines_are_said_as_the_release_says_them() {
    let script = "\
from trl import DPOConfig, DPOTrainer, TrlParser

(args,) = TrlParser((DPOConfig,)).parse_args_and_config()
trainer = DPOTrainer(\"m\", args=args, train_dataset=data, processing_class=tokenizer)
";
    let settings = "output_dir: out\nadafactor: true  # less memory\nper_gpu_train_batch_size: 2\nrpo_alpha: 1.0\n";
    let expected = "output_dir: out\noptim: \"adafactor\"  # less memory\nper_device_train_batch_size: 2\n\
         loss_type: [sigmoid, sft]\nloss_weights: [1.0, 1.0]\n";
    let launch = "python train.py --config a.yaml\npython train.py --output_dir o --include_inputs_for_metrics --group_by_length True\n";
    let ran = migrated(
        &[
            ("train.py", script),
            ("a.yaml", settings),
            ("run.sh", launch),
            ("requirements.txt", "trl==0.19.1\ntransformers==4.53.3\n"),
        ],
        &["trl==1.16", "transformers==5.20"],
        &[
            ("a.yaml", expected),
            (
                "run.sh",
                "python train.py --config a.yaml\npython train.py --output_dir o --include_for_metrics inputs \
                 --train_sampling_strategy group_by_length\n",
            ),
        ],
    );
    assert!(!ran.out.contains("rpo_alpha"), "nothing is left of it: {}", ran.out);
}

#[test]
fn a_configuration_goes_back_to_where_there_was_none() {
    let script = "\
from transformers import AutoTokenizer
from trl import DPOConfig, DPOTrainer

tokenizer = AutoTokenizer.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
args = DPOConfig(
    output_dir=\"out\",
    eval_strategy=\"no\",  # later
    beta=0.2,
    max_length=512,
)
trainer = DPOTrainer(\"m\", args=args, train_dataset=data, processing_class=tokenizer)
";
    let expected = "\
from transformers import AutoTokenizer, TrainingArguments
from trl import DPOTrainer

tokenizer = AutoTokenizer.from_pretrained(\"Qwen/Qwen2.5-0.5B\")
args = TrainingArguments(
    output_dir=\"out\",
    evaluation_strategy=\"no\",  # later
)
trainer = DPOTrainer(\"m\", args=args, train_dataset=data, tokenizer=tokenizer, beta=0.2, max_length=512)
";
    let files = [("train.py", script), ("requirements.txt", "trl==0.15.2\ntransformers==4.49.0\n")];
    let to = ["trl==0.7.11", "transformers==4.37.2"];
    migrated(&files, &to, &[("train.py", expected)]);
    // A setting that the trainer does not take would be lost, so this is left to a human.
    let script = script.replace("max_length=512", "loss_weights=[1.0]");
    let files = [("train.py", &*script), ("requirements.txt", "trl==0.20.0\ntransformers==4.53.3\n")];
    let ran = migrated(&files, &to, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("`trl` of trl 0.7.11 has no `DPOConfig`"), "{}", ran.out);
}

#[test]
fn declarations_are_rewritten_in_their_own_style() {
    let script = ("train.py", "import trl\n");
    for (name, before, after) in [
        ("requirements.txt", "trl[peft]==0.9.6\n", "trl[peft]==1.16.0\n"),
        ("requirements.txt", "trl>=0.9\n", "trl>=0.9\n"),
        (
            "pyproject.toml",
            "[project]\nname = \"x\"\ndependencies = ['trl>=0.9,<0.12']\n",
            "[project]\nname = \"x\"\ndependencies = ['trl>=0.9,<1.17']\n",
        ),
        (
            "pyproject.toml",
            "[tool.poetry.dependencies]\ntrl = \"^0.9\"\n",
            "[tool.poetry.dependencies]\ntrl = \"^1.16\"\n",
        ),
        (
            "environment.yml",
            "dependencies:\n  - trl=0.9.6\n  - pip:\n    - trl==0.9.6\n",
            "dependencies:\n  - trl=1.16.0\n  - pip:\n    - trl==1.16.0\n",
        ),
        (
            "Dockerfile",
            "FROM python:3.11\nRUN pip install trl==0.9.6 peft\n",
            "FROM python:3.11\nRUN pip install trl==1.16.0 peft\n",
        ),
        ("install.sh", "pip install \"trl<0.10\"\n", "pip install \"trl<1.17\"\n"),
    ] {
        migrated(&[script, (name, before)], &["trl==1.16"], &[(name, after)]);
    }
    let lock = "version = 1\n\n[[package]]\nname = \"trl\"\nversion = \"0.9.6\"\n";
    let ran = migrated(&[script, ("uv.lock", lock)], &["trl==1.16"], &[("uv.lock", lock)]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("`trl==0.9.6`: it is locked; lock it again"), "{}", ran.out);
}

#[test]
fn a_diff_by_default_and_a_list_of_what_is_left() {
    let script = "from trl import PPOTrainer, setup_chat_format\n";
    let project = Project::new(&[("a/train.py", script), ("a/requirements.txt", "trl==0.11.4\n")]);
    let ran = project.run(&["migrate", "--to", "trl==1.16"]);
    assert_eq!(ran.code, 1);
    let patch = "diff --git a/a/requirements.txt b/a/requirements.txt\n--- a/a/requirements.txt\n+++ b/a/requirements.txt\n\
                 @@ -1 +1 @@\n-trl==0.11.4\n+trl==1.16.0\n";
    assert_eq!(ran.out, patch);
    assert!(ran.err.starts_with("Would make 1 change in 1 file.\n\nLeft to do by hand:\n"), "{}", ran.err);
    assert!(ran.err.contains("a/train.py:1: `trl` of trl 1.16.0 has no"), "{}", ran.err);
    assert_eq!(project.read("a/train.py"), script);
    for (arguments, code) in [
        (&["migrate"][..], 2),
        (&["migrate", "--to", "trl"], 2),
        (&["migrate", "--to", "trl==99.0"], 2),
        (&["migrate", "--to", "trl==0.11.4"], 0),
        (&["migrate", "--to", "trl==1.16", "gone"], 2),
    ] {
        let ran = project.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn defaults_of_a_parsed_configuration_change_where_nothing_sets_them() {
    let script = "\
from trl import DPOConfig, DPOTrainer, TrlParser

parser = TrlParser((DPOConfig,))
(training_args,) = parser.parse_args_and_config()
trainer = DPOTrainer(model=\"me/sft\", args=training_args)
";
    let files = [
        ("train.py", script),
        ("run.sh", "python train.py --config config.yaml --learning_rate 5e-7 --bf16 False\n"),
        ("config.yaml", "per_device_train_batch_size: 2\ngradient_checkpointing: false\n"),
        ("requirements.txt", "trl==0.15.2\ntransformers==4.49.0\n"),
    ];
    let project = Project::new(&files);
    let ran = project.run(&["migrate", "--to", "trl==1.16", "--to", "transformers==5.20"]);
    let drift = ran.err.split("Defaults that change:").nth(1).expect("a list");
    assert!(drift.contains("train.py:3:"), "at the parser: {drift}");
    assert!(drift.contains("`DPOConfig` now has `logging_steps=10`; `logging_steps=500` keeps what it was"), "{drift}");
    for set in ["learning_rate", "bf16", "gradient_checkpointing"] {
        assert!(!drift.contains(&format!("`{set}=")), "{set} is set by the file or the launch line: {drift}");
    }
}

#[test]
fn another_reference_and_a_name_that_is_not_looked_for_are_left_to_do() {
    let script = |model: &str| {
        format!(
            "from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model\nfrom trl import DPOConfig, DPOTrainer\n\n\
             model = {model}\ntrainer = DPOTrainer(model=model, args=DPOConfig(output_dir=\"out\"))\n"
        )
    };
    let loaded = script("AutoPeftModelForCausalLM.from_pretrained(\"me/sft\", is_trainable=True)");
    let named = script("get_peft_model(load(), LoraConfig(), adapter_name=\"policy\")");
    let plain = script("get_peft_model(load(), LoraConfig())");
    for (text, expected) in [
        (&loaded, Some("train.py:5: the reference of this `PeftModel` is another one in trl 1.16.0")),
        (&named, Some("train.py:5: `DPOTrainer` of trl 1.16.0 copies the adapter `default`")),
        (&plain, None),
    ] {
        let project = Project::new(&[("train.py", text), ("requirements.txt", "trl==0.15.2\n")]);
        let ran = project.run(&["migrate", "--to", "trl==1.16"]);
        let left = ran.err.split("Left to do by hand:").nth(1).unwrap_or_default();
        match expected {
            Some(expected) => assert!(left.contains(expected), "{}", ran.err),
            None => assert!(!left.contains("PeftModel") && !left.contains("adapter"), "{}", ran.err),
        }
    }
    let project = Project::new(&[("train.py", &loaded), ("requirements.txt", "trl==0.15.2\n")]);
    let ran = project.run(&["migrate", "--to", "trl==0.24"]);
    assert!(!ran.err.contains("another one"), "both sides of the change are the same: {}", ran.err);
}
