//! Frameworks whose configuration is a command line of a program of their own, or a tree of components.

use super::testing::lint;

/// `rule: headline` of everything that is found.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    lint(files).1.iter().map(|one| format!("{}: {}", one.rule, one.message)).collect()
}

/// A file after every fix that is found there.
fn fixed(files: &[(&str, &str)], path: &str) -> String {
    let (sources, found) = lint(files);
    let text = files.iter().find(|(name, _)| *name == path).map_or("", |(_, text)| text);
    let mut edits: Vec<_> =
        found.iter().filter_map(|one| one.fixes.first()).flat_map(|fix| fix.edits.clone()).collect();
    edits.retain(|edit| sources.get(edit.span.file).path().ends_with(path));
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    text
}

const NOTHING: [&str; 0] = [];

#[test]
fn openrlhf_takes_a_reference_beside_an_adapter() {
    let old =
        "deepspeed --module openrlhf.cli.train_dpo --pretrain a --ref_pretrain b --lora_rank 8 --beta 0.1 --bf16\n";
    let new = "python3 -m openrlhf.cli.train_dpo --model.model_name_or_path a --ref.model_name_or_path b --ds.lora.rank 8 \\\n  \
               --adam.betas 0.9 0.95 --ds.lora.target_modules q_proj v_proj --eval.steps -1 --ds.param_dtype bf16\n";
    for (version, run) in [("0.5.0", old), ("0.9.1", old), ("0.10.4", new), ("0.11.2", new)] {
        let pin = format!("openrlhf=={version}\n");
        assert_eq!(found(&[("requirements.txt", &pin), ("run.sh", run)]), NOTHING, "{version}");
    }
}

#[test]
fn options_of_openrlhf_are_judged_by_the_release() {
    let pin = ("requirements.txt", "openrlhf==0.11.2\n");
    let run = "ray job submit --address=\"http://127.0.0.1:8265\" -- python3 -m openrlhf.cli.train_ppo_ray \\\n   \
               --ref_num_nodes 1 \\\n   --actor.optm adam \\\n   --critic.adam.lr 9e-6\n";
    assert_eq!(
        found(&[pin, ("run.sh", run)]),
        [
            "unknown-config-key: OpenRLHF 0.11.2 calls `--ref_num_nodes` `ref.num_nodes`",
            "unknown-config-key: OpenRLHF 0.11.2 knows no `--actor.optm`",
        ]
    );
    let good = run.replace("ref_num_nodes", "ref.num_nodes").replace("optm", "optim");
    assert_eq!(fixed(&[pin, ("run.sh", run)], "run.sh"), good);
    assert_eq!(found(&[pin, ("run.sh", &good)]), NOTHING);
    let old = ("requirements.txt", "openrlhf==0.8.0\n");
    assert_eq!(
        found(&[old, ("run.sh", "python -m openrlhf.cli.train_dpo --ds.lora.rank 8 --attn_implementation eager\n")]),
        [
            "unknown-config-key: OpenRLHF 0.8.0 calls `--ds.lora.rank` `lora_rank`",
            "unknown-config-key: OpenRLHF 0.8.0 has no `--attn_implementation` yet",
        ]
    );
}

#[test]
fn the_options_of_a_here_document_are_those_of_the_command_that_gets_them() {
    let pin = ("requirements.txt", "openrlhf==0.10.4\n");
    let run = "read -r -d '' training_commands <<EOF\nopenrlhf.cli.train_dpo \\\n   --save_path ./out \\\n   --train.batch_size 8\nEOF\n\
               deepspeed --module $training_commands\n";
    assert_eq!(
        found(&[pin, ("run.sh", run)]),
        ["unknown-config-key: OpenRLHF 0.10.4 calls `--save_path` `ckpt.output_dir`"]
    );
    let good = run.replace("save_path", "ckpt.output_dir");
    assert_eq!(fixed(&[pin, ("run.sh", run)], "run.sh"), good);
    assert_eq!(found(&[pin, ("run.sh", &good)]), NOTHING);
}

