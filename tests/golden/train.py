"""Trains small models with TRL's DPOTrainer and writes what it logged, for `src/runner/golden_tests.rs`.

Usage: python train.py FOLDER [CASE...]    (TRL 1.16.0, PEFT 0.21.2, transformers 5.23.0, PyTorch 2.6.0, CPU)

The weights are not stored: they follow from a seed and the names of the tensors, by a generator that `Model::random` has too.
"""

import json
import os
import random
import sys
import tempfile

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback, set_seed
from trl import DPOConfig, DPOTrainer

VOCABULARY = 96
SPREAD = 0.08

torch.set_num_threads(1)


def numbers(name, count, seed):
    """`count` numbers of [-1, 1): SplitMix64 of a hash of the name."""
    mask = (1 << 64) - 1
    start = 0xCBF29CE484222325 ^ seed
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) & mask
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float32) / np.float32(8388608) - np.float32(1)


def fill(model, seed):
    from_one = model.config.model_type == "gemma2"
    scale = np.float32(SPREAD * np.sqrt(3.0))
    for name, parameter in model.named_parameters():
        norm = name.endswith("weight") and ("norm" in name or ".ln_" in name)
        drawn = numbers(name, parameter.numel(), seed)
        if norm:
            drawn = drawn * np.float32(0.25) + np.float32(0 if from_one else 1)
        else:
            drawn = drawn * scale
        parameter.data.copy_(torch.from_numpy(drawn).view(parameter.shape))
    model.tie_weights()


def config(model_type, **changes):
    if model_type == "gpt2":
        base = dict(n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=64)
    else:
        base = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48)
        base.update(max_position_embeddings=64, rope_theta=10000.0)
    if model_type in ("qwen3", "gemma2"):
        base.update(head_dim=12)
    if model_type == "gemma2":
        base.update(query_pre_attn_scalar=12, sliding_window=6, attn_logit_softcapping=5.0, final_logit_softcapping=3.0)
    base.update(model_type=model_type, vocab_size=VOCABULARY, initializer_range=SPREAD, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    base.update(changes)
    return base


def lora(**changes):
    base = dict(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], bias="none")
    base.update(changes)
    return base


COSINE = dict(lr_scheduler_type="cosine", warmup_steps=4)
LINEAR = ["gate_proj", "up_proj", "down_proj", "q_proj", "k_proj", "v_proj", "o_proj"]

