//! What rules about launches find in the joined run: launch line, script, argument file, configurations of accelerate and `DeepSpeed`.

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

const OLD: (&str, &str) = ("requirements.txt", "trl==0.24.0\ntransformers==4.57.1\n");
const NEW: (&str, &str) = ("requirements.txt", "trl==1.16.0\ntransformers==5.20.0\n");

const PARSED: &str = "\
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer, TrlParser
args, = TrlParser(DPOConfig).parse_args_and_config()
DPOTrainer(load(), args=args, train_dataset=data(), peft_config=LoraConfig())
";

#[test]
fn reentrant_checkpointing_of_an_adapter() {
    let full = PARSED.replace(", peft_config=LoraConfig()", "");
    let wrapped = PARSED.replace("LoraConfig\n", "LoraConfig, get_peft_model\n");
    let wrapped = wrapped.replace("load(), args", "get_peft_model(load(), LoraConfig()), args");
    let wrapped = wrapped.replace(", peft_config=LoraConfig()", "");
    let maybe = PARSED.replace("=LoraConfig()", "=LoraConfig() if args.bf16 else None");
    let check = |packages, script: &str, run: &str, recipe: &str| {
        let multi = ("multi.yaml", "distributed_type: MULTI_GPU\nnum_processes: 4\n");
        let fsdp = ("fsdp.yaml", "distributed_type: FSDP\nnum_processes: 4\n");
        let files =
            [packages, ("train.py", script), ("run.sh", run), ("recipe.yaml", recipe), multi, fsdp, ("ds.json", "{}")];
        found(&["DPL405"], &files)
    };
    let torchrun = "torchrun --nproc_per_node 4 train.py --gradient_checkpointing True";
    let reentrant = ["DPL405 --gradient_checkpointing True"];
    assert_eq!(check(OLD, PARSED, torchrun, ""), reentrant);
    assert_eq!(check(OLD, &wrapped, torchrun, ""), reentrant);
    // Newer trainers are not reentrant unless they are told so.
    assert_eq!(check(NEW, PARSED, torchrun, ""), [""; 0]);
    let told = format!("{torchrun} --gradient_checkpointing_kwargs '{{\"use_reentrant\": true}}'");
    assert_eq!(check(NEW, PARSED, &told, "").len(), 1);
    for (script, run) in [
        (&*full, torchrun),
        (&maybe, torchrun),
        (PARSED, "torchrun --nproc_per_node 1 train.py --gradient_checkpointing True"),
        (PARSED, "python train.py --gradient_checkpointing True"),
        (PARSED, "torchrun --nproc_per_node 4 train.py --gradient_checkpointing False"),
        (PARSED, "torchrun --nproc_per_node $N train.py --gradient_checkpointing True"),
        (PARSED, "torchrun --nproc_per_node 4 train.py --gradient_checkpointing True \"$@\""),
        (
            PARSED,
            "torchrun --nproc_per_node 4 train.py --gradient_checkpointing True --ddp_find_unused_parameters False",
        ),
        (PARSED, "torchrun --nproc_per_node 4 train.py --gradient_checkpointing True --deepspeed ds.json"),
        (PARSED, "accelerate launch --config_file fsdp.yaml train.py --gradient_checkpointing True"),
        (PARSED, "accelerate launch --config_file gone.yaml --num_processes 4 train.py --gradient_checkpointing True"),
        (PARSED, "accelerate launch --use_fsdp --multi_gpu --num_processes 4 train.py --gradient_checkpointing True"),
    ] {
        assert_eq!(check(OLD, script, run, ""), [""; 0], "{run}\n{script}");
    }
    let with_recipe = "accelerate launch --config_file multi.yaml train.py --config recipe.yaml";
    for (kwargs, expected) in [
        ("", vec!["DPL405 gradient_checkpointing: true"]),
        ("gradient_checkpointing_kwargs:\n  use_reentrant: false\n", vec![]),
        ("gradient_checkpointing_kwargs:\n  use_reentrant: true\n", vec!["DPL405 gradient_checkpointing_kwargs:"]),
        ("gradient_checkpointing_kwargs: null\n", vec!["DPL405 gradient_checkpointing: true"]),
    ] {
        let recipe = format!("gradient_checkpointing: true\n{kwargs}");
        assert_eq!(check(OLD, PARSED, with_recipe, &recipe), expected, "{kwargs}");
    }
}