#[test]
fn options_are_read_as_the_parser_of_the_program_reads_them() {
    let pin = ("requirements.txt", "openrlhf==0.11.2\n");
    let found = |options: &str| {
        let run = format!("python -m openrlhf.cli.train_ppo_ray {options}\n");
        found(&[pin, ("run.sh", &run)])
    };
    for (options, expected) in [
        (
            "--ds.packing_samples true",
            "invalid-config-value: OpenRLHF 0.11.2 cannot read `ds.packing_samples`: it takes no value",
        ),
        (
            "--ds.param_dtype bf17",
            "invalid-config-value: OpenRLHF 0.11.2 cannot read `ds.param_dtype`: `bf17` is none of its values",
        ),
        (
            "--train.batch_size 1e3",
            "invalid-config-value: OpenRLHF 0.11.2 cannot read `train.batch_size`: `1e3` is no whole number",
        ),
        (
            "--actor.eps_clip_low_high 0.2",
            "invalid-config-value: OpenRLHF 0.11.2 cannot read `actor.eps_clip_low_high`: it takes 2 values",
        ),
        ("--ckpt.output-dir x", "unknown-config-key: OpenRLHF 0.11.2 knows no `--ckpt.output-dir`"),
        // The beginning of several names is none of them.
        ("--actor.adam 1", "unknown-config-key: OpenRLHF 0.11.2 knows no `--actor.adam`"),
        (
            "--algo.advantage.estimator rloo",
            "refused-configuration: OpenRLHF 0.11.2 refuses `algo.advantage.estimator` like this",
        ),
    ] {
        assert_eq!(found(options), [expected], "{options}");
    }
    for legal in [
        "--ckpt.output x",
        "--algo.advantage.estimator rloo --rollout.n_samples_per_prompt 4",
        "--algo.advantage.is_correction_threshold 2",
        "--ds.packing_samples --vllm.num_engines 2",
        "--train.batch_size $SIZE --eval.steps -1",
    ] {
        assert_eq!(found(legal), NOTHING, "{legal}");
    }
}

const OUMI: &str = "\
model:
  model_name: Qwen/Qwen2.5-0.5B-Instruct
  torch_dtype_str: bfloat16
data:
  train:
    datasets:
      - dataset_name: mlabonne/orpo-dpo-mix-40k
        split: train
training:
  trainer_type: TRL_DPO
  use_peft: true
  learning_rate: 5e-5
  trainer_kwargs:
    beta: 0.1
peft:
  lora_r: 8
";

#[test]
fn oumi_has_no_reference_and_takes_an_adapter() {
    for version in ["0.1.3", "0.4.0", "0.9"] {
        let pin = format!("oumi=={version}\n");
        assert_eq!(found(&[("requirements.txt", &pin), ("a.yaml", OUMI)]), NOTHING, "{version}");
    }
}

#[test]
fn keys_of_oumi_are_looked_up_where_they_stand() {
    let pin = ("requirements.txt", "oumi==0.9\n");
    let bad = OUMI.replace("trainer_type", "trainer_typ").replace("use_peft", "use_pefft");
    let bad = bad.replace("split: train", "splt: train");
    assert_eq!(
        found(&[pin, ("a.yaml", &bad), ("run.sh", "oumi train -c a.yaml --training.max_stepps 10\n")]),
        [
            "unknown-config-key: oumi 0.9 knows no `--training.max_stepps`",
            "unknown-config-key: oumi 0.9 knows no `data.train.datasets.0.splt`",
            "unknown-config-key: oumi 0.9 knows no `training.trainer_typ`",
            "unknown-config-key: oumi 0.9 knows no `training.use_pefft`",
        ]
    );
    assert_eq!(fixed(&[pin, ("a.yaml", &bad), ("run.sh", "oumi train -c a.yaml\n")], "a.yaml"), OUMI);
    let newer = format!("{OUMI}deepspeed:\n  enable_deepspeed: true\n");
    let old = ("requirements.txt", "oumi==0.1.14\n");
    assert_eq!(
        found(&[old, ("a.yaml", &newer)]),
        ["unknown-config-key: oumi 0.1.14 has no `deepspeed` yet"],
        "what stands below is not reported, too"
    );
    assert_eq!(found(&[pin, ("a.yaml", &newer)]), NOTHING);
    // Nobody is known to read it.
    let other = OUMI.replace("model_name:", "name:");
    assert_eq!(found(&[pin, ("a.yaml", &format!("{other}nonsense: 1\n"))]), NOTHING);
}

