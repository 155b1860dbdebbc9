#!/usr/bin/env python3
"""The man page names what the command knows, and man shows it without a complaint.

    man_test.py TOOL SOURCE [PAGE]      PAGE: what scdoc made of it, if scdoc was there
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402


def output(*command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}).stdout


def named(tool, text):
    """Each command, option and exit status of the help is in the text, and no other."""
    commands = set(re.findall(r"(?m)^  sealwire (\w+) .* {2,}", output(tool, "help")))
    helps = [output(tool, "help", command) for command in sorted(commands)]
    options = {option for help in helps for option in re.findall(r"(?m)^  (--[\w-]+)", help)}
    statuses = set(re.findall(r"(\d+) [a-z]", helps[0].partition("Exit status:")[2]))
    if len(commands) < 10 or len(options) < 10 or len(statuses) < 9:
        yield f"the help shows too little: {commands} {options} {statuses}"
    section = {title: body for title, body in re.findall(r"(?ms)^# ([A-Z ]+)\n(.*?)(?=^# |\Z)", text)}
    for what, want, have in (
            ("command", commands | {"help"}, set(re.findall(r"(?m)^\*(\w+)", section["COMMANDS"]))),
            ("option", options, set(re.findall(r"(--[\w-]+)\*", section["OPTIONS"]))),
            ("exit status", statuses, set(re.findall(r"(?m)^[|\]]\] (\d+)$", section["EXIT STATUS"])))):
        for name in sorted(want ^ have):
            yield f"the {what} {name} is only in the {'help' if name in want else 'man page'}"


def shown(page):
    """What man prints has every heading, no line of the source's markup, and nothing to warn of."""
    if not page or not shutil.which("man"):
        raise tap.Skip("scdoc or man is not installed")
    text = re.sub(".\b", "", output("man", "--warnings", "--local-file", page))
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        if not re.search(f"(?m)^{heading}$", text):
            yield f"the heading {heading} is missing"
    for line in text.splitlines():
        if re.search(r"warning:|\*\S+\*|^\s*\[- |```", line):
            yield line


def main():
    tool, source, *page = sys.argv[1:]
    return tap.run({
        "the man page names each command, option and exit status, and no other":
            lambda: named(tool, pathlib.Path(source).read_text(encoding="utf-8")),
        "man shows the page without a warning": lambda: shown(page[0] if page else None)})


if __name__ == "__main__":
    sys.exit(main())
