//! Configurations that are Python files: xtuner's.

use super::testing::lint;

/// `rule: headline` of everything that is found.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    lint(files).1.iter().map(|one| format!("{}: {}", one.rule, one.message)).collect()
}

const NOTHING: [&str; 0] = [];
const PIN: (&str, &str) = ("requirements.txt", "xtuner==0.1.23\npeft==0.12.0\ntransformers==4.42.4\n");

/// A run with both a reference and an adapter, which xtuner takes.
const DPO: &str = "\
from datasets import load_dataset
from peft import LoraConfig
from torch.optim import AdamW
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from xtuner.dataset.collate_fns.preference_collate_fn import preference_collate_fn
from xtuner.dataset.preference_dataset import build_preference_dataset
from xtuner.engine.hooks import DatasetInfoHook
from xtuner.engine.runner import TrainLoop
from xtuner.model.dpo import DPO

path = 'internlm/internlm2-chat-1_8b-sft'
tokenizer = dict(type=AutoTokenizer.from_pretrained, pretrained_model_name_or_path=path, trust_remote_code=True)
model = dict(
    type=DPO,
    loss_type='sigmoid',
    beta=0.1,
    llm=dict(
        type=AutoModelForCausalLM.from_pretrained,
        pretrained_model_name_or_path=path,
        quantization_config=dict(type=BitsAndBytesConfig, load_in_4bit=True)),
    ref_llm=dict(type=AutoModelForCausalLM.from_pretrained, pretrained_model_name_or_path=path),
    lora=dict(type=LoraConfig, r=64, lora_alpha=16, task_type='CAUSAL_LM'))
train_dataset = dict(
    type=build_preference_dataset,
    dataset=dict(type=load_dataset, path='mlabonne/orpo-dpo-mix-40k'),
    tokenizer=tokenizer,
    max_length=2048,
    dataset_map_fn=None,
    is_dpo=True,
    is_reward=False)
train_dataloader = dict(
    batch_size=1,
    dataset=train_dataset,
    collate_fn=dict(type=preference_collate_fn, use_varlen_attn=False))
optim_wrapper = dict(optimizer=dict(type=AdamW, lr=5e-7))
train_cfg = dict(type=TrainLoop, max_epochs=3)
custom_hooks = [dict(type=DatasetInfoHook, tokenizer=tokenizer, priority='LOW')]
";

/// What is found in the configuration after a change.
fn changed(old: &str, new: &str) -> Vec<String> {
    assert!(DPO.contains(old), "{old}");
    found(&[PIN, ("dpo.py", &DPO.replace(old, new))])
}

#[test]
fn a_reference_beside_an_adapter_is_legal() {
    assert_eq!(found(&[PIN, ("dpo.py", DPO)]), NOTHING);
    assert_eq!(
        found(&[PIN, ("dpo.py", DPO), ("run.sh", "xtuner train dpo.py --deepspeed deepspeed_zero3\n")]),
        NOTHING
    );
}

#[test]
fn a_dictionary_is_a_call_of_what_it_names() {
    for (old, new, expected) in [
        ("loss_type=", "loss_typ=", "unknown-argument: `DPO` of xtuner 0.1.23 has no parameter `loss_typ`"),
        ("lora_alpha", "lora_alph", "unknown-argument: `LoraConfig` of peft 0.12.0 has no parameter `lora_alph`"),
        ("max_epochs=3", "max_iters=None", "constructor-raises: `TrainLoop` of xtuner 0.1.23 refuses `max_iters=None`"),
        ("'sigmoid'", "'sigmoyd'", "invalid-choice: xtuner 0.1.23 knows no `loss_type='sigmoyd'`"),
        (
            "    tokenizer=tokenizer,\n    max",
            "    max",
            "constructor-raises: `build_preference_dataset` of xtuner 0.1.23 needs `tokenizer`",
        ),
        ("priority", "priorty", "unknown-argument: `DatasetInfoHook` of xtuner 0.1.23 has no parameter `priorty`"),
    ] {
        assert_eq!(changed(old, new), [expected], "{new}");
    }
    // A function that hides the module it comes from.
    let other = DPO.replace("collate_fns.preference_collate_fn import preference", "collate_fns import default");
    let other = other.replace("type=preference_collate_fn, use_varlen_attn", "type=default_collate_fn, use_varlen");
    let expected = "unknown-argument: `default_collate_fn` of xtuner 0.1.23 has no parameter `use_varlen`";
    assert_eq!(found(&[PIN, ("dpo.py", &other)]), [expected]);
    let old = ("requirements.txt", "xtuner==0.1.20\npeft==0.12.0\ntransformers==4.42.4\n");
    assert_eq!(
        found(&[old, ("dpo.py", DPO)])[0],
        "import-missing: `xtuner.dataset.collate_fns.preference_collate_fn` of xtuner 0.1.20 has no `preference_collate_fn`"
    );
}

