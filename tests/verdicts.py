"""Compares what a framework's own validation refuses with what dpo-lint says of the same configurations.

    VENV/bin/python tests/verdicts.py target/debug/dpo-lint 200 1

VENV has llamafactory or axolotl (whichever is installed is asked, axolotl first); the last words are how many configurations are
made and the seed. Each starts from a legal one and changes a few settings: groups that the framework's checks speak of, misspelt
keys, and any field to a value of another kind. What is refused for the machine's sake (a package that is not installed, no GPU)
is left out. Ends with 1 where an error is said of what is accepted.
"""

import collections
import contextlib
import dataclasses
import importlib.metadata
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import yaml

# Values of each kind, for a field of any kind.
ANY = ["text", 3, -1, 0, 0.5, 1e-5, "1e-5", "8", True, False, "true", None, ["a", "b"], [1, 2], {"a": 1}]


class LlamaFactory:
    package, command = "llamafactory", "llamafactory-cli train config.yaml"
    # What another machine would not refuse.
    elsewhere = ("importlib", "ImportError", "GPU", "cuda", "bf16", "CUDA", "requires", "PackageNotFound", "distributed training with",
                 "FORCE_TORCHRUN", "Please run `pip", "not installed", "account", "FileNotFoundError", "device", "No such file")
    bases = [
        {"model_name_or_path": "tiny", "stage": "sft", "do_train": True, "finetuning_type": "lora", "lora_target": "all",
         "dataset": "pairs", "template": "llama3", "cutoff_len": 512, "output_dir": "out", "logging_steps": 10, "save_steps": 50,
         "per_device_train_batch_size": 1, "learning_rate": 1e-4, "num_train_epochs": 1.0, "report_to": "none"},
        {"model_name_or_path": "tiny", "stage": "dpo", "do_train": True, "finetuning_type": "lora", "lora_target": "all",
         "dataset": "pairs", "template": "llama3", "output_dir": "out", "pref_beta": 0.1, "pref_loss": "sigmoid",
         "learning_rate": 5e-6, "lr_scheduler_type": "cosine", "report_to": "none"},
        {"model_name_or_path": "tiny", "stage": "kto", "do_train": True, "finetuning_type": "full", "dataset": "pairs",
         "template": "llama3", "output_dir": "out", "report_to": "none"},
    ]
    # Groups of settings that are made together; a list of values stands for one of them.
    changes = [
        {"stage": ["pt", "sft", "rm", "ppo", "dpo", "kto"]},
        {"stage": ["ppo"], "reward_model": ["rm"], "reward_model_type": ["lora", "full", "api", "oft"]},
        {"stage": ["ppo"], "reward_model": ["rm"], "report_to": ["wandb", "none", "all"]},
        {"stage": ["rm", "dpo"], "load_best_model_at_end": [True], "eval_strategy": ["steps"], "val_size": [0.1], "save_steps": [50],
         "eval_steps": [50, 20, 25]},
        {"finetuning_type": ["lora", "full", "freeze", "oft"]},
        {"pref_loss": ["sigmoid", "hinge", "ipo", "kto_pair", "orpo", "simpo"], "dpo_label_smoothing": [0.1, 0.0]},
        {"quantization_bit": [4, 8, 3], "finetuning_type": ["lora", "full", "freeze", "oft"]},
        {"quantization_bit": [4], "pissa_init": [True]},
        {"quantization_bit": [4], "resize_vocab": [True]},
        {"quantization_bit": [4], "adapter_name_or_path": ["a", "a,b"], "create_new_adapter": [True, False]},
        {"adapter_name_or_path": ["a"], "finetuning_type": ["lora", "full"]},
        {"quantization_bit": [4], "quantization_device_map": ["auto"]},
        {"neat_packing": [True]}, {"packing": [True]}, {"train_on_prompt": [True]}, {"mask_history": [True]},
        {"train_on_prompt": [True], "mask_history": [True]},
        {"predict_with_generate": [True]}, {"predict_with_generate": [True], "val_size": [0.1], "compute_accuracy": [True]},
        {"do_eval": [True]}, {"do_eval": [True], "val_size": [0.1]}, {"do_predict": [True]},
        {"eval_strategy": ["steps", "epoch", "no", "never"]},
        {"eval_strategy": ["steps"], "eval_steps": [10], "val_size": [0.1]},
        {"eval_dataset": ["held_out"], "val_size": [0.1, 0.0]},
        {"eval_dataset": ["held_out"], "eval_strategy": ["steps", "epoch"]},
        {"streaming": [True], "max_steps": [100]}, {"streaming": [True]},
        {"streaming": [True], "max_steps": [10], "val_size": [0.1, 100]},
        {"streaming": [True], "max_steps": [10], "max_samples": [10]},
        {"mix_strategy": ["concat", "interleave_under", "interleave_over", "interleave"], "interleave_probs": ["0.5,0.5", "1.0"]},
        {"dataset": ["a,b"], "mix_strategy": ["interleave_under"], "interleave_probs": ["0.5,0.5", "1.0"]},
        {"dataset": [None]}, {"dataset": [None], "val_size": [0.1]}, {"model_name_or_path": [None]}, {"output_dir": [None]},
        {"use_galore": [True], "finetuning_type": ["lora", "full"]},
        {"use_badam": [True], "finetuning_type": ["lora", "full"], "badam_mode": ["layer", "ratio", "both"]},
        {"use_galore": [True], "use_badam": [True], "finetuning_type": ["full"]},
        {"use_llama_pro": [True], "finetuning_type": ["full", "freeze", "lora"]},
        {"pissa_init": [True]}, {"pissa_init": [True], "ref_model": ["other"]},
        {"ref_model": ["other"]}, {"ref_model": ["other"], "pref_loss": ["orpo", "simpo", "sigmoid"]},
        {"use_dora": [True], "finetuning_type": ["full", "lora"]}, {"use_rslora": [True], "finetuning_type": ["full", "lora"]},
        {"loraplus_lr_ratio": [16.0], "finetuning_type": ["full", "lora"]},
        {"split_special_tokens": [True], "use_fast_tokenizer": [True, False]},
        {"infer_backend": ["huggingface", "vllm", "hf"]}, {"flash_attn": ["auto", "fa2", "sdpa", "disabled", "flash"]},
        {"rope_scaling": ["linear", "dynamic", "yarn", "cubic"]},
        {"mixture_of_depths": ["convert", "load", "make"]},
        {"use_unsloth": [True]}, {"shift_attn": [True]}, {"bf16": [True], "fp16": [True]}, {"pure_bf16": [True]},
        {"export_quantization_bit": [4]}, {"image_max_pixels": [10], "image_min_pixels": [100]},
        {"init_special_tokens": ["noise_init", "desc_init"]},
        {"lr_scheduler_type": ["cosine", "cos", "cosine_with_min_lr", "linear"]},
        {"optim": ["adamw_torch", "adamw_hf", "adam", "paged_adamw_8bit"]},
        {"save_strategy": ["steps", "best", "always"]}, {"logging_strategy": ["steps", "sometimes"]},
        {"logging_steps": [0, 5, 0.5]}, {"save_steps": [0.5, 1.5, 0]}, {"warmup_ratio": [0.1, 2.0, -1.0]},
        {"load_best_model_at_end": [True]},
        {"load_best_model_at_end": [True], "eval_strategy": ["steps"], "val_size": [0.1], "eval_steps": [500, 50, 30]},
        {"load_best_model_at_end": [True], "eval_strategy": ["epoch"], "save_strategy": ["epoch", "steps"], "val_size": [0.1]},
        {"hub_strategy": ["end", "sometimes"]}, {"group_by_length": [True]}, {"overwrite_output_dir": [True]},
        {"dataloader_num_workers": [0, 4], "dataloader_prefetch_factor": [2]}, {"warmup_steps": [10, 0.1, -1]},
        {"torch_empty_cache_steps": [0, 10]}, {"gradient_accumulation_steps": [0, 4, -1]}, {"lora_rank": [8, 0]},
        {"ray_storage_filesystem": ["s3x", "local"]}, {"reserved_label_len": [1]}, {"evaluation_strategy": ["steps"]},
        {"finetuning_type": ["freeze"], "freeze_trainable_layers": [0, 2], "freeze_trainable_modules": ["all"]},
        {"early_stopping_steps": [3]}, {"disable_shuffling": [True]}, {"val_size": [1, 0.5, -0.5]}, {"per_gpu_train_batch_size": [2]},
        {"fsdp": ["full_shard", "full_shard auto_wrap", "wrong", "shard_grad_op full_shard"]}, {"debug": ["underflow_overflow", "all"]},
        {"tf32": [True]}, {"torchdynamo": ["inductor"]}, {"lr_scheduler_kwargs": [{"num_cycles": 2}, "x", '{"min_lr": 1e-7}']},
        {"accelerator_config": [{"split_batches": True}, {"wrong": 1}]}, {"neftune_noise_alpha": [5, "5"]}, {"seed": [1, "1"]},
        {"report_to": ["wandb", "all", "wandbx", ["tensorboard", "wandb"]]}, {"label_smoothing_factor": [0.1]},
    ]

    def __init__(self):
        os.environ["DISABLE_VERSION_CHECK"] = "1"
        from llamafactory.hparams import data_args, finetuning_args, generating_args, model_args, training_args
        classes = (model_args.ModelArguments, data_args.DataArguments, training_args.TrainingArguments,
                   finetuning_args.FinetuningArguments, generating_args.GeneratingArguments)
        self.fields = sorted({field.name for one in classes for field in dataclasses.fields(one) if field.init})

    def read(self, made):
        from llamafactory.hparams import get_train_args
        from omegaconf import OmegaConf
        get_train_args(OmegaConf.to_container(OmegaConf.create(yaml.safe_dump(made))))


