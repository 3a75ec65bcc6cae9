//! Configurations of frameworks, legal and not, and what is left alone.

use super::testing::lint;
use crate::diagnostic::Severity;

/// `rule: headline` of everything that is found.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let (_, found) = lint(files);
    found.iter().map(|one| format!("{}: {}", one.rule, one.message)).collect()
}

const FACTORY: &str = "\
model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
stage: dpo
do_train: true
finetuning_type: lora
lora_target: all
dataset: pairs
template: qwen
output_dir: out
";

const AXOLOTL: &str = "\
base_model: Qwen/Qwen2.5-0.5B-Instruct
rl: dpo
adapter: lora
lora_r: 8
lora_alpha: 16
lora_target_linear: true
datasets:
  - path: pairs.jsonl
    split: train
    type: chatml.intel
sequence_len: 1024
micro_batch_size: 1
gradient_accumulation_steps: 4
num_epochs: 1
learning_rate: 5e-6
";

fn factory(more: &str) -> String {
    format!("{FACTORY}{more}")
}

#[test]
fn a_reference_beside_an_adapter_is_legal_where_the_framework_says_so() {
    for version in ["0.8.3", "0.9.1", "0.9.3", "0.9.5"] {
        let pin = format!("llamafactory=={version}\n");
        for more in [
            "ref_model: me/sft\n",
            "ref_model: me/sft\nref_model_adapters: me/adapter\npref_beta: 0.1\npref_loss: sigmoid\n",
        ] {
            let none: [&str; 0] = [];
            assert_eq!(found(&[("requirements.txt", &pin), ("a.yaml", &factory(more))]), none, "{version} {more}");
        }
    }
    let swift = "swift rlhf --rlhf_type dpo --model a --adapters sft --ref_adapters sft --dataset d.jsonl\n";
    assert!(found(&[("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", swift)]).is_empty());
    let full = "swift rlhf --rlhf_type dpo --model a --ref_model b --train_type full --dataset d.jsonl\n";
    assert!(found(&[("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", full)]).is_empty());
    assert!(found(&[("requirements.txt", "axolotl==0.9.2\n"), ("a.yaml", AXOLOTL)]).is_empty());
}

#[test]
fn a_reference_that_is_refused_or_does_nothing_is_found() {
    let swift = "swift rlhf --rlhf_type dpo --model a --ref_model b --dataset d.jsonl\n";
    for version in ["3.0.0", "3.5.0", "3.12.4", "4.6.0"] {
        let pin = format!("ms-swift=={version}\n");
        let found = found(&[("requirements.txt", &pin), ("run.sh", swift)]);
        assert!(found.len() == 1 && found[0].starts_with("refused-configuration: "), "{version}: {found:?}");
    }
    let pin = ("requirements.txt", "ms-swift==4.6.0\n");
    for (more, keys) in [
        ("--rlhf_type dpo --beta 0.1", "`ref_model`"),
        ("--rlhf_type dpo --beta 0.1 --tuner_type lora", "`tuner_type` and `ref_model`"),
        // Without it the model is trained by DPO, which has a reference.
        ("--rlhf_type cpo --beta 0.1 --tuner_type full", "`rlhf_type` and `ref_model`"),
        // Either of them is enough, and the reference is refused for what is left open anyway.
        ("--rlhf_type cpo --beta 0.1 --tuner_type lora", "`ref_model`"),
        ("--rlhf_type grpo --beta 0.1", "`beta` and `ref_model`"),
    ] {
        let run = format!("swift rlhf {more} --model a --dataset d.jsonl --ref_model b\n");
        let message = format!("refused-configuration: ms-swift 4.6.0 refuses {keys} like this");
        assert!(found(&[pin, ("run.sh", &run)]).contains(&message), "{more}: {:?}", found(&[pin, ("run.sh", &run)]));
    }
    let attention = format!("{AXOLOTL}xformers_attention: true\nsdp_attention: true\nflash_attention: true\n");
    assert_eq!(
        found(&[("requirements.txt", "axolotl==0.9.2\n"), ("a.yaml", &attention)]),
        ["refused-configuration: axolotl 0.9.2 refuses `sdp_attention` and `flash_attention` like this"],
        "two are enough"
    );
    let more = "ref_model: me/sft\npref_loss: simpo\n";
    assert_eq!(
        found(&[("requirements.txt", "llamafactory==0.9.3\n"), ("a.yaml", &factory(more))]),
        [
            "unused-reference-model: LLaMA-Factory 0.9.3 does not look at `ref_model`: the losses `orpo` and `simpo` have no reference"
        ]
    );
    let dropped = format!("{AXOLOTL}rl_adapter_ref_model: me/sft\n");
    assert_eq!(
        found(&[("requirements.txt", "axolotl==0.9.2\n"), ("a.yaml", &dropped)]),
        ["unknown-config-key: axolotl 0.9.2 knows no `rl_adapter_ref_model`"]
    );
}

