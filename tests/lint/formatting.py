"""Formatting: clang-format 14 over every C and C++ file; other releases of it format differently."""

import os
import re
import shutil
import subprocess

import sources
import tap

RELEASE = "14"


def find():
    for name in (f"clang-format-{RELEASE}", "clang-format"):
        path = shutil.which(name)
        if path and re.search(rf"version {RELEASE}\.", subprocess.check_output([path, "--version"], text=True)):
            return path
    return None


def check(tree):
    program = find()
    if not os.environ.get("CI") and not os.environ.get("SEALWIRE_CHECK_FORMAT"):
        raise tap.Skip("done by ./dev lint and in CI")  # an unformatted line does not stop work on the code
    if program is None:
        return [f"clang-format {RELEASE} is not installed"]
    paths = list(tree.code(suffixes=sources.C_FAMILY))
    result = subprocess.run([program, "--dry-run", "--ferror-limit=1", *paths], cwd=tree.root, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    wrong = sorted(set(re.findall(r"(?m)^(\S+?):\d+:\d+: (?:warning|error)", result.stdout)))
    if result.returncode and not wrong:
        return [result.stdout]
    return [f"{path}: run ./dev format" for path in wrong]
