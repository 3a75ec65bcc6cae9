//! What rules about launches find in the configurations of frameworks.

use super::testing::lint_by;

/// What the rules of these codes find: the code, and the text of the place.
fn found(codes: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    let (sources, found) = lint_by(files, &|rule| codes.contains(&rule.meta().code));
    let show = |finding: &crate::diagnostic::Diagnostic| {
        let file = sources.get(finding.primary.span.file);
        format!("{} {}", finding.code, file.slice(finding.primary.span).lines().next().unwrap_or_default())
    };
    found.iter().map(show).collect()
}

const STAGE3: (&str, &str) =
    ("ds3.json", r#"{"zero_optimization": {"stage": 3}, "train_micro_batch_size_per_gpu": "auto"}"#);
const STAGE2: (&str, &str) =
    ("ds2.json", r#"{"zero_optimization": {"stage": 2}, "train_micro_batch_size_per_gpu": "auto"}"#);

const FACTORY: &str = "\
model_name_or_path: Qwen/Qwen2.5-7B-Instruct
stage: dpo
do_train: true
finetuning_type: lora
dataset: pairs
template: qwen
output_dir: out
";

const AXOLOTL: &str = "\
base_model: Qwen/Qwen2.5-7B
datasets:
  - path: data.jsonl
    type: alpaca
sequence_len: 2048
micro_batch_size: 2
gradient_accumulation_steps: 4
gradient_checkpointing: true
output_dir: out
";

#[test]
fn what_llama_factory_refuses_with_stage_3() {
    let check = |requirements: &str, more: &str| {
        let yaml = format!("{FACTORY}{more}");
        found(&["DPL504"], &[("requirements.txt", requirements), ("dpo.yaml", &yaml), STAGE3, STAGE2])
    };
    let pinned = "llamafactory==0.9.4\n";
    for (more, expected) in [
        ("deepspeed: ds3.json\npure_bf16: true\n", vec!["DPL504 pure_bf16: true"]),
        ("deepspeed: ds3.json\nuse_unsloth: true\n", vec!["DPL504 use_unsloth: true"]),
        ("deepspeed: ds3.json\nquantization_bit: 8\n", vec!["DPL504 quantization_bit: 8"]),
        ("deepspeed: ds2.json\npure_bf16: true\n", vec![]),
        ("deepspeed: gone.json\npure_bf16: true\n", vec![]),
        ("deepspeed: null\npure_bf16: true\n", vec![]),
        ("deepspeed: ds3.json\npure_bf16: false\n", vec![]),
        ("deepspeed: ds3.json\nquantization_bit: 4\n", vec![]),
        ("deepspeed: ds3.json\n", vec![]),
    ] {
        assert_eq!(check(pinned, more), expected, "{more}");
    }
    let kt = "deepspeed: ds3.json\nuse_kt: true\n";
    assert_eq!(check(pinned, kt).len(), 1);
    // Older releases do not know it; where nothing is declared every recent one must refuse it.
    assert_eq!(check("", kt), [""; 0]);
    assert_eq!(check("", "deepspeed: ds3.json\nuse_unsloth: true\n").len(), 1);
    assert_eq!(check("llamafactory==0.8.0\n", "deepspeed: ds3.json\npure_bf16: true\n"), [""; 0]);
}

#[test]
fn checkpointing_that_is_not_reentrant_with_stage_3() {
    let factory = |more: &str| {
        let yaml = format!("{FACTORY}{more}");
        found(&["DPL404"], &[("requirements.txt", "llamafactory==0.9.4\n"), ("dpo.yaml", &yaml), STAGE3, STAGE2])
    };
    let said = "deepspeed: ds3.json\nuse_reentrant_gc: false\n";
    assert_eq!(factory(said), ["DPL404 use_reentrant_gc: false"]);
    for more in [
        "deepspeed: ds3.json\nuse_reentrant_gc: true\n",
        "deepspeed: ds3.json\n",
        "deepspeed: ds2.json\nuse_reentrant_gc: false\n",
        "deepspeed: ds3.json\nuse_reentrant_gc: false\ndisable_gradient_checkpointing: true\n",
        "deepspeed: ds3.json\nuse_reentrant_gc: false\nuse_unsloth_gc: true\n",
    ] {
        assert_eq!(factory(more), [""; 0], "{more}");
    }
    let full = FACTORY.replace("lora", "full");
    let files = [("requirements.txt", "llamafactory==0.9.4\n"), ("dpo.yaml", &*format!("{full}{said}")), STAGE3];
    assert_eq!(found(&["DPL404"], &files), [""; 0]);

    let axolotl = |more: &str| {
        let yaml = format!("{AXOLOTL}gradient_checkpointing_kwargs:\n  use_reentrant: false\n{more}");
        found(&["DPL404"], &[("requirements.txt", "axolotl==0.16.0\n"), ("sft.yml", &yaml), STAGE3])
    };
    assert_eq!(axolotl("adapter: lora\ndeepspeed: ds3.json\n"), ["DPL404 gradient_checkpointing_kwargs:"]);
    assert_eq!(axolotl("adapter: lora\ndeepspeed:\n  zero_optimization:\n    stage: 3\n").len(), 1);
    for more in [
        "deepspeed: ds3.json\n",
        "adapter: lora\n",
        // The trainers of newer releases of TRL switch to the other kind themselves.
        "adapter: lora\nrl: dpo\ndeepspeed: ds3.json\n",
        "adapter: lora\nactivation_offloading: true\ndeepspeed: ds3.json\n",
    ] {
        assert_eq!(axolotl(more), [""; 0], "{more}");
    }

    let swift = |flags: &str| {
        let line = format!("NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-7B --dataset d.jsonl {flags}");
        found(&["DPL404"], &[("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", &line), STAGE3])
    };
    let kwargs = "--gradient_checkpointing_kwargs '{\"use_reentrant\": false}'";
    assert_eq!(swift(&format!("--deepspeed zero3 {kwargs}")).len(), 1);
    assert_eq!(swift(&format!("--deepspeed ds3.json {kwargs}")).len(), 1);
    assert_eq!(swift(&format!("--deepspeed zero2 {kwargs}")), [""; 0]);
    assert_eq!(swift(&format!("--deepspeed zero3 --train_type full {kwargs}")), [""; 0]);
    assert_eq!(swift(&format!("--deepspeed zero3 --gradient_checkpointing false {kwargs}")), [""; 0]);
    assert_eq!(swift("--deepspeed zero3"), [""; 0]);
}

#[test]
fn device_maps_that_ms_swift_hands_on() {
    for (flags, expected) in [
        ("--deepspeed zero3 --device_map auto", vec!["DPL401 --device_map auto"]),
        ("--deepspeed ds3.json --device_map auto", vec!["DPL401 --device_map auto"]),
        ("--deepspeed zero2 --device_map auto", vec![]),
        ("--deepspeed $DS --device_map auto", vec![]),
        ("--deepspeed zero3", vec![]),
        ("--device_map auto", vec![]),
    ] {
        let line = format!("swift sft --model Qwen/Qwen2.5-7B --dataset d.jsonl {flags}");
        let files = [("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", &*line), STAGE3];
        assert_eq!(found(&["DPL401"], &files), expected, "{flags}");
    }
    // axolotl leaves it out itself.
    let yaml = format!("{AXOLOTL}deepspeed: ds3.json\ndevice_map: auto\n");
    assert_eq!(found(&["DPL401"], &[("sft.yml", &yaml), STAGE3]), [""; 0]);
}

#[test]
fn values_of_deepspeed_under_the_names_of_axolotl() {
    let ds = ("ds.json", r#"{"train_micro_batch_size_per_gpu": 8, "gradient_accumulation_steps": 4}"#);
    let yaml = format!("{AXOLOTL}deepspeed: ds.json\n");
    assert_eq!(found(&["DPL403"], &[("sft.yml", &yaml), ds]), ["DPL403 \"train_micro_batch_size_per_gpu\": 8"]);
    let inline =
        format!("{AXOLOTL}bf16: auto\ndeepspeed:\n  train_micro_batch_size_per_gpu: 2\n  gradient_clipping: 1.0\n");
    assert_eq!(found(&["DPL403"], &[("sft.yml", &inline)]), [""; 0]);
    let clipped = format!("{inline}max_grad_norm: 0.3\n");
    assert_eq!(found(&["DPL403"], &[("sft.yml", &clipped)]), ["DPL403 gradient_clipping: 1.0"]);
}

#[test]
fn precisions_of_launcher_and_axolotl() {
    for (launch, more, expected) in [
        ("accelerate launch --mixed_precision fp16", "bf16: true\n", vec!["DPL304 --mixed_precision fp16"]),
        ("accelerate launch --mixed_precision bf16", "bf16: true\n", vec![]),
        ("accelerate launch --mixed_precision fp16", "bf16: auto\n", vec![]),
        ("accelerate launch", "bf16: true\n", vec![]),
        ("accelerate launch --config_file acc.yaml", "fp16: true\n", vec!["DPL304 mixed_precision: bf16"]),
    ] {
        let (yaml, line) = (format!("{AXOLOTL}{more}"), format!("{launch} -m axolotl.cli.train sft.yml"));
        let files = [("sft.yml", &*yaml), ("run.sh", &line), ("acc.yaml", "mixed_precision: bf16\nnum_processes: 2\n")];
        assert_eq!(found(&["DPL304"], &files), expected, "{launch} {more}");
    }
}

#[test]
fn processes_that_the_framework_starts_itself() {
    let yaml = format!("{FACTORY}deepspeed: ds3.json\n");
    let swift = "swift sft --model Qwen/Qwen2.5-7B --dataset d.jsonl";
    for (line, expected) in [
        (format!("CUDA_VISIBLE_DEVICES=0,1 NPROC_PER_NODE=4 {swift}"), 1),
        (format!("export CUDA_VISIBLE_DEVICES=0,1\nexport NPROC_PER_NODE=4\n{swift}"), 1),
        (format!("CUDA_VISIBLE_DEVICES=0,1,2,3 NPROC_PER_NODE=2 {swift}"), 0),
        (format!("CUDA_VISIBLE_DEVICES=0,1 NPROC_PER_NODE=$N {swift}"), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 NPROC_PER_NODE=4 llamafactory-cli train dpo.yaml".to_owned(), 1),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --num-processes 4".to_owned(), 1),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --num_processes=2".to_owned(), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --launcher accelerate --num-processes 4".to_owned(), 1),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --launcher python --num-processes 4".to_owned(), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --no-accelerate --num-processes 4".to_owned(), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --cloud c.yml --num-processes 4".to_owned(), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --launcher accelerate -- --num-processes 4".to_owned(), 1),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml -- --num_processes=8 --num_machines 4".to_owned(), 0),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --launcher torchrun -- --nproc_per_node=3".to_owned(), 1),
        ("CUDA_VISIBLE_DEVICES=0,1 axolotl train sft.yml --launcher torchrun -- --nproc_per_node=2".to_owned(), 0),
        // Who reads the variable is not known.
        ("CUDA_VISIBLE_DEVICES=0,1 NPROC_PER_NODE=4 python train.py".to_owned(), 0),
    ] {
        let files = [("run.sh", &*line), ("dpo.yaml", &yaml), ("sft.yml", AXOLOTL), STAGE3];
        assert_eq!(found(&["DPL409"], &files).len(), expected, "{line}");
    }
}