#[test]
fn checkpointing_of_an_adapter_with_stage_3() {
    let ds = ("ds.json", r#"{"zero_optimization": {"stage": 3}}"#);
    let run = "torchrun --nproc_per_node 4 train.py --gradient_checkpointing True --deepspeed ds.json";
    let no = format!("{run} --gradient_checkpointing_kwargs '{{\"use_reentrant\": false}}'");
    let between = ("requirements.txt", "trl==1.0.0\ntransformers==5.3.0\n");
    for (packages, run, expected) in [
        // Reentrant by default, not by default, and made so by the trainer.
        (OLD, run, 0),
        (between, run, 1),
        (NEW, run, 0),
        (OLD, &*no, 1),
        (NEW, &no, 0),
    ] {
        let files = [packages, ds, ("train.py", PARSED), ("run.sh", run)];
        assert_eq!(found(&["DPL404"], &files).len(), expected, "{packages:?} {run}");
    }
}

#[test]
fn precisions_of_launcher_and_run() {
    let ds = |half: &str| format!(r#"{{"zero_optimization": {{"stage": 2}}, "{half}": {{"enabled": true}}}}"#);
    let (fp16, bf16) = (ds("fp16"), ds("bf16"));
    let accelerate = "distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: ds.json\n";
    for (run, deepspeed, expected) in [
        ("accelerate launch --mixed_precision fp16 train.py --bf16 True", "{}", vec!["DPL304 --mixed_precision fp16"]),
        ("accelerate launch --mixed_precision bf16 train.py --bf16 True", "{}", vec![]),
        ("accelerate launch --mixed_precision no train.py --bf16 True", "{}", vec![]),
        // What `bf16` is by default depends on the release, and the run says nothing.
        ("accelerate launch --mixed_precision fp16 train.py", "{}", vec![]),
        ("accelerate launch --mixed_precision bf16 train.py --bf16 False", "{}", vec!["DPL304 --bf16 False"]),
        (
            "accelerate launch --mixed_precision bf16 train.py --bf16 False --fp16 True",
            "{}",
            vec!["DPL304 --mixed_precision bf16"],
        ),
        ("accelerate launch --mixed_precision bf16 train.py --fp16 False", "{}", vec![]),
        ("accelerate launch --config_file acc.yaml train.py --bf16 True", &fp16, vec!["DPL304 \"enabled\": true"]),
        ("accelerate launch --config_file acc.yaml train.py --bf16 True", &bf16, vec![]),
        ("accelerate launch --config_file acc.yaml train.py --bf16 False", &fp16, vec![]),
        (
            "accelerate launch --config_file acc.yaml --mixed_precision bf16 train.py --bf16 False",
            &fp16,
            vec!["DPL304 \"enabled\": true"],
        ),
        ("torchrun --nproc_per_node 2 train.py --bf16 True", &fp16, vec![]),
    ] {
        let files = [OLD, ("train.py", PARSED), ("run.sh", run), ("acc.yaml", accelerate), ("ds.json", deepspeed)];
        assert_eq!(found(&["DPL304"], &files), expected, "{run} {deepspeed}");
    }
}

#[test]
fn a_half_precision_excludes_the_other_one_in_the_deepspeed_file() {
    let ds = r#"{"fp16": {"enabled": true}, "bf16": {"enabled": "auto"}}"#;
    for (flags, expected) in [
        ("--bf16 True", vec!["DPL403 \"enabled\": true"]),
        ("--fp16 True", vec![]),
        ("", vec![]),
        // The configuration refuses both by itself.
        ("--bf16 True --fp16 True", vec![]),
    ] {
        let run = format!("torchrun train.py --deepspeed ds.json {flags}");
        let files = [OLD, ("train.py", PARSED), ("run.sh", &run), ("ds.json", ds)];
        assert_eq!(found(&["DPL403"], &files), expected, "{flags}");
    }
}

#[test]
fn keys_beside_a_deepspeed_file() {
    let yaml =
        "distributed_type: DEEPSPEED\nmixed_precision: bf16\ndeepspeed_config:\n  deepspeed_config_file: ds.json\n";
    let check = |yaml: &str, run: &str| found(&["DPL410"], &[("acc.yaml", yaml), ("run.sh", run), ("ds.json", "{}")]);
    assert_eq!(check(yaml, ""), ["DPL410 mixed_precision: bf16"]);
    // The command line is asked first.
    assert_eq!(check(yaml, "accelerate launch --config_file acc.yaml --mixed_precision bf16 train.py"), [""; 0]);
    assert_eq!(check(&format!("{yaml}  zero_stage: 3\n  offload_param_device: cpu\n"), "").len(), 1);
    for yaml in [
        yaml.replace("DEEPSPEED", "MULTI_GPU"),
        yaml.replace("bf16", "null"),
        yaml.replace("mixed_precision: bf16\n", "").replace("ds.json", "ds.json\n  zero3_init_flag: true"),
        yaml.replace("_config_file: ds.json", "_multinode_launcher: standard\n  zero_stage: 3"),
    ] {
        assert_eq!(check(&yaml, ""), [""; 0], "{yaml}");
    }
}

#[test]
fn processes_and_devices() {
    for (run, expected) in [
        ("CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node=4 t.py", vec!["DPL409 --nproc_per_node=4"]),
        ("export CUDA_VISIBLE_DEVICES=0\naccelerate launch --num_processes 2 t.py", vec!["DPL409 --num_processes 2"]),
        // Of the other machine nothing is known, but this one gets half of them.
        ("CUDA_VISIBLE_DEVICES=0,1 accelerate launch --num_machines 2 --num_processes 4 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=0,1 accelerate launch --config_file a.yaml --num_processes 4 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=0,1,2,3 torchrun --nproc_per_node=2 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=$D torchrun --nproc_per_node=2 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES= torchrun --nproc_per_node=2 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=0 torchrun --nproc_per_node=auto t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=0 accelerate launch --cpu --num_processes 2 t.py", vec![]),
        ("CUDA_VISIBLE_DEVICES=0 python t.py --nproc_per_node 2", vec![]),
    ] {
        assert_eq!(found(&["DPL409"], &[("run.sh", run)]), expected, "{run}");
    }
}

#[test]
fn whole_groups_of_generations() {
    let script = "\
from trl import GRPOConfig, GRPOTrainer, TrlParser
args, = TrlParser(GRPOConfig).parse_args_and_config()
GRPOTrainer(model='x', args=args, reward_funcs=reward, train_dataset=data())
";
    let old = ("requirements.txt", "trl==0.16.1\ntransformers==4.49.0\n");
    for (packages, run, expected) in [
        (NEW, "accelerate launch --num_processes 7 train.py --per_device_train_batch_size 4 --num_generations 8", 1),
        (NEW, "accelerate launch --num_processes 8 train.py --per_device_train_batch_size 1 --num_generations 8", 0),
        (NEW, "python train.py --per_device_train_batch_size 2 --num_generations 8 --gradient_accumulation_steps 4", 0),
        (NEW, "python train.py --per_device_train_batch_size 2 --num_generations 8 --gradient_accumulation_steps 2", 1),
        (NEW, "python train.py --per_device_train_batch_size 2 --num_generations 8 --steps_per_generation 4", 0),
        (NEW, "accelerate launch train.py --generation_batch_size 12 --num_generations 8", 1),
        // How many there are is not known.
        (NEW, "accelerate launch train.py --per_device_train_batch_size 3 --num_generations 8", 0),
        (NEW, "srun torchrun --nproc_per_node 7 train.py --num_generations 9", 0),
        (NEW, "torchrun --nproc_per_node 7 train.py --num_generations 9 $MORE", 0),
        (NEW, "torchrun --nnodes $N --nproc_per_node 7 train.py --num_generations 9", 0),
        // Other releases count otherwise.
        (old, "python train.py --per_device_train_batch_size 2 --num_generations 8 --gradient_accumulation_steps 2", 0),
    ] {
        let found = found(&["DPL703"], &[packages, ("train.py", script), ("run.sh", run)]);
        assert_eq!(found.len(), expected, "{run} {found:?}");
    }
}

#[test]
fn storage_of_4_bits_under_fsdp() {
    let script = "\
from transformers import BitsAndBytesConfig
from trl import SFTConfig, SFTTrainer
bits = BitsAndBytesConfig(load_in_4bit=True)
SFTTrainer(load(bits), args=SFTConfig(output_dir='o'))
";
    let run = "accelerate launch --config_file acc.yaml train.py";
    let fsdp = "distributed_type: FSDP\nfsdp_config:\n  fsdp_sharding_strategy: FULL_SHARD\n";
    for (script, fsdp, expected) in [
        (script.to_owned(), fsdp.to_owned(), 1),
        (script.replace("=True)", "=True, bnb_4bit_quant_storage='bfloat16')"), fsdp.to_owned(), 0),
        (script.replace("=True)", "=True, **more)"), fsdp.to_owned(), 0),
        (script.replace("load_in_4bit", "load_in_8bit"), fsdp.to_owned(), 0),
        (script.replace("True)", "use_4bit())"), fsdp.to_owned(), 0),
        (script.replace("SFTTrainer(load", "print(load"), fsdp.to_owned(), 0),
        (script.to_owned(), fsdp.replace("FSDP", "MULTI_GPU"), 0),
        (script.to_owned(), format!("{fsdp}  fsdp_version: 2\n"), 0),
    ] {
        let found = found(&["DPL306"], &[OLD, ("train.py", &script), ("run.sh", run), ("acc.yaml", &fsdp)]);
        assert_eq!(found.len(), expected, "{script} {fsdp}");
    }
}

#[test]
fn several_devices_in_one_process() {
    let script = |load: &str, args: &str| {
        format!(
            "from transformers import AutoModelForCausalLM\nfrom trl import DPOConfig, DPOTrainer\n{load}\n\
             trainer = DPOTrainer({args}, args=DPOConfig(output_dir='out'), train_dataset=data())\n"
        )
    };
    let loaded = script("model = AutoModelForCausalLM.from_pretrained('q/w')", "model");
    let check = |packages: (&str, &str), script: &str, run: &str| {
        found(&["DPL407"], &[packages, ("train.py", script), ("run.sh", run)]).len()
    };
    let run = "CUDA_VISIBLE_DEVICES=0,1 python train.py";
    assert_eq!(check(NEW, &loaded, run), 1);
    assert_eq!(check(NEW, &loaded, "export CUDA_VISIBLE_DEVICES=0,1\npython train.py"), 1);
    // Older trainers put up with it.
    assert_eq!(check(OLD, &loaded, run), 0);
    for run in [
        "CUDA_VISIBLE_DEVICES=0 python train.py",
        "CUDA_VISIBLE_DEVICES=$GPUS python train.py",
        "python train.py",
        "CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node 2 train.py",
        "CUDA_VISIBLE_DEVICES=0,1 accelerate launch train.py",
        "CUDA_VISIBLE_DEVICES=0,1 srun python train.py",
    ] {
        assert_eq!(check(NEW, &loaded, run), 0, "{run}");
    }
    for script in [
        script("model = AutoModelForCausalLM.from_pretrained('q/w', device_map='auto')", "model"),
        script("model = AutoModelForCausalLM.from_pretrained('q/w', **options())", "model"),
        script("model = load()", "model"),
        // The trainer spreads it itself.
        script("", "'q/w'"),
    ] {
        assert_eq!(check(NEW, &script, run), 0, "{script}");
    }
}

#[test]
fn options_that_the_trainer_refuses_when_the_model_is_cut() {
    let both = "--save_only_model True --load_best_model_at_end True";
    let check = |packages: (&str, &str), run: &str| {
        let accelerate = ("fsdp.yaml", "distributed_type: FSDP\nnum_processes: 4\n");
        let multi = ("multi.yaml", "distributed_type: MULTI_GPU\nnum_processes: 4\n");
        let (two, three) = (
            ("ds2.json", r#"{"zero_optimization": {"stage": 2}}"#),
            ("ds3.json", r#"{"zero_optimization": {"stage": 3}}"#),
        );
        found(&["DPL503"], &[packages, ("train.py", PARSED), ("run.sh", run), accelerate, multi, two, three])
    };
    let torchrun = "torchrun --nproc_per_node 4 train.py --output_dir out";
    let best = ["DPL503 --save_only_model True"];
    assert_eq!(check(NEW, &format!("{torchrun} --deepspeed ds2.json {both}")), best);
    assert_eq!(check(NEW, &format!("accelerate launch --config_file fsdp.yaml train.py {both}")), best);
    assert_eq!(check(NEW, &format!("accelerate launch --use_deepspeed train.py {both}")), best);
    let search = format!("{torchrun} --auto_find_batch_size True --deepspeed");
    assert_eq!(check(NEW, &format!("{search} ds3.json")), ["DPL503 --auto_find_batch_size True"]);
    assert_eq!(check(NEW, &format!("{search} ds2.json")), [""; 0]);
    let old = ("requirements.txt", "trl==0.7.11\ntransformers==4.37.2\n");
    for (packages, run) in [
        (old, format!("{torchrun} --deepspeed ds2.json {both}")),
        (NEW, format!("{torchrun} {both}")),
        (NEW, format!("{torchrun} --deepspeed ds2.json --save_only_model True")),
        (NEW, format!("{torchrun} --deepspeed ds2.json {both} --save_only_model False")),
        (NEW, format!("accelerate launch --config_file multi.yaml train.py {both}")),
    ] {
        assert_eq!(check(packages, &run), [""; 0], "{run}");
    }
}
