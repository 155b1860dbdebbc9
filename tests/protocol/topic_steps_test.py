"""What a join, a leave and a message cost does not depend on how many topics a node has joined: instructions, counted by callgrind.

topic_steps_test.py VALGRIND PROGRAM; beside 2,000 topics, or as many percent of them as SEALWIRE_TEST_SCALE says.
"""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import tap  # noqa: E402

# Between these no table grows while it is counted; what growing costs is told by the benchmark W5-join.
FEW, MANY = 130, 2000 * int(os.environ.get("SEALWIRE_TEST_SCALE", 100)) // 100
MOST = 1.1  # times as many instructions


def instructions(what, topics):
    done = subprocess.run([sys.argv[1], "--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=/dev/null",
                           sys.argv[2], what, str(topics)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{what} beside {topics}: {done.stdout} {done.stderr}")
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def compare(what):
    few, many = instructions(what, FEW), instructions(what, MANY)
    print(f"# {what}: {few:,} instructions beside {FEW} topics, {many:,} beside {MANY:,}")
    if not 0 < many <= MOST * few:
        yield f"{many / max(few, 1):.2f} times as many"


sys.exit(tap.run({f"what 40 calls of {what} cost does not depend on the number of topics": lambda what=what: compare(what)
                  for what in ("join", "leave", "publish")}))
