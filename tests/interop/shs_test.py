#!/usr/bin/env python3
"""The channel shs1 against an implementation that nobody here wrote: npm's secret-handshake with pull-box-stream, in both roles.

    shs_test.py --node NODE --npm FOLDER         sealwire is the Python package; FOLDER holds the node_modules of npm/package.json
"""

import argparse
import asyncio
import base64
import hashlib
import json
import pathlib
import sys

import sealwire

NETWORK = bytes(range(100, 132))
SEED = bytes([7]) * 32
PATIENCE = 60  # seconds; generous: nothing waits for it unless it fails
points = []
SIZES = (0, 1, 4096, 4097, 1_000_000)


def ok(good, fact):
    points.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(points)} - {fact}", flush=True)


def data_of(size):
    return (b"abcdefg" * (size // 7 + 1))[:size]


def id_of(key):
    return base64.b32encode(bytes.fromhex(key)).decode().lower().rstrip("=")


def key_of(id):
    return base64.b32decode(id.upper() + "====").hex()


class Foreign:
    """One run of shs.mjs."""

    def __init__(self, arguments, *more):
        self._command = [arguments.node, str(pathlib.Path(__file__).with_name("shs.mjs")), arguments.npm, *more]

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        return self

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def says(self):
        return json.loads(await asyncio.wait_for(self._process.stdout.readline(), PATIENCE))


def foreign_server(arguments, allowed="any"):
    return Foreign(arguments, "server", NETWORK.hex(), SEED.hex(), allowed)


def foreign_client(arguments, listener, size, network=NETWORK, *more):
    port = listener.address.rsplit(":", 1)[1]
    return Foreign(arguments, "client", network.hex(), SEED.hex(), port, key_of(listener.ticket.split("#")[1]), str(size), *more)


SHS = {"channel": "shs1", "shs_network": NETWORK}


async def sealwire_dials(arguments):
    async with foreign_server(arguments) as server, sealwire.Node() as node:
        told = await server.says()
        ticket = f"tcp://127.0.0.1:{told['port']}#{id_of(told['key'])}"
        for size in SIZES:
            peer = await node.connect(ticket, **SHS)
            accepted = await server.says()
            data = data_of(size)

            async def send():
                await peer.stream.write(data)
                await peer.stream.close()

            _, back = await asyncio.gather(send(), peer.stream.read())
            reason = await peer.wait_closed()
            ended = await server.says()
            ok(accepted == {"accepted": key_of(node.id)} and back == data and reason is None and ended == {"size": size, "ended": ""},
                   f"sealwire dials secret-handshake, and {size} bytes come back, with both ends in good order")
        peer = await node.connect(ticket, **SHS)
        await server.says()
        await peer.stream.write(b"half")
        await peer.stream.readexactly(4)
        peer.stream.cancel()
        ended = await server.says()
        ok(ended["size"] == 4 and ended["ended"] != "", "what sealwire breaks off is no end to pull-box-stream")
        try:
            await node.connect(ticket, channel="shs1", shs_network=bytes(32))
            ok(False, "another network identifier is refused by secret-handshake")
        except sealwire.ConnectError as error:
            ok(error.code == "no_answer", "another network identifier is refused by secret-handshake")
    async with foreign_server(arguments, bytes(32).hex()) as server, sealwire.Node() as node:
        told = await server.says()
        try:
            await node.connect(f"tcp://127.0.0.1:{told['port']}#{id_of(told['key'])}", **SHS)
            ok(False, "a key that secret-handshake does not let in is told so")
        except sealwire.NotAllowedError:
            ok(True, "a key that secret-handshake does not let in is told so")
        wrong = sealwire.Identity.generate().id
        try:
            await node.connect(f"tcp://127.0.0.1:{told['port']}#{wrong}", **SHS)
            ok(False, "a server that does not hold the ticket's key is refused")
        except sealwire.NotAllowedError as error:
            ok("own key is not that of the ticket" in str(error), "a server that does not hold the ticket's key is refused")


async def sealwire_listens(arguments):
    async def echo(peer):
        async with peer.stream:
            async for piece in peer.stream:
                await peer.stream.write(piece)

    async with sealwire.Node(allow="anyone", handshake_timeout=0.5) as node:
        listener = await node.listen("tcp://127.0.0.1:0", **SHS)
        arrivals = node.arrivals()

        async def next_peer():
            return await asyncio.wait_for(arrivals.__anext__(), PATIENCE)

        coming = asyncio.ensure_future(next_peer())
        await asyncio.sleep(0)
        for size in SIZES:
            async with foreign_client(arguments, listener, size) as client:
                peer = await coming
                coming = asyncio.ensure_future(next_peer())
                await echo(peer)
                told = await client.says()
                reason = await peer.wait_closed()
            ok(told == {"size": size, "hash": hashlib.sha256(data_of(size)).hexdigest(), "ended": ""} and reason is None,
                   f"secret-handshake dials sealwire, and {size} bytes come back, with both ends in good order")
        async with foreign_client(arguments, listener, 1000, NETWORK, "cut"):
            peer = await coming
            coming = asyncio.ensure_future(next_peer())
            got = b""
            try:
                async for piece in peer.stream:
                    got += piece
                ok(False, "a client that vanishes without a goodbye is truncated")
            except sealwire.SessionError as error:
                ok(error.code in ("truncated", "peer_lost") and data_of(1000).startswith(got),
                       "a client that vanishes without a goodbye is truncated")
        async with foreign_client(arguments, listener, 1, bytes(32)) as client:
            told = await client.says()
            ok("failed" in told and node.stats()["wire_bytes_sent"] > 0, "a client of another network identifier fails")
        coming.cancel()
    async with sealwire.Node(allow=[]) as node:
        listener = await node.listen("tcp://127.0.0.1:0", **SHS)
        async with foreign_client(arguments, listener, 1) as client:
            ok("failed" in await client.says() and node.peers == (), "a client that is not on the allow-list fails")


async def all_of(arguments):
    await sealwire_dials(arguments)
    await sealwire_listens(arguments)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True)
    parser.add_argument("--npm", required=True)
    asyncio.run(asyncio.wait_for(all_of(parser.parse_args()), 5 * PATIENCE))
    print(f"1..{len(points)}")
    return 0 if all(points) else 1


if __name__ == "__main__":
    sys.exit(main())
