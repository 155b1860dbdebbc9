#!/usr/bin/env python3
"""Adds up real test cases from Meson test logs: doctest summaries, TAP points and pytest summaries.

    totals.py [--stage NAME] [--save FILE] LOG.json ...    count the programs in Meson logs, print a table and the sum
    totals.py --sum FILE ... [--require PROGRAM ...]       add up what --save wrote; each PROGRAM must be among it

A file that ends in .tap is the output of one program in TAP.

With --sum, what each failed program said of its failures stands between the table and the last line.

A program that crashed, ran out of time or printed nothing that can be counted is one failure. A skipped case is shown
and is neither passed nor failed. The last line is `N passed, N failed`; the exit status is 1 when anything failed or
nothing passed.
"""

import argparse
import json
import pathlib
import re
import sys

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed(?:\s*\|\s*(\d+) skipped)?")
PYTEST = re.compile(r"(?m)^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s")
TAP_POINT = re.compile(r"^( *)(not )?ok\b(?: \d+)?(.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)")
COMPLAINT = re.compile(r"^\s*not ok\b|\bERROR: |^FAILED |^E  |^SUMMARY: |^==\d+==|^WARNING: ThreadSanitizer")
COMPLAINT_LINES = 12  # of each, and five times as many of a program


def count_tap(text):
    """Leaf points only: node's runner prints a point for each file and each parent, after those of its children."""
    passed = failed = skipped = top_points = 0
    plan = None
    deepest = 0  # indentation of the latest point; a shallower one that follows is its parent
    for line in text.splitlines():
        if plan_match := TAP_PLAN.match(line):
            plan = int(plan_match.group(1))
        match = TAP_POINT.match(line)
        if not match:
            continue
        indent = len(match.group(1))
        top_points += indent == 0
        is_parent = indent < deepest
        deepest = indent
        if re.search(r"#\s*(skip|todo)", match.group(3), re.IGNORECASE):
            skipped += 1
        elif match.group(2):
            failed += not is_parent
        else:
            passed += not is_parent
    if plan is None or plan != top_points:
        failed += 1  # it ended before it was through
    return passed, failed, skipped


def count_output(text):
    """(passed, failed, skipped) or None when the output is of no known kind."""
    if matches := DOCTEST.findall(text):
        rows = [[int(n or 0) for n in match] for match in matches]
        # doctest counts as skipped what a filter on its command line left out: that is no case of this run
        return sum(r[1] for r in rows), sum(r[2] for r in rows), 0
    if matches := PYTEST.findall(text):
        words = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", matches[-1])}
        failed = words.get("failed", 0) + words.get("error", 0) + words.get("errors", 0)
        return words.get("passed", 0), failed, words.get("skipped", 0) + words.get("xfailed", 0)
    if re.search(r"(?m)^ *(not )?ok\b", text) or TAP_PLAN.search(text):
        return count_tap(text)
    return None


def complaints(*texts):
    """The lines that tell what failed, each with those behind it; the last ones of a program that said nothing such."""
    kept = []
    for text in texts:
        lines = (text or "").splitlines()
        until = 0
        for i, line in enumerate(lines):
            if COMPLAINT.search(line):
                until = i + COMPLAINT_LINES
            elif re.match(r"^\s*ok\b", line):
                until = 0
            if i < until:
                kept.append(line[:300])
    if not kept:
        kept = [line[:300] for text in texts for line in (text or "").splitlines()[-COMPLAINT_LINES:]]
    return kept[:5 * COMPLAINT_LINES]


def read_log(path):
    """Rows of (name, passed, failed, skipped, remark, complaints, seconds)."""
    for line in path.read_text(errors="replace").splitlines():
        record = json.loads(line)
        counted = count_output(record.get("stdout") or "")
        good = record["result"] in ("OK", "EXPECTEDFAIL")
        passed, failed, skipped = counted or (0, 0, 0)
        remark = ""
        if not good and failed == 0:
            failed, remark = 1, f"ended as {record['result']}"
        elif counted is None or passed + failed + skipped == 0:
            failed, remark = 1, "printed no count"
        said = complaints(record.get("stdout"), record.get("stderr")) if failed else []
        yield record["name"].split(" / ")[-1], passed, failed, skipped, remark, said, record.get("duration", 0)


def read_tap(path):
    text = path.read_text(errors="replace")
    passed, failed, skipped = count_tap(text)
    yield path.stem, passed, failed, skipped, "", complaints(text) if failed else [], 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="tests")
    parser.add_argument("--save")
    parser.add_argument("--sum", action="store_true")
    parser.add_argument("--require", action="append", default=[])
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()

    rows = []
    for file in options.files:
        try:
            if options.sum:
                rows += [tuple(row) for row in json.loads(pathlib.Path(file).read_text())]
            else:
                read = read_tap if file.endswith(".tap") else read_log
                rows += [(f"{options.stage}: {name}", *rest) for name, *rest in read(pathlib.Path(file))]
        except (OSError, ValueError, KeyError) as error:
            rows.append((f"{options.stage}: {file}", 0, 1, 0, f"cannot be read: {error}", [], 0))
    for program in options.require:
        if not any(row[0].endswith(f": {program}") and row[1] for row in rows):
            rows.append((program, 0, 1, 0, "was to run and did not", [], 0))
    if not rows:
        rows.append((options.stage, 0, 1, 0, "nothing ran", [], 0))
    if options.save:
        pathlib.Path(options.save).write_text(json.dumps(rows))

    width = max(len(row[0]) for row in rows)
    for name, passed, failed, skipped, remark, _, seconds in rows:
        extra = f"  {skipped} skipped" if skipped else ""
        extra += f"  {remark}" if remark else ""
        print(f"  {name:<{width}}  {passed:>6} passed  {failed:>3} failed  {seconds:>6.1f} s{extra}")
    for name, _, failed, _, _, said, _ in rows:
        if failed and options.sum:
            print("", f"--- {name}", *said, sep="\n")
    passed, failed = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
