"""Procedure calls to a program of another language: rpc.py [TICKET]. rpc.mjs and rpc.c are the same."""

import asyncio
import sys

import sealwire

notes = []


def refuse():
    raise sealwire.Status(77, "no", {"left": b"\x00\x01"})


def count(to):
    yield from range(to)


async def later(value):
    await asyncio.sleep(0)
    return value


async def results_of(peer):
    yield "add", await peer.call("math.add", 1, 2), 3
    yield "echo", await peer.call("echo", b"\x00\xff"), b"\x00\xff"
    yield "later", await peer.call("later", "text"), "text"
    yield "count", [n async for n in peer.call_many("count", 3)], [0, 1, 2]
    try:
        yield "refuse", await peer.call("refuse"), "an error"
    except sealwire.Status as status:
        yield "refuse", (status.status, status.text, status.details), (77, "no", {"left": b"\x00\x01"})
    try:
        yield "missing", await peer.call("math.sub", 1, 2), "an error"
    except sealwire.Status as status:
        yield "missing", status.status, sealwire.NO_FUNCTION
    await peer.notify("note", "noted")
    yield "notes", await peer.call("notes"), ["noted"]


async def main():
    async with sealwire.Node(network="rpc", allow="anyone") as node:
        node.expose("math", {"add": lambda a, b: a + b})
        node.expose("echo", lambda value: value)
        node.expose("later", later)
        node.expose("count", count)
        node.expose("refuse", refuse)
        node.expose("note", notes.append)
        node.expose("notes", lambda: notes)
        if len(sys.argv) < 2:
            print((await node.listen("tcp://127.0.0.1:0")).ticket, flush=True)
            return await asyncio.Event().wait()
        peer = await node.connect(sys.argv[1])
        compared = 0
        async for name, got, expected in results_of(peer):
            compared += 1
            if got != expected:
                print(f"{name}: {got!r}")
        print("compared", compared)


asyncio.run(main())
