#!/usr/bin/env python3
"""Runs the libFuzzer targets of a build folder, and first one with a planted bug, which must be found.

    fuzz.py BUILD_FOLDER [--seconds N] [--keep] [TARGET ...]

Each target starts from tests/fuzz/corpus/<target> and what earlier runs in this build folder found. --keep adds to
tests/fuzz/corpus what covers something new. A target that crashed leaves its input in BUILD_FOLDER/crashes.
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "tests" / "fuzz" / "corpus"
PLANTED = "planted_bug"


class Target:
    def __init__(self, build, name):
        self.name, self.program = name, build / "tests" / "fuzz" / f"fuzz-{name}"
        self.found, self.crashes, self.seeds = build / "corpus" / name, build / "crashes" / name, SEEDS / name
        for folder in (self.found, self.crashes):
            folder.mkdir(parents=True, exist_ok=True)

    def run(self, seconds):
        """(exit status, executions, what it printed)"""
        command = [self.program, f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048",
                   f"-artifact_prefix={self.crashes}/", self.found, *self.corpus()[1:]]
        result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, text=True, errors="replace")
        numbers = re.findall(r"stat::number_of_executed_units:\s*(\d+)|^#(\d+)\s", result.stdout, re.MULTILINE)
        return result.returncode, max((int(a or b) for a, b in numbers), default=0), result.stdout

    def corpus(self):
        return [folder for folder in (self.found, self.seeds) if folder.is_dir()]

    def corpus_size(self):
        return sum(1 for folder in self.corpus() for path in folder.iterdir() if path.is_file())

    def keep(self):
        self.seeds.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(self.program), "-merge=1", str(self.seeds), str(self.found)], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_intermixed_args()

    built = sorted(path.name.removeprefix("fuzz-") for path in (options.build / "tests" / "fuzz").glob("fuzz-*")
                   if path.is_file())
    unknown = set(options.targets) - set(built)
    if unknown or PLANTED not in built:
        sys.exit(f"no such target: {', '.join(sorted(unknown)) or PLANTED}; there are {', '.join(built)}")

    failed = 0
    planted = Target(options.build, PLANTED)
    status, executions, output = planted.run(60)
    found = status != 0 and "planted bug reached" in output
    print(f"{'ok' if found else 'FAILED'}  {PLANTED}: {'found' if found else 'not found'} after {executions} executions",
          flush=True)
    failed += not found
    for name in options.targets or [name for name in built if name != PLANTED]:
        target = Target(options.build, name)
        status, executions, output = target.run(options.seconds)
        good = status == 0 and executions > 0
        failed += not good
        print(f"{'ok' if good else 'FAILED'}  {name}: {executions} executions, corpus {target.corpus_size()}", flush=True)
        if not good:
            print(output[-8000:])
        elif options.keep:
            target.keep()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
