#!/usr/bin/env python3
"""Runs clang-tidy over our own sources, one TAP point for each file.

    tidy.py BUILD_FOLDER
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GCC_ALONE = re.compile(r"'?-mmemset-strategy=[^\s']*'?")  # options that clang refuses
FOLDERS = ("lib", "capi", "tools", "bindings")


def tidy(build, path):
    # The commands are gcc's: what clang alone would warn of is not the matter here.
    command = [pathlib.Path(sys.executable).parent / "clang-tidy", "-p", build, "--quiet",
               "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error", path]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)
    return result.returncode == 0, result.stdout or result.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    files = {}  # a test may compile a file once more with other options: once is enough here
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if any(path.is_relative_to(ROOT / folder) for folder in FOLDERS):
            entry["command"] = GCC_ALONE.sub("", entry["command"])
            files.setdefault(str(path.relative_to(ROOT)), entry)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(list(files.values())))
        names = sorted(files)
        for number, (file, (good, output)) in enumerate(zip(names, pool.map(lambda f: tidy(folder, f), names)), 1):
            print(f"{'ok' if good else 'not ok'} {number} - clang-tidy {file}", flush=True)
            if not good:
                failed += 1
                print("".join(f"# {line}\n" for line in output.splitlines()), end="")
    print(f"1..{len(files)}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
