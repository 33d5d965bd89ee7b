"""PEFT's mixed batch: one line of JSON in, one out, until the input ends.

{"do": "load", "base": folder, "adapters": [folders], "threads": int} -> {"adapters": count}
{"do": "score", "ids": [[int]], "which": [int]}    -> {"seconds", "loss"}: a forward pass with labels, every row its adapter
{"do": "generate", "ids": [[int]], "which": [int], "tokens": int} -> {"seconds", "ids"}: greedy, with the cache
"""

import contextlib
import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch  # noqa: E402
from peft import PeftModel  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

state = {}


def load(job):
    torch.set_num_threads(job["threads"])
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    first, *rest = job["adapters"]
    model = PeftModel.from_pretrained(base, first, adapter_name="a0")
    for i, folder in enumerate(rest):
        model.load_adapter(folder, adapter_name=f"a{i + 1}")
    state["model"] = model.eval()
    return {"adapters": len(job["adapters"])}


def names(job):
    return [f"a{i}" for i in job["which"]]


def score(job):
    ids = torch.tensor(job["ids"])
    with torch.no_grad():
        start = time.perf_counter()
        loss = state["model"](input_ids=ids, labels=ids, adapter_names=names(job)).loss
        return {"seconds": time.perf_counter() - start, "loss": loss.item()}


def generate(job):
    ids = torch.tensor(job["ids"])
    with torch.no_grad():
        start = time.perf_counter()
        out = state["model"].generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            adapter_names=names(job),
            max_new_tokens=job["tokens"],
            min_new_tokens=job["tokens"],
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        return {"seconds": time.perf_counter() - start, "ids": out[:, ids.shape[1] :].tolist()}


verbs = {"load": load, "score": score, "generate": generate}
for line in sys.stdin:
    job = json.loads(line)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            answer = verbs[job["do"]](job)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