#[test]
fn words_of_a_command_are_yaml_to_omegaconf() {
    let found = |words: &str| {
        let run = format!("oumi train -c a.yaml {words}");
        found(&[("requirements.txt", "oumi==0.8\n"), ("a.yaml", OUMI), ("run.sh", &run)])
    };
    for words in [
        "--training.dataloader_num_workers 1",
        "--training.dataloader_num_workers auto",
        "--training.save_steps 0 --training.learning_rate 1e-5",
        "--peft.lora_target_modules '[q_proj, v_proj]'",
        "--training.max_steps=-1",
    ] {
        assert_eq!(found(words), NOTHING, "{words}");
    }
    assert_eq!(
        found("--training.save_steps many"),
        ["invalid-config-value: oumi 0.8 cannot read `training.save_steps`: `many` is no whole number"]
    );
    assert_eq!(found("--training.dataloader_num_workers all").len(), 1);
}

#[test]
fn values_of_oumi_are_merged_as_omegaconf_does() {
    let pin = ("requirements.txt", "oumi==0.9\n");
    let found = |old: &str, new: &str| found(&[pin, ("a.yaml", &OUMI.replace(old, new))]);
    for (old, new, expected) in [
        (
            "TRL_DPO",
            "trl_dpo",
            "invalid-config-value: oumi 0.9 cannot read `training.trainer_type`: `trl_dpo` is none of its values",
        ),
        (
            "lora_r: 8",
            "lora_r: 8.0",
            "invalid-config-value: oumi 0.9 cannot read `peft.lora_r`: `8.0` is no whole number",
        ),
        (
            "use_peft: true",
            "use_peft: null",
            "invalid-config-value: oumi 0.9 cannot read `training.use_peft`: it may not be `null`",
        ),
        ("peft:\n  lora_r: 8", "peft: 8", "invalid-config-value: oumi 0.9 cannot read `peft`: it is a mapping"),
        (
            "use_peft: true",
            "gradient_accumulation_steps: 0",
            "refused-configuration: oumi 0.9 refuses `training.gradient_accumulation_steps` like this",
        ),
        (
            "torch_dtype_str: bfloat16",
            "compile: true",
            "refused-configuration: oumi 0.9 refuses `model.compile` like this",
        ),
        (
            "split: train",
            "sample_count: -1",
            "refused-configuration: oumi 0.9 refuses `data.train.datasets.0.sample_count` like this",
        ),
        ("  model_name: Qwen/Qwen2.5-0.5B-Instruct\n", "", "refused-configuration: oumi 0.9 needs `model.model_name`"),
    ] {
        let run = ("run.sh", "oumi train -c a.yaml\n");
        let with_run = lint(&[pin, ("a.yaml", &OUMI.replace(old, new)), run]).1;
        let shown: Vec<String> = with_run.iter().map(|one| format!("{}: {}", one.rule, one.message)).collect();
        assert_eq!(shown, [expected], "{new}");
    }
    for (old, new) in [
        ("TRL_DPO", "TrainerType.TRL_DPO"),
        ("lora_r: 8", "lora_r: '8'"),
        ("use_peft: true", "use_peft: 'on'"),
        ("beta: 0.1", "anything: [1, {a: null}]"),
        ("split: train", "transform_num_workers: 2"),
    ] {
        assert_eq!(found(old, new), NOTHING, "{new}");
    }
}

const TORCHTUNE: &str = "\
output_dir: /tmp/out
model:
  _component_: torchtune.models.llama3_1.lora_llama3_1_8b
  lora_rank: 8
  lora_dropout: ${dropout}
tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: ${output_dir}/tokenizer.model
checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/model
ref_checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/model
loss:
  _component_: torchtune.rlhf.loss.DPOLoss
  beta: 0.1
optimizer:
  _component_: bitsandbytes.optim.PagedAdamW
  nonsense: 1
anything: 1
";

