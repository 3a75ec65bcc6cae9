"""Steps per second of TRL's DPOTrainer and of a hand-written PyTorch loop, against the runner, on the same model and pairs.

Usage: python benches/runner.py FOLDER BINARY [small|135m|0.5b] [STEPS]
BINARY is what `cargo bench --features runner --bench runner --no-run` built. Two threads each, 32 bits, one after another.
With DEVICE=cuda and a BINARY of `--features cuda` all three compute on a GPU, where PyTorch uses all digits of 32 bits, too.
"""

import json
import os
import random
import resource
import subprocess
import sys
import time

folder, binary = sys.argv[1:3]
size = sys.argv[3] if len(sys.argv) > 3 else "small"
steps = int(sys.argv[4]) if len(sys.argv) > 4 else 6
part = os.environ.get("PART")
THREADS = int(os.environ.get("THREADS", "2"))
DEVICE = os.environ.get("DEVICE", "cpu")
os.environ["HF_HUB_OFFLINE"] = "1"

SIZES = {
    "small": dict(vocab_size=32000, hidden_size=256, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4, intermediate_size=688, tie_word_embeddings=False),
    "135m": dict(vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, intermediate_size=1536, tie_word_embeddings=True),
    "0.5b": dict(vocab_size=151936, hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, intermediate_size=4864, tie_word_embeddings=True),
}
# Pairs in a batch, and tokens of prompts and answers.
SHAPES = {"small": (4, (60, 110), (70, 130)), "135m": (2, (60, 110), (70, 130)), "0.5b": (8, (60, 110), (70, 130))}
LORA = dict(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], bias="none")
LEARNING_RATE = 1e-3


def batches():
    draw = random.Random(5)
    count, prompts, answers = SHAPES[size]
    ids = lambda bounds: [draw.randint(3, 3000) for _ in range(draw.randint(*bounds))]
    return [[[ids(prompts), ids(answers) + [2], ids(answers) + [2]] for _ in range(count)] for _ in range(steps)]


def peak():
    """The most memory, in MB: of the process, or on the GPU what PyTorch took."""
    if DEVICE == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    import torch

    return torch.cuda.max_memory_reserved() // 2**20


def now():
    """The time when everything that was begun is done."""
    if DEVICE != "cpu":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def make(model_folder):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(**SIZES[size], max_position_embeddings=2048, initializer_range=0.05, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(config).save_pretrained(model_folder)


def by_trl(model_folder):
    begun = time.perf_counter()
    import torch

    torch.set_num_threads(THREADS)
    from datasets import Dataset
    from peft import LoraConfig
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    words = {word: at for at, word in enumerate(["<pad>", "<s>", "</s>"] + [f"w{i}" for i in range(3, 3001)])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    text = lambda ids: " ".join(f"w{i}" for i in ids if i > 2)
    rows = [dict(prompt=text(p) + " ", chosen=text(c), rejected=text(r)) for batch in batches() for p, c, r in batch]
    times, cpu, losses, logs = [], [], [], []

    class Clock(TrainerCallback):
        def on_step_begin(self, *args, **kwargs):
            self.start, self.cpu = now(), time.process_time()

        def on_step_end(self, *args, **kwargs):
            times.append(now() - self.start)
            cpu.append(time.process_time() - self.cpu)
            if len(times) == 1:
                logs.append(now() - begun)

    class Timed(DPOTrainer):
        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            losses.append(loss.item())
            return loss

    trainer = Timed(
        model=AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32),
        args=DPOConfig(
            output_dir=folder + "/out", per_device_train_batch_size=SHAPES[size][0], max_steps=steps, learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant", logging_steps=1, bf16=False, gradient_checkpointing=False, use_cpu=DEVICE == "cpu", report_to=[], seed=42,
            save_strategy="no", train_sampling_strategy="sequential", optim="adamw_torch", disable_tqdm=True, dataloader_pin_memory=False,
            max_length=512,
        ),
        train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=LoraConfig(task_type="CAUSAL_LM", **LORA), callbacks=[Clock()],
    )
    trainer.model.save_pretrained(folder + "/adapter")
    trainer.train()
    return dict(times=times, cpu=cpu, losses=losses, first=logs[0], peak=peak())


def by_hand(model_folder):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(THREADS)
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32), LoraConfig(task_type="CAUSAL_LM", **LORA)).to(DEVICE)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0)
    base = model.get_base_model()

    def scores(ids, seen, answer):
        # The output layer sees only what is scored.
        hidden = base.model(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state[:, :-1]
        mask, targets = answer[:, 1:].bool(), ids[:, 1:]
        logits = base.lm_head(hidden[mask])
        found = logits.gather(1, targets[mask][:, None])[:, 0] - torch.logsumexp(logits, -1)
        return torch.zeros(mask.shape, device=DEVICE).masked_scatter(mask, found).sum(1)

    times, cpu = [], []
    for batch in batches():
        sequences = [(p, c) for p, c, _ in batch] + [(p, r) for p, _, r in batch]
        width = max(len(p) + len(a) for p, a in sequences)
        pad = lambda row: row + [0] * (width - len(row))
        ids = torch.tensor([pad(p + a) for p, a in sequences], device=DEVICE)
        seen = torch.tensor([pad([1] * len(p + a)) for p, a in sequences], device=DEVICE)
        answer = torch.tensor([pad([0] * len(p) + [1] * len(a)) for p, a in sequences], device=DEVICE)
        start, begun = now(), time.process_time()
        with torch.no_grad(), model.disable_adapter():
            reference = scores(ids, seen, answer)
        ratio = scores(ids, seen, answer) - reference
        half = len(batch)
        loss = -F.logsigmoid(0.1 * (ratio[:half] - ratio[half:])).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(now() - start)
        cpu.append(time.process_time() - begun)
    return dict(times=times, cpu=cpu, peak=peak())


model_folder = f"{folder}/{size}"
if part:
    print("RESULT" + json.dumps(dict(trl=by_trl, hand=by_hand, make=make)[part](model_folder)))
    sys.exit()

os.makedirs(folder, exist_ok=True)


def run(name):
    out = subprocess.run([sys.executable, *sys.argv], env=dict(os.environ, PART=name), capture_output=True, text=True)
    line = [line for line in out.stdout.splitlines() if line.startswith("RESULT")]
    if not line:
        sys.exit(out.stderr[-3000:])
    return json.loads(line[0][6:])


if not os.path.exists(model_folder + "/config.json"):
    run("make")
middle = lambda times: sorted(times[1:])[len(times[1:]) // 2]
trl = run("trl")
hand = run("hand")
file = f"{folder}/{size}.json"
with open(file, "w") as out:
    steps_of = [dict(loss=loss) for loss in trl["losses"]]
    json.dump(dict(model=model_folder, lora=LORA, args=dict(learning_rate=LEARNING_RATE), batches=batches(), steps=steps_of), out)
print(f"{size}: {sum(len(p) * 2 + len(c) + len(r) for p, c, r in batches()[1])} tokens in the second step, {THREADS} threads, {DEVICE}")
print(f"TRL    {middle(trl['times']):.3f} s a step ({middle(trl['cpu']):.3f} s of both cores), first loss after {trl['first']:.1f} s, {trl['peak']} MB")
print(f"loop   {middle(hand['times']):.3f} s a step ({middle(hand['cpu']):.3f} s of both cores), {hand['peak']} MB")
env = dict(os.environ, RAYON_NUM_THREADS=str(THREADS))
found = subprocess.run([binary, file, *([] if DEVICE == "cpu" else [DEVICE])], env=env, capture_output=True, text=True)
print(found.stdout + found.stderr)
