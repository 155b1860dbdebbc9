"""Codes that the random calls cannot reach: each names a test, which has to speak of it."""

import re

RANDOM_CALLS = "tests/capi/random_calls.c"
ENTRY = re.compile(r'\{SW_ERR_(\w+), "([^"]+)"\}')


def complaints(entries, read):
    """`read` gives a file's text, or None when there is none."""
    found = []
    for code, path in entries:
        text = read(path)
        names = (f"SW_ERR_{code}", f"Errc::{code.lower()}", f"WireCode::{code.lower()}")
        if text is None:
            found.append(f"{code} names {path}, which does not exist")
        elif not any(re.search(rf"{name}\b", text) for name in names):
            found.append(f"{path} does not speak of {code}")
    return found


def check(tree):
    entries = ENTRY.findall(tree.read(RANDOM_CALLS))
    if len(entries) < 10:
        return [f"only {len(entries)} codes found in {RANDOM_CALLS}"]
    return complaints(entries, lambda path: tree.read(path) if path in tree.paths else None)


def self_test():
    planted = [("FORK", "missing.c"), ("FLOW", "silent.c"), ("KEY", "good.c")]
    texts = {"silent.c": "SW_ERR_FLOWER", "good.c": "SW_ERR_KEY"}
    return [] if len(complaints(planted, texts.get)) == 2 else ["a planted violation was not found"]