#[test]
fn components_of_torchtune_are_looked_up_in_the_release() {
    let pin = ("requirements.txt", "torchtune==0.6.1\n");
    assert_eq!(found(&[pin, ("a.yaml", TORCHTUNE)]), NOTHING);
    let bad = TORCHTUNE.replace("lora_rank", "lora_rnk").replace("DPOLoss", "DPOLos");
    let bad = bad.replace("torchtune.training.FullModelHF", "torchtune.utils.FullModelHF");
    assert_eq!(
        found(&[pin, ("a.yaml", &bad)]),
        [
            "unknown-config-key: torchtune 0.6.1 knows no `model.lora_rnk`",
            "invalid-config-value: torchtune 0.6.1 has no `torchtune.utils.FullModelHFCheckpointer`",
            "invalid-config-value: torchtune 0.6.1 has no `torchtune.utils.FullModelHFCheckpointer`",
            "invalid-config-value: torchtune 0.6.1 has no `torchtune.rlhf.loss.DPOLos`",
        ]
    );
    assert_eq!(fixed(&[pin, ("a.yaml", &bad)], "a.yaml"), TORCHTUNE);
    let run = "tune run --nproc_per_node 2 lora_dpo_distributed --config a.yaml model.lora_alpa=16 optimizer.foo=1 loss.beta=0.2\n";
    assert_eq!(
        found(&[pin, ("a.yaml", TORCHTUNE), ("run.sh", run)]),
        ["unknown-config-key: torchtune 0.6.1 knows no `model.lora_alpa`"]
    );
    let own = TORCHTUNE.replace("bitsandbytes.optim.PagedAdamW", "torch.optim.AdamW");
    assert_eq!(found(&[pin, ("a.yaml", &own.replace("nonsense", "weight_decay"))]), NOTHING);
    assert_eq!(
        found(&[pin, ("a.yaml", &own.replace("nonsense", "weigth_decay"))]),
        ["unknown-config-key: torchtune 0.6.1 knows no `optimizer.weigth_decay`"]
    );
    let other = "tune run lora_dpo_single_device --config a.yaml loss=torchtune.rlhf.loss.PPOLoss\n";
    assert_eq!(
        found(&[pin, ("a.yaml", TORCHTUNE), ("run.sh", other)]),
        ["unknown-config-key: torchtune 0.6.1 knows no `loss.beta`"]
    );
}

#[test]
fn what_other_releases_of_torchtune_call_a_component_is_written() {
    let old = ("requirements.txt", "torchtune==0.3.1\n");
    let partial = TORCHTUNE.replace("lora_llama3_1_8b", "qlora_llama3_1_8b");
    assert_eq!(found(&[old, ("a.yaml", &partial)]), NOTHING, "a partial takes what its function takes");
    let newer = partial.replace("lora_rank: 8", "lora_rank: 8\n  use_dora: true\n  encoder_trainable: true");
    assert_eq!(
        found(&[old, ("a.yaml", &newer)]),
        ["unknown-config-key: torchtune 0.3.1 knows no `model.encoder_trainable`"]
    );
    // Nothing is declared: only what no release has.
    assert_eq!(found(&[("a.yaml", &TORCHTUNE.replace("torchtune.training.F", "torchtune.utils.F"))]), NOTHING);
    assert_eq!(found(&[("a.yaml", &TORCHTUNE.replace("DPOLoss", "DPOLos"))]).len(), 1);
}

const WRITTEN: &str = "\
LR=5.0e-6
cat > dpo.yaml <<EOF
model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
stage: dpo
do_train: true
finetuning_type: lora
lora_target: all
pref_beta: 0.1
learning_rate: $LR
dataset: pairs
template: qwen
output_dir: out
EOF
llamafactory-cli train ./dpo.yaml
";

#[test]
fn a_file_that_a_script_writes_is_judged_as_that_file() {
    let pin = ("requirements.txt", "llamafactory==0.9.3\n");
    assert_eq!(found(&[pin, ("run.sh", WRITTEN)]), NOTHING);
    let bad = WRITTEN.replace("pref_beta", "dpo_beta").replace("lora_target", "lora_taget");
    assert_eq!(
        found(&[pin, ("run.sh", &bad)]),
        [
            "unknown-config-key: LLaMA-Factory 0.9.3 knows no `lora_taget`",
            "unknown-config-key: LLaMA-Factory 0.9.3 calls `dpo_beta` `pref_beta`",
        ]
    );
    assert_eq!(fixed(&[pin, ("run.sh", &bad)], "run.sh"), WRITTEN);
    assert_eq!(found(&[pin, ("run.sh", &bad.replace("lora_taget", "$KEY"))]).len(), 1, "the shell knows what it is");
    let tee = bad.replace("cat > dpo.yaml", "tee dpo.yaml").replace("<<EOF", "<<'EOF'");
    assert_eq!(found(&[pin, ("run.sh", &tee)]).len(), 2);
    for other in [
        bad.replace("train ./dpo.yaml", "train other.yaml"),
        bad.replace("cat > dpo.yaml", "cat >> dpo.yaml"),
        format!("cat > dpo.yaml <<E\na: 1\nE\n{bad}"),
    ] {
        let found = found(&[pin, ("run.sh", &other)]);
        assert!(!found.iter().any(|one| one.starts_with("unknown-config-key")), "{other}: {found:?}");
    }
}
