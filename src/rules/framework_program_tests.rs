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
    let mut edits: Vec<_> = found.iter().flat_map(|one| one.fixes.first()).flat_map(|fix| fix.edits.clone()).collect();
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
