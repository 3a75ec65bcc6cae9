//! What rules about the model that a trainer gets find, and what they leave alone.

use super::testing::lint_by;

const HEAD: &str = "import torch\nfrom peft import LoraConfig, get_peft_model\n\
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BitsAndBytesConfig, Trainer, TrainingArguments\n\
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer\n";

fn found(code: &str, requirements: &str, body: &str, more: &[(&str, &str)]) -> usize {
    let script = format!("{HEAD}{body}");
    let mut files = vec![("requirements.txt", requirements), ("train.py", script.as_str())];
    files.extend_from_slice(more);
    lint_by(&files, &|rule| rule.meta().code == code).1.len()
}

const PINS: &str = "transformers==4.49.0\ntrl==0.15.2\npeft==0.14.0\n";
const OLD_PINS: &str = "transformers==4.40.2\ntrl==0.8.6\npeft==0.11.1\n";
const NEW_PINS: &str = "transformers==5.0.0\ntrl==0.29.1\npeft==0.18.1\n";

#[test]
fn weights_of_half_precision_that_fp16_trains() {
    let half = "model = AutoModelForCausalLM.from_pretrained('q/w', torch_dtype=torch.float16)\n";
    let wrap = "model = get_peft_model(model, LoraConfig(r=8))\n";
    let train = "Trainer(model=model, args=TrainingArguments('o', fp16=True), train_dataset=data())\n";
    let plain = format!("{half}{train}");
    let wrapped = format!("{half}{wrap}{train}");
    for (pins, body, expected) in [
        (PINS, plain.clone(), 1),
        (NEW_PINS, plain.clone(), 1),
        (NEW_PINS, plain.replace("torch_dtype", "dtype"), 1),
        (PINS, plain.replace("torch.float16", "'float16'"), 1),
        (PINS, plain.replace("torch.float16)", "torch.float16).to('cuda')"), 1),
        (PINS, plain.replace("Trainer(", "model.config.use_cache = False\nTrainer("), 1),
        (PINS, plain.replace("Trainer(model", "SFTTrainer(model").replace("TrainingArguments('o'", "SFTConfig('o'"), 1),
        // Mixed precision is another one, or none.
        (PINS, plain.replace("fp16=True", "bf16=True"), 0),
        (PINS, plain.replace(", fp16=True", ""), 0),
        (PINS, plain.replace("fp16=True", "fp16=half"), 0),
        (PINS, plain.replace("fp16=True", "fp16=True, half_precision_backend='apex'"), 0),
        // So is the precision of the weights.
        (PINS, plain.replace("torch.float16", "torch.bfloat16"), 0),
        (PINS, plain.replace("torch.float16", "torch.float32"), 0),
        (PINS, plain.replace("torch.float16", "'auto'"), 0),
        (PINS, plain.replace("torch.float16", "torch.float16 if small else torch.float32"), 0),
        (PINS, plain.replace("torch.float16)", "torch.float16).float()"), 0),
        (PINS, plain.replace("torch.float16)", "torch.float16).to(torch.float32)"), 0),
        (PINS, plain.replace("Trainer(", "from mine import cast\ncast(model)\nTrainer("), 0),
        (
            PINS,
            plain.replace("Trainer(", "for p in model.parameters():\n    p.data = p.data.to(torch.float)\nTrainer("),
            0,
        ),
        (PINS, plain.replace("Trainer(", "class T(Trainer): ...\nT("), 0),
        // These scale in another way.
        (PINS, plain.replace("fp16=True", "fp16=True, deepspeed='ds.json'"), 0),
        (PINS, plain.replace("fp16=True", "fp16=True, fsdp='full_shard'"), 0),
        // Nothing of a model of fewer bits is trained but the adapter.
        (PINS, plain.replace("'q/w'", "'q/w', quantization_config=BitsAndBytesConfig(load_in_8bit=True)"), 0),
        (PINS, plain.replace("'q/w'", "'q/w-GPTQ'"), 0),
        // Adapters: by the release of peft, what it is told, and what is saved beside.
        (OLD_PINS, wrapped.clone(), 1),
        (PINS, wrapped.clone(), 0),
        (PINS, wrapped.replace("(r=8)", "(r=8), autocast_adapter_dtype=False"), 1),
        (PINS, wrapped.replace("(r=8)", "(r=8), autocast_adapter_dtype=cast"), 0),
        (PINS, wrapped.replace("(r=8)", "(r=8, modules_to_save=['lm_head'])"), 1),
        (PINS, wrapped.replace("(r=8)", "(r=8, modules_to_save=None)"), 0),
        (PINS, wrapped.replace("(r=8)", "(r=8, task_type='SEQ_CLS')"), 1),
        (PINS, wrapped.replace("(r=8)", "(r=8, task_type='CAUSAL_LM')"), 0),
        (PINS, wrapped.replace("(r=8)", "(**options)"), 0),
        (
            OLD_PINS,
            wrapped.replace("model = get_peft", "from peft import prepare_model_for_kbit_training\nmodel = prepare_model_for_kbit_training(model)\nmodel = get_peft"),
            0,
        ),
        (
            OLD_PINS,
            plain
                .replace("train_dataset", "peft_config=LoraConfig(), train_dataset")
                .replace("Trainer(model", "SFTTrainer(model")
                .replace("TrainingArguments('o'", "SFTConfig('o'"),
            1,
        ),
    ] {
        assert_eq!(found("DPL302", pins, &body, &[]), expected, "{pins}{body}");
    }
    let launched = |line: &str, config: &str| found("DPL302", PINS, &plain, &[("run.sh", line), ("acc.yaml", config)]);
    assert_eq!(launched("torchrun --nproc_per_node 2 train.py\n", ""), 1);
    assert_eq!(launched("python train.py\n", ""), 1);
    // The user's own configuration of accelerate may ask for anything.
    assert_eq!(launched("accelerate launch train.py\n", ""), 0);
    assert_eq!(launched("accelerate launch --multi_gpu train.py\n", ""), 1);
    assert_eq!(launched("accelerate launch --multi_gpu --use_fsdp train.py\n", ""), 0);
    assert_eq!(launched("accelerate launch --config_file acc.yaml train.py\n", "distributed_type: FSDP\n"), 0);
    assert_eq!(launched("accelerate launch --config_file acc.yaml train.py\n", "distributed_type: MULTI_GPU\n"), 1);
}

