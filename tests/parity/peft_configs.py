# PEFT's configuration classes: their keys and what each is when a file does not say it. JSON on standard output.
import dataclasses
import json
import sys

import peft
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

# Filled in by PEFT itself, the same in every class.
COMMON = {"peft_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode"}


def default(field):
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        value = None
    value = getattr(value, "value", value)
    return value if isinstance(value, (int, float, str, bool, list, dict, type(None))) else None


sys.stdin.read()
found = {}
for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items():
    own = {}
    for field in dataclasses.fields(config):
        if field.name not in COMMON:
            own[field.name] = default(field)
    # Some classes settle a default after they are made.
    try:
        made = config()
        for name, value in own.items():
            settled = getattr(made, name, value)
            settled = getattr(settled, "value", settled)
            if value is None and isinstance(settled, (int, float, str, bool)):
                own[name] = settled
    except Exception:
        pass
    found[kind.value] = dict(sorted(own.items()))
print(json.dumps({"version": peft.__version__, "configs": dict(sorted(found.items()))}))