#[test]
fn keys_are_judged_by_the_release() {
    for (pin, more, expected) in [
        ("llamafactory==0.9.3", "dpo_beta: 0.1\n", "LLaMA-Factory 0.9.3 calls `dpo_beta` `pref_beta`"),
        ("llamafactory==0.7.1", "pref_beta: 0.1\n", "LLaMA-Factory 0.7.1 calls `pref_beta` `dpo_beta`"),
        ("llamafactory==0.9.3", "lora_rnak: 8\n", "LLaMA-Factory 0.9.3 knows no `lora_rnak`"),
        (
            "llamafactory==0.9.3",
            "evaluation_strategy: steps\n",
            "LLaMA-Factory 0.9.3 calls `evaluation_strategy` `eval_strategy`",
        ),
        ("llamafactory==0.9.1", "use_swanlab: true\n", "LLaMA-Factory 0.9.1 has no `use_swanlab` yet"),
    ] {
        let pin = format!("{pin}\n");
        let expected = format!("unknown-config-key: {expected}");
        assert_eq!(found(&[("requirements.txt", &pin), ("a.yaml", &factory(more))]), [expected], "{pin} {more}");
    }
    let run = "swift sft --model a --dataset d --train_type lora\n";
    assert_eq!(
        found(&[("requirements.txt", "ms-swift==4.6.0\n"), ("run.sh", run)]),
        ["unknown-config-key: ms-swift 4.6.0 calls `--train_type` `tuner_type`"]
    );
    // It re-declares what transformers dropped.
    assert!(
        found(&[("requirements.txt", "llamafactory==0.9.5\n"), ("a.yaml", &factory("overwrite_output_dir: true\n"))])
            .is_empty()
    );
}

#[test]
fn without_a_declaration_only_what_no_release_has_is_found() {
    assert!(found(&[("a.yaml", &factory("dpo_beta: 0.1\n"))]).is_empty());
    assert_eq!(found(&[("a.yaml", &factory("lora_rnak: 8\n"))]).len(), 1);
    assert!(found(&[("a.yaml", &factory("quantization_method: bitsandbytes\n"))]).is_empty(), "older releases know it");
    assert_eq!(found(&[("a.yaml", &factory("quantization_method: bitsandbites\n"))]).len(), 1);
    assert!(found(&[("run.sh", "swift sft --model a --dataset d --train_type lora\n")]).is_empty());
    // The source of a framework is no release of it.
    let source = [("src/llamafactory/__init__.py", ""), ("src/llamafactory/extras/env.py", "VERSION = '0.9.6.dev0'\n")];
    let own = [
        source[0],
        source[1],
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("examples/a.yaml", &factory("newest: 8\n")),
    ];
    assert!(found(&own).is_empty());
}

#[test]
fn another_programs_file_is_left_alone() {
    let recipe = "model_name_or_path: a\ntorch_dtype: bfloat16\nuse_peft: true\noutput_dir: out\nnonsense: 1\n";
    assert!(found(&[("a.yaml", recipe)]).is_empty());
    let pin = ("requirements.txt", "llamafactory==0.9.3\n");
    let config = factory("tensor_model_parallel_size: 2\nnonsense: 1\n");
    assert!(found(&[pin, ("a.yaml", &config)]).is_empty(), "Megatron reads it");
    let config = factory("nonsense: 1\n");
    assert!(found(&[pin, ("a.yaml", &config), ("run.sh", "USE_MCA=1 llamafactory-cli train a.yaml\n")]).is_empty());
    let lenient = "swift sft --model a --dataset d --nonsense 1 --ignore_args_error true\n";
    assert!(found(&[("requirements.txt", "ms-swift==3.5.0\n"), ("run.sh", lenient)]).is_empty());
    let plugin = format!("{AXOLOTL}plugins:\n  - a.B\nliger_rope: true\n");
    assert!(found(&[("requirements.txt", "axolotl==0.9.2\n"), ("a.yaml", &plugin)]).is_empty());
}

