//! Releases of frameworks: what a change of release does to configurations, and which release counts on a given day.

mod project;

use project::Project;

#[test]
fn defaults_of_a_configuration_change_where_nothing_sets_them() {
    let dpo = "model_name_or_path: me/sft\nstage: dpo\ndo_train: true\nfinetuning_type: lora\ndataset: pairs\ntemplate: qwen\noutput_dir: out\n";
    let full = format!("{dpo}cutoff_len: 512\n");
    let json = "{\"model_name_or_path\": \"me/sft\", \"stage\": \"sft\", \"do_train\": true, \"finetuning_type\": \"full\", \"use_galore\": true, \"dataset\": \"d\", \"output_dir\": \"out\"}\n";
    let files = [
        ("dpo.yaml", dpo),
        ("full.yaml", &*full),
        ("sft.json", json),
        (
            "run.sh",
            "llamafactory-cli train --model_name_or_path me/sft --stage sft --dataset d --output_dir out --finetuning_type full\n",
        ),
        ("requirements.txt", "llamafactory==0.9.0\n"),
    ];
    let project = Project::new(&files);
    let ran = project.run(&["migrate", "--to", "llamafactory==0.9.3"]);
    assert!(
        ran.out.contains("+llamafactory==0.9.3"),
        "declarations of what a framework reads are rewritten: {}",
        ran.out
    );
    let drift: Vec<&str> =
        ran.err.split("Defaults that change:").nth(1).expect("a list").lines().map(str::trim).collect();
    let lines = |path: &str| -> Vec<&str> {
        drift.iter().filter_map(|line| line.strip_prefix(path)).map(|line| line.trim_start_matches(":1: ")).collect()
    };
    let said = |old: &str, new: &str, since: &str| {
        format!("`LLaMA-Factory 0.9.3` now has `{new}`; `{old}` keeps what it was (changed by llamafactory {since})")
    };
    assert_eq!(
        lines("dpo.yaml"),
        [said("cutoff_len: 1024", "cutoff_len: 2048", "0.9.1")],
        "what exports and what serves is apart"
    );
    assert!(lines("full.yaml").is_empty(), "it is set: {drift:?}");
    let [length, scale] = &lines("sft.json")[..] else { panic!("{drift:?}") };
    assert_eq!(*length, said("\"cutoff_len\": 1024", "\"cutoff_len\": 2048", "0.9.1"));
    assert_eq!(*scale, said("\"galore_scale\": 0.25", "\"galore_scale\": 2.0", "0.9.2"), "this run uses it");
    assert_eq!(lines("run.sh"), [said("--cutoff_len 1024", "--cutoff_len 2048", "0.9.1")]);

    let undeclared = Project::new(&files[..4]);
    let ran = undeclared.run(&["migrate", "--to", "llamafactory==0.9.3"]);
    assert!(!ran.err.contains("Defaults"), "what it was is not known: {}", ran.err);
}

#[test]
fn defaults_of_keys_below_others_and_of_renamed_ones() {
    let oumi = "model:\n  model_name: me/sft\ndata:\n  train:\n    datasets:\n      - dataset_name: yahma/alpaca-cleaned\ntraining:\n  trainer_type: TRL_SFT\n  output_dir: out\n";
    let dpo = "python -m openrlhf.cli.train_ppo_ray --pretrain me/sft --prompt_data d\n";
    for (files, to, wanted, unwanted) in [
        (
            [("train.yaml", oumi), ("requirements.txt", "oumi==0.3.0\n")],
            "oumi==0.4.0",
            "`oumi 0.4.0` now has `model.torch_dtype_str: auto`; `model.torch_dtype_str: float32` keeps what it was (changed by oumi 0.4.0)",
            "training.output_dir",
        ),
        (
            [("run.sh", dpo), ("requirements.txt", "openrlhf==0.9.10\n")],
            "openrlhf==0.10.0",
            "`OpenRLHF 0.10.0` now has `--micro_train_batch_size 1`; `--micro_train_batch_size 4` keeps what it was (changed by openrlhf 0.10.0)",
            "None",
        ),
        (
            [
                ("run.sh", "swift rlhf --rlhf_type dpo --model me/sft --dataset d --tuner_type lora\n"),
                ("requirements.txt", "ms-swift==4.0.0\n"),
            ],
            "ms-swift==4.5.3",
            "`ms-swift 4.5.3` now has `--dataloader_persistent_workers True`; `--dataloader_persistent_workers False` keeps what it was",
            "--top_p",
        ),
        (
            [
                ("run.sh", "swift rlhf --rlhf_type grpo --model me/sft --dataset d --tuner_type lora\n"),
                ("requirements.txt", "ms-swift==4.0.0\n"),
            ],
            "ms-swift==4.5.3",
            "`ms-swift 4.5.3` now has `--top_p 1.0`; `--top_p 0.9` keeps what it was (changed by ms-swift 4.0.3)",
            "lora_alpha",
        ),
    ] {
        let ran = Project::new(&files).run(&["migrate", "--to", to]);
        let drift = ran.err.split("Defaults that change:").nth(1).unwrap_or_default();
        assert!(drift.contains(wanted), "{to}: {}", ran.err);
        assert!(!drift.contains(unwanted), "{to}: {drift}");
    }
}

#[test]
fn a_day_decides_which_release_of_a_framework_counts() {
    // LLaMA-Factory 0.9.1 is of 2024-11-24, 0.9.2 of 2025-03-11; `use_kt` came with 0.9.4, of the last day of 2025.
    let config = "model_name_or_path: me/sft\nstage: sft\ndo_train: true\nfinetuning_type: lora\ndataset: d\ntemplate: qwen\noutput_dir: out\nuse_kt: false\n";
    let swift = "swift sft --model me/sft --dataset d --sft_type lora\n";
    for (files, day, wanted) in [
        ([("sft.yaml", config), ("requirements.txt", "llamafactory>=0.9\n")], None, None),
        (
            [("sft.yaml", config), ("requirements.txt", "llamafactory>=0.9\n")],
            Some("2025-01-01"),
            Some("LLaMA-Factory 0.9.1"),
        ),
        (
            [("sft.yaml", config), ("requirements.txt", "llamafactory>=0.9\n")],
            Some("2025-06-01"),
            Some("LLaMA-Factory 0.9.2"),
        ),
        // The newest release of the day is not allowed.
        ([("sft.yaml", config), ("requirements.txt", "llamafactory>=0.9.2\n")], Some("2025-01-01"), None),
        // A pin is a pin on every day.
        (
            [("sft.yaml", config), ("requirements.txt", "llamafactory==0.9.3\n")],
            Some("2025-01-01"),
            Some("LLaMA-Factory 0.9.3"),
        ),
        ([("run.sh", swift), ("requirements.txt", "ms-swift\n")], Some("2025-02-01"), Some("ms-swift 3.0.3")),
        ([("run.sh", swift), ("requirements.txt", "ms-swift\n")], Some("2024-11-30"), None),
    ] {
        let day = day.map(|day| ["--as-of", day]);
        let arguments: Vec<&str> =
            ["check", "--output-format", "concise"].into_iter().chain(day.into_iter().flatten()).collect();
        let ran = Project::new(&files).run(&arguments);
        let found: Vec<&str> = ran.out.lines().filter(|line| line.contains("DPL105")).collect();
        match wanted {
            None => assert!(found.is_empty(), "{arguments:?}: {found:?}"),
            Some(release) => {
                assert!(found.len() == 1 && found[0].contains(release), "{arguments:?}: {} {}", ran.out, ran.err);
            }
        }
    }
}
