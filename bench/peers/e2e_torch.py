"""The end-to-end job of examples/e2e in plain PyTorch: LoRA on a Llama checkpoint over E2E pairs, the peer our runtime is timed against.

Prints one line of JSON. `--impl peft` is transformers + PEFT; `--impl bare` is the same transformers model with the linear
layers replaced by a few lines of LoRA, which is what a person tuning for speed would write.

How a row becomes tokens (our runtime does the same, so that losses compare):
  prompt  = "{meaning} ||"   tokenized as the tokenizer does by default, <s> first
  answer  = "{reference}"    tokenized alone, without <s>, then </s>
The two id lists are joined; loss falls on the answer's ids and on </s>, the mean over all such tokens of the batch.
"""

import argparse
import json
import math
import os
import random
import resource
import statistics
import sys
import time


def arguments():
    parse = argparse.ArgumentParser()
    parse.add_argument("--model", required=True, help="Hugging Face folder")
    parse.add_argument("--data", required=True, help="folder with train.jsonl and valid.jsonl")
    parse.add_argument("--impl", choices=["peft", "bare"], default="peft")
    parse.add_argument("--join", choices=["apart", "glued"], default="apart", help="whether the answer starts with a space")
    parse.add_argument("--rank", type=int, default=8)
    parse.add_argument("--alpha", type=float, default=None, help="default: twice the rank")
    parse.add_argument("--steps", type=int, default=600)
    parse.add_argument("--batch", type=int, default=16)
    parse.add_argument("--rows", type=int, default=6000)
    parse.add_argument("--valid", type=int, default=400)
    parse.add_argument("--learning-rate", type=float, default=5e-3)
    parse.add_argument("--sequence-len", type=int, default=256)
    parse.add_argument("--seed", type=int, default=7)
    parse.add_argument("--threads", type=int, default=os.cpu_count())
    parse.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parse.add_argument("--schedule-steps", type=int, default=None, help="total of the schedule, when --steps stops early")
    return parse.parse_args()


args = arguments()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch  # noqa: E402  (after the thread settings)
from tokenizers import Tokenizer  # noqa: E402
from transformers import LlamaForCausalLM  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def rows(path, count, tokenizer, eos):
    """(prompt ids, answer ids) of the first `count` rows."""
    out = []
    with open(path, encoding="utf-8") as lines:
        for line, _ in zip(lines, range(count)):
            row = json.loads(line)
            prompt = tokenizer.encode(row["meaning"] + " ||").ids
            if args.join == "apart":
                answer = tokenizer.encode(row["reference"], add_special_tokens=False).ids
            else:
                # sentencepiece puts a space before every text; after a word of its own it can be cut off again
                answer = tokenizer.encode("|" + row["reference"], add_special_tokens=False).ids[2:]
            out.append((prompt, (answer + [eos])[: max(1, args.sequence_len - len(prompt))]))
    return out


def batches(data, size, seed):
    """Endless batches of rows of like length: shuffle, cut into pools of 64 batches, as our runtime does, sort each pool, shuffle its batches."""
    shuffle = random.Random(seed)
    order = list(range(len(data)))
    while True:
        shuffle.shuffle(order)
        for start in range(0, len(order) - size + 1, size * 64):
            pool = sorted(order[start : start + size * 64], key=lambda i: len(data[i][0]) + len(data[i][1]))
            groups = [pool[at : at + size] for at in range(0, len(pool) - size + 1, size)]
            shuffle.shuffle(groups)
            for group in groups:
                yield [data[i] for i in group]


def tensors(batch):
    """ids [b, t] padded on the right; labels [b, t], -100 wherever no loss falls. Causal attention never looks right, so no mask."""
    width = max(len(p) + len(a) for p, a in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    labels = torch.full((len(batch), width), -100)
    for i, (prompt, answer) in enumerate(batch):
        ids[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[i, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels


def loss_of(model, batch, reduction="mean"):
    ids, labels = tensors(batch)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction=reduction)


@torch.no_grad()
def evaluate(model, data):
    if not data:
        return None
    total = sum(loss_of(model, data[at : at + 32], "sum").item() for at in range(0, len(data), 32))
    return total / sum(len(answer) for _, answer in data)


class Lora(torch.nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.weight = linear.weight.requires_grad_(False)
        wide = 1 / math.sqrt(linear.in_features)
        self.a = torch.nn.Parameter(torch.empty(rank, linear.in_features).uniform_(-wide, wide))
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        flat = x.flatten(0, -2)
        down = flat @ self.a.T
        out = torch.addmm(flat @ self.weight.T, down, self.b.T, alpha=self.scale)
        return out.view(*x.shape[:-1], -1)


def adapt(model, rank, alpha):
    if args.impl == "peft":
        from peft import LoraConfig, get_peft_model

        return get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=LINEARS))
    model.requires_grad_(False)
    for layer in model.model.layers:
        for parent in (layer.self_attn, layer.mlp):
            for name in LINEARS:
                if hasattr(parent, name):
                    setattr(parent, name, Lora(getattr(parent, name), rank, alpha))
    return model


def main():
    model = LlamaForCausalLM.from_pretrained(args.model, dtype=torch.float32 if args.dtype == "f32" else torch.bfloat16)
    eos = model.config.eos_token_id
    tokenizer = Tokenizer.from_file(os.path.join(args.model, "tokenizer.json"))
    train = rows(os.path.join(args.data, "train.jsonl"), args.rows, tokenizer, eos)
    valid = rows(os.path.join(args.data, "valid.jsonl"), args.valid, tokenizer, eos)

    model.eval()
    base_loss = evaluate(model, valid)
    model = adapt(model, args.rank, args.alpha if args.alpha is not None else 2 * args.rank)
    trained = [p for p in model.parameters() if p.requires_grad]
    for p in trained:  # the adapter's own numbers stay f32, as every trainer keeps them
        p.data = p.data.float() if args.dtype == "f32" or args.impl == "peft" else p.data.bfloat16()
    model.train()
    optimizer = torch.optim.AdamW(trained, lr=args.learning_rate, weight_decay=0.0)
    total = args.schedule_steps or args.steps
    warmup = 0.03 * total

    losses, times, real, padded = [], [], 0, 0
    stream = batches(train, args.batch, args.seed)
    for step in range(args.steps):
        share = step / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * share
        start = time.perf_counter()
        batch = next(stream)
        loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
        times.append(time.perf_counter() - start)
        real += sum(len(p) + len(a) for p, a in batch)
        padded += len(batch) * max(len(p) + len(a) for p, a in batch)
    model.eval()
    result = {
        "impl": args.impl,
        "dtype": args.dtype,
        "threads": args.threads,
        "rank": args.rank,
        "trainable": sum(p.numel() for p in trained),
        "steps": args.steps,
        "tokens_per_second": real / sum(times),
        "padded_tokens_per_second": padded / sum(times),
        "step_ms": 1000 * statistics.median(times),
        "losses": [round(x, 5) for x in losses],
        "base_loss": base_loss,
        "loss": evaluate(model, valid),
        "answer_tokens": sum(len(a) for _, a in valid),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    json.dump(result, sys.stdout)
    print()


main()