class Axolotl:
    package, command = "axolotl", "axolotl train config.yaml"
    elsewhere = ("importlib", "ImportError", "ModuleNotFound", "GPU", "cuda", "CUDA", "not installed", "requires torch", "bf16",
                 "compute capability", "pip install")
    bases = [
        {"base_model": "tiny", "datasets": [{"path": "data.jsonl", "type": "alpaca"}], "output_dir": "out", "sequence_len": 512,
         "adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, "micro_batch_size": 1,
         "gradient_accumulation_steps": 1, "num_epochs": 1, "learning_rate": 1e-4, "optimizer": "adamw_torch",
         "lr_scheduler": "cosine"},
        {"base_model": "tiny", "rl": "dpo", "datasets": [{"path": "data.jsonl", "type": "chat_template.default", "split": "train"}],
         "output_dir": "out", "sequence_len": 512, "adapter": "qlora", "load_in_4bit": True, "lora_r": 8, "lora_alpha": 16, "gradient_accumulation_steps": 1,
         "lora_target_modules": ["q_proj"], "micro_batch_size": 1, "num_epochs": 1, "learning_rate": 1e-5,
         "optimizer": "paged_adamw_8bit", "chat_template": "llama3"},
        {"base_model": "tiny", "datasets": [{"path": "data.jsonl", "type": "chat_template"}], "output_dir": "out",
         "micro_batch_size": 2, "gradient_accumulation_steps": 1, "num_epochs": 1, "learning_rate": 2e-5},
    ]
    changes = [
        {"rl": ["dpo", "ipo", "kto", "orpo", "simpo", "grpo", "ppo", "rlhf"]},
        {"load_in_8bit": [True], "load_in_4bit": [True]}, {"load_in_8bit": [True], "adapter": ["qlora", "lora", None]},
        {"load_in_4bit": [True, False], "adapter": ["qlora", "lora", None]}, {"adapter": ["lora", "qlora", "dora", "llama-adapter"]},
        {"sample_packing": [True], "pad_to_sequence_len": [True, False]}, {"sample_packing": [True], "eval_sample_packing": [True]},
        {"sample_packing": [True], "flash_attention": [False, True]}, {"sample_packing": [True], "rl": ["dpo", "kto"]},
        {"batch_size": [8], "gradient_accumulation_steps": [2]}, {"gradient_accumulation_steps": [0, 2], "batch_size": [None]},
        {"bf16": [True, "auto", "full"], "fp16": [True]}, {"bf16": ["auto", "maybe"]}, {"tf32": [True, "auto", "x"]},
        {"warmup_steps": [10], "warmup_ratio": [0.1]}, {"saves_per_epoch": [1], "save_steps": [10]},
        {"evals_per_epoch": [1], "eval_steps": [10], "val_set_size": [0.1]}, {"save_strategy": ["no", "epoch", "best", "x"], "save_steps": [10]},
        {"eval_strategy": ["steps", "epoch"], "eval_steps": [10]}, {"evaluation_strategy": ["steps"]},
        {"val_set_size": [0.1, 100], "test_datasets": [[{"path": "t.jsonl", "type": "alpaca"}]]},
        {"early_stopping_patience": [3]}, {"load_best_model_at_end": [True]},
        {"load_best_model_at_end": [True], "save_steps": [10], "eval_steps": [10, 20], "val_set_size": [0.1]},
        {"push_dataset_to_hub": ["me/x"]}, {"hub_model_id": ["me/x"], "save_strategy": ["no", "steps"]},
        {"max_packed_sequence_len": [100]}, {"noisy_embedding_alpha": [5], "neftune_noise_alpha": [5]},
        {"lora_modules_to_save": [["embed_tokens"]], "tokens": [["<x>"]]}, {"tokens": [["<x>"]]},
        {"special_tokens": [{"pad_token": "<pad>"}, {"eos_token": 3}, "x"]},
        {"relora_steps": [10]}, {"relora_steps": [10], "relora_warmup_steps": [5], "adapter": [None, "lora"]}, {"relora": [True], "jagged_restart_steps": [5]},
        {"lr_scheduler": ["cosine", "one_cycle", "rex", "cosinus", "log_sweep"]},
        {"optimizer": ["adamw_torch", "adamw_bnb_8bit", "adam", "lion_8bit", "muon", "adamw_torch_fused"]},
        {"fsdp": [["full_shard", "auto_wrap"]]}, {"fsdp": [["full_shard"]], "deepspeed": ["ds.json"]},
        {"fsdp": [["full_shard"]], "fsdp_config": [{"fsdp_offload_params": True}], "optimizer": ["adamw_bnb_8bit", "adamw_torch"]},
        {"fsdp_config": [{"fsdp_version": 2}, {"version": 2}, {"wrong": 1}], "fsdp_version": [2, 1]},
        {"flash_attention": [True], "sdp_attention": [True]}, {"xformers_attention": [True], "flash_attention": [True]},
        {"flash_attention": [True], "s2_attention": [True], "sample_packing": [True, False]},
        {"peft_use_dora": [True]}, {"peft_use_rslora": [True], "loftq": [True]}, {"lora_mlp_kernel": [True], "lora_dropout": [0.1, 0.0]},
        {"lora_qkv_kernel": [True], "adapter": ["lora"], "trust_remote_code": [True]}, {"lora_dropout": [0.1], "lora_target_parameters": ["x"]},
        {"chat_template": ["chatml", "llama3", "mychat", "jinja", "tokenizer_default", "tokenizer_default_fallback_chatml", "tokenizer_default_x"]},
        {"chat_template": ["jinja"], "chat_template_jinja": ["{{ x }}"]}, {"chat_template_jinja": ["{{ x }}"]},
        {"datasets": [{"path": "x", "type": "alpaca"}, "x", None, [], [{"type": "alpaca"}], [{"path": "x"}],
                      [{"path": "x", "type": "nothing"}], [{"path": "x", "type": {"field": "a"}}]]},
        {"datasets": [[{"path": "x", "type": "chat_template", "message_field_role": "from", "field_messages": "c"}],
                      [{"path": "x", "type": "sharegpt"}], [{"path": "x", "type": "chat_template", "message_property_mappings": {"role": "r", "content": "c"}, "message_field_role": "q"}]]},
        {"pretraining_dataset": ["x", ["x"], [{"path": "x", "type": "pretrain"}]], "max_steps": [10, None]},
        {"curriculum_sampling": [True]}, {"max_steps": [10, -1, "10"]}, {"num_epochs": [2, "2", 1.5]},
        {"learning_rate": ["2e-5", "x", -1, 0]}, {"lora_r": ["8", "8.0", 8.5, None]}, {"micro_batch_size": [0, -1, "1", 1.5]},
        {"gptq": [True], "adapter": ["lora"]}, {"merge_lora": [True], "load_in_4bit": [True]}, {"lora_on_cpu": [True]},
        {"rl": ["kto"], "remove_unused_columns": [True, False]}, {"rl": ["kto"], "trl": [{"beta": 0.1, "wrong": 2}]},
        {"rl": ["grpo"], "trl": [{"num_generations": 4, "beta": 0.1}], "gradient_accumulation_steps": [3], "micro_batch_size": [2]},
        {"rl": ["dpo"], "dpo_use_weighting": [True], "rl_beta": [0.1, "x"]}, {"rl": ["orpo"], "orpo_alpha": [0.1]},
        {"rl": ["simpo"], "cpo_alpha": [1.0], "simpo_gamma": [0.5]}, {"reward_model": [True], "rl": ["dpo", None]},
        {"rl": ["dpo"], "dpo_label_smoothing": [0.1, 2]}, {"unfrozen_parameters": [["a"]]}, {"peft_layers_to_transform": [[1]], "unfrozen_parameters": [["a"]]},
        {"gradient_checkpointing": [True, "offload", "unsloth", "x"]}, {"gradient_checkpointing_kwargs": [{"use_reentrant": False}, "x"]},
        {"wandb_project": ["a"], "wandb_run_id": [3, "x"]}, {"use_mlflow": [True], "wandb_name": ["x"]}, {"device_map": ["auto", {"": 0}]},
        {"deepspeed": ["deepspeed_configs/zero3.json", {"zero_optimization": {"stage": 3}}], "gptq": [True]},
        {"torch_compile": [True, "auto", "x"]}, {"is_falcon_derived_model": [True]}, {"is_llama_derived_model": [True]},
        {"model_type": ["AutoModelForCausalLM", 3]}, {"tokenizer_type": ["AutoTokenizer"]}, {"tokenizer_use_mistral_common": [True]},
        {"qat": [{"activation_dtype": "int8"}, {"weight_dtype": "int4"}], "adapter": ["lora"]}, {"plugins": [["x.y"], "x"]},
        {"sequence_parallel_degree": [2, 1]}, {"context_parallel_size": [2]}, {"tensor_parallel_size": [2], "dp_shard_size": [2]},
        {"ddp": [True], "adapter": ["lora"]}, {"save_safetensors": [True]}, {"torch_dtype": ["bfloat16"]}, {"dataset_processes": ["x", 3]},
        {"lora_modules_to_save": ["embed_tokens", ["lm_head"]]}, {"lora_target_modules": ["all-linear", ["q_proj"], "q_proj", 3]},
        {"lora_target_linear": [True, "yes"], "lora_target_modules": [["q_proj"]]}, {"lora_fan_in_fan_out": [True]},
        {"loraplus_lr_ratio": [16, "x"]}, {"lisa_n_layers": [2], "lisa_step_interval": [5]}, {"mean_resizing_embeddings": [True]},
        {"group_by_length": [True], "sample_packing": [True]}, {"excess_length_strategy": ["drop", "truncate", "raise", "keep"]},
    ]

    def __init__(self):
        from axolotl.utils.schemas import config
        self.schema = config
        self.fields = sorted(config.AxolotlInputConfig.model_fields)

    def read(self, made):
        from axolotl.utils.config import validate_config
        from axolotl.utils.dict import DictDefault
        validate_config(DictDefault(yaml.safe_load(yaml.safe_dump(made))))


