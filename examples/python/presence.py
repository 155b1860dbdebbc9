"""Presence: who has joined a topic, and who comes and goes; here nothing is published at all."""

import asyncio
from typing import Any, Awaitable

import sealwire


def name(member: sealwire.Member) -> str:
    return member.peer.data.decode()  # which came with its handshake


async def main() -> None:
    server = sealwire.Node(network="example", allow="anyone")
    ada, bob = sealwire.Node(network="example"), sealwire.Node(network="example")
    told = asyncio.Event()

    def tell(what: str) -> None:
        print(f"{what}: {', '.join(sorted(map(name, room.members()))) or 'nobody'}")
        told.set()

    async def change(action: Awaitable[Any]) -> Any:
        """Does something that changes who is there, until the server has told of it."""
        told.clear()
        result = await action
        await told.wait()
        return result

    async with server, ada, bob:
        ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
        room = await server.join("room", on_joined=lambda member: tell(f"{name(member)} is here"),
                                 on_left=lambda member: tell(f"{name(member)} has gone"))
        await ada.connect(ticket, data=b"Ada")
        await bob.connect(ticket, data=b"Bob")
        hers = await change(ada.join("room"))
        his = await change(bob.join("room"))
        for member in his.members():  # those that he is connected with
            print(f"Bob sees {'the server' if member.id == server.id else member.id}")
        await change(hers.leave())
        await change(ada.join("room"))
        for node in (bob, ada):
            await change(node.close())


asyncio.run(main())
