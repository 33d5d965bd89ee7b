"""What bitsandbytes' CPU backend makes of tensors, of optimizer state, and of a whole model. Tensors travel as files of f32 or bytes.

in:  {"folder": where everything lies,
      "codes": [{"name", "shape", "type": "nf4" | "fp4" | "int8", "block", "double"}], tensors in folder/NAME.f32,
      "state": {"shapes", "steps", "learning_rate", "weight_decay"}, tensors in folder/state.I.f32, gradients in folder/state.I.STEP.f32,
      "model": {"config", "ids": [[int]], "packs": [{"name", "type", "double", "block"}]}}
out: {"model": {pack name: logits}}; files folder/NAME.TYPE.BLOCK.DOUBLE.{code,value,scale,...} and folders folder/packs/NAME
"""

import json
import sys

import bitsandbytes.functional as F
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig

job = json.load(sys.stdin)
torch.set_num_threads(1)
folder = job["folder"]


def save(name, tensor):
    tensor.detach().contiguous().numpy().tofile(f"{folder}/{name}")


for given in job["codes"]:
    x = torch.from_numpy(np.fromfile(f"{folder}/{given['name']}.f32", np.float32)).reshape(given["shape"])
    key = ".".join(str(given[k]) for k in ("name", "type", "block", "double"))
    if given["type"] == "int8":
        codes, scale, _ = torch.ops.bitsandbytes.int8_vectorwise_quant(x, 0.0)
        save(f"{key}.code", codes)
        save(f"{key}.scale", scale)
        save(f"{key}.value", torch.ops.bitsandbytes.int8_vectorwise_dequant(codes, scale))
        continue
    packed, state = F.quantize_4bit(x, blocksize=given["block"], quant_type=given["type"])
    save(f"{key}.code", packed.flatten())
    save(f"{key}.scale", state.absmax)
    # As one row: their CPU kernel takes blocks to begin with each row, and packing does not.
    state.shape = torch.Size([1, x.numel()])
    if x.numel() % 2 == 0:
        save(f"{key}.value", F.dequantize_4bit(packed, state))
    if given["double"]:
        mean = state.absmax.double().mean().float()
        table = F.create_dynamic_map()
        # In f64 the call reaches the generic kernel, which looks for the nearest entry; the f32 one looks it up in steps of 2^-15.
        codes, scale = torch.ops.bitsandbytes.quantize_blockwise((state.absmax - mean).double(), table, 256)
        save(f"{key}.scale.code", codes)
        save(f"{key}.scale.scale", scale)
        save(f"{key}.scale.offset", mean.reshape(1))
        fast, _ = torch.ops.bitsandbytes.quantize_blockwise(state.absmax - mean, table, 256)
        save(f"{key}.scale.fast", fast)

if "state" in job:
    import bitsandbytes.backends.cpu.ops as backend
    from bitsandbytes.optim import AdamW8bit

    def nearest(values, table, scale, codes, block):
        """The generic kernel, as above."""
        found, largest = torch.ops.bitsandbytes.quantize_blockwise(values.double(), table, block)
        codes.copy_(found)
        scale.copy_(largest)

    given = job["state"]

    def read(name, shape):
        return torch.from_numpy(np.fromfile(f"{folder}/{name}.f32", np.float32)).reshape(shape)

    tensors = [torch.nn.Parameter(read(f"state.{i}", shape)) for i, shape in enumerate(given["shapes"])]
    optimizer = AdamW8bit(tensors, lr=given["learning_rate"], weight_decay=given["weight_decay"])
    fast, backend._quant_blockwise_fp32_direct = backend._quant_blockwise_fp32_direct, nearest
    for step in range(given["steps"]):
        for i, tensor in enumerate(tensors):
            tensor.grad = read(f"state.{i}.{step}", tensor.shape)
        optimizer.step()
    backend._quant_blockwise_fp32_direct = fast
    for i, tensor in enumerate(tensors):
        save(f"state.{i}.p", tensor)
        for name in ("state1", "state2", "absmax1", "absmax2"):
            if name in optimizer.state[tensor]:
                save(f"state.{i}.{name}", optimizer.state[tensor][name])

answers = {}
if "model" in job:
    given = job["model"]
    options = dict(given["config"])
    config = AutoConfig.for_model(options.pop("model_type"), **options)
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(config)
    for name, p in model.named_parameters():
        p.data = (1.0 if p.dim() == 1 else 0.0) + 0.1 * torch.randn_like(p)
    model.save_pretrained(f"{folder}/base")
    ids = torch.tensor(given["ids"])
    for pack in given["packs"]:
        four = pack["type"] != "int8"
        quantization = BitsAndBytesConfig(
            load_in_4bit=four,
            load_in_8bit=not four,
            bnb_4bit_quant_type=pack["type"] if four else "nf4",
            bnb_4bit_use_double_quant=pack["double"],
            bnb_4bit_compute_dtype=torch.float32,
        )
        packed = AutoModelForCausalLM.from_pretrained(f"{folder}/base", quantization_config=quantization, dtype=torch.float32)
        packed.save_pretrained(f"{folder}/packs/{pack['name']}")
        # Outside training their CPU kernel computes in bf16.
        answers[pack["name"]] = packed.train()(input_ids=ids).logits.tolist()
json.dump({"model": answers}, sys.stdout)