#[test]
fn values_and_combinations_are_read_as_the_framework_reads_them() {
    let pin = ("requirements.txt", "llamafactory==0.9.2\n");
    for (more, rule) in [
        ("learning_rate: 5e-6\n", "yaml-float-is-string"),
        ("quantization_bit: 4\nuse_dora: true\nfinetuning_type: full\n", "refused-configuration"),
        ("pref_loss: sigmoidd\n", "invalid-config-value"),
        ("val_size: 0.1\neval_dataset: other\nfp16: true\nbf16: true\n", "refused-configuration"),
    ] {
        let config = FACTORY.replace(
            "finetuning_type: lora\n",
            if more.contains("finetuning") { "" } else { "finetuning_type: lora\n" },
        );
        let found = found(&[pin, ("a.yaml", &format!("{config}{more}"))]);
        assert!(!found.is_empty() && found.iter().all(|one| one.starts_with(rule)), "{more}: {found:?}");
    }
    for legal in ["learning_rate: 5.0e-6\n", "quantization_bit: 4\n", "pref_loss: orpo\n", "bf16: true\n"] {
        assert!(found(&[pin, ("a.yaml", &factory(legal))]).is_empty(), "{legal}");
    }
    // OmegaConf makes a number of it.
    let pin = ("requirements.txt", "llamafactory==0.9.3\n");
    assert!(found(&[pin, ("a.yaml", &factory("learning_rate: 5e-6\n"))]).is_empty());
    let run = "swift sft --model a --dataset d --learning_rate 1e-4x --num_train_epochs 3\n";
    assert_eq!(
        found(&[("requirements.txt", "ms-swift==3.5.0\n"), ("run.sh", run)]),
        ["invalid-config-value: ms-swift 3.5.0 cannot read `learning_rate`: `1e-4x` is no number"]
    );
}

#[test]
fn what_stands_below_a_key_of_axolotl_is_judged_by_the_class_that_it_fills() {
    let pin = ("requirements.txt", "axolotl==0.18.0\n");
    let with = |more: &str| format!("{AXOLOTL}{more}");
    let data = |more: &str| AXOLOTL.replace("    split: train\n", &format!("    split: train\n{more}"));
    for legal in [
        with("trl:\n  beta: 1e-3\n  use_vllm: true\nvllm:\n  port: 8000\n"),
        with("fsdp_config:\n  fsdp_offload_params: true\n  activation_checkpointing: false\n"),
        with("special_tokens:\n  pad_token: <pad>\nflash_attention: yess\n"),
        with("gradient_checkpointing_kwargs:\n  anything: 1\n"),
        data("    data_files: [a.jsonl]\n    revision: main\n")
            .replace("chatml.intel", "\n      field_prompt: question"),
        with("").replace("rl: dpo\n", "").replace("chatml.intel", "chat_template\n    shards: 3"),
    ] {
        let none: [&str; 0] = [];
        assert_eq!(found(&[pin, ("a.yaml", &legal)]), none, "{legal}");
    }
    for (config, expected) in [
        (with("trl:\n  betta: 0.1\n"), "unknown-config-key: axolotl 0.18.0 knows no `trl.betta`"),
        (
            with("vllm:\n  port: many\n"),
            "invalid-config-value: axolotl 0.18.0 cannot read `vllm.port`: `many` is no whole number",
        ),
        (with("trl: 5\n"), "invalid-config-value: axolotl 0.18.0 cannot read `trl`: `5` is no mapping"),
        (with("output_dir:\n"), "invalid-config-value: axolotl 0.18.0 cannot read `output_dir`: it may not be `null`"),
        (
            with("fsdp_config:\n  fsdp_offload_params: yess\n"),
            "invalid-config-value: axolotl 0.18.0 cannot read `fsdp_config.fsdp_offload_params`: `yess` is no truth value",
        ),
        // Items of the list become `DPODataset` here, which has no such field, and `SFTDataset` elsewhere.
        (data("    shards: x\n"), "unknown-config-key: axolotl 0.18.0 has no `datasets.0.shards` any more"),
        (
            data("    shards: x\n").replace("rl: dpo\n", ""),
            "invalid-config-value: axolotl 0.18.0 cannot read `datasets.0.shards`: `x` is no whole number",
        ),
        (
            AXOLOTL.replace("micro_batch_size: 1\n", ""),
            "refused-configuration: axolotl 0.18.0 refuses `gradient_accumulation_steps` like this",
        ),
        (
            with("relora_prune_ratio: 1.5\n"),
            "refused-configuration: axolotl 0.18.0 refuses `relora_prune_ratio` like this",
        ),
        (
            with("trl:\n  num_generations: 1\n").replace("rl: dpo", "rl: grpo"),
            "refused-configuration: axolotl 0.18.0 refuses `rl`, `trl` and `trl.num_generations` like this",
        ),
    ] {
        assert_eq!(found(&[pin, ("a.yaml", &config)]), [expected], "{config}");
    }
}