#[test]
fn adapters_that_get_no_gradient() {
    let load = "model = AutoModelForCausalLM.from_pretrained('q/w')\n";
    let wrap = "model = get_peft_model(model, LoraConfig(r=8))\n";
    let train =
        "Trainer(model=model, args=TrainingArguments('o', gradient_checkpointing=True), train_dataset=data())\n";
    let plain = format!("{load}{wrap}{train}");
    let of = |trainer: &str, config: &str| {
        plain
            .replace("Trainer(model", &format!("{trainer}(model"))
            .replace("TrainingArguments('o'", &format!("{config}(output_dir='o'"))
    };
    let given = |trainer: &str, config: &str| {
        of(trainer, config).replace(wrap, "").replace("train_dataset", "peft_config=LoraConfig(r=8), train_dataset")
    };
    for (pins, body, expected) in [
        (PINS, plain.clone(), 1),
        (OLD_PINS, plain.clone(), 1),
        (NEW_PINS, plain.clone(), 0),
        (PINS, plain.replace("g=True", "g=True, gradient_checkpointing_kwargs={'use_reentrant': True}"), 1),
        (NEW_PINS, plain.replace("g=True", "g=True, gradient_checkpointing_kwargs={'use_reentrant': True}"), 0),
        (PINS, plain.replace("g=True", "g=True, gradient_checkpointing_kwargs={'use_reentrant': False}"), 0),
        (PINS, plain.replace("g=True", "g=True, gradient_checkpointing_kwargs=options"), 0),
        (PINS, plain.replace("g=True", "g=False"), 0),
        (PINS, plain.replace(wrap, &format!("model.enable_input_require_grads()\n{wrap}")), 0),
        (PINS, plain.replace(wrap, &format!("{wrap}model.enable_input_require_grads()\n")), 0),
        // peft looks at the model that it is put on.
        (PINS, plain.replace(wrap, &format!("model.gradient_checkpointing_enable()\n{wrap}")), 0),
        (PINS, plain.replace(wrap, &format!("from mine import prepare\nprepare(model)\n{wrap}")), 0),
        (PINS, plain.replace(wrap, "model.add_adapter(LoraConfig(r=8))\n"), 0),
        (PINS, plain.replace(wrap, ""), 0),
        // Embeddings that are trained let gradients through.
        (PINS, plain.replace("(r=8)", "(r=8, modules_to_save=['embed_tokens', 'lm_head'])"), 0),
        (PINS, plain.replace("(r=8)", "(r=8, target_modules=['q_proj', 'embed_tokens'])"), 0),
        (PINS, plain.replace("(r=8)", "(r=8, target_modules=modules)"), 0),
        (PINS, plain.replace("(r=8)", "(r=8, target_modules=['q_proj'], modules_to_save=['lm_head'])"), 1),
        (PINS, plain.replace("(r=8)", "(r=8, target_modules='all-linear')"), 1),
        (PINS, plain.replace("LoraConfig(r=8)", "config"), 0),
        (PINS, plain.replace("'q/w'", "'q/w', load_in_8bit=True"), 0),
        (PINS, plain.replace("'q/w'", "'q/w', trust_remote_code=True"), 0),
        (PINS, plain.replace("'q/w'", "path"), 0),
        (PINS, plain.replace("Trainer(", "class T(Trainer): ...\nT("), 0),
        // What trainers of TRL do themselves.
        (PINS, given("SFTTrainer", "SFTConfig"), 0),
        (PINS, of("SFTTrainer", "SFTConfig"), 1),
        (PINS, given("DPOTrainer", "DPOConfig"), 0),
        (PINS, of("DPOTrainer", "DPOConfig"), 0),
        (PINS, given("RewardTrainer", "RewardConfig"), 1),
        (PINS, of("RewardTrainer", "RewardConfig"), 1),
        (PINS, given("GRPOTrainer", "GRPOConfig"), 1),
        ("transformers==4.57.1\ntrl==0.24.0\n", given("RewardTrainer", "RewardConfig"), 0),
        ("transformers==4.57.1\ntrl==0.24.0\n", of("SFTTrainer", "SFTConfig"), 0),
    ] {
        assert_eq!(found("DPL406", pins, &body, &[]), expected, "{pins}{body}");
    }
}

