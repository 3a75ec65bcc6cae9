import argparse
import os
from copy import deepcopy
from dataclasses import dataclass, field

import trl
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, HfArgumentParser
from trl import DPOConfig, DPOTrainer, get_peft_config

from helper import build


@dataclass
class Arguments:
    model: str = field(default="m", metadata={"help": "the policy"})
    use_peft: bool = True
    rank: int = field(default_factory=lambda: 8)


class Mine(DPOTrainer):
    scale = 2

    def __init__(self, model, *rest, **more):
        super().__init__(model=model, *rest, **more)
        self.extra = {k: v for k, v in more.items() if v is not None}

    @property
    def doubled(self):
        return self.scale * 2

    def step(self):
        while self.doubled > 3:
            self.extra["x"] = [i for i in range(self.scale) if i]
            if self.extra:
                break
        else:
            return None
        return self.extra


def load(path, kind=None, /, *, dtype="auto", **kw):
    try:
        model = AutoModelForCausalLM.from_pretrained(path, torch_dtype=dtype, **kw)
    except (OSError, ValueError) as error:
        print(f"{path}: {error!r}")
        raise
    finally:
        os.environ["DONE"] = "1"
    return model, (deepcopy(model) if kind else None)


def main():
    args, config = HfArgumentParser((Arguments, DPOConfig)).parse_args_into_dataclasses()
    model, reference = load(args.model, not args.use_peft)
    kwargs = dict(args=config, ref_model=reference)
    if args.use_peft and (lora := LoraConfig(r=args.rank)):
        kwargs["peft_config"] = lora
    match args.model:
        case "a" | "b":
            kwargs |= {"beta": 0.1}
        case [first, *_]:
            kwargs.update(beta=first)
        case {"x": x, **rest}:
            kwargs["x"] = x
    with open("x") as handle, build(handle) as built:
        for index, (key, value) in enumerate(built.items()):
            if not key:
                continue
            setattr(config, key, value)
    trainer = Mine(model, **kwargs) if trl.__version__ >= "0.12" else DPOTrainer(model, None, **kwargs)
    trainer.train()
    global RESULT
    RESULT = trainer
    del kwargs["args"], model
    return [trainer for _ in "ab"]


if __name__ == "__main__":
    main()
