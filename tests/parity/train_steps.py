"""Trains a few steps on given batches from given first tensors, f32, one thread: what our runtime must match.

in:  {"base": folder, "adapter": folder in PEFT's layout with the first tensors, or absent for every parameter,
      "optimizer": {"kind": "sgd" | "adamw" | "adamw8bit", "learning_rate", "weight_decay", "beta1", "beta2", "eps", "momentum"},
      "rates": [learning rate of each step], or absent for the constant one, "clip": optional norm,
      "batches": [{"ids": [[int]], "labels": [[int]]}], labels -100 for no loss, "save": optional folder}
out: {"losses": [before each step], "norms": [gradient norm before clipping], "parameters": {name: [norm, first values]}}
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
if "adapter" in job:
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
parameters = list(trained.values())

given = job["optimizer"]
rate, decay = given["learning_rate"], given.get("weight_decay", 0.0)
if given["kind"] == "sgd":
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=given.get("momentum", 0.0), weight_decay=decay)
else:
    betas = (given.get("beta1", 0.9), given.get("beta2", 0.999))
    kind = torch.optim.AdamW
    if given["kind"] == "adamw8bit":
        from bitsandbytes.optim import AdamW8bit as kind
    optimizer = kind(parameters, lr=rate, betas=betas, eps=given.get("eps", 1e-8), weight_decay=decay)

losses, norms = [], []
for step, batch in enumerate(job["batches"]):
    for group in optimizer.param_groups:
        group["lr"] = job["rates"][step] if "rates" in job else rate
    logits = model(input_ids=torch.tensor(batch["ids"])).logits
    labels = torch.tensor(batch["labels"])[:, 1:].flatten()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels, ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    norms.append(torch.nn.utils.clip_grad_norm_(parameters, job.get("clip", float("inf"))).item())
    optimizer.step()
    losses.append(loss.item())

if "save" in job:
    model.save_pretrained(job["save"])
summary = {name: [p.norm().item(), *p.flatten()[:8].tolist()] for name, p in trained.items()}
json.dump({"losses": losses, "norms": norms, "parameters": summary}, sys.stdout)
