"""Rules that are read off the text of a file: first lines, lengths, words that should not be there."""

import pathlib
import re

import sources

LONG = 500
WARN = 300
# Written in pieces, so that this file does not break its own rules.
LATER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|time\.sleep)\b|\bsleep\((?!0\))|timers/promises")
PLACES = re.compile(r"registry\.npmjs|npmjs\.(org|com)|pythonhosted|pypi\.(org|python)|deb\.debian\.org|"
                    r"(?<![\w.~-])/(work|root|home|opt/wheels)/[\w.]")


def first_line_complaint(path, text):
    lines = text.splitlines() or [""]
    line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    match = re.match(r'\s*(?:///?|/\*+|#|r?"""|--)\s*(.*?)\s*(?:\*/|""")?\s*$', line)
    if not match:
        return f"{path}:1: begin with a comment that says what the file is for"
    words = match.group(1).split()
    if len(words) < 3 or words[0].startswith(("-*-", "Copyright", "SPDX", "clang-format", "eslint")):
        return f"{path}:1: say in one sentence what the file is for"
    return None


def first_lines(tree):
    for path in tree.code():
        text = tree.read(path)
        if text.strip() and (complaint := first_line_complaint(path, text)):
            yield complaint


def lengths(tree):
    for path in tree.code("lib/", "capi/src/", "bindings/", "tools/"):  # the public header is one file by design
        count = tree.read(path).count("\n")
        if count > LONG:
            yield f"{path}: {count} lines, split it"
        elif count > WARN:
            print(f"# {path} has {count} lines, near {LONG} it is to be split")


def _hits(tree, paths, pattern, words):
    for path in paths:
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            if match := pattern.search(line):
                yield f"{path}:{number}: {match.group(0)!r}: {words}"


def later_words(tree):
    yield from _hits(tree, tree.text_files(), LATER, "do it now, or write an issue")


def sleeps(tree):
    paths = (p for p in tree.code("tests/") if not p.startswith(("tests/bench/", "tests/lint/")))
    yield from _hits(tree, paths, SLEEP, "wait for the event, with a generous deadline")


def places(tree):
    paths = (p for p in tree.text_files() if not p.startswith("tests/lint/"))
    yield from _hits(tree, paths, PLACES, "true on one machine or registry only")


def self_test():
    for pattern, samples in {
        LATER: ["// TO" + "DO later", "# FIX" + "ME: this"],
        SLEEP: ["std::this_thread::sleep_for(1s)", "await asyncio.sleep(0.1)", "usleep(10)"],
        PLACES: ["https://registry.npmjs.org/x", "cd /work/tree", "/root/.cache"],
    }.items():
        yield from (f"not found: {sample}" for sample in samples if not pattern.search(sample))
    for sample in ["await asyncio.sleep(0)", "the peer sleeps", "lib/work/x", "~/home/x"]:
        if SLEEP.search(sample) or PLACES.search(sample):
            yield f"wrongly found: {sample}"
    if not first_line_complaint("a.cpp", "#include <x>\n") or first_line_complaint("a.cpp", "// Reads a frame off bytes.\n"):
        yield "the first-line rule does not tell a comment from code"
    if pathlib.PurePosixPath("a.cpp").suffix not in sources.CODE:
        yield "C++ files are not among the files that are checked"