#[test]
fn deepspeed_in_a_single_process() {
    let check = |requirements: &str, line: &str, more: &str| {
        let yaml = format!("{FACTORY}{more}");
        found(&["DPL411"], &[("requirements.txt", requirements), ("run.sh", line), ("dpo.yaml", &yaml), STAGE2]).len()
    };
    let (pinned, with) = ("llamafactory==0.9.3\n", "deepspeed: ds2.json\n");
    let line = "CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml";
    assert_eq!(check(pinned, line, with), 1);
    assert_eq!(check(pinned, "export CUDA_VISIBLE_DEVICES=3\nllamafactory-cli train dpo.yaml", with), 1);
    assert_eq!(check(pinned, "CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml --deepspeed ds2.json", ""), 1);
    assert_eq!(check("llamafactory==0.8.2\n", line, with), 0, "it does not ask");
    assert_eq!(check("", line, with), 1, "every recent one asks");
    assert_eq!(check(pinned, line, ""), 0);
    assert_eq!(check(pinned, line, "deepspeed: null\n"), 0);
    for line in [
        "FORCE_TORCHRUN=1 CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml",
        "export FORCE_TORCHRUN=1\nCUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml",
        "CUDA_VISIBLE_DEVICES=0,1 llamafactory-cli train dpo.yaml",
        "CUDA_VISIBLE_DEVICES=$GPU llamafactory-cli train dpo.yaml",
        "llamafactory-cli train dpo.yaml",
        "USE_RAY=1 CUDA_VISIBLE_DEVICES=0 llamafactory-cli train dpo.yaml",
        "CUDA_VISIBLE_DEVICES=0 llamafactory-cli chat dpo.yaml",
    ] {
        assert_eq!(check(pinned, line, with), 0, "{line}");
    }
}

