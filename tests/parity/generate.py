"""What transformers writes: token ids of model.generate for each prompt by itself.

in:  {"model": folder, "cases": [{"prompt": [int], "options": generate's keyword arguments}]}
out: {"answers": [[int]]}, without the prompt and from the first eos on
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

job = json.load(sys.stdin)
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32, attn_implementation="eager").eval()
answers = []
for case in job["cases"]:
    ids = torch.tensor([case["prompt"]])
    with torch.no_grad():
        written = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **case["options"])[0, ids.shape[1] :].tolist()
    eos = case["options"].get("eos_token_id", model.generation_config.eos_token_id)
    ends = [written.index(stop) for stop in (eos if isinstance(eos, list) else [eos]) if stop in written]
    answers.append(written[: min(ends)] if ends else written)
json.dump({"answers": answers}, sys.stdout)
