"""Makes a small random checkpoint with transformers and prints what it computes: any architecture transformers knows.

in:  {"config": config.json's content, "folder": where to save, "seed": int, "dtype": "f32" | "f16" | "bf16",
      "shard_bytes": optional, splits the checkpoint and writes an index, "ids": [[int]], "labels": [[int]], -100 for no loss}
out: {"logits": [[[float]]], "loss": float, "gradients": {parameter: nested list}}
The numbers are of the saved checkpoint read back as f32, so rounding of the stored dtype is in them.
"""

import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

job = json.load(sys.stdin)
torch.set_num_threads(1)
torch.manual_seed(job.get("seed", 1))
options = dict(job["config"])
config = AutoConfig.for_model(options.pop("model_type"), **options)
model = AutoModelForCausalLM.from_config(config)
for name, p in model.named_parameters():
    # Far from the usual start (0.02, biases 0, norms 1), so that every term is seen in the logits.
    scale = 1.0 if p.dim() == 1 and "bias" not in name else 0.0
    p.data = scale + 0.2 * torch.randn_like(p)
dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[job.get("dtype", "f32")]
shards = {"max_shard_size": job["shard_bytes"]} if "shard_bytes" in job else {}
model.to(dtype).save_pretrained(job["folder"], **shards)

model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=torch.float32, attn_implementation="eager").eval()
logits = model(input_ids=torch.tensor(job["ids"])).logits
labels = torch.tensor(job["labels"])[:, 1:].flatten()
loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels, ignore_index=-100)
loss.backward()
gradients = {name: p.grad.tolist() for name, p in model.named_parameters() if p.grad is not None}
json.dump({"logits": logits.tolist(), "loss": loss.item(), "gradients": gradients}, sys.stdout)
