#!/usr/bin/env python3
"""Shows that a sanitizer can fail: a program with a planted fault must end with the sanitizer's report.

    expect_report.py PROGRAM REPORT      e.g. planted_race 'ThreadSanitizer: data race'
"""

import subprocess
import sys

import tap


def main():
    program, report = sys.argv[1:]
    result = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                            stdin=subprocess.DEVNULL, timeout=300)
    return tap.run({
        f"the planted fault is reported ({report})":
            lambda: [] if report in result.stdout else ["no such report in:", result.stdout or "(nothing)"],
        "the report makes the program fail":
            lambda: [] if result.returncode != 0 else ["it ended with status 0"],
    })


if __name__ == "__main__":
    sys.exit(main())