CASES = {
    "llama-lora": dict(config=config("llama"), lora=lora(), args=dict(learning_rate=5e-3)),
    "llama-full": dict(config=config("llama"), args=dict(learning_rate=5e-4, weight_decay=0.05, lr_scheduler_type="linear")),
    "llama-reference": dict(config=config("llama"), reference=7, args=dict(learning_rate=5e-4, **COSINE)),
    "llama3-saved": dict(
        config=config(
            "llama",
            rope_theta=500.0,
            rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
            attention_bias=True,
        ),
        lora=lora(modules_to_save=["lm_head"], bias="lora_only"),
        args=dict(learning_rate=2e-3),
    ),
    "llama-yarn": dict(
        config=config(
            "llama", rope_theta=500.0,
            rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=3.0, mscale=0.7, mscale_all_dim=0.9),
        ),
        lora=lora(),
        args=dict(learning_rate=5e-3),
    ),
    # Batches are longer and shorter than the positions.
    "qwen2-dynamic": dict(
        config=config("qwen2", max_position_embeddings=13, rope_scaling=dict(rope_type="dynamic", factor=3.0)),
        lora=lora(),
        args=dict(learning_rate=5e-3),
    ),
    "phi3-longrope": dict(
        config=config(
            "phi3", original_max_position_embeddings=14, partial_rotary_factor=0.75,
            rope_scaling=dict(type="longrope", short_factor=[1.0, 1.1, 1.3], long_factor=[1.2, 2.0, 3.5]),
        ),
        lora=lora(target_modules="all-linear"),
        args=dict(learning_rate=3e-3),
    ),
    "mistral-proportional": dict(
        config=config("mistral", rope_scaling=dict(rope_type="proportional", partial_rotary_factor=0.5, factor=2.0)),
        lora=lora(),
        args=dict(learning_rate=5e-3),
    ),
    "llama-patterns": dict(
        config=config("llama"),
        lora=lora(target_modules=LINEAR, use_rslora=True, rank_pattern={"q_proj": 2, r"layers\.1.*v_proj": 6}, alpha_pattern={"v_proj": 3, "mlp.up_proj": 16}),
        args=dict(learning_rate=3e-3),
    ),
    "gemma2-embeddings": dict(
        config=config("gemma2"), lora=lora(target_modules=["embed_tokens", "q_proj"]), args=dict(learning_rate=3e-3)
    ),
    # TRL 1.14.2: newer releases refuse an adapter on the output layer.
    "qwen2-tables": dict(
        config=config("qwen2", tie_word_embeddings=True),
        lora=lora(target_modules=["embed_tokens", "lm_head", "v_proj"], alpha_pattern={"lm_head": 5}),
        args=dict(learning_rate=3e-3),
    ),
    "llama-mixed-losses": dict(
        config=config("llama", tie_word_embeddings=True),
        lora=lora(target_modules=r".*layers\.1\..*(gate|up)_proj"),
        args=dict(learning_rate=5e-3, loss_type=["sigmoid_norm", "bco_pair", "sft"], loss_weights=[0.8, 0.2, 0.5], ld_alpha=0.5),
    ),
    "llama-weighting": dict(
        config=config("llama"),
        lora=lora(),
        args=dict(learning_rate=5e-3, loss_type=["ipo"], f_divergence_type="js_divergence", use_weighting=True, beta=0.5),
    ),
    "llama-synced": dict(
        config=config("llama"),
        args=dict(learning_rate=5e-4, sync_ref_model=True, ref_model_mixup_alpha=0.6, ref_model_sync_steps=3),
    ),
    "qwen2-accumulation": dict(
        config=config("qwen2", tie_word_embeddings=True),
        lora=lora(target_modules="all-linear", use_rslora=True),
        args=dict(learning_rate=2e-3, weight_decay=0.1, gradient_accumulation_steps=2, max_grad_norm=0.5, **COSINE),
    ),
    "qwen2-full": dict(
        config=config("qwen2", tie_word_embeddings=True),
        args=dict(learning_rate=5e-4, gradient_accumulation_steps=2, precompute_ref_log_probs=True),
    ),
    "qwen3-dora": dict(config=config("qwen3"), lora=lora(use_dora=True, target_modules=LINEAR), args=dict(learning_rate=3e-3)),
    "qwen3-full": dict(config=config("qwen3"), args=dict(learning_rate=5e-4)),
    "mistral-robust": dict(
        config=config("mistral", sliding_window=6),
        lora=lora(target_modules=LINEAR),
        args=dict(learning_rate=3e-3, loss_type=["robust"], label_smoothing=0.1, lr_scheduler_type="cosine_with_restarts", lr_scheduler_kwargs=dict(num_cycles=2)),
    ),
    "gemma2-lora": dict(config=config("gemma2"), lora=lora(target_modules=LINEAR), args=dict(learning_rate=3e-3)),
    "gemma2-full": dict(config=config("gemma2"), args=dict(learning_rate=5e-4)),
    "phi3-lora": dict(
        config=config("phi3", sliding_window=7), lora=lora(target_modules="all-linear"), args=dict(learning_rate=3e-3, max_grad_norm=0.3)
    ),
    "gpt2-lora": dict(config=config("gpt2"), lora=lora(target_modules=["c_attn", "c_proj"], fan_in_fan_out=True), args=dict(learning_rate=3e-3)),
    "gpt2-dora": dict(
        config=config("gpt2"),
        lora=lora(target_modules=["c_fc", "c_attn"], fan_in_fan_out=True, use_dora=True, bias="all"),
        args=dict(learning_rate=3e-3, lr_scheduler_type="polynomial"),
    ),
    "gpt2-full": dict(config=config("gpt2"), args=dict(learning_rate=5e-4)),
}


