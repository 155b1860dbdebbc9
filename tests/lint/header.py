"""The C header: the comment above each function, or above the lines of functions that it heads, says since when."""

import re

HEADER = "capi/include/sealwire/sealwire.h"
FUNCTION = re.compile(r"(?m)^SW_API[^;]*?\b(sw_\w+)\([^;]*;")
# The last comment in front, behind which there are functions and definitions only, no blank line.
COMMENT = re.compile(r"/\*((?:(?!\*/).)*)\*/\n(?:SW_API[^;]*;[^\n]*\n|static inline[^{]*\{.*?\n\}\n)*\Z", re.DOTALL)


def without_since(text):
    for match in FUNCTION.finditer(text):
        comment = COMMENT.search(text, 0, match.start())
        if not comment or not re.search(r"Since\s+(\*\s+)?0\.\d", comment.group(1)):
            yield match.group(1)


def since(tree):
    text = tree.read(HEADER)
    if len(FUNCTION.findall(text)) < 40:
        yield f"{HEADER}: few functions are found, so little is checked"
    for name in without_since(text):
        yield f"{HEADER}: the comment above {name} does not say since when"


def self_test():
    said = "/* Frees. Since 0.1. */\nSW_API void sw_a(void);\nSW_API void sw_b(void);\n"
    if list(without_since(said)):
        yield "functions below a comment that says it are taken for undated"
    for planted in ("/* Frees. */\nSW_API void sw_c(void);\n", said + "\nSW_API void sw_c(void);\n",
                    said + "/* Other. */\nSW_API void sw_c(\n    void);\n"):
        if list(without_since(planted)) != ["sw_c"]:
            yield f"not found in {planted!r}"
