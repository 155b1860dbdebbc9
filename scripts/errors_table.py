#!/usr/bin/env python3
"""Writes docs/ERRORS.md: every error code with its number, names, what happened and what to do.

    errors_table.py            writes docs/ERRORS.md from the sources
    errors_table.py --check    says how docs/ERRORS.md differs from them, in TAP; writes nothing

Sources: lib/base/errc.h (numbers), lib/base/errc.cpp (names, texts, hints), sealwire.h (constants), and the classes of
the bindings: bindings/python/sealwire/_errors.py and bindings/node/lib/errors.ts.
"""

import ast
import difflib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tap  # noqa: E402

DOCUMENT = ROOT / "docs" / "ERRORS.md"
INTRODUCTION = """\
# Errors

Every failure has a code: the same number and name in C, Python, Node.js and the `sealwire` command. This table is made from
the sources by `scripts/errors_table.py`, and a test compares it with them.

* C: functions return the constant, events carry it; `sw_result_name`, `sw_result_text` and `sw_result_hint` give the columns
  below, `sw_error_detail` the particulars. C++ (`sealwire.hpp`) throws `sealwire::error` with `code()`, `name()`, `detail()`,
  `hint()`.
* Python and Node.js raise the class named here; each derives from `sealwire.Error` and `SealwireError`, and has `code` (the
  name), `result` (the number), `detail`, `hint`, `peer` and `endpoint`. Python's hint of `again` names the calls that wait for room.
* `closed` and `handle`: between the close of an object and its last event calls say `closed`, from that event on `handle`
  (sealwire.h, "Handles"); in Python and Node.js `close()` of a node or
  peer returns with it, so what is called later says `handle`, with the detail that the peer or node was closed.
* A wrong argument is `argument`, from whichever side of a binding it is found; in Python it is an `ArgumentError`, also a
  ValueError, and for a wrong type an `ArgumentTypeError`, also a TypeError.
* The command prints name, text and hint with `--json`; its exit status is in the table at the end.
"""
GROUPS = {1: "The call itself", 20: "Addresses, keys and files", 40: "Reaching a peer", 60: "How a session ended",
          80: "What became of a message or an exchange", 100: "TLS"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def numbers():
    """{name: number} of lib/base/errc.h."""
    body = re.search(r"enum class Errc[^{]*\{(.*?)\n\};", read("lib/base/errc.h"), re.DOTALL).group(1)
    return {name: int(number) for name, number in re.findall(r"(?m)^\s*(\w+) = (\d+),?", body)}


def texts():
    """{name: (text, hint)} of lib/base/errc.cpp."""
    out = {}
    strings = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
    for match in re.finditer(r'\{Errc::(\w+),\s*"(\w+)",\s*' + strings + r",\s*" + strings + r"\}", read("lib/base/errc.cpp")):
        name, told, *parts = match.groups()
        if name != told:
            raise ValueError(f"lib/base/errc.cpp calls {name} '{told}'")
        out[name] = tuple("".join(ast.literal_eval(s) for s in re.findall(r'"(?:[^"\\]|\\.)*"', part)) for part in parts)
    return out


def constants():
    """{number: constant} of sealwire.h."""
    header = read("capi/include/sealwire/sealwire.h")
    return {int(number): name for name, number in re.findall(r"(?m)^\s*(SW_(?:OK|ERR_\w+)) = (\d+),?", header)}


def python_classes():
    """{name: class} of the Python package, from its table CLASSES."""
    for node in ast.parse(read("bindings/python/sealwire/_errors.py")).body:
        target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
        if isinstance(target, ast.Name) and target.id == "CLASSES":
            return {key.value: value.id for key, value in zip(node.value.keys, node.value.values)}
    raise ValueError("bindings/python/sealwire/_errors.py has no table CLASSES")


def node_classes():
    """{number: class} of the Node.js package, from its table of families."""
    table = re.search(r"const families[^=]*= \[(.*?)\n\]", read("bindings/node/lib/errors.ts"), re.DOTALL).group(1)
    return {int(number): family for family, list_ in re.findall(r"\[(\w+), \[([\d, ]+)\]\]", table)
            for number in list_.split(",")}


def exit_codes():
    """{constant: exit status} of the command, from tools/output.cpp and output.h."""
    status = dict(re.findall(r"(?m)^\s*(k\w+) = (\d+)", read("tools/output.h")))
    body = re.search(r"Exit exit_for\(.*?\n\}", read("tools/output.cpp"), re.DOTALL).group(0)
    out, waiting = {}, []
    for case, returned in re.findall(r"case (SW_\w+):|return (k\w+);", body):
        if case:
            waiting.append(case)
        else:
            out.update(dict.fromkeys(waiting, int(status[returned])))
            waiting = []
    return out


def rows():
    known, told, python, node, exits = texts(), constants(), python_classes(), node_classes(), exit_codes()
    for name, number in sorted(numbers().items(), key=lambda item: item[1]):
        if number:
            yield (number, name, told[number], python[name], node[number], exits.get(told[number], 1), *known[name])


def document():
    out = [INTRODUCTION]
    for number, name, constant, python, node, _, text, hint in rows():
        if number in GROUPS:
            out.append(f"\n## {GROUPS[number]}\n\n| no. | name | C | Python | Node.js | what happened | what to do |\n"
                       "|---|---|---|---|---|---|---|\n")
        what, todo = (cell.replace("|", "\\|") for cell in (text[:1].upper() + text[1:], hint))
        out.append(f"| {number} | {name} | `{constant}` | `{python}` | `{node}` | {what} | {todo} |\n")
    out.append("\n## Exit status of the command\n\n| status | codes |\n|---|---|\n")
    by_status = {}
    for _, name, _, _, _, status, _, _ in rows():
        by_status.setdefault(status, []).append(name)
    out += [f"| {status} | {', '.join(names)} |\n" for status, names in sorted(by_status.items())]
    out.append("\nBesides: 0 done, 2 the command line is wrong, 130 interrupted.\n")
    return "".join(out)


def same_numbers():
    inside, outside = set(numbers().values()), set(constants())
    return [f"{number} is only in {'errc.h' if number in inside else 'sealwire.h'}" for number in sorted(inside ^ outside)]


def all_named(table, keys, where):
    return [f"{where} has no class for {key}" for key in sorted(set(keys) - set(table), key=str)] + [
        f"{where} has a class for {key}, which is no code" for key in sorted(set(table) - set(keys), key=str)]


def difference():
    have = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    diff = list(difflib.unified_diff(have.splitlines(), document().splitlines(), "docs/ERRORS.md", "the sources", lineterm=""))
    return diff + ["run scripts/errors_table.py"] if diff else []


def main():
    if sys.argv[1:] == ["--check"]:
        codes = {name: number for name, number in numbers().items() if number}
        return tap.run({
            "errc.h and sealwire.h have the same numbers": same_numbers,
            "each code has a name, a text and a hint": lambda: [
                f"{name} has none" for name in codes if not all(texts().get(name, [""]))],
            "each constant is the name of its code": lambda: [
                f"{constants()[n]} is not SW_ERR_{name.upper()}" for name, n in codes.items()
                if not f"SW_ERR_{name.upper()}".startswith(constants()[n])],
            "each code has a class in Python": lambda: all_named(python_classes(), codes, "Python"),
            "each code has a class in Node.js": lambda: all_named(node_classes(), codes.values(), "Node.js"),
            "docs/ERRORS.md says what the sources say": difference,
        })
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
