#!/usr/bin/env python3
"""Runs every check of the sources and prints TAP.

    run.py SOURCE_ROOT
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import codes  # noqa: E402
import docs  # noqa: E402
import formatting  # noqa: E402
import header  # noqa: E402
import layering  # noqa: E402
import sources  # noqa: E402
import tap  # noqa: E402
import text  # noqa: E402


def main():
    tree = sources.Tree(sys.argv[1])
    checks = {
        "each layer includes only what it may": lambda: layering.check(tree),
        "the include rules find planted violations": layering.self_test,
        "clang-format would change nothing": lambda: formatting.check(tree),
        "the first line of each source file says what it is for": lambda: text.first_lines(tree),
        "no file is longer than 500 lines": lambda: text.lengths(tree),
        "nothing is left to be done later in a comment": lambda: text.later_words(tree),
        "no test waits by sleeping": lambda: text.sleeps(tree),
        "no registry's host and no folder of one machine is named": lambda: text.places(tree),
        "the text rules find planted violations": text.self_test,
        "codes that random calls cannot reach are hit by the tests that are named": lambda: codes.check(tree),
        "the rule about codes finds planted violations": codes.self_test,
        "each function of the C headers says since when": lambda: header.since(tree),
        "the rule about since finds planted violations": header.self_test,
        "links inside the documents lead somewhere": lambda: docs.check(tree),
        "programs in the documents are run by a test": lambda: docs.programs(tree),
    }
    return tap.run(checks)


if __name__ == "__main__":
    sys.exit(main())
