"""AdapterHub's side of the comparison of bottleneck methods: python adapterhub.py BASES OUT, where BASES holds the folders llama and gpt2
that tests/parity/methods/case.ts writes. Writes OUT: the adapters' tensors and their logits, with the versions as metadata."""

import sys

import adapters
import torch
import transformers
from adapters import CompacterConfig, DoubleSeqBnConfig, ParBnConfig, SeqBnConfig
from safetensors.torch import save_file

bases, out = sys.argv[1:]
ids = torch.tensor([[1, 5, 9, 33, 12, 7, 40, 3]])
configs = {
    "bottleneck": SeqBnConfig(reduction_factor=4),
    "double_bottleneck": DoubleSeqBnConfig(reduction_factor=4),
    "parallel_bottleneck": ParBnConfig(reduction_factor=4),
    "compacter": CompacterConfig(reduction_factor=4, phm_dim=2),
}
found = {}
for base in ("llama", "gpt2"):
    for name, config in configs.items():
        model = transformers.AutoModelForCausalLM.from_pretrained(
            f"{bases}/{base}", dtype=torch.float32, attn_implementation="eager"
        )
        adapters.init(model)
        model.add_adapter("a", config=config)
        model.train_adapter("a")
        model.eval()
        generator = torch.Generator().manual_seed(3)
        for key, p in model.named_parameters():
            if ".a." in key and p.requires_grad:
                p.data += 0.3 * torch.randn(p.shape, generator=generator)
                found[f"{base} {name}/{key}"] = p.detach().clone().contiguous()
        found[f"{base} {name}/logits"] = model(input_ids=ids).logits[0].detach().contiguous()
versions = {"adapters": adapters.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
save_file(found, out, metadata=versions)
