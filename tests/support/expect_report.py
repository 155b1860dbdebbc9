#!/usr/bin/env python3
"""Shows that a sanitizer can fail: a program with a planted fault must end with the sanitizer's report.

    expect_report.py REPORT PROGRAM [ARGUMENT...]      e.g. 'ThreadSanitizer: data race' planted_race
"""

import subprocess
import sys

import tap


def main():
    report, *command = sys.argv[1:]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                            stdin=subprocess.DEVNULL, timeout=300)
    return tap.run({
        f"the planted fault is reported ({report})":
            lambda: [] if report in result.stdout else ["no such report in:", result.stdout or "(nothing)"],
        "the report makes the program fail":
            lambda: [] if result.returncode != 0 else ["it ended with status 0"],
    })


if __name__ == "__main__":
    sys.exit(main())