#[test]
fn flash_attention_that_gets_float32() {
    let load = "model = AutoModelForCausalLM.from_pretrained('q/w', attn_implementation='flash_attention_2')\n";
    let plain = format!("{load}Trainer(model=model, args=TrainingArguments('o'), train_dataset=data())\n");
    let trl = plain.replace("Trainer(model", "SFTTrainer(model").replace("TrainingArguments('o'", "SFTConfig('o'");
    for (pins, body, expected) in [
        (PINS, plain.clone(), 1),
        // The type of the checkpoint.
        (NEW_PINS, plain.clone(), 0),
        (NEW_PINS, plain.replace("'q/w'", "'q/w', dtype=torch.float32"), 1),
        (PINS, plain.replace("'q/w'", "'q/w', torch_dtype='float32'"), 1),
        (PINS, plain.replace("'q/w'", "'q/w', torch_dtype=torch.bfloat16"), 0),
        (PINS, plain.replace("'q/w'", "'q/w', torch_dtype='auto'"), 0),
        (PINS, plain.replace("'q/w'", "'q/w', torch_dtype=dtype"), 0),
        (PINS, plain.replace("'q/w'", "'q/w', config=config"), 0),
        (PINS, plain.replace("'flash_attention_2'", "'sdpa'"), 0),
        (PINS, plain.replace("'flash_attention_2'", "kind"), 0),
        (PINS, plain.replace("('o'", "('o', bf16=True"), 0),
        (PINS, plain.replace("('o'", "('o', fp16=True"), 0),
        (PINS, plain.replace("('o'", "('o', bf16=is_new"), 0),
        (PINS, plain.replace("('o'", "('o', deepspeed='ds.json'"), 0),
        (PINS, plain.replace("Trainer(", "model = model.half()\nTrainer("), 0),
        (PINS, trl.clone(), 1),
        // It trains in `bf16` by default.
        ("transformers==4.57.1\ntrl==0.24.0\n", trl.clone(), 0),
        ("transformers==4.57.1\ntrl==0.24.0\n", trl.replace("('o'", "('o', bf16=False"), 1),
    ] {
        assert_eq!(found("DPL305", pins, &body, &[]), expected, "{pins}{body}");
    }
    let launched = |line: &str| found("DPL305", PINS, &plain, &[("run.sh", line)]);
    assert_eq!(launched("torchrun --nproc_per_node 2 train.py\n"), 1);
    assert_eq!(launched("accelerate launch --multi_gpu train.py\n"), 1);
    assert_eq!(launched("accelerate launch --multi_gpu --mixed_precision bf16 train.py\n"), 0);
    assert_eq!(launched("ACCELERATE_MIXED_PRECISION=bf16 python train.py\n"), 0);
    assert_eq!(launched("accelerate launch train.py\n"), 0);
}

