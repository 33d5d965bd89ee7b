"""Reads a folder of event files as TensorBoard's own reader does.

in:  {"folder": path}
out: {"TAG": [[step, value]], ...} of every scalar
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(json.load(sys.stdin)["folder"], size_guidance={"scalars": 0})
events.Reload()
json.dump({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}, sys.stdout)