#[test]
fn options_that_the_trainer_refuses_when_the_model_is_cut() {
    let check = |more: &str| {
        let yaml = format!("{FACTORY}{more}");
        let requirements = ("requirements.txt", "llamafactory==0.9.4\ntransformers==4.57.1\n");
        found(&["DPL503"], &[requirements, ("dpo.yaml", &yaml), STAGE3, STAGE2])
    };
    let both = "save_only_model: true\nload_best_model_at_end: true\n";
    assert_eq!(check(&format!("deepspeed: ds2.json\n{both}")), ["DPL503 save_only_model: true"]);
    let search = "auto_find_batch_size: true\n";
    assert_eq!(check(&format!("deepspeed: ds3.json\n{search}")), ["DPL503 auto_find_batch_size: true"]);
    assert_eq!(check(&format!("deepspeed: ds2.json\n{search}")), [""; 0]);
    assert_eq!(check(both), [""; 0]);
    let line = "swift rlhf --rlhf_type dpo --model q/w --dataset d.jsonl --deepspeed zero2 --save_only_model true";
    let swift = |line: &str| found(&["DPL503"], &[("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", line)]);
    assert_eq!(swift(&format!("{line} --load_best_model_at_end true")), ["DPL503 --save_only_model true"]);
    assert_eq!(swift(line), [""; 0]);
    // axolotl decides by more than this key whether the best model is loaded.
    let yaml = format!("{AXOLOTL}deepspeed: ds2.json\n{both}");
    assert_eq!(found(&["DPL503"], &[("sft.yml", &yaml), STAGE2]), [""; 0]);
}

