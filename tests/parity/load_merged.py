"""Loads a Hugging Face folder with transformers, and prints the logits for the given ids.

in:  {"model": folder, "ids": [[int]], "text": optional string, "generate": optional number of new tokens,
      "train": optional, true leaves training on: bitsandbytes' CPU kernels compute in bf16 without}
out: {"logits": [[[float]]], "missing": [names], "unexpected": [names], "text_ids": [int], "generated": [int]}
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

job = json.load(sys.stdin)
torch.set_num_threads(1)
model, info = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32, output_loading_info=True)
model.train(job.get("train", False))
out = {"missing": sorted(info["missing_keys"]), "unexpected": sorted(info["unexpected_keys"])}
ids = torch.tensor(job["ids"])
with torch.no_grad():
    out["logits"] = model(input_ids=ids).logits.tolist()
    if "generate" in job:
        # The argmax one token at a time, so that no default of generate() takes part.
        rows = ids[:1]
        for _ in range(job["generate"]):
            rows = torch.cat([rows, model(input_ids=rows).logits[:, -1:].argmax(-1)], 1)
        out["generated"] = rows[0].tolist()
if "text" in job:
    out["text_ids"] = AutoTokenizer.from_pretrained(job["model"])(job["text"])["input_ids"]
json.dump(out, sys.stdout)
