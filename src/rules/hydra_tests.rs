//! Scripts that hydra configures: what its files and the words of a launch line decide.

use super::testing::lint;

const SCRIPT: &str = "\
import hydra
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import DPOTrainer


@hydra.main(version_base=None, config_path=\"conf\", config_name=\"config\")
def main(cfg):
    model = AutoModelForCausalLM.from_pretrained(cfg.model.path)
    ref_model = AutoModelForCausalLM.from_pretrained(cfg.model.path)
    peft_config = LoraConfig(r=8) if cfg.model.use_peft else None
    trainer = DPOTrainer(model=model, ref_model=ref_model, peft_config=peft_config)


main()
";

/// `severity: headline` of what is said about the reference, with the files that it points to.
fn found(script: &str, run: &str) -> Vec<String> {
    let files = [
        ("requirements.txt", "trl==0.20.0\n"),
        ("train.py", script),
        ("conf/config.yaml", "defaults:\n  - model: full\n  - _self_\n\nseed: 1\n"),
        ("conf/lora.yaml", "defaults:\n  - config\n  - override model: lora\n"),
        ("conf/model/full.yaml", "path: a/b\nuse_peft: false\n"),
        ("conf/model/lora.yaml", "path: a/b\nuse_peft: true\n"),
        ("conf/model/either.yaml", "path: a/b\nuse_peft: ${oc.env:PEFT}\n"),
        ("run.sh", run),
    ];
    let (_, found) = lint(&files);
    let about = found.iter().filter(|one| one.rule == "ref-model-with-peft-config");
    about.map(|one| format!("{:?}", one.severity).to_lowercase()).collect()
}

#[test]
fn what_is_composed_decides() {
    let none: [&str; 0] = [];
    for run in [
        "",
        "python train.py\n",
        "python train.py seed=2 +model.more=1\n",
        "python train.py model=lora model.use_peft=false\n",
        "python train.py --config-name lora model=full\n",
    ] {
        assert_eq!(found(SCRIPT, run), none, "{run}");
    }
    for run in [
        "python train.py model=lora\n",
        "python train.py model.use_peft=true\n",
        "python train.py --config-name lora\n",
        "python train.py --config-name=lora seed=3\n",
        "python train.py\naccelerate launch train.py ++model.use_peft=True\n",
    ] {
        assert_eq!(found(SCRIPT, run), ["error"], "{run}");
    }
}

#[test]
fn what_is_not_known_is_no_error() {
    for run in [
        "python train.py \"$@\"\n",
        "python train.py model=$MODEL\n",
        "python train.py model=either\n",
        "python train.py --config-dir elsewhere\n",
        "python train.py -m model=lora,full\n",
        "python train.py model=nothing\n",
    ] {
        assert!(!found(SCRIPT, run).contains(&"error".to_owned()), "{run}");
    }
    let computed = SCRIPT.replace("config_path=\"conf\"", "config_path=FOLDER");
    assert!(!found(&computed, "python train.py model=lora\n").contains(&"error".to_owned()));
}

#[test]
fn a_fix_stands_in_the_file_that_decides() {
    let script = SCRIPT.replace(
        "    ref_model = AutoModelForCausalLM.from_pretrained(cfg.model.path)\n",
        "    ref_model = AutoModelForCausalLM.from_pretrained(cfg.model.ref) if cfg.model.ref else None\n",
    );
    let files = [
        ("requirements.txt", "trl==0.20.0\n"),
        ("train.py", &*script),
        ("conf/config.yaml", "defaults:\n  - model: lora\n"),
        ("conf/model/lora.yaml", "path: a/b\nref: a/b\nuse_peft: true\n"),
    ];
    let (texts, found) = lint(&files);
    let finding = found.iter().find(|one| one.rule == "ref-model-with-peft-config").expect("it is found");
    let edits = finding.fixes.iter().flat_map(|fix| &fix.edits);
    let edits: Vec<String> = edits.map(|edit| texts.get(edit.span.file).slice(edit.span).to_owned()).collect();
    assert!(edits.contains(&"a/b".to_owned()), "{edits:?} {:?}", finding.fixes);
}