#[test]
fn data_sets_of_pairs_that_lack_a_column() {
    let rows = "{\"instruction\": \"2 + 2?\", \"better\": \"4\", \"rejected\": \"5\"}\n";
    let check = |entry: &str, more: &str| {
        let list = format!("{{\"pairs\": {{\"file_name\": \"pairs.json\", {entry}}}}}");
        let yaml = format!("{FACTORY}{more}");
        let files =
            [("requirements.txt", "llamafactory==0.9.3\n"), ("dpo.yaml", &*yaml), ("data/dataset_info.json", &list)];
        found(&["DPL601"], &[files[0], files[1], files[2], ("data/pairs.json", rows)])
    };
    let mapped = "\"ranking\": true, \"columns\": {\"chosen\": \"chosen\", \"rejected\": \"rejected\"}";
    assert_eq!(check(mapped, ""), ["DPL601 \"chosen\": \"chosen\""]);
    for entry in ["\"ranking\": true", "\"ranking\": true, \"columns\": {\"chosen\": \"better\"}"] {
        assert_eq!(check(entry, "").len(), 1, "{entry}");
    }
    for (entry, more) in [
        ("\"ranking\": true, \"columns\": {\"chosen\": \"better\", \"rejected\": \"rejected\"}", ""),
        // Data of single answers, of another place, of another format, and for another stage.
        ("\"columns\": {\"prompt\": \"instruction\"}", ""),
        ("\"hf_hub_url\": \"a/b\", \"ranking\": true", ""),
        (mapped, "stage: kto\n"),
        (mapped, "dataset_dir: ONLINE\n"),
        (mapped, "dataset: other\n"),
    ] {
        assert_eq!(check(entry, more), [""; 0], "{entry} {more}");
    }
    assert_eq!(check(&mapped.replace("\"ranking\"", "\"file_name\": \"pairs.parquet\", \"ranking\""), ""), [""; 0]);

    let axolotl = |kind: &str, more: &str| {
        let yaml = format!("{}rl: dpo\n", AXOLOTL.replace("type: alpaca\n", &format!("type: {kind}\n{more}")));
        found(&["DPL601"], &[("requirements.txt", "axolotl==0.16.0\n"), ("dpo.yml", &yaml), ("data.jsonl", rows)])
    };
    assert_eq!(axolotl("chatml.intel", ""), ["DPL601 type: chatml.intel"]);
    assert_eq!(axolotl("chat_template.default", "    field_chosen: bettr\n"), ["DPL601 field_chosen: bettr"]);
    assert_eq!(axolotl("chat_template.default", "    field_chosen: better\n"), [""; 0]);
    assert_eq!(axolotl("own.kind", ""), [""; 0]);
    let sft = AXOLOTL.replace("type: alpaca", "type: chatml.intel");
    assert_eq!(found(&["DPL601"], &[("sft.yml", &sft), ("data.jsonl", rows)]), [""; 0]);
}

