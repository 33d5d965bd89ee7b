"""In: name, cache, endpoint, allow. Out: the folder that huggingface_hub makes or finds of a model in the cache; with no endpoint it may ask nobody."""

import json
import os
import sys

given = json.load(sys.stdin)
os.environ["HF_HUB_OFFLINE"] = "0" if given.get("endpoint") else "1"
os.environ["HF_ENDPOINT"] = given.get("endpoint") or "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from huggingface_hub import snapshot_download  # noqa: E402

folder = snapshot_download(given["name"], cache_dir=given["cache"], allow_patterns=given["allow"], local_files_only=not given.get("endpoint"))
print(json.dumps({"folder": folder, "files": sorted(os.listdir(folder))}))
