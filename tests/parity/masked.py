"""How often transformers' collator hides tokens: one line of JSON in, one out.

in:  {"ids": [[int]], "special": [int], "mask": id, "words": size of the vocabulary, "share": float, "times": int}
out: {"hidden": share of the ids that may be hidden, "masked", "other", "same": shares of those that are}
"""

import json
import sys

import torch
from transformers import DataCollatorForLanguageModeling


class Words:
    """What the collator asks of a tokenizer."""

    pad_token = "pad"
    mask_token = "mask"

    def __init__(self, job):
        self.job = job
        self.mask_token_id = job["mask"]

    def __len__(self):
        return self.job["words"]

    def get_special_tokens_mask(self, ids, already_has_special_tokens):
        return [1 if id in self.job["special"] else 0 for id in ids]

    def convert_tokens_to_ids(self, token):
        return self.job["mask"]


job = json.load(sys.stdin)
torch.manual_seed(1)
collator = DataCollatorForLanguageModeling(Words(job), mlm_probability=job["share"])
counts = {"all": 0, "hidden": 0, "masked": 0, "other": 0, "same": 0}
for _ in range(job["times"]):
    ids = torch.tensor(job["ids"])
    special = torch.tensor([[id in job["special"] for id in row] for row in job["ids"]])
    shown, labels = collator.torch_mask_tokens(ids.clone(), special)
    chosen = labels != -100
    counts["all"] += int((~special).sum())
    counts["hidden"] += int(chosen.sum())
    counts["masked"] += int((chosen & (shown == job["mask"])).sum())
    counts["same"] += int((chosen & (shown == ids)).sum())
    counts["other"] += int((chosen & (shown != ids) & (shown != job["mask"])).sum())
print(json.dumps({"hidden": counts["hidden"] / counts["all"], **{k: counts[k] / counts["hidden"] for k in ("masked", "other", "same")}}))