#[test]
fn data_sets_are_looked_up_in_the_list_of_the_project() {
    let pin = ("requirements.txt", "llamafactory==0.9.3\n");
    let list = r#"{"pairs": {"file_name": "a.json", "ranking": true, "columns": {"chosen": "c", "rejected": "r"}},
        "single": {"file_name": "b.json"}}"#;
    let config = |names: &str| FACTORY.replace("dataset: pairs", &format!("dataset: {names}"));
    let found = |names: &str, list: (&str, &str)| found(&[pin, ("x/a.yaml", &config(names)), list]);
    let here = ("data/dataset_info.json", list);
    assert_eq!(found("pairs", here), Vec::<String>::new());
    assert_eq!(
        found("pairs,pears", here),
        ["dataset-not-registered: `data/dataset_info.json` has no data set `pears`"]
    );
    assert_eq!(found("single", here).len(), 1);
    assert!(found("pears", ("other/dataset_info.json", list)).is_empty(), "it is elsewhere");
    assert!(found("${NAME}", here).is_empty());
}

#[test]
fn the_command_line_of_trl_takes_options_of_its_launcher() {
    let pin = ("requirements.txt", "trl==0.24.0\n");
    let run = "trl dpo --config a.yaml --num_processes 4\n";
    let config =
        "model_name_or_path: a\ndataset_name: b\nbeta: 0.1\nlearning_rate: 5e-7\nuse_peft: true\nnum_machines: 1\n";
    assert!(found(&[pin, ("run.sh", run), ("a.yaml", config)]).is_empty());
    let config = config.replace("beta", "betta");
    assert_eq!(
        found(&[pin, ("run.sh", run), ("a.yaml", &config)]),
        ["unknown-config-key: TRL 0.24.0 knows no `betta`"]
    );
}

/// `code: headline` of what is found about declared releases.
fn about_releases(files: &[(&str, &str)]) -> Vec<String> {
    let (_, found) = lint(files);
    let about = found.iter().filter(|one| one.code.starts_with("DPL2"));
    about.map(|one| format!("{}: {}", one.code, one.message)).collect()
}

