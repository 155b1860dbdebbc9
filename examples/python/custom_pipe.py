"""Custom pipe: a session over bytes that the program carries itself, here through two pipe(2). The streams of a child process, of an SSH
channel or of a serial line take their place as they are."""

import asyncio
import os
from typing import Tuple

import sealwire


async def streams(read: int, write: int) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """asyncio's reader and writer of two descriptors."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb"))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(write, "wb"))
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


async def main() -> None:
    there, back = os.pipe(), os.pipe()
    near, far = await streams(back[0], there[1]), await streams(there[0], back[1])
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:

        @server.route("echo")
        def echo(request: sealwire.Request) -> bytes:
            return request.body

        accepting = asyncio.ensure_future(server.accept_pipe(*far, address="pipe:server"))
        peer = await client.connect_pipe(server.id, *near, address="pipe:client")
        print(f"connected over {peer.address}")
        accepted = await accepting
        print(f"accepted over {accepted.address}")
        print(f"echo: {(await peer.request('echo', 'through two pipes')).text()}")
        large = await peer.request("echo", bytes(1_000_000))
        print(f"{len(large.body)} bytes went there and back")
        await peer.close()
        await accepted.wait_closed()
        reason = accepted.reason
        print("closed in good order" if reason is None or reason.code == "peer_closed" else "broken off")


asyncio.run(main())