def settings(framework, dice):
    made = dict(dice.choice(framework.bases))
    kind = dice.random()
    if kind < 0.6:
        for change in dice.sample(framework.changes, dice.choice([1, 1, 2])):
            made.update({name: dice.choice(values) for name, values in change.items()})
    elif kind < 0.75:
        name = dice.choice(list(made) + framework.fields)
        at = dice.randrange(1, len(name)) if len(name) > 1 else 1
        value = made.pop(name, dice.choice([True, 1, "x"]))
        made[dice.choice([name[:at] + name[at + 1:], name[:at] + "_" + name[at:], name + "s"])] = value
    else:
        made[dice.choice(framework.fields)] = dice.choice(ANY)
    return {name: value for name, value in made.items()}


def refused(framework, made):
    """Why the framework refuses, or None."""
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(heard):
            framework.read(made)
    except SystemExit:
        return (heard.getvalue().splitlines() or ["exit"])[-1]
    except Exception as error:  # whatever it is, the run ends
        return f"{type(error).__name__}: {error}"
    return None


def main(binary, count, seed):
    framework = next(one for one in (Axolotl, LlamaFactory) if has(one.package))()
    dice = random.Random(seed)
    pins = "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in (framework.package, "trl", "transformers"))
    tally = collections.Counter()
    for base in framework.bases:
        assert (why := refused(framework, base)) is None, why
    for _ in range(count):
        made = settings(framework, dice)
        why = refused(framework, made)
        if why and any(word in why for word in framework.elsewhere):
            tally["left out"] += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "config.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
            (root / "run.sh").write_text(framework.command + "\n")
            (root / "requirements.txt").write_text(pins)
            said = subprocess.run([binary, "check", ".", "--output-format", "json"], cwd=root, capture_output=True, text=True)
            ignored = ("missing-file", "dataset-not-registered", "incompatible-pins", "fresh-install-breaks", "framework-caps-library")
            errors = [one for one in json.loads(said.stdout)["findings"] if one["severity"] == "error" and one["rule"] not in ignored]
        key = ("refused and found" if errors else "refused and missed") if why else (
            "said of what is accepted" if errors else "accepted and silent"
        )
        tally[key] += 1
        if key in ("refused and missed", "said of what is accepted"):
            start = min(framework.bases, key=lambda base: sum(made.get(name) != base.get(name) for name in {**base, **made}))
            changed = {name: made.get(name, "(left out)") for name in {**start, **made} if made.get(name) != start.get(name) or name not in made}
            print(f"{key}: {changed} [{framework.bases.index(start)}]: {' '.join((why or errors[0]['message']).split())[:300]}", flush=True)
    print(f"{pins.split()}: {dict(tally)}")
    return tally["said of what is accepted"] > 0


def has(package):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(package))
    return False


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve()), int(sys.argv[2]), int(sys.argv[3])))
