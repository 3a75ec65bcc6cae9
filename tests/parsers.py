"""Compares what the parsers of installed libraries refuse with what dpo-lint says of the same argument files and launch lines.

    VENV/bin/python tests/parsers.py target/debug/dpo-lint 200 1

VENV has trl, transformers and torch; the last words are how many projects are made and the seed. A project has a script that
parses, an argument file for `TrlParser` or a launch line for `HfArgumentParser`, and pins of what is installed. What a parser
refuses for the machine's sake (no process group, no account) is left out. Ends with 1 where something is said of what is
accepted, unless it fails only later (`invalid-choice` of a loss).
"""

import contextlib
import importlib.metadata
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from transformers import HfArgumentParser
from trl import DPOConfig, ModelConfig, ScriptArguments, TrlParser

CLASSES = (ScriptArguments, DPOConfig, ModelConfig)
BASE = {
    "model_name_or_path": "tiny", "dataset_name": "pairs", "output_dir": "out", "use_peft": True, "lora_r": 8, "beta": 0.1,
    "max_length": 512, "learning_rate": 1e-6, "seed": 1, "save_steps": 10, "lr_scheduler_type": "cosine", "bf16": False,
    "report_to": "none",
}
# Groups of settings that are made together; a list of values stands for one of them.
CHANGES = [
    {"loss_type": ["sigmoid", "hinge", "ipo", "aot_pair", "aot_unpaired", "kto_pair", "robust", "sft", "wrong"]},
    {"loss_weights": [[1.0], [1.0, 0.5]]},
    {"optim": ["adamw_torch", "adafactor", "adamw_hf", "sgd", "AdamW", "paged_adamw_32bit"]},
    {"lr_scheduler_type": ["linear", "cosine_with_min_lr", "cos", "warmup", "polynomial"]},
    {"eval_strategy": ["no", "steps", "epoch", "never"]},
    {"evaluation_strategy": ["steps"]},
    {"save_strategy": ["no", "steps", "best", "always"]},
    {"load_best_model_at_end": [True]},
    {"load_best_model_at_end": [True], "eval_strategy": ["steps"], "eval_steps": [5, 7, 10]},
    {"bf16": [True], "fp16": [True]},
    {"load_in_4bit": [True], "load_in_8bit": [True]},
    {"label_smoothing": [0.1, 0.5, 1.5]},
    {"warmup_ratio": [0.1]},
    {"torch_dtype": ["bfloat16"]},
    {"dtype": ["bfloat16", "auto"]},
    {"max_prompt_length": [100, 600]},
    {"lora_task_type": ["CAUSAL_LM", "SEQ_CLS"]},
    {"rpo_alpha": [0.5]},
    {"max_seq_length": [256]},
    {"dataset_mixer": [0.5]},
    {"gradient_accumulation_steps": [0, 1, 4]},
    {"logging_strategy": ["steps", "epoch", "all"], "logging_steps": [0, 5]},
    {"hub_strategy": ["end", "sometimes"]},
    {"precompute_ref_log_probs": [True]},
    {"sync_ref_model": [True]},
    {"group_by_length": [True]},
    {"overwrite_output_dir": [True]},
    {"reference_free": [True]},
    {"save_safetensors": [False]},
    {"dataloader_num_workers": [0, 2], "dataloader_prefetch_factor": [2]},
    {"truncation_mode": ["keep_end", "keep-end", "middle"]},
    {"log_level": ["info", "passive", "warn"], "log_level_replica": ["warning", "loud"]},
    {"ddp_backend": ["nccl", "gloo", "ncl"]},
    {"bnb_4bit_quant_type": ["nf4", "nf8"]},
    {"max_steps": [5, "1e3", "all"]},
    {"bf16": ["maybe", "no"]},
    {"seed": ["one", -1]},
    {"save_total_limit": ["None", 3, "2"]},
    {"logging_steps": [0.5, "1e1", "often"]},
    {"lora_r": ["8", "8.5"]},
    {"rpo_alpha": [0.5, 1], "loss_type": ["ipo", "hinge"]},
]
# What another machine would not refuse.
ELSEWHERE = ("process group", "APEX", "Token", "GPU", "cuda", "bf16")


def settings(dice):
    made = dict(BASE)
    for change in dice.sample(CHANGES, dice.choice([1, 1, 2])):
        made.update({name: dice.choice(values) for name, values in change.items()})
    return made


def words(made):
    found = []
    for name, value in made.items():
        found += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return found


def refused(parse):
    """Why the parser refuses, or None."""
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(io.StringIO()):
            parse()
    except SystemExit:
        return heard.getvalue().splitlines()[-1]
    except Exception as error:  # whatever it is, the run ends
        return f"{type(error).__name__}: {error}"
    return None


def main(binary, count, seed):
    dice = random.Random(seed)
    pins = "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in ("trl", "transformers"))
    tally = {"refused and found": 0, "refused and missed": 0, "accepted and silent": 0, "said of what is accepted": 0}
    for index in range(count):
        made, is_file = settings(dice), index % 2 == 0
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            # JSON is YAML.
            (root / "config.yaml").write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in made.items()))
            name, method = ("TrlParser", "parse_args_and_config") if is_file else ("HfArgumentParser", "parse_args_into_dataclasses")
            line = ["--config", "config.yaml"] if is_file else words(made)
            module = "trl" if is_file else "transformers"
            (root / "dpo.py").write_text(
                f"from {module} import {name}\nfrom trl import DPOConfig, ModelConfig, ScriptArguments\n\n"
                f"found = {name}((ScriptArguments, DPOConfig, ModelConfig)).{method}()\n"
            )
            (root / "run.sh").write_text(" ".join(["python dpo.py", *line]) + "\n")
            (root / "requirements.txt").write_text(pins)
            if is_file:
                file = str(root / "config.yaml")
                why = refused(lambda: TrlParser(CLASSES).parse_args_and_config(["--config", file]))
            else:
                why = refused(lambda: HfArgumentParser(CLASSES).parse_args_into_dataclasses(line))
            if why and any(word in why for word in ELSEWHERE):
                continue
            said = subprocess.run([binary, "check", ".", "--output-format", "json"], cwd=root, capture_output=True, text=True)
            errors = [one for one in json.loads(said.stdout)["findings"] if one["severity"] == "error"]
            only_later = all(one["rule"] == "invalid-choice" and "loss_type" in one["message"] for one in errors)
        key = ("refused and found" if errors else "refused and missed") if why else (
            "accepted and silent" if only_later else "said of what is accepted"
        )
        tally[key] += 1
        if key in ("refused and missed", "said of what is accepted"):
            changed = {name: value for name, value in made.items() if BASE.get(name) != value}
            print(f"{key}: {changed}: {why or errors[0]['message']}")
    print(f"{pins.split()}: {tally}")
    return tally["said of what is accepted"] > 0


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve()), int(sys.argv[2]), int(sys.argv[3])))
