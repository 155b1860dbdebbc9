#!/usr/bin/env python3
"""The counting of scripts/totals.py: each kind of output, and each way in which a program can fail to count."""

import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "scripts")]
import tap  # noqa: E402
import totals  # noqa: E402

DOCTEST = "[doctest] test cases: 5 | 4 passed | 1 failed | 2 skipped\n[doctest] assertions: 9 | 8 passed | 1 failed |\n"
NODE = "TAP version 13\n# Subtest: a\n    # Subtest: b\n    ok 1 - b\n    not ok 2 - c\n    1..2\nnot ok 1 - a\n1..1\n"
# (what the program printed, Meson's result) -> (passed, failed, skipped)
SAMPLES = {
    "doctest": ((DOCTEST, "FAIL"), (4, 1, 0)),
    "pytest": (("....s [100%]\n4 passed, 1 skipped in 0.52s\n", "OK"), (4, 0, 1)),
    "pytest with failures": (("==== 2 failed, 4 passed, 1 error in 0.52s ====\n", "FAIL"), (4, 3, 0)),
    "TAP": (("ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP why\n1..3\n", "ERROR"), (1, 1, 1)),
    "nested TAP, parents not counted": ((NODE, "ERROR"), (1, 1, 0)),
    "TAP broken off before its plan": (("ok 1 - a\nok 2 - b\n", "ERROR"), (2, 1, 0)),
    "TAP with fewer points than planned": (("ok 1 - a\n1..2\n", "ERROR"), (1, 1, 0)),
    "a crash before any output": (("", "FAIL"), (0, 1, 0)),
    "a crash after all had passed": ((DOCTEST.replace("4 passed | 1 failed", "5 passed | 0 failed"), "FAIL"), (5, 1, 0)),
    "no time left": (("ok 1 - a\n1..1\n", "TIMEOUT"), (1, 1, 0)),
    "success without a count": (("all is well\n", "OK"), (0, 1, 0)),
    "success with no case": (("[doctest] test cases: 0 | 0 passed | 0 failed | 7 skipped\n", "OK"), (0, 1, 0)),
}


def check(sample, want):
    stdout, result = sample
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "testlog.json"
        log.write_text(json.dumps({"name": "suite / program", "stdout": stdout, "result": result}))
        ((_, *got, _, _, _),) = totals.read_log(log)
    return [] if tuple(got) == want else [f"counted {tuple(got)}, not {want}"]


def check_complaints():
    said = totals.complaints("ok 1 - a\nnot ok 2 - b\n# why\nok 3 - c\nfine\n1..3\n", "noise\nSUMMARY: AddressSanitizer: leak\n")
    want = ["not ok 2 - b", "# why", "SUMMARY: AddressSanitizer: leak"]
    return [] if said == want else [f"kept {said}"]


if __name__ == "__main__":
    checks = {name: lambda s=sample, w=want: check(s, w) for name, (sample, want) in SAMPLES.items()}
    sys.exit(tap.run({**checks, "what failed is told, and no more": check_complaints}))
