"""Runs the scripts beside this one in one process, so that importing their libraries is paid once.

in:  a line {"script": name, "job": what the script reads}, any number of times
out: a line with what the script writes, or {"error": the end of its traceback}
"""

import io
import json
import os
import runpy
import sys
import traceback

answers = sys.stdout
for line in sys.stdin.buffer:
    asked = json.loads(line)
    sys.stdin = io.StringIO(json.dumps(asked["job"]))
    # Scripts, and libraries that they import, print to what is no answer until it is complete.
    sys.stdout = io.StringIO()
    try:
        runpy.run_path(os.path.join(os.path.dirname(__file__), asked["script"]), run_name="__main__")
        said = sys.stdout.getvalue()
        answer = json.dumps(json.loads(said[said.index("{") :]))
    except BaseException:  # a script may also leave by exit()
        answer = json.dumps({"error": "".join(traceback.format_exc().splitlines(True)[-8:])})
    answers.write(answer + "\n")
    answers.flush()