#[test]
fn what_is_not_known_is_not_judged() {
    // Nothing reads these names, another file does, or the file changes them later.
    for (old, new) in [
        ("model = dict(", "spare = dict(extra=1,"),
        ("train_cfg =", "model.update(dict(loss_type='hinge'))\nmodel.llm.extra = 1\ntrain_cfg ="),
        ("loss_type='sigmoid'", "**options"),
    ] {
        let changed = DPO.replace(old, new);
        assert_eq!(found(&[PIN, ("dpo.py", &changed)]), NOTHING, "{new}");
    }
    let bad = DPO.replace("'sigmoid'", "'sigmoyd'");
    assert_eq!(found(&[PIN, ("dpo.py", &format!("{bad}model.loss_type = 'ipo'\n"))]), NOTHING);
    assert_eq!(found(&[PIN, ("dpo.py", &format!("{bad}model.update(loss_type='ipo')\n"))]), NOTHING);
    let run = ("run.sh", "xtuner train dpo.py --cfg-options model.loss_type=ipo\n");
    assert_eq!(found(&[PIN, ("dpo.py", &bad), run]), NOTHING);
    // A script that only makes such dictionaries is no configuration.
    let other = "from peft import LoraConfig\n# xtuner\nmodel = dict(type=LoraConfig, lora_alph=1)\n";
    assert_eq!(found(&[PIN, ("other.py", other)]), NOTHING);
}

#[test]
fn a_configuration_that_reads_another_is_judged_as_a_whole() {
    let base = DPO.replace("    beta=0.1,\n", "    beta=0.1,\n    bta=0.2,\n");
    let child = "from mmengine.config import read_base\nwith read_base():\n    from .base import *\nmodel.pop('bta')\n";
    assert_eq!(found(&[PIN, ("base.py", &base), ("child.py", child)]), NOTHING);
    let worse = child.replace("model.pop('bta')", "model.update(dict(bta=3))");
    let expected = "unknown-argument: `DPO` of xtuner 0.1.23 has no parameter `bta`";
    assert_eq!(found(&[PIN, ("base.py", &base), ("child.py", &worse)]), [expected]);
    let run = ("run.sh", "NPROC_PER_NODE=8 xtuner train base.py\n");
    assert_eq!(found(&[PIN, ("base.py", &base), ("child.py", child), run]), [expected]);
}

#[test]
fn a_command_is_judged_with_its_configuration() {
    let sole = DPO.replace(
        "    ref_llm=dict(type=AutoModelForCausalLM.from_pretrained, pretrained_model_name_or_path=path),\n",
        "",
    );
    let start = |text: &str, run: &str| found(&[PIN, ("dpo.py", text), ("run.sh", run)]);
    assert_eq!(start(&sole, "xtuner train dpo.py --deepspeed deepspeed_zero3\n"), NOTHING);
    let full = sole.replace("    lora=dict(type=LoraConfig, r=64, lora_alpha=16, task_type='CAUSAL_LM'))", "    )");
    let expected = "refused-when-sharded: `DPO` of xtuner 0.1.23 makes no reference with stage 3 of DeepSpeed";
    assert_eq!(start(&full, "xtuner train dpo.py --deepspeed deepspeed_zero3\n"), [expected]);
    assert_eq!(
        start(&full, "torchrun --nproc_per_node 8 xtuner/tools/train.py dpo.py --deepspeed deepspeed_zero3\n")[0],
        expected
    );
    assert_eq!(start(&full, "xtuner train dpo.py --deepspeed deepspeed_zero2\n"), NOTHING);
    assert_eq!(
        start(&full, "xtuner train dpo.py --deepspeed deepspeed_zero4\n"),
        ["missing-file: xtuner 0.1.23 brings no DeepSpeed configuration `deepspeed_zero4`"]
    );
    assert_eq!(
        start(
            &full,
            "xtuner train dop.py --work-dir out\nxtuner train qwen_7b_qlora_copy.py\nxtuner train internlm2_chat_7b_qlora_alpaca_e3\n"
        ),
        ["missing-file: the configuration `dop.py` does not exist"]
    );
}