#[test]
fn adapters_in_several_processes_that_look_for_unused_parameters() {
    let check = |requirements: &str, more: &str, run: &str| {
        let yaml = format!("{FACTORY}{more}");
        found(&["DPL405"], &[("requirements.txt", requirements), ("dpo.yaml", &yaml), ("run.sh", run), STAGE2])
    };
    let two = "FORCE_TORCHRUN=1 NPROC_PER_NODE=2 llamafactory-cli train dpo.yaml";
    let key = "ddp_find_unused_parameters: true\n";
    let hit = ["DPL405 ddp_find_unused_parameters: true"];
    let pin = "llamafactory==0.9.4\n";
    assert_eq!(check(pin, key, two), hit);
    assert_eq!(check("llamafactory==0.9.1\ntransformers==4.46.1\n", key, two), hit);
    for (more, run) in [
        ("", two),
        ("ddp_find_unused_parameters: false\n", two),
        (&*format!("{key}use_reentrant_gc: false\n"), two),
        (&*format!("{key}disable_gradient_checkpointing: true\n"), two),
        (&*format!("{key}deepspeed: ds2.json\n"), two),
        (&*format!("{key}fsdp: full_shard\n"), two),
        (key, "llamafactory-cli train dpo.yaml"),
        (key, "NPROC_PER_NODE=1 llamafactory-cli train dpo.yaml"),
        (key, ""),
    ] {
        let nothing: [&str; 0] = [];
        assert_eq!(check(pin, more, run), nothing, "{more} {run}");
    }
    let swift = |words: &str| {
        let run = format!(
            "NPROC_PER_NODE=2 swift sft --model a/b --dataset d --train_type lora --ddp_find_unused_parameters true {words}"
        );
        found(&["DPL405"], &[("requirements.txt", "ms-swift==3.9.0\n"), ("run.sh", &run)]).len()
    };
    assert_eq!(swift("--gradient_checkpointing_kwargs '{\"use_reentrant\": true}'"), 1);
    assert_eq!(swift(""), 0, "what it does by default differs between releases");
}

