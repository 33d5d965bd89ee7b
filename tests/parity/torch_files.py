"""Writes files with torch.save, right and wrong ones.

in:  {"out": folder}
out: {"tensors": {name: {"dtype": str, "shape": [int], "values": [float]}}} of `good.bin` and `parameters.bin`; the wrong ones beside them
"""

import json
import os
import sys

import torch

out = json.load(sys.stdin)["out"]
torch.manual_seed(3)
whole = torch.randn(6, 5)
good = {
    "f32": torch.randn(3, 4),
    "f16": torch.randn(2, 3).half(),
    "bf16": torch.randn(5).bfloat16(),
    "i64": torch.arange(-3, 4),
    "part": whole[2:4],
    "one": torch.tensor(2.5),
    "none": torch.zeros(0, 3),
}
save = lambda value, name, **more: torch.save(value, os.path.join(out, name), **more)
save(good, "good.bin")
save(torch.nn.Linear(3, 2).state_dict(), "module.bin")
save({"w": torch.nn.Parameter(good["f32"])}, "parameters.bin")
save({"w": good["f32"].T}, "turned.bin")
save({"model": good}, "nested.bin")
save([good["f32"]], "list.bin")
save({"w": good["f32"]}, "old.bin", _use_new_zipfile_serialization=False)


class Evil:
    def __reduce__(self):
        return (os.system, ("true",))


save({"w": good["f32"], "x": Evil()}, "evil.bin")
show = lambda t: {"dtype": str(t.dtype), "shape": list(t.shape), "values": t.double().flatten().tolist()}
json.dump({"tensors": {name: show(tensor) for name, tensor in good.items()}}, sys.stdout)
