"""Bodies of all kinds that programs give each other, and how each stands in a message."""

import sealwire


def encoded(body):
    if isinstance(body, sealwire.Encoded):
        return body
    return sealwire.encode(body, "bytes" if isinstance(body, bytes) else "utf8" if isinstance(body, str) else "json")


BODIES = ["text: Grüße", {"two": [2, None]}, b"\x00\xff bytes", b"", b"large" * 20_000, sealwire.encode({"one": 1}, "messagepack")]
