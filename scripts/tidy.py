#!/usr/bin/env python3
"""Runs clang-tidy over our own sources, one TAP point for each file.

    tidy.py BUILD_FOLDER

Sources that the build compiles as one (a unit) are looked at as one, too: most of the time goes to the headers that they share.
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
INCLUDED = re.compile(r"^#include\s*[<\"](.+)[>\"]$", re.MULTILINE)
FOLDERS = ("lib", "capi", "tools", "bindings")


def tidy(build, path):
    # The commands are gcc's: what clang alone would warn of is not the matter here.
    command = [pathlib.Path(sys.executable).parent / "clang-tidy", "-p", build, "--quiet", "--checks=-bugprone-suspicious-include",
               "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error", path]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)
    return result.returncode == 0, result.stdout or result.stderr


def sources_of(path):
    """The sources that a unit of the build includes, or the file itself."""
    included = [pathlib.Path(line) for line in INCLUDED.findall(path.read_text())] if "-unity" in path.name else []
    return sorted(str(each.resolve().relative_to(ROOT)) for each in included or [path])


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    found = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"])
        sources = sources_of(path)
        if all(source.split("/")[0] in FOLDERS for source in sources):
            entry["command"] = GCC_ALONE.sub("", entry["command"])
            found.append((entry, path, sources))
    # Tests compile some once more, with other options: once is enough here.
    found.sort(key=lambda unit: "tests" in unit[1].parts)
    units, seen = [], set()
    for entry, path, sources in found:
        if fresh := [source for source in sources if source not in seen]:
            units.append((entry, path, fresh))
            seen.update(fresh)
    # The largest first, so that no processor waits for the last.
    units.sort(key=lambda unit: -sum((ROOT / source).stat().st_size for source in unit[2]))
    failed = []
    count = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pathlib.Path(folder, "compile_commands.json").write_text(json.dumps([entry for entry, _, _ in units]))
        for (_, _, sources), (good, output) in zip(units, pool.map(lambda unit: tidy(folder, unit[1]), units)):
            # One point for each source; a fault of none of them, say of a header, is one of all of its unit.
            faulty = [source for source in sources if f"{source}:" in output] or sources
            for source in sources:
                count += 1
                right = good or source not in faulty
                print(f"{'ok' if right else 'not ok'} {count} - clang-tidy {source}", flush=True)
                if not right:
                    failed.append(source)
            if not good:
                print("".join(f"# {line}\n" for line in output.splitlines()), end="")
    print(f"1..{count}")
    return 1 if failed or not units else 0


if __name__ == "__main__":
    sys.exit(main())
