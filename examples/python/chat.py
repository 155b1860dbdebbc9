"""Chat: a server relays what is said in a room, which is a route, to the others there.

    chat.py                     a server and three who talk, in one program
    chat.py serve [ADDRESS]     a server; prints its ticket
    chat.py TICKET NAME ROOM    what is typed is said; talks with the programs in C and Node.js, too
"""

import asyncio
import sys
from typing import Dict, List

import sealwire


def serve(node: sealwire.Node) -> None:
    rooms: Dict[str, List[sealwire.Peer]] = {}  # by name; a peer's name came with its handshake

    async def leave(peer: sealwire.Peer) -> None:
        await peer.wait_closed()
        for room in [room for room, members in rooms.items() if peer in members]:
            rooms[room].remove(peer)
            if not rooms[room]:
                del rooms[room]

    node.on_peer = leave

    @node.route("join")
    def join(request: sealwire.Request) -> str:
        members = rooms.setdefault(request.text(), [])
        if request.peer not in members:
            members.append(request.peer)
        return str(len(members))

    @node.route("")  # every other route is a room
    def say(message: sealwire.Request) -> None:
        text = f"{message.peer.data.decode(errors='replace')}: {message.text()}"
        for peer in rooms.get(message.route, ()):
            if peer is not message.peer:
                try:
                    peer.send_nowait(message.route, text)
                except sealwire.Error:
                    pass  # who does not keep up misses it, or it has gone


class Person:
    """Somebody who is connected to the server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = asyncio.Event()
        self.node = sealwire.Node(network="chat")
        self.node.route("")(self.hear)

    def hear(self, message: sealwire.Request) -> None:
        print(f"{self.name} hears in {message.route}: {message.text()}", flush=True)
        self.heard.set()

    async def join(self, ticket: str, *rooms: str) -> None:
        self.peer = await self.node.open().connect(ticket, data=self.name.encode())
        for room in rooms:
            there = await self.peer.request("join", room)
            print(f"{self.name} joins {room}: {there.text()} there", flush=True)


async def everybody() -> None:
    async with sealwire.Node(network="chat", allow="anyone") as server:
        serve(server)
        ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
        ada, bob, eve = Person("Ada"), Person("Bob"), Person("Eve")
        await ada.join(ticket, "tea")
        await bob.join(ticket, "tea", "music")
        await eve.join(ticket, "music")
        for speaker, room, text, listener in ((ada, "tea", "hello", bob), (bob, "tea", "hi Ada", ada), (bob, "music", "a song?", eve)):
            await speaker.peer.send(room, text)
            await listener.heard.wait()
        for person in (ada, bob, eve):
            await person.node.close()


async def server(address: str) -> None:
    async with sealwire.Node(network="chat", allow="anyone") as node:
        serve(node)
        print((await node.listen(address)).ticket, flush=True)
        await asyncio.Event().wait()  # until it is interrupted


async def talk(ticket: str, name: str, room: str) -> None:
    person = Person(name)
    await person.join(ticket, room)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        await person.peer.send(room, line.rstrip("\n"), receipt=True)
    await person.node.close()


if len(sys.argv) == 4:
    asyncio.run(talk(*sys.argv[1:]))
elif len(sys.argv) > 1:
    asyncio.run(server(*sys.argv[2:] or ["tcp://127.0.0.1:0"]))
else:
    asyncio.run(everybody())
