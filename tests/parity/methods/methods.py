"""PEFT's side of the comparison of methods: a process that answers one line of JSON with one line of JSON, until its input ends.

{"do": "versions"}                  -> {"peft", "torch", "transformers"}
{"do": "train", "base": folder, "out": folder, "config": {"peft_type", ...}, "noise": float, "seed": int,
 "cut": whether AdaLoRA's file leaves out what was given up, "batches": [{"ids", "labels"}], labels -100 for no loss, "observe": how many of them first values are computed from, "sgd": rate, "adamw": rate, "optimizer": one of PEFT's in AdamW's place}
    writes out/first (PEFT's own first tensors, with noise on what is trained, so that no gradient is zero by accident),
    out/gradients.safetensors (of the first batch, computed in double precision, under the adapter's keys),
    out/sgd, out/adamw (the adapter after every batch was one step, in single precision)
    with "encoder": also out/encoder.safetensors, the first tensors of the network that makes a prompt, whose gradients are then told
    -> {"trainable": parameters, "losses": {"sgd": [...], "adamw": [...]}}
{"do": "first", "base", "config", "seed", "out"} -> {}; the adapter as PEFT begins it is saved to out
{"do": "combined", "base": folder, "adapters": [folders], "weights": [...], "ways": {title: add_weighted_adapter's options, or
 null for both on}, "ids": [[int]]} -> {title: logits of the last token}
{"do": "logits", "base": folder, "adapter": folder, "ids": [[int]]} -> {"logits": [[[float]]]}

"config" may say "frozen": parts of names of what PEFT would train and the case does not.
"config" without a peft_type holds "train": patterns of base parameters that are trained as they are; what is written is then
those parameters under the checkpoint's own names.
"""

import copy
import os
import re

from steps import answer_lines, gradients, inputs_of, open_answers, optimizer_of, take_steps, trained

answers = open_answers()

import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import peft.optimizers.lorafa  # noqa: E402
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer  # noqa: E402
from peft.tuners.lora.corda import preprocess_corda  # noqa: E402
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING  # noqa: E402
from peft.utils import get_peft_model_state_dict  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

torch.set_num_threads(1)
bases = {}


def base_of(folder):
    if folder not in bases:
        bases[folder] = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
    return copy.deepcopy(bases[folder])


class Selected(torch.nn.Module):
    """A base of which some parameters are trained as they are."""

    def __init__(self, base, patterns):
        super().__init__()
        self.base = base
        matched = set()
        for name, p in base.named_parameters():
            hits = [pattern for pattern in patterns if re.fullmatch(pattern, name)]
            matched.update(hits)
            p.requires_grad_(bool(hits))
        assert matched == set(patterns), f"patterns that match nothing: {set(patterns) - matched}"

    def forward(self, **inputs):
        return self.base(**inputs)

    def tensors(self):
        return {name: p.detach().clone().contiguous() for name, p in self.base.named_parameters() if p.requires_grad}

    def save_pretrained(self, folder):
        os.makedirs(folder, exist_ok=True)
        save_file(self.tensors(), os.path.join(folder, "adapter_model.safetensors"), metadata={"format": "pt"})


def wrap(job):
    base = base_of(job["base"])
    config = dict(job["config"])
    torch.manual_seed(job["seed"])
    if "train" in config:
        return Selected(base, config["train"])
    frozen = config.pop("frozen", [])
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(config.pop("peft_type"))]
    if isinstance(config.get("init_lora_weights"), str) and config["init_lora_weights"] in ("true", "false"):
        config["init_lora_weights"] = config["init_lora_weights"] == "true"
    if "eva_config" in config:
        config["eva_config"] = peft.EvaConfig(**config["eva_config"])
    if "corda_config" in config:
        config["corda_config"] = peft.tuners.lora.config.CordaConfig(**config["corda_config"])
        rows = [torch.tensor([row]) for batch in job["batches"][: job["observe"]] for row in batch["ids"]]
        preprocess_corda(base, kind(task_type="CAUSAL_LM", **config), run_model=lambda: [base(row) for row in rows])
    model = peft.get_peft_model(base, kind(task_type="CAUSAL_LM", **config))
    if "eva_config" in config:
        seen = [inputs_of(batch) for batch in job["batches"][: job["observe"]]]
        peft.initialize_lora_eva_weights(model, seen, show_progress_bar=False)
    for name, p in model.named_parameters():
        if any(part in name for part in frozen):
            p.requires_grad_(False)
    return model


