"""Reconnect: a session outlives the connection that carries it. Here a line between the two is cut while a request runs."""

import asyncio
from typing import List

import sealwire


class Line:
    """Passes bytes on, as a network does, until it is cut."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ends: List[asyncio.StreamWriter] = []

    async def open(self) -> int:
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self.ends += [writer, back]
        await asyncio.gather(self.carry(reader, back), self.carry(there, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass  # it was cut
        writer.close()

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()


async def main() -> None:
    resumed = asyncio.Event()

    def on_link(peer: sealwire.Peer, link: sealwire.Link) -> None:
        if link.state == "suspended":
            print("the connection broke; the session is kept")
        elif link.state == "connecting" and link.attempt == 1 and link.reason:
            print("dialling again")
        elif link.state == "resumed":
            print("the session goes on")
            resumed.set()

    server = sealwire.Node(network="example", allow="anyone")
    client = sealwire.Node(network="example", redial=0.05, on_link=on_link)
    async with server, client:
        asked = asyncio.Event()

        @server.route("think")
        async def think(request: sealwire.Request) -> str:
            asked.set()
            await resumed.wait()
            return "42"

        listener = await server.listen("tcp://127.0.0.1:0")
        line = Line(int(listener.address.rsplit(":", 1)[1]))
        peer = await client.connect(f"tcp://127.0.0.1:{await line.open()}#{server.id}")
        print("connected")
        answer = asyncio.create_task(peer.request("think"))
        await asked.wait()
        line.cut()
        print(f"the answer to the request that ran: {(await answer).text()}")
        line.server.close()


asyncio.run(main())
