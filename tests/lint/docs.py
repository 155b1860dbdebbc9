"""Links of the Markdown files: a relative link leads to a file, an anchor to a heading of it."""

import re

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