#[test]
fn quantised_models_on_one_device() {
    let load = "bits = BitsAndBytesConfig(load_in_4bit=True)\nmodel = AutoModelForCausalLM.from_pretrained('q/w', quantization_config=bits, device_map={'': 0})\n";
    let plain =
        format!("{load}SFTTrainer(model=model, args=SFTConfig('o'), train_dataset=data(), peft_config=LoraConfig())\n");
    let two = "torchrun --nproc_per_node 2 train.py\n";
    let check = |body: &str, line: &str| found("DPL307", PINS, body, &[("run.sh", line)]);
    for (body, line, expected) in [
        (plain.clone(), two, 1),
        (plain.replace("{'': 0}", "{'': 'cuda:0'}"), two, 1),
        (plain.replace("quantization_config=bits", "load_in_8bit=True"), two, 1),
        (
            plain
                .replace("SFTTrainer(", "model = get_peft_model(model, LoraConfig())\nSFTTrainer(")
                .replace(", peft_config=LoraConfig()", ""),
            two,
            1,
        ),
        (plain.clone(), "accelerate launch --multi_gpu --num_processes 4 train.py\n", 1),
        (plain.clone(), "python train.py\n", 0),
        (plain.clone(), "torchrun --nproc_per_node 1 train.py\n", 0),
        (plain.clone(), "accelerate launch --num_processes 4 train.py\n", 0),
        (plain.replace("{'': 0}", "{'': rank}"), two, 0),
        (plain.replace("{'': 0}", "{'': 'cuda'}"), two, 0),
        (plain.replace("{'': 0}", "'auto'"), two, 0),
        // A whole model is brought where it belongs.
        (plain.replace("quantization_config=bits, ", ""), two, 0),
        (plain.replace("load_in_4bit=True", "load_in_4bit=four"), two, 0),
        (plain.replace("SFTConfig('o'", "SFTConfig('o', deepspeed='ds.json'"), two, 0),
    ] {
        assert_eq!(check(&body, line), expected, "{line}{body}");
    }
}
