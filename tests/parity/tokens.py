"""Token ids from the Python library for a tokenizer.json.

in:  {"tokenizer": file, "texts": [string]}
out: {"ids": [[int]] with special tokens, "bare": [[int]] without, "decoded": [string] of the bare ids}
"""

import json
import sys

from tokenizers import Tokenizer

job = json.load(sys.stdin)
tokenizer = Tokenizer.from_file(job["tokenizer"])
bare = [tokenizer.encode(text, add_special_tokens=False).ids for text in job["texts"]]
json.dump(
    {"ids": [tokenizer.encode(text).ids for text in job["texts"]], "bare": bare, "decoded": [tokenizer.decode(ids) for ids in bare]},
    sys.stdout,
)
