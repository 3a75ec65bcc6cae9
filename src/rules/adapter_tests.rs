//! Adapters: what is reported, and what stays silent because something else may have been thought of.

use super::testing::lint;
use crate::diagnostic::Severity;

/// How often a code is found in a script.
fn count(requirements: &str, script: &str, code: &str) -> usize {
    let (_, found) = lint(&[("requirements.txt", requirements), ("train.py", script)]);
    found.iter().filter(|finding| finding.code == code).count()
}

const FROZEN: &str = "\
from peft import PeftModel
from transformers import AutoModelForCausalLM
from trl import SFTTrainer
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('gpt2'), 'adapter')
model.print_trainable_parameters()
trainer = SFTTrainer(model=model, train_dataset=data)
trainer.train()
";

#[test]
fn a_frozen_adapter_is_reported_where_nothing_wakes_it() {
    let loaded = "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('gpt2'), 'adapter')";
    let auto = "AutoPeftModelForCausalLM.from_pretrained('adapter')";
    for (from, to, expected) in [
        ("", "", 1),
        ("'adapter')", "'adapter', is_trainable=False)", 1),
        (loaded, auto, 1),
        (
            "model.print",
            "for name, one in model.named_parameters():\n    print(name, one.requires_grad)\nmodel.print",
            1,
        ),
        ("'adapter')", "'adapter', is_trainable=True)", 0),
        ("'adapter')", "'adapter', 'default', True)", 0),
        ("'adapter')", "'adapter', **options)", 0),
        ("'adapter')", "'adapter', is_trainable=train)", 0),
        ("trainer.train()", "trainer.evaluate()", 0),
        ("trainer.train()", "trainer.train(resume_from_checkpoint='out/1')", 0),
        ("train_dataset=data", "train_dataset=data, peft_config=config", 0),
        ("train_dataset=data", "train_dataset=data, **more", 0),
        ("model.print", "model.set_adapter('default')\nmodel.print", 0),
        ("model.print", "model.base_model.model.lm_head.requires_grad_(True)\nmodel.print", 0),
        ("model.print", "for one in model.parameters():\n    one.requires_grad = 'lora' in one\nmodel.print", 0),
        ("model.print", "from elsewhere import wake\nwake(model)\nmodel.print", 0),
        ("model.print", "from elsewhere import *\nwake(model)\nmodel.print", 0),
        ("model.print", "model = model.merge_and_unload()\nmodel.print", 0),
        (
            "trainer = SFT",
            "class Mine(SFTTrainer):\n    pass\ntrainer = Mine(model=model)\ntrainer.train()\nother = SFT",
            0,
        ),
    ] {
        let script = FROZEN.replace("import PeftModel", "import AutoPeftModelForCausalLM, PeftModel").replace(from, to);
        let script = if from.is_empty() { FROZEN.to_owned() } else { script };
        assert_eq!(count("trl==0.24.0", &script, "DPL004"), expected, "{to}");
    }
}

#[test]
fn an_adapter_that_is_frozen_under_a_flag_only_is_not_reported() {
    let script = "\
import argparse
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM
from trl import SFTTrainer
parser = argparse.ArgumentParser()
parser.add_argument('--adapter')
args = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained('gpt2')
if args.adapter:
    model = PeftModel.from_pretrained(model, args.adapter)
else:
    model = get_peft_model(model, LoraConfig())
SFTTrainer(model=model, train_dataset=data).train()
";
    assert_eq!(count("trl==0.24.0", script, "DPL004"), 0);
    let run = ("run.sh", "python train.py --adapter out/adapter\n");
    let (_, found) = lint(&[("requirements.txt", "trl==0.24.0"), ("train.py", script), run]);
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["DPL004"]);
}

#[test]
fn a_trainer_that_adds_an_adapter_may_wake_the_first_one() {
    let script = FROZEN.replace("SFTTrainer", "DPOTrainer");
    for (requirements, expected) in
        [("trl==0.28.0\npeft==0.17.1", 1), ("trl==0.29.0\npeft==0.17.1", 0), ("trl==0.29.0\npeft==0.18.0", 1)]
    {
        assert_eq!(count(requirements, &script, "DPL004"), expected, "{requirements}");
    }
}

