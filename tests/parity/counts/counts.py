"""What PEFT makes of configurations over a base that is only a config.json: {"base": config, "configs": {name: configuration}} as JSON on
standard input -> {"version", "counts": {name: {"trainable", "bytes", "tensors": {key: shape}, "chosen": {key: value}} or {"refused": why}}} on standard output.

Everything lies on the meta device: no number is computed. `bytes` is the size of the safetensors file that PEFT would write."""

import dataclasses
import json
import math
import sys

import peft
import torch
import transformers
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils import get_peft_model_state_dict

question = json.load(sys.stdin)
base = transformers.AutoConfig.for_model(**question["base"])


def file_bytes(state):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, p in sorted(state.items()):
        size = p.numel() * 4
        header[name] = {"dtype": "F32", "shape": list(p.shape), "data_offsets": [at, at + size]}
        at += size
    return 8 + math.ceil(len(json.dumps(header, separators=(",", ":"))) / 8) * 8 + at


def count(config):
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(config["peft_type"])]
    fields = {field.name for field in dataclasses.fields(kind)}
    known = {key: value for key, value in config.items() if key in fields and key not in ("peft_type", "auto_mapping")}
    # First values are not computed here, and what is stored has the same shapes.
    if isinstance(known.get("init_lora_weights"), str):
        known["init_lora_weights"] = True
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(base, dtype=torch.float32)
        model = peft.get_peft_model(model, kind(**known))
        state = get_peft_model_state_dict(model)
    # Which modules a configuration without targets means is PEFT's to choose, by the kind of model.
    settled = model.peft_config["default"].to_dict()
    choice = {key: settled.get(key) for key in ("target_modules", "feedforward_modules")}
    chosen = {key: sorted(value) for key, value in choice.items() if config.get(key) is None and isinstance(value, (list, set))}
    return {
        "chosen": chosen,
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "bytes": file_bytes(state),
        "tensors": {name: list(p.shape) for name, p in sorted(state.items())},
    }


counts = {}
for name, config in question["configs"].items():
    try:
        counts[name] = count(config)
    except Exception as error:
        counts[name] = {"refused": f"{type(error).__name__}: {error}"[:200]}
print(json.dumps({"version": peft.__version__, "counts": counts}))