def model_of(form, seed, folder):
    # GPT-2 drops at random by default; the trainer switches that off.
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**form), dtype=torch.float32)
    fill(model, seed)
    model.save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def tokenizer():
    words = ["<pad>", "<s>", "</s>"] + [f"w{i}" for i in range(3, VOCABULARY)]
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def rows(count):
    draw = random.Random(5)
    text = lambda low, high: " ".join(f"w{draw.randint(3, VOCABULARY - 1)}" for _ in range(draw.randint(low, high)))
    return [dict(prompt=text(2, 7) + " ", chosen=text(1, 9), rejected=text(1, 9)) for _ in range(count)]


class Record(DPOTrainer):
    batches = []

    def _compute_loss(self, model, inputs, return_outputs):
        if model.training:
            half = len(inputs["input_ids"]) // 2
            sequences = [
                ([t for t, seen in zip(ids, mask) if seen], sum(mask) - sum(answer))
                for ids, mask, answer in zip(*(inputs[k].tolist() for k in ("input_ids", "attention_mask", "completion_mask")))
            ]
            self.batches.append(
                [[a[:n], a[n:], b[n:]] for (a, n), (b, _) in zip(sequences[:half], sequences[half:])]
            )
        return super()._compute_loss(model, inputs, return_outputs)


class Log(TrainerCallback):
    def __init__(self):
        self.steps = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in (logs or {}):
            self.steps.append(dict(logs))


KEYS = ["rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", "grad_norm", "learning_rate"]


def run(name, case):
    steps = case.get("steps", 20)
    args = dict(case["args"])
    accumulation = args.get("gradient_accumulation_steps", 1)
    Record.batches = []
    with tempfile.TemporaryDirectory() as folder:
        model = model_of(case["config"], 1, folder + "/model")
        reference = model_of(case["config"], case["reference"], folder + "/reference") if "reference" in case else None
        settings = dict(
            output_dir=folder + "/out", per_device_train_batch_size=2, max_steps=steps, lr_scheduler_type="constant",
            logging_steps=1, bf16=False, gradient_checkpointing=False, use_cpu=True, report_to=[], seed=42, save_strategy="no",
            train_sampling_strategy="sequential", optim="adamw_torch", disable_tqdm=True, dataloader_pin_memory=False, max_length=64,
        )
        settings.update(args)
        log = Log()
        losses = []
        # Releases that do not seed before they make the adapter leave that to the script.
        set_seed(42)
        trainer = Record(
            model=model, ref_model=reference, args=DPOConfig(**settings), train_dataset=Dataset.from_list(rows(2 * steps * accumulation)),
            processing_class=tokenizer(), peft_config=LoraConfig(task_type="CAUSAL_LM", **case["lora"]) if "lora" in case else None,
            callbacks=[log],
        )
        inner = trainer.training_step
        trainer.training_step = lambda *a, **k: (losses.append(inner(*a, **k)), losses[-1])[1]
        trainer.train()
    # The log rounds; what the training steps returned is divided by the accumulation already.
    exact = [sum(x.item() for x in losses[i : i + accumulation]) for i in range(0, len(losses), accumulation)]
    found = [dict(loss=loss, **{key: step[key] for key in KEYS}) for loss, step in zip(exact, log.steps)]
    return dict(
        config=case["config"], seed=42, weights=1, reference=case.get("reference"), lora=case.get("lora"),
        args={**{"lr_scheduler_type": "constant"}, **args}, total_steps=steps, batches=Record.batches, steps=found,
    )


if __name__ == "__main__":
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    for name in sys.argv[2:] or CASES:
        out = run(name, CASES[name])
        with open(os.path.join(target, name + ".json"), "w") as file:
            json.dump(out, file, separators=(",", ":"))
        print(name, len(out["steps"]), out["steps"][0], out["steps"][-1])
