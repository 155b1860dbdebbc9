"""Each value of the table, in each encoding, against a program of another language: codecs.py [TICKET]."""

import asyncio
import math
import sys

import sealwire

TEXTS = {"empty text": "", "text of many alphabets": "é漢\U0001f600\x00\"\\", "long text": "long" * 100}
BYTES = {"empty bytes": b"", "bytes": b"\x00\xff\x80", "many bytes": b"ab" * 35000}
JSON = {
    "null": None, "true": True, "false": False, "list": [], "map": {}, **TEXTS,
    **{f"int {n}": n for n in (
        0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, 32767, 32768, 65535, 65536, -32768, -32769, 2**31 - 1, 2**31,
        2**32 - 1, 2**32, 2**53 - 1, -2**31, -2**31 - 1, -(2**53 - 1))},
    **{f"float {n}": n for n in (1.5, -0.1, 1e300, 5e-324)},
    "nested": {"a": [1, [2, [3, {"b": {"c": [None, True, "x"]}}]]], "": {"k": {}}, "é": -1.25},
    "long list": list(range(70000)),
}
BINARY = {
    **JSON, **BYTES,
    **{f"int {n}": n for n in (2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**53), -(2**53) - 1, -(2**63))},
    "infinity": math.inf, "minus infinity": -math.inf, "nan": math.nan,
    "nested bytes": {"a": [b"\x00", {"b": b"\xff"}], "i": [2**63, {"n": -(2**63)}]},
}
TABLE = {"bytes": BYTES, "utf8": TEXTS, "json": JSON, "messagepack": BINARY, "cbor": BINARY}


def same(a, b):
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b and (isinstance(a, (bytes, str, bool)) is isinstance(b, (bytes, str, bool)))


async def main():
    async with sealwire.Node(network="codecs", allow="anyone") as node:

        @node.route("")
        def check(request):
            mine = TABLE[request.kind][request.route]
            if not same(mine, request.decode()):
                raise sealwire.Status(64, repr(request.decode())[:200])
            return sealwire.encode(mine, request.kind)

        if len(sys.argv) < 2:
            print((await node.listen("tcp://127.0.0.1:0")).ticket, flush=True)
            return await asyncio.Event().wait()
        peer = await node.connect(sys.argv[1])
        for kind, values in TABLE.items():
            for name, value in values.items():
                try:
                    reply = await peer.request(name, sealwire.encode(value, kind))
                    told = None if reply.kind == kind and same(value, reply.decode()) else repr(reply.decode())[:200]
                except sealwire.Error as error:
                    told = str(error)
                if told:
                    print(f"{kind}, {name}: {told}")
        print("compared", sum(map(len, TABLE.values())))


asyncio.run(main())