#[test]
fn a_framework_next_to_a_release_that_it_does_not_take_is_one_finding() {
    let script = ("train.py", "from trl import DPOTrainer\n");
    let config = ("a.yaml", FACTORY);
    let refused = |what: &str| format!("DPL204: {what}");
    for (requirements, beside, expected) in [
        ("llamafactory==0.9.4\ntrl==0.25.0\n", script, vec!["llamafactory 0.9.4 cannot be installed with trl==0.25.0"]),
        ("llamafactory==0.9.4\ntrl==0.25.0\n", config, vec!["llamafactory 0.9.4 cannot be installed with trl==0.25.0"]),
        ("llamafactory==0.9.4\ntrl>=0.25\n", script, vec!["llamafactory 0.9.4 cannot be installed with trl>=0.25"]),
        // Too old is refused, too; each pin is a mistake of its own.
        (
            "axolotl==0.21.0\ntrl==0.9.6\npeft==0.21.2\ntransformers>=4.41,<4.45\n",
            config,
            vec![
                "axolotl 0.21.0 cannot be installed with trl==0.9.6",
                "axolotl 0.21.0 cannot be installed with transformers>=4.41,<4.45",
            ],
        ),
        // Both alternatives of a requirement under markers are too old.
        (
            "llamafactory==0.9.3\ntransformers==4.55.0\n",
            script,
            vec!["llamafactory 0.9.3 cannot be installed with transformers==4.55.0"],
        ),
        // Older releases of the framework take it, and nothing is declared of the framework.
        ("llamafactory\ntrl==0.9.6\n", script, vec![]),
        ("llamafactory==0.9.4\ntrl\n", script, vec![]),
        ("llamafactory==0.9.4\ntrl==0.24.0\n", script, vec![]),
        ("trl==0.25.0\n", config, vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(refused).collect();
        assert_eq!(about_releases(&[("requirements.txt", requirements), beside]), expected, "{requirements}");
    }
}

#[test]
fn a_framework_that_looks_when_it_is_started_is_told_of_a_second_command() {
    let image = "FROM base\nRUN pip install llamafactory==0.9.4\nRUN pip install trl==0.25.0\n";
    let start = ("run.sh", "llamafactory-cli train a.yaml\n");
    let quiet = ("run.sh", "DISABLE_VERSION_CHECK=1 llamafactory-cli train a.yaml\n");
    let says = ["DPL204: llamafactory 0.9.4 does not start with trl==0.25.0"];
    let none: [&str; 0] = [];
    assert_eq!(about_releases(&[("Dockerfile", image), ("a.yaml", FACTORY), start]), says);
    assert_eq!(about_releases(&[("Dockerfile", image), ("a.yaml", FACTORY), quiet]), none);
    // Of axolotl no such check is known, and nothing starts the framework here.
    let axolotl = "FROM base\nRUN pip install axolotl==0.21.0\nRUN pip install trl==0.25.0\n";
    assert_eq!(about_releases(&[("Dockerfile", axolotl), ("a.yaml", AXOLOTL)]), none);
    let script = ("train.py", "from trl import DPOTrainer\n");
    assert_eq!(about_releases(&[("Dockerfile", image), script]), none);
}

#[test]
fn what_trainers_of_trl_check_is_known_of_its_command_line() {
    let check = |line: &str, trl: &str, config: &str| {
        let config = format!("model_name_or_path: a\ndataset_name: b\noutput_dir: o\n{config}");
        let requirements = format!("trl=={trl}\n");
        let line = format!("{line}\n");
        let found = found(&[("requirements.txt", &requirements), ("run.sh", &line), ("c.yaml", &config)]);
        found.iter().filter(|one| one.starts_with("refused-configuration")).count()
    };
    for (line, trl, config, expected) in [
        ("trl kto --config c.yaml", "0.24.0", "per_device_train_batch_size: 1\n", 1),
        ("trl kto --config c.yaml", "1.16.0", "per_device_train_batch_size: 1\n", 1),
        ("trl kto --config c.yaml", "1.16.0", "per_device_train_batch_size: 1\nloss_type: apo_zero_unpaired\n", 0),
        ("trl kto --config c.yaml", "1.16.0", "per_device_train_batch_size: 2\n", 0),
        ("trl kto --config c.yaml", "1.16.0", "", 0),
        // That is only warned of.
        ("trl dpo --config c.yaml", "1.16.0", "loss_type: robust\nlabel_smoothing: 0.6\n", 0),
        ("trl dpo --config c.yaml", "1.16.0", "loss_type: exo_pair\n", 1),
        ("trl dpo --config c.yaml", "1.16.0", "loss_type: exo_pair\nlabel_smoothing: 0.001\n", 0),
        ("trl dpo --config c.yaml", "0.28.0", "loss_type: exo_pair\n", 0),
    ] {
        assert_eq!(check(line, trl, config), expected, "{line} {trl} {config}");
    }
}

/// Words that a parser does not look at matter where something else does.
#[test]
fn a_wrong_word_is_an_error_where_it_is_used() {
    let of = |text: &str| {
        let (_, found) = lint(&[("requirements.txt", "llamafactory==0.9.4\n"), ("a.yaml", text)]);
        found.iter().filter(|one| one.rule == "invalid-config-value").map(|one| one.severity).collect::<Vec<_>>()
    };
    for (word, use_of_it) in [
        ("quantization_type: nf5\n", "quantization_bit: 4\n"),
        ("init_special_tokens: noise\n", "resize_vocab: true\n"),
        ("badam_mode: rows\n", "use_badam: true\n"),
    ] {
        assert_eq!(of(&factory(word)), [Severity::Warning], "{word}");
        assert_eq!(of(&factory(&format!("{word}{use_of_it}"))), [Severity::Error], "{word}");
    }
    let one = factory("mix_strategy: mixed\n");
    assert_eq!(of(&one), [Severity::Warning]);
    assert_eq!(of(&one.replace("dataset: pairs", "dataset: pairs,more")), [Severity::Error]);
}