#[test]
fn groups_of_generations_over_several_processes() {
    let check = |run: &str| {
        let files = [("requirements.txt", "trl==1.0.0\nms-swift==3.9.0\n"), ("run.sh", run)];
        found(&["DPL703"], &files).len()
    };
    let trl =
        "trl grpo --model_name_or_path a/b --dataset_name c/d --num_generations 8 --per_device_train_batch_size 2";
    let swift =
        "swift rlhf --rlhf_type grpo --model a/b --dataset d --num_generations 8 --per_device_train_batch_size 2";
    for (run, expected) in [
        (format!("NPROC_PER_NODE=3 {swift} --gradient_accumulation_steps 1"), 1),
        (format!("NPROC_PER_NODE=4 {swift} --gradient_accumulation_steps 1"), 0),
        (format!("NPROC_PER_NODE=3 NNODES=2 {swift} --gradient_accumulation_steps 1"), 0),
        (format!("NPROC_PER_NODE=3 {swift}"), 0),
        (format!("NPROC_PER_NODE=3 {swift} --gradient_accumulation_steps 1 --sequence_parallel_size 3"), 0),
        (format!("{swift} --gradient_accumulation_steps 1"), 0),
        (format!("NPROC_PER_NODE=3 {swift} --gradient_accumulation_steps 4"), 0),
        (format!("NPROC_PER_NODE=3 {swift} --generation_batch_size 12"), 1),
        (format!("accelerate launch --num_processes 3 {trl} --gradient_accumulation_steps 1"), 1),
        (format!("accelerate launch --num_processes 4 {trl} --gradient_accumulation_steps 1"), 0),
        (format!("{trl} --gradient_accumulation_steps 1 --num_processes 3"), 1),
        (format!("{trl} --gradient_accumulation_steps 1 --num_processes 4"), 0),
        (format!("NPROC_PER_NODE=3 {} --gradient_accumulation_steps 1", swift.replace("grpo", "dpo")), 0),
    ] {
        assert_eq!(check(&run), expected, "{run}");
    }
}

#[test]
fn weights_in_half_precision_that_a_scaled_loss_is_to_train() {
    let swift = |release: &str, flags: &str| {
        let line = format!("swift sft --model Qwen/Qwen2.5-7B --dataset data.jsonl --output_dir out {flags}\n");
        found(&["DPL302"], &[("requirements.txt", &format!("ms-swift=={release}\n")), ("train.sh", &line)])
    };
    let half = "--torch_dtype float16";
    for (release, flags, expected) in [
        ("4.5.2", "--tuner_type full --torch_dtype float16", vec!["DPL302 --torch_dtype float16"]),
        ("4.5.2", "--tuner_type full --torch_dtype float16 --fp16 true", vec!["DPL302 --torch_dtype float16"]),
        ("3.5.0", "--train_type full --torch_dtype float16", vec!["DPL302 --torch_dtype float16"]),
        // Older releases load the weights so that they fit the flag.
        ("3.2.0", "--train_type full --fp16 true", vec!["DPL302 --fp16 true"]),
        ("3.2.0", "--train_type full --torch_dtype float16 --fp16 false", vec!["DPL302 --torch_dtype float16"]),
        ("3.5.0", "--train_type full --fp16 true", vec![]),
        ("3.5.0", "--train_type full --torch_dtype float16 --fp16 false", vec![]),
        ("3.5.0", "--train_type full --torch_dtype float32 --fp16 true", vec![]),
        ("3.5.0", "--train_type full --torch_dtype bfloat16", vec![]),
        // An adapter is brought to float32.
        ("4.5.2", half, vec![]),
        ("3.5.0", "--train_type lora --torch_dtype float16", vec![]),
        ("4.5.2", "--tuner_type full --torch_dtype float16 --deepspeed zero2", vec![]),
        ("4.5.2", "--tuner_type full --torch_dtype float16 $MORE", vec![]),
    ] {
        assert_eq!(swift(release, flags), expected, "{release} {flags}");
    }
    let axolotl = |release: &str, more: &str| {
        let yaml = format!("{AXOLOTL}{more}");
        found(&["DPL302"], &[("requirements.txt", &format!("axolotl=={release}\n")), ("run.yaml", &yaml)])
    };
    for (release, more, expected) in [
        ("0.18.0", "fp16: true\n", vec!["DPL302 fp16: true"]),
        ("0.18.0", "fp16: true\nbf16: false\n", vec!["DPL302 fp16: true"]),
        ("0.18.0", "fp16: true\nrl: dpo\n", vec!["DPL302 fp16: true"]),
        ("0.6.0", "fp16: true\nbf16: false\n", vec!["DPL302 fp16: true"]),
        // There `auto` wins where the device has bfloat16.
        ("0.6.0", "fp16: true\n", vec![]),
        ("0.6.0", "fp16: true\nbf16: false\nrl: dpo\n", vec![]),
        ("0.18.0", "fp16: true\nbf16: true\n", vec![]),
        ("0.18.0", "fp16: true\nadapter: lora\n", vec![]),
        ("0.18.0", "fp16: true\nfsdp_config:\n  reshard_after_forward: true\n", vec![]),
        ("0.18.0", "float16: true\n", vec![]),
    ] {
        assert_eq!(axolotl(release, more), expected, "{release} {more}");
    }
    // All that is trained is in float32 there.
    let yaml = FACTORY.replace("lora", "full") + "fp16: true\n";
    assert_eq!(found(&["DPL302"], &[("requirements.txt", "llamafactory==0.9.4\n"), ("dpo.yaml", &yaml)]), [""; 0]);
}