#[test]
fn an_adapter_on_the_head_is_refused_by_some_releases() {
    let script = |modules: &str, given: &str| {
        format!(
            "from peft import LoraConfig, get_peft_model\nfrom transformers import AutoModelForCausalLM\n\
             from trl import SFTTrainer, DPOConfig, DPOTrainer\nadapter = LoraConfig({modules})\n\
             model = AutoModelForCausalLM.from_pretrained('gpt2')\n{given}\n"
        )
    };
    let head = "target_modules=['q_proj', 'lm_head']";
    let given = "SFTTrainer(model, peft_config=adapter, train_dataset=data)";
    for (requirements, modules, given, expected) in [
        ("trl==1.16.0", head, given, 1),
        ("trl==1.14.2", head, given, 0),
        ("trl==1.16.0", head, "SFTTrainer(get_peft_model(model, adapter), train_dataset=data)", 1),
        ("trl==1.14.2", head, "DPOTrainer(model, args=DPOConfig(use_liger_kernel=True), peft_config=adapter)", 1),
        ("trl==1.14.2", head, "DPOTrainer(model, args=DPOConfig(), peft_config=adapter)", 0),
        ("trl==1.16.0", "target_modules=['q_proj', 'lm_head'], modules_to_save=['lm_head']", given, 0),
        ("trl==1.16.0", "target_modules=['q_proj', 'lm_head'], exclude_modules=leave", given, 0),
        ("trl==1.16.0", "target_modules=modules", given, 0),
        ("trl==1.16.0", head, "import random\nSFTTrainer(model, peft_config=adapter if random.random() else None)", 0),
    ] {
        assert_eq!(
            count(requirements, &script(modules, given), "DPL006"),
            expected,
            "{requirements} {modules} {given}"
        );
    }
}

#[test]
fn modules_that_may_exist_are_no_typo() {
    for (requirements, modules, expected) in [
        ("peft==0.18.0", "'all_linear'", 1),
        ("peft==0.18.0", "'ALL-LINEAR'", 0),
        ("peft==0.7.1", "'all-linear'", 1),
        ("peft>=0.7", "'all-linear'", 1),
        ("peft", "'all-linear'", 0),
        ("peft==0.18.0", "'linear'", 0),
        ("peft==0.18.0", "r'.*\\.(q|v)_proj'", 0),
        ("peft==0.18.0", "['.*q_proj', 'v_proj']", 1),
        ("peft==0.18.0", "['attn.qkv', 'blocks.0.fc1', 'linear']", 0),
        ("peft==0.18.0", "[]", 1),
        ("peft==0.18.0", "[], target_parameters=['experts.gate_up_proj']", 0),
        ("peft==0.18.0", "None", 0),
        ("peft==0.18.0", "'all' if everything else ['q_proj']", 0),
    ] {
        let script = format!("from peft import LoraConfig\nLoraConfig(r=8, target_modules={modules})\n");
        assert_eq!(count(requirements, &script, "DPL007"), expected, "{requirements} {modules}");
    }
    let filled = "from peft import LoraConfig\nnames = []\nfor name in model:\n    names.append(name)\n\
                  LoraConfig(target_modules=names)\n";
    assert_eq!(count("peft==0.18.0", filled, "DPL007"), 0);
    let own = "from mine import LoraConfig\nLoraConfig(target_modules='all')\n";
    assert_eq!(count("peft==0.18.0", own, "DPL007"), 0);
}

#[test]
fn a_saved_adapter_may_know_more_than_the_release() {
    let file = |keys: &str| format!("{{\"peft_type\": \"LORA\", \"r\": 8{keys}}}\n");
    let severities = |requirements: &str, text: &str| -> Vec<Severity> {
        let (_, found) = lint(&[("requirements.txt", requirements), ("out/adapter_config.json", text)]);
        found.iter().filter(|finding| finding.code == "DPL010").map(|finding| finding.severity).collect()
    };
    for (requirements, keys, expected) in [
        ("peft==0.12.0", ", \"eva_config\": null", Some(Severity::Error)),
        ("peft>=0.12.0", ", \"eva_config\": null", Some(Severity::Warning)),
        ("peft>=0.16.0", ", \"eva_config\": null", None),
        // Newer releases drop it, and this says nothing.
        ("peft==0.16.0", ", \"kasa_config\": null, \"peft_version\": \"0.21.0\", \"use_qalora\": false", None),
        ("peft==0.16.0", ", \"target_parameters\": [\"experts\"]", Some(Severity::Warning)),
        ("peft==0.12.0", ", \"use_dora\": true", None),
        ("peft==0.12.0", ", \"my_own_key\": 1", None),
        // Older releases read only what they know.
        ("peft==0.4.0", ", \"use_dora\": false", None),
        ("peft", ", \"kasa_config\": null", None),
    ] {
        assert_eq!(severities(requirements, &file(keys)), Vec::from_iter(expected), "{requirements} {keys}");
    }
    // What kind it is cannot be told.
    assert_eq!(severities("peft==0.12.0", "{\"eva_config\": null}"), []);
    assert_eq!(severities("peft==0.12.0", "{\"peft_type\": \"P_TUNING\", \"eva_config\": null}"), []);
    assert_eq!(severities("trl==0.12.0", &file(", \"eva_config\": null")), []);
}