def tensors_of(model):
    if isinstance(model, Selected):
        return model.tensors()
    state = get_peft_model_state_dict(model)
    return {name: p.detach().clone().contiguous() for name, p in state.items()}


def made_by(model):
    """The network that makes a prompt: its tensors by their names in it."""
    return {name: p.detach().clone().contiguous() for name, p in model.prompt_encoder["default"].named_parameters()}


def run(model, job, kind, out):
    model = copy.deepcopy(model).train()
    if kind == "adamw" and job.get("optimizer") == "lorafa":
        # It casts to half precision where it can; what is compared is its equation.
        peft.optimizers.lorafa.is_bf16_available = lambda: False
        config = model.peft_config["default"]
        optimizer = create_lorafa_optimizer(model, r=config.r, lora_alpha=config.lora_alpha, lr=job["adamw"])
    elif kind == "adamw" and job.get("optimizer") == "loraplus":
        ratios = {"loraplus_lr_ratio": 4, "loraplus_weight_decay": 0.01}  # the ratio of the case, the usual decay
        optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=job["adamw"], **ratios)
    else:
        optimizer = optimizer_of(model, kind, job)
    allocates = hasattr(getattr(model, "base_model", None), "update_and_allocate")
    allocate = model.base_model.update_and_allocate if allocates else lambda step: None
    losses = take_steps(model, job["batches"], optimizer, allocate)
    if allocates and not job.get("cut"):
        # Whole tensors are compared, what was given up as zeros: with a pattern PEFT leaves those rows out.
        model.peft_config["default"].rank_pattern = None
    model.save_pretrained(out)
    return losses


def train(job):
    model = wrap(job)
    generator = torch.Generator().manual_seed(job["seed"] + 1)
    for p in trained(model):
        p.data += job["noise"] * torch.randn(p.shape, generator=generator)
    out = job["out"]
    model.save_pretrained(f"{out}/first")
    if job.get("encoder"):
        save_file(made_by(model), f"{out}/encoder.safetensors", metadata={"format": "pt"})
    found = gradients(model.train(), job["batches"][0], made_by if job.get("encoder") else tensors_of)
    save_file(found, f"{out}/gradients.safetensors", metadata={"format": "pt"})
    losses = {kind: run(model, job, kind, f"{out}/{kind}") for kind in ("sgd", "adamw")}
    return {"trainable": sum(p.numel() for p in trained(model)), "losses": losses}


def first(job):
    wrap(job).save_pretrained(job["out"])
    return {}


def logits(job):
    model = peft.PeftModel.from_pretrained(base_of(job["base"]), job["adapter"]).eval()
    with torch.no_grad():
        ids = torch.tensor(job["ids"])
        # With virtual tokens in front there are more logits than ids.
        found = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return {"logits": found[:, -ids.shape[1] :].tolist()}


def generate(job):
    """What PEFT's model writes after some ids, always the likeliest token."""
    model = peft.PeftModel.from_pretrained(base_of(job["base"]), job["adapter"]).eval()
    ids = torch.tensor([job["ids"]])
    settings = {"max_new_tokens": job["count"], "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    with torch.no_grad():
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
    return {"written": written[0, ids.shape[1] :].tolist()}


def combined(job):
    """Two adapters over one base: both on, or combined by PEFT's own rules."""
    names = [f"a{i}" for i in range(len(job["adapters"]))]
    model = peft.PeftModel.from_pretrained(base_of(job["base"]), job["adapters"][0], adapter_name=names[0])
    for name, folder in zip(names[1:], job["adapters"][1:]):
        model.load_adapter(folder, adapter_name=name)
    out = {}
    with torch.no_grad():
        for title, options in job["ways"].items():
            if options is None:
                model.base_model.set_adapter(names)
            else:
                model.add_weighted_adapter(names, job["weights"], adapter_name="made", **options)
                model.set_adapter("made")
            out[title] = model.eval()(input_ids=torch.tensor(job["ids"])).logits[0, -1].tolist()
            if options is not None:
                model.delete_adapter("made")
    return out


def versions(_):
    return {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__}


verbs = {"versions": versions, "train": train, "first": first, "logits": logits, "generate": generate, "combined": combined}
answer_lines(answers, verbs)
