"""Streams: a text goes to a server piece by piece and comes back in capitals; then a list of replies, left early."""

import asyncio
from typing import AsyncIterator

import sealwire


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:

        @server.route("capitals")
        async def capitals(request: sealwire.Request) -> sealwire.Answer:
            async def upper(part: sealwire.Part) -> AsyncIterator[bytes]:
                async for piece in part:
                    yield piece.upper()

            return sealwire.Answer("as you wish", [sealwire.Stream(upper(request.parts[0]), name="capitals")])

        @server.route("squares")
        async def squares(request: sealwire.Request) -> AsyncIterator[int]:
            n = 1
            while True:
                yield n * n
                n += 1

        peer = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)

        poem = sealwire.Stream(name="poem")
        reply = await peer.request("capitals", parts=[poem])
        print(f"the server says: {reply.text()}")
        [back] = reply.parts
        async with poem:
            for line in ["roses are red", "violets are blue"]:
                await poem.write(line.encode())
                print(f"{line} -> {(await back.readexactly(len(line))).decode()}")

        async for square in peer.request_many("squares"):
            print(f"a square: {square.text()}")
            if square.json() > 10:
                break
    print("closed")


asyncio.run(main())
