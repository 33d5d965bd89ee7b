"""What transformers computes for small checkpoints whose numbers follow from their names: one line of JSON in, one out.

in:  {"config": config.json's content, "class": "LlamaForCausalLM", "folder": where to save, "ids": [[int]], "labels": [[int]] (-100: no loss),
      "generate": number of tokens, "lora": {"config": adapter_config.json's content, "tensors": {key: shape}}, "more": further inputs of the forward pass, "attention_mask": [[int]], "whole": whether all keys of the configuration are told}
out: {"versions", "tensors": {stored name: shape}, "logits": [[[float]]], "loss": float,
      "gradients": {stored name or, for what transformers packs itself, its own: [norm, first four]}, "generated": [int],
      "lora": {"loss", "tensors", "gradients": the same of the adapter's tensors by key}}
"""

import json
import os
import re
import sys

import numpy as np
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file

torch.set_num_threads(1)


def values(name, shape):
    """Numbers in (-0.3, 0.3) from name and place alone, around 1 for scales: tests/parity/models/drawn.ts computes the same."""
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) % 2**32
    i = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64)
    x = (i * np.uint64(2654435761) + np.uint64(h)) % np.uint64(2**32)
    for _ in range(2):
        x = x ^ (x >> np.uint64(16))
        x = (x * np.uint64(0x45D9F3B)) % np.uint64(2**32)
    x = x ^ (x >> np.uint64(16))
    start = 1.0 if len(shape) == 1 and "bias" not in name else 0.0
    return (start + 0.6 * (x.astype(np.float64) / 2**32 - 0.5)).astype(np.float32).reshape(shape)


def run(job):
    folder = job["folder"]
    os.makedirs(folder, exist_ok=True)
    cls = getattr(transformers, job["class"])
    config = cls.config_class(**{k: v for k, v in job["config"].items() if k not in ("model_type", "architectures")})
    torch.manual_seed(1)
    cls(config).save_pretrained(folder)
    path = f"{folder}/model.safetensors"
    with safe_open(path, "pt") as f:
        shapes = {name: list(f.get_tensor(name).shape) for name in f.keys()}
    save_file({name: torch.from_numpy(values(name, shape)) for name, shape in shapes.items()}, path, {"format": "pt"})
    with open(f"{folder}/config.json") as f:
        saved = json.load(f)

    model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation=job.get("attention", "eager")).eval()
    inputs = {"input_ids": torch.tensor(job["ids"])} if "ids" in job else {}
    for name, value in job.get("more", {}).items():
        inputs[name] = torch.tensor(value)
    out = model(**inputs)
    logits = out.logits
    loss = loss_of(job, logits)
    loss.backward()
    gradients = {}
    for name, p in model.named_parameters():
        if p.grad is not None:
            flat = p.grad.flatten()
            gradients[name] = [flat.norm().item(), *flat[:4].tolist()]
    answer = {
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "config": saved,
        **({"whole": model.config.to_dict()} if job.get("whole") else {}),
        "tensors": shapes,
        "logits": logits.detach().tolist(),
        "loss": loss.item(),
        "gradients": gradients,
    }
    if job.get("generate"):
        first = {name: value[:1] for name, value in inputs.items() if "decoder" not in name}
        model.generation_config.eos_token_id = None
        model.generation_config.decoder_start_token_id = 0
        new = model.generate(**first, max_new_tokens=job["generate"], do_sample=False, num_beams=1, pad_token_id=0)
        start = 1 if config.is_encoder_decoder else len(job["ids"][0])
        answer["generated"] = new[0, start:].tolist()
    if job.get("lora"):
        answer["lora"] = lora(job, cls, inputs)
    return answer


def lora(job, cls, inputs):
    """One step of an adapter of PEFT over the saved model, every tensor from its key."""
    config, shapes = job["lora"]["config"], job["lora"]["tensors"]
    base = cls.from_pretrained(job["folder"], dtype=torch.float32, attn_implementation=job.get("attention", "eager"))
    # Which wrapper generates is no part of it, and some wrappers know only texts.
    model = get_peft_model(base, LoraConfig(**{**config, "task_type": None, "inference_mode": False})).eval()
    own = {re.sub(r"(lora_[AB])\.weight$", r"\1.default.weight", key): key for key in shapes}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    if trained != set(own):
        raise ValueError(f"PEFT trains {sorted(trained ^ set(own))[:6]} or they do")
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in own:
                p.copy_(torch.from_numpy(values(own[name], shapes[own[name]])))
    loss = loss_of(job, model(**inputs).logits)
    loss.backward()
    gradients = {}
    for name, p in model.named_parameters():
        if name in own:
            flat = p.grad.flatten()
            gradients[own[name]] = [flat.norm().item(), *flat[:4].tolist()]
    return {"loss": loss.item(), "tensors": shapes, "gradients": gradients}


def loss_of(job, logits):
    labels = torch.tensor(job["labels"])
    if labels.dim() == 1:  # one class per row
        return torch.nn.functional.cross_entropy(logits, labels)
    if job.get("shift", True):
        logits, labels = logits[:, :-1], labels[:, 1:]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


for line in sys.stdin:
    try:
        print(json.dumps(run(json.loads(line))), flush=True)
    except Exception as error:  # noqa: BLE001: the other side shows it
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:600]}), flush=True)
