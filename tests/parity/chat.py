"""What transformers makes of conversations.

in:  {"cases": [{"tokenizer": tokenizer.json, "special": {"bos_token": …}, "template": Jinja, "conversations": [[message]]}],
      "texts": [{"template": Jinja, "special": {…}, "conversation": [message], "ask": bool}]}
out: {"cases": [[{"ids": [int], "mask": [int]} or {"error": text}]], "texts": [text, or {"error": text}]}
"""

import json
import sys

from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

asked = json.load(sys.stdin)


def tried(body):
    try:
        return body()
    except Exception as error:
        return {"error": str(error)}


def encoded(tokenizer, template, conversation):
    out = tokenizer.apply_chat_template(
        conversation, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    return {"ids": list(out["input_ids"]), "mask": list(out["assistant_masks"])}


cases = []
for case in asked["cases"]:
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=case["tokenizer"], **case["special"])
    cases.append([tried(lambda c=c: encoded(tokenizer, case["template"], c)) for c in case["conversations"]])

texts = [
    tried(
        lambda one=one: render_jinja_template(
            conversations=[one["conversation"]], chat_template=one["template"], add_generation_prompt=one["ask"], **one["special"]
        )[0][0]
    )
    for one in asked["texts"]
]
print(json.dumps({"cases": cases, "texts": texts}))
