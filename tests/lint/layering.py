"""Who may include whom: the table of lib/README.md, read from the #include lines."""

import re

LAYERS = ("base", "crypto", "protocol", "io", "transport", "file", "node", "relay")
# What each folder of lib/ may include: layers of ours, and bundled libraries by the name in LIBRARIES.
MAY = {
    "base": ({"base"}, set()),
    "crypto": ({"base", "crypto"}, {"libsodium", "system"}),
    "protocol": ({"base", "crypto", "protocol"}, set()),
    "io": ({"base", "io"}, {"libuv", "system"}),
    "transport": ({"base", "io", "transport"}, {"libuv", "mbedTLS", "libwebsockets", "system"}),
    "file": ({"base", "file"}, {"system"}),
    "node": (set(LAYERS) - {"relay"}, {"libuv", "system"}),
    "relay": (set(LAYERS), {"libuv", "system"}),
}
CAPI_MAY = ("node/", "base/", "protocol/events.h", "crypto/hash.h", "crypto/identity.h", "crypto/network.h", "crypto/secret_code.h", "crypto/ticket.h")
LIBRARIES = {
    "libsodium": re.compile(r"sodium(\.h|/)"),
    "libuv": re.compile(r"uv(\.h|/)"),
    "mbedTLS": re.compile(r"(mbedtls|psa)/"),
    "libwebsockets": re.compile(r"libwebsockets"),
}
# The headers of C with a .h that are no matter of the operating system.
C_STANDARD = {"assert.h", "errno.h", "float.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
              "stdlib.h", "string.h"}
# Sans-IO: the core is given time and randomness, starts no thread and waits for none.
NEVER_IN_PROTOCOL = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "latch", "barrier",
                     "stop_token", "chrono", "ctime", "random", "fstream", "iostream", "filesystem", "csignal"}
INCLUDE = re.compile(r'(?m)^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def kind_of(header):
    """The library that an angle include belongs to: std, system, or one of LIBRARIES."""
    for library, pattern in LIBRARIES.items():
        if pattern.match(header):
            return library
    return "std" if "." not in header or header in C_STANDARD else "system"


def layer_complaints(path, text):
    layer = path.split("/")[1]
    layers, libraries = MAY[layer]
    for quoted, angled in INCLUDE.findall(text):
        if quoted:
            target = quoted.split("/")[0]
            if target not in LAYERS:
                yield f'{path}: "{quoted}" is not written from lib/'
            elif target not in layers:
                yield f"{path}: {layer} may not include {quoted}"
            continue
        kind = kind_of(angled)
        if kind != "std" and kind not in libraries:
            yield f"{path}: {layer} may not include <{angled}> ({kind})"
        elif layer == "protocol" and angled in NEVER_IN_PROTOCOL:
            yield f"{path}: the sans-IO core may not include <{angled}>"
    includes = {quoted for quoted, _ in INCLUDE.findall(text)}
    if layer == "node" and not path.startswith("lib/node/peer"):
        if "protocol/connection.h" in includes and any(i.startswith("transport/") for i in includes):
            yield f"{path}: only node/peer.cpp sees both a protocol connection and a transport"


def capi_complaints(path, text):
    for quoted, angled in INCLUDE.findall(text):
        if quoted.split("/")[0] in LAYERS and not quoted.startswith(CAPI_MAY):
            yield f"{path}: capi may not include {quoted}"
        if angled and kind_of(angled) in LIBRARIES:
            yield f"{path}: capi may not include <{angled}>"


def outside_complaints(path, text):
    for quoted, angled in INCLUDE.findall(text):
        if quoted.split("/")[0] in LAYERS or quoted.startswith("lib/") or (angled and kind_of(angled) in LIBRARIES):
            yield f"{path}: of ours it may include sealwire/sealwire.h(pp) only, not {quoted or angled}"


def complaints(path, text):
    if path.startswith("lib/"):
        yield from layer_complaints(path, text)
    elif path.startswith("capi/"):
        yield from capi_complaints(path, text)
    else:
        yield from outside_complaints(path, text)


def check(tree):
    folders = ("lib/", "capi/", "bindings/", "tools/", "examples/", "tests/capi/")
    for path in tree.code(*folders, suffixes={".h", ".hpp", ".c", ".cpp"}):
        yield from complaints(path, tree.read(path))


def self_test():
    """Each of these breaks a rule of its own."""
    wrong = {
        "lib/base/a.h": '#include "crypto/aead.h"',
        "lib/crypto/a.h": '#include "protocol/frame.h"',
        "lib/protocol/a.h": '#include "io/loop.h"',
        "lib/protocol/b.h": "#include <thread>",
        "lib/protocol/c.h": "#include <sys/socket.h>",
        "lib/protocol/d.h": "#include <random>",
        "lib/protocol/e.h": "#include <sodium.h>",
        "lib/io/a.h": '#include "crypto/aead.h"',
        "lib/transport/a.h": '#include "node/peer.h"',
        "lib/node/listener.cpp": '#include "protocol/connection.h"\n#include "transport/pipe.h"',
        "lib/node/a.h": "#include <sodium/utils.h>",
        "capi/src/a.cpp": '#include "crypto/aead.h"',
        "tools/a.cpp": '#include "base/bytes.h"',
    }
    for path, text in wrong.items():
        if not list(complaints(path, text)):
            yield f"not found: {text!r} in {path}"
    right = {"lib/protocol/a.cpp": "#include <vector>\n#include <cstring>", "lib/node/peer.cpp": wrong["lib/node/listener.cpp"]}
    for path, text in right.items():
        yield from (f"wrongly found: {c}" for c in complaints(path, text))
