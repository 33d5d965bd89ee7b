"""AdapterHub's side of the comparison: a process that answers one line of JSON with one line of JSON, until its input ends.

{"do": "versions"}                  -> {"adapters", "torch", "transformers"}
{"do": "train", "base": folder, "out": folder, "config": {"hub": class, ...}, "noise": float, "seed": int,
 "batches": [{"ids", "labels"}], labels -100 for no loss, "sgd": rate, "adamw": rate}
    writes out/first (the library's own first tensors, with noise, so that no gradient is zero by accident), out/gradients.safetensors
    (of the first batch, computed in double precision, under the adapter's keys), out/sgd, out/adamw (after every batch was one step)
    with "named": true the parameters by the library's own names, without a configuration: a union has no file that could be compared
    -> {"trainable": parameters, "losses": {"sgd": [...], "adamw": [...]}, "logits": [[float]] of the first row after sgd}
{"do": "logits", "base": folder, "adapter": folder, "ids": [[int]]} -> {"logits": [[[float]]]}
"""

import copy
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../methods"))

from steps import answer_lines, gradients, open_answers, optimizer_of, take_steps, trained

answers = open_answers()

import adapters  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

torch.set_num_threads(1)


def base_of(folder):
    classes = {"bert": transformers.AutoModelForMaskedLM, "roberta": transformers.AutoModelForMaskedLM}
    kind = classes.get(transformers.AutoConfig.from_pretrained(folder).model_type, transformers.AutoModelForCausalLM)
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    adapters.init(model)
    return model


def tensors_of(model):
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters() if ".a." in name}


def logits_of(model, ids):
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor(ids)).logits


def config_of(given):
    """The library's object for {"hub": class, ...}; settings may be such objects themselves."""
    config = {key: config_of(value) if isinstance(value, dict) else value for key, value in given.items()}
    if "scaling" in config:
        config["scaling"] = float(config["scaling"])  # the library tells 1 from 1.0, and JSON does not
    return getattr(adapters, config.pop("hub"))(**config)


def train(job):
    torch.manual_seed(job["seed"])
    model = base_of(job["base"])
    model.add_adapter("a", config=config_of(job["config"]))
    model.train_adapter("a")
    generator = torch.Generator().manual_seed(job["seed"] + 1)
    for p in trained(model):
        p.data += job["noise"] * torch.randn(p.shape, generator=generator)
    out = job["out"]

    def save(one, part):
        if job.get("named"):
            os.makedirs(f"{out}/{part}", exist_ok=True)
            save_file(tensors_of(one), f"{out}/{part}/adapter.safetensors")
        else:
            one.save_adapter(f"{out}/{part}", "a", with_head=False, use_safetensors=True)

    save(model, "first")
    save_file(gradients(model.train(), job["batches"][0], tensors_of), f"{out}/gradients.safetensors")
    losses = {}
    for kind in ("adamw", "sgd"):
        own = copy.deepcopy(model).train()
        losses[kind] = take_steps(own, job["batches"], optimizer_of(own, kind, job))
        save(own, kind)
    found = logits_of(own, job["batches"][0]["ids"][:1])[0].tolist()
    return {"trainable": sum(p.numel() for p in trained(model)), "losses": losses, "logits": found}


def logits(job):
    model = base_of(job["base"])
    missing = {}
    name = model.load_adapter(job["adapter"], with_head=False, use_safetensors=True, loading_info=missing)
    if missing.get("missing_keys") or missing.get("unexpected_keys"):
        raise ValueError(f"not what it expects: {missing}")
    model.set_active_adapters(name)
    return {"logits": logits_of(model, job["ids"]).tolist()}


def versions(_):
    return {
        "adapters": adapters.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


answer_lines(answers, {"versions": versions, "train": train, "logits": logits})