#[test]
fn flash_attention_in_float32() {
    let factory = |more: &str| {
        let yaml = FACTORY.replace("lora", "full") + more;
        found(&["DPL305"], &[("requirements.txt", "llamafactory==0.9.4\n"), ("dpo.yaml", &yaml), STAGE2])
    };
    for (more, expected) in [
        ("flash_attn: fa2\n", vec!["DPL305 flash_attn: fa2"]),
        ("flash_attn: fa2\nbf16: false\n", vec!["DPL305 flash_attn: fa2"]),
        ("flash_attn: fa2\nbf16: true\n", vec![]),
        ("flash_attn: fa2\nfp16: true\n", vec![]),
        ("flash_attn: fa2\npure_bf16: true\n", vec![]),
        ("flash_attn: fa2\ndeepspeed: ds2.json\n", vec![]),
        ("flash_attn: sdpa\n", vec![]),
        ("flash_attn: fa2\nfp8: true\n", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(factory(more), expected, "{more}");
    }
    // The weights below an adapter may be saved in bfloat16.
    let lora = format!("{FACTORY}flash_attn: fa2\n");
    assert_eq!(found(&["DPL305"], &[("requirements.txt", "llamafactory==0.9.4\n"), ("dpo.yaml", &lora)]), [""; 0]);
    // A checkout of the framework, whose script is started.
    let launched = |launcher: &str| {
        let yaml = FACTORY.replace("lora", "full") + "flash_attn: fa2\n";
        let line = format!("{launcher} src/train.py dpo.yaml\n");
        let files = [
            ("requirements.txt", "llamafactory==0.9.4\n"),
            ("src/llamafactory/__init__.py", ""),
            ("src/llamafactory/hparams.py", "from transformers import HfArgumentParser\n"),
            ("src/train.py", "from llamafactory.train.tuner import run_exp\nrun_exp()\n"),
            ("dpo.yaml", &*yaml),
            ("run.sh", &*line),
        ];
        found(&["DPL305"], &files)
    };
    assert_eq!(launched("accelerate launch --multi_gpu --mixed_precision no").len(), 1);
    assert_eq!(launched("accelerate launch --multi_gpu --mixed_precision bf16"), [""; 0]);
    assert_eq!(launched("ACCELERATE_MIXED_PRECISION=bf16 torchrun --nproc_per_node 2"), [""; 0]);

    let axolotl = |more: &str| {
        let yaml = format!("{AXOLOTL}{more}");
        found(&["DPL305"], &[("requirements.txt", "axolotl==0.18.0\n"), ("run.yaml", &yaml)])
    };
    for (more, expected) in [
        ("bf16: false\nflash_attention: true\n", vec!["DPL305 flash_attention: true"]),
        (
            "bf16: false\nattn_implementation: flash_attention_2\n",
            vec!["DPL305 attn_implementation: flash_attention_2"],
        ),
        ("flash_attention: true\n", vec![]),
        ("bf16: auto\nflash_attention: true\n", vec![]),
        ("bf16: false\nfp16: true\nflash_attention: true\n", vec![]),
        ("bf16: false\nload_in_8bit: true\nadapter: lora\nflash_attention: true\n", vec![]),
        ("bf16: false\nattn_implementation: sdpa\n", vec![]),
    ] {
        assert_eq!(axolotl(more), expected, "{more}");
    }

    let swift = |release: &str, flags: &str| {
        let line = format!("swift sft --model Qwen/Qwen2.5-7B --dataset data.jsonl --output_dir out {flags}\n");
        found(&["DPL305"], &[("requirements.txt", &format!("ms-swift=={release}\n")), ("train.sh", &line)])
    };
    let single = "--torch_dtype float32 --attn_impl flash_attn";
    assert_eq!(swift("4.5.2", &format!("{single} --fp16 false")), ["DPL305 --attn_impl flash_attn"]);
    // It asks for mixed precision itself.
    assert_eq!(swift("4.5.2", single), [""; 0]);
    assert_eq!(swift("3.2.0", &format!("{single} --fp16 false")), [""; 0]);
    assert_eq!(swift("4.5.2", &format!("{single} --fp16 false --bf16 true")), [""; 0]);
}

#[test]
fn files_of_ms_swift_without_rejected_answers() {
    let row = |columns: &str| format!("{{\"messages\": [], {columns}}}\n");
    let swift = |release: &str, columns: &str, flags: &str| {
        let line = format!("swift rlhf --model Qwen/Qwen2.5-7B --output_dir out {flags}\n");
        let requirements = format!("ms-swift=={release}\n");
        let rows = row(columns);
        found(&["DPL601"], &[("requirements.txt", &requirements), ("run.sh", &line), ("data/pairs.jsonl", &rows)])
    };
    let dpo = "--rlhf_type dpo --dataset data/pairs.jsonl";
    let trl = "\"chosen\": \"a\", \"rejected\": \"b\"";
    for (release, columns, flags, expected) in [
        ("4.5.2", trl, dpo, vec!["DPL601 data/pairs.jsonl"]),
        ("3.0.0", trl, dpo, vec!["DPL601 data/pairs.jsonl"]),
        ("3.12.6", trl, "--dataset org/other data/pairs.jsonl#500", vec!["DPL601 data/pairs.jsonl#500"]),
        ("3.12.6", trl, "--rlhf_type rm --val_dataset data/pairs.jsonl", vec!["DPL601 data/pairs.jsonl"]),
        ("4.5.2", "\"rejected_response\": \"b\"", dpo, vec![]),
        ("4.5.2", "\"rejected_messages\": []", dpo, vec![]),
        ("4.5.2", trl, "--rlhf_type kto --dataset data/pairs.jsonl", vec!["DPL601 data/pairs.jsonl"]),
        ("3.0.0", "\"labels\": true", "--rlhf_type kto --dataset data/pairs.jsonl", vec!["DPL601 data/pairs.jsonl"]),
        ("3.0.0", "\"label\": true", "--rlhf_type kto --dataset data/pairs.jsonl", vec![]),
        // Of rows for evaluation the answer is taken to be unwanted.
        ("4.5.2", trl, "--rlhf_type kto --dataset org/other --val_dataset data/pairs.jsonl", vec![]),
        ("4.5.2", trl, "--rlhf_type kto --dataset data/pairs.jsonl --columns '{\"y\": \"label\"}'", vec![]),
        ("4.5.2", trl, "--rlhf_type grpo --dataset data/pairs.jsonl", vec![]),
        (
            "4.5.2",
            trl,
            "--rlhf_type dpo --dataset data/pairs.jsonl --columns '{\"rejected\": \"rejected_response\"}'",
            vec![],
        ),
        ("4.5.2", trl, "--rlhf_type dpo --dataset data/pairs.jsonl --custom_register_path mine.py", vec![]),
        ("4.5.2", trl, "--rlhf_type dpo --dataset data/gone.jsonl", vec![]),
        ("4.5.2", trl, "--rlhf_type dpo --dataset $DATA", vec![]),
        // What else is read of a line is not known.
        ("4.5.2", trl, "--rlhf_type dpo --dataset data/pairs.jsonl $MORE", vec![]),
        ("2.6.1", trl, dpo, vec![]),
    ] {
        assert_eq!(swift(release, columns, flags), expected, "{release} {columns} {flags}");
    }
}
