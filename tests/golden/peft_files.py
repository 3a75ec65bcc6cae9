"""Adapters over the border: `write` and `write_tables` save one by PEFT for the tests to load, `check` loads those that the tests
saved.

Usage: python peft_files.py write FOLDER
       PEFT_FOLDER=FOLDER cargo test --features runner --lib adapters_for_peft -- --ignored; python peft_files.py check FOLDER
"""

import glob
import json
import os
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from train import CASES, LINEAR, config, model_of

TOKENS = [5, 17, 3, 88, 41, 9, 60]


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].tolist()


def save(folder, form, **settings):
    """An adapter with numbers drawn at random, and the logits of the model with it."""
    with tempfile.TemporaryDirectory() as base:
        model = get_peft_model(model_of(form, 1, base), LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=3, **settings))
        torch.manual_seed(4)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.data += 0.05 * torch.randn_like(parameter)
        model.save_pretrained(folder)
        os.remove(folder + "/README.md")
        with open(folder + "/logits.json", "w") as file:
            json.dump(dict(tokens=TOKENS, config=form, logits=logits(model)), file, separators=(",", ":"))


def write(folder):
    save(folder, config("qwen2"), use_rslora=True, use_dora=True, bias="lora_only", target_modules=LINEAR[2:5], modules_to_save=["lm_head"])


def write_tables(folder):
    save(folder, config("llama"), alpha_pattern={"lm_head": 5}, target_modules=["embed_tokens", "lm_head"])


def check(folder):
    for path in sorted(glob.glob(folder + "/*/logits.json")):
        name = os.path.basename(os.path.dirname(path))
        expected = torch.tensor(json.load(open(path)))
        with tempfile.TemporaryDirectory() as base:
            model = model_of(CASES[name]["config"], 1, base)
            model = PeftModel.from_pretrained(model, os.path.dirname(path))
            with torch.no_grad():
                found = model(torch.tensor([TOKENS])).logits[0]
        apart = (found - expected).abs().max().item()
        print(name, "largest difference", apart)
        assert apart < 1e-5, name


if __name__ == "__main__":
    dict(write=write, write_tables=write_tables, check=check)[sys.argv[1]](sys.argv[2])
