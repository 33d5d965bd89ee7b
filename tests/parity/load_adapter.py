"""Loads an adapter folder with PEFT over its base, and prints the logits for the given ids.

in:  {"base": folder, "adapter": folder, "ids": [[int]]}
out: {"logits": [[[float]]], "base_logits": the same without the adapter, "trainable": parameters of the adapter}
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
torch.set_num_threads(1)
ids = torch.tensor(job["ids"])
base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32).eval()
with torch.no_grad():
    base_logits = base(input_ids=ids).logits.tolist()
    model = PeftModel.from_pretrained(base, job["adapter"]).eval()
    logits = model(input_ids=ids).logits.tolist()
trainable = sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)
json.dump({"logits": logits, "base_logits": base_logits, "trainable": trainable}, sys.stdout)
