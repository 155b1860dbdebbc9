"""Links of the Markdown files lead to a file and a heading of it; code in them is run by a test.

Blocks of three backticks with a language are programs, and the test named in RUN_BY runs those of its document as they stand
there. What is only shown (an excerpt, a command line) is indented by four spaces.
"""

import re

RUN_BY = {
    "README.md": "tests/interop/readme_test.py",
    "docs/node.md": "tests/bindings/node/examples.test.mjs",
    "docs/python.md": "tests/bindings/python/test_examples.py",
}
PROGRAM = re.compile(r"(?m)^```(?:c|cpp|python|js|mjs|ts|sh|bash)\b")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text):
    """The anchors that a heading gives, in the form that forges use: lower case, words joined by dashes."""
    for heading in re.findall(r"(?m)^#+\s+(.*)$", text):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield plain.replace(" ", "-")


def check(tree):
    documents = [p for p in tree.paths if p.endswith(".md")]
    for path in documents:
        text = re.sub(r"(?ms)^```.*?^```", "", tree.read(path))
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (tree.root / path).parent / name if name else tree.root / path
            if not file.exists():
                yield f"{path}: the link {target} leads nowhere"
            elif anchor and file.suffix == ".md" and anchor not in set(anchors(file.read_text())):
                yield f"{path}: {name or path} has no heading #{anchor}"


def programs(tree):
    for path in tree.paths:
        if not path.endswith(".md") or not (found := PROGRAM.findall(tree.read(path))):
            continue
        test = RUN_BY.get(path)
        if not test:
            yield f"{path}: no test runs its {len(found)} blocks of code: indent what is only shown, or name the test in RUN_BY"
        elif test not in tree.paths or path.rsplit("/", 1)[-1] not in tree.read(test):
            yield f"{path}: {test} does not read it"
