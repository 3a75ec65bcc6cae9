"""Asks TRL's `_compute_loss` for the value and gradient of every loss and divergence, for `src/runner/loss/golden_tests.rs`.

Usage: python losses.py FILE    (TRL 1.16.0, PyTorch 2.6.0)

The models are stubs that give back fixed log-probabilities with 64 bits. Gradients are of the whole batch, token by token.
"""

import contextlib
import json
import sys
from collections import defaultdict
from types import SimpleNamespace

import torch
import trl.trainer.dpo_trainer as module

PROMPTS, CHOSEN, REJECTED = [3, 1, 4, 2], [4, 7, 2, 1], [6, 3, 2, 5]
PAIRS, LENGTH = len(PROMPTS), 12
KINDS = "sigmoid hinge ipo exo_pair nca_pair robust bco_pair sppo_hard aot aot_unpaired apo_zero apo_down discopop sft sigmoid_norm".split()
BENT = {"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"}
DIVERGENCES = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]

torch.manual_seed(3)
answers = torch.zeros(2 * PAIRS, LENGTH, dtype=torch.long)
seen = answers.clone()
for at in range(PAIRS):
    for row, count in ((at, CHOSEN[at]), (PAIRS + at, REJECTED[at])):
        answers[row, PROMPTS[at] : PROMPTS[at] + count] = 1
        seen[row, : PROMPTS[at] + count] = 1
scored = answers[:, 1:].double()
# Few digits, so that the file is small and both sides read the same numbers.
policy = (-torch.rand(2 * PAIRS, LENGTH - 1, dtype=torch.float64) * 6 - 0.05).mul(1e4).round().div(1e4) * scored
reference = (policy + 0.8 * torch.randn_like(policy)).mul(1e4).round().div(1e4) * scored
squares = (-torch.rand_like(policy) * 3).mul(1e4).round().div(1e4) * scored


def cases():
    base = dict(kinds=None, weights=None, beta=0.1, smoothing=0.0, divergence="reverse_kl", coefficient=0.5, ld=None, wpo=False, tau=0.05)
    for kind in KINDS:
        smooth = 0.1 if kind in ("exo_pair", "robust", "aot", "aot_unpaired") else 0.0
        for divergence in DIVERGENCES if kind in BENT else DIVERGENCES[:1]:
            for beta, ld, wpo in ((0.1, None, False), (0.7, 0.5, False), (0.3, 0.0, True)):
                if wpo and kind in ("aot", "aot_unpaired", "hinge", "sft"):
                    continue
                yield dict(base, kinds=[kind], smoothing=smooth, divergence=divergence, beta=beta, ld=ld, wpo=wpo)
    yield dict(base, kinds=["sigmoid"], smoothing=0.1)
    yield dict(base, kinds=["sigmoid", "bco_pair", "sft"], weights=[0.8, 0.2, 1.0])
    yield dict(base, kinds=["robust", "aot"], weights=[1.0, 0.5], smoothing=0.2)
    yield dict(base, kinds=["discopop"], tau=0.5)
    yield dict(base, kinds=["sigmoid"], divergence="alpha_divergence", coefficient=1.0)
    yield dict(base, kinds=["sigmoid"], divergence="alpha_divergence", coefficient=2.0)


def stub(log_probs):
    zeros = torch.zeros_like(log_probs)
    out = SimpleNamespace(
        log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), log_sum_sq_probs=squares.to(log_probs.dtype), aux_loss=None
    )
    return lambda **kwargs: out


def ask(case):
    # The table of TRL's clamp for this divergence has no entry of 64 bits.
    kind = torch.float32 if case["divergence"] == "alpha_divergence" else torch.float64
    x = policy.to(kind).clone().requires_grad_(True)
    model = stub(x)
    model_with_mode = type("M", (), {"training": True, "__call__": lambda self, **k: model(**k)})()
    whole = SimpleNamespace(gather=lambda y: y, gather_for_metrics=lambda y: y, device=torch.device("cpu"))
    trainer = SimpleNamespace(
        model=model_with_mode, ref_model=stub(reference.to(kind)), accelerator=whole, aux_loss_enabled=False, ld_alpha=case["ld"],
        precompute_ref_logps=False, args=SimpleNamespace(gradient_checkpointing_kwargs=None, discopop_tau=case["tau"]),
        f_divergence_type=case["divergence"], f_alpha_divergence_coef=case["coefficient"], loss_types=case["kinds"],
        loss_weights=case["weights"] or [1.0] * len(case["kinds"]), beta=case["beta"], label_smoothing=case["smoothing"],
        use_weighting=case["wpo"], _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
    )
    inputs = dict(input_ids=torch.zeros_like(answers), attention_mask=seen, completion_mask=answers)
    loss = module.DPOTrainer._compute_loss(trainer, model_with_mode, inputs, False)
    loss.backward()
    gradients = [[float(f"{v:.12g}") for v, one in zip(row, mask) if one] for row, mask in zip(x.grad.tolist(), scored.tolist())]
    return dict(case, narrow=kind == torch.float32, loss=loss.item(), gradients=gradients)


def rows(table):
    return [[value for value, one in zip(row, mask) if one] for row, mask in zip(table.tolist(), scored.tolist())]


if __name__ == "__main__":
    module.disable_gradient_checkpointing = lambda *args, **kwargs: contextlib.nullcontext()
    module.is_peft_model = lambda model: False
    found = [ask(case) for case in cases()]
    with open(sys.argv[1], "w") as file:
        json.dump(dict(policy=rows(policy), reference=rows(reference), squares=rows(squares), cases=found), file, separators=(",", ":"))
    print(len(found))
