//! Where findings point: to the mistake, and to the call that fails because of it.

use super::testing::lint;

/// Of each finding of a rule the text at its places, the primary one first, each up to its first bracket or line end.
fn places(rule: &str, requirements: &str, script: &str) -> Vec<Vec<String>> {
    let (sources, found) = lint(&[("requirements.txt", requirements), ("dpo.py", script)]);
    let of = |finding: &crate::diagnostic::Diagnostic| {
        let labels = std::iter::once(&finding.primary).chain(&finding.related);
        let in_script = labels.filter(|label| sources.get(label.span.file).path().ends_with("dpo.py"));
        let text = |label: &crate::diagnostic::Label| sources.get(label.span.file).slice(label.span).to_owned();
        in_script.map(text).map(|text| text.split(['(', '\n']).next().unwrap_or_default().to_owned()).collect()
    };
    found.iter().filter(|finding| finding.rule == rule).map(of).collect()
}

#[test]
fn a_setting_that_stops_a_call_points_to_the_call() {
    let script = "\
from trl import DPOConfig, DPOTrainer

args = DPOConfig(output_dir='out', sync_ref_model=True, precompute_ref_log_probs=True)
trainer = DPOTrainer(
    model=load(),
    ref_model=load(),
    args=args,
    train_dataset=data,
)
";
    let found = places("sync-ref-model-with-peft", "trl==0.19.1\n", script);
    assert_eq!(found, [["sync_ref_model=True", "DPOTrainer"]]);
}

#[test]
fn a_value_that_fails_later_points_to_what_uses_it() {
    let script = "\
from peft import LoraConfig, get_peft_model
from trl import DPOConfig, DPOTrainer

args = DPOConfig(output_dir='out', loss_type='simpo')
adapter = LoraConfig(bias='some')
model = get_peft_model(load(), adapter)
trainer = DPOTrainer(model=model, args=args, train_dataset=data)
trainer.train()
";
    let found = places("invalid-choice", "trl==0.19.1\npeft==0.15.0\n", script);
    assert_eq!(found, [["loss_type='simpo'", "trainer.train"], ["bias='some'", "get_peft_model"]]);
}

#[test]
fn strings_for_a_torch_type_wait_for_the_release_that_reads_them() {
    for (release, word, expected) in [("4.41.2", "float32", 1), ("4.41.2", "auto", 0), ("4.42.0", "float32", 0)] {
        let script = format!(
            "from transformers import AutoModelForCausalLM\n\
             model = AutoModelForCausalLM.from_pretrained('gpt2', torch_dtype='{word}')\n"
        );
        let found = places("invalid-choice", &format!("transformers=={release}\n"), &script);
        assert_eq!(found.len(), expected, "{release} {word}");
    }
}

#[test]
fn what_only_informs_is_said_once_in_a_file() {
    let script = "\
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained('gpt2', torch_dtype=torch.float16)
other = AutoModelForCausalLM.from_pretrained('gpt2-large', torch_dtype=torch.float16)
";
    let found = places("deprecated-argument", "transformers==5.0.0\n", script);
    assert_eq!(found, [["torch_dtype=torch.float16", "torch_dtype=torch.float16"]]);
    let (_, found) = lint(&[("requirements.txt", "transformers==5.0.0\n"), ("dpo.py", script)]);
    let fixed = crate::syntax::edit::apply(script, &found[0].fixes[0].edits).expect("edits that fit");
    assert_eq!(fixed, script.replace("torch_dtype", "dtype"));
}

#[test]
fn what_the_oldest_allowed_release_does_not_mind_is_left_alone() {
    let script = "\
from transformers import TrainingArguments

args = TrainingArguments(output_dir='out', gradient_checkpointing=True)
";
    for (requirement, expected) in [("transformers==5.23.0\n", 1), ("transformers>=5.0\n", 0)] {
        assert_eq!(places("deprecated-argument", requirement, script).len(), expected, "{requirement}");
    }
}

#[test]
fn names_that_a_package_makes_up_are_there() {
    for (release, name, expected) in [
        ("5.5.4", "GPT2TokenizerFast", 0),
        ("5.5.4", "CLIPImageProcessorFast", 0),
        ("5.5.4", "AutoModelForVision2Seq", 1),
    ] {
        let found = places(
            "import-missing",
            &format!("transformers=={release}\n"),
            &format!("from transformers import {name}\n"),
        );
        assert_eq!(found.len(), expected, "{release} {name}");
    }
}

#[test]
fn the_package_that_declares_a_setting_says_that_it_ends() {
    let script = "from trl import SFTConfig\nargs = SFTConfig(output_dir='out', evaluation_strategy='no')\n";
    let requirements = |transformers: &str| format!("trl==0.12.1\ntransformers{transformers}\n");
    for (transformers, expected) in [
        ("==4.46.3", Some("`SFTConfig` with transformers 4.46.3 calls `evaluation_strategy` deprecated")),
        // Nothing to do yet: the floor knows the old name only.
        (">=4.40,<4.47", None),
        ("", None),
    ] {
        let files = [("requirements.txt", &*requirements(transformers)), ("sft.py", script)];
        let found = lint(&files).1.into_iter().find(|finding| finding.rule == "deprecated-argument");
        assert_eq!(found.map(|finding| finding.message).as_deref(), expected, "{transformers}");
    }
}
