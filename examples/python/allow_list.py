"""Allow-list: a server lets the keys on its list in, and decides about others when they ask."""

import asyncio
from typing import Optional, Union

import sealwire


async def decide(asking: sealwire.Asking) -> Union[bool, sealwire.Reject]:
    if asking.data == b"tomorrow":
        return sealwire.Reject(77, "come back tomorrow")
    return asking.data == b"please"


async def come(ticket: str, name: str, identity: Optional[sealwire.Identity], word: bytes) -> None:
    async with sealwire.Node(network="example", identity=identity) as client:
        try:
            await client.connect(ticket, data=word)
            print(f"{name}: connected")
        except sealwire.NotAllowedError as error:
            print(f"{name}: {error.code}" + (f", {error.status}, {error.text}" if error.code == "rejected" else ""))


async def main() -> None:
    friend = sealwire.Identity.generate()
    async with sealwire.Node(network="example", allow=[friend.id], on_ask=decide) as server:
        listener = await server.listen("tcp://127.0.0.1:0")
        await come(listener.ticket, "friend", friend, b"")
        await come(listener.ticket, "guest", None, b"please")
        await come(listener.ticket, "stranger", None, b"")
        await come(listener.ticket, "early bird", None, b"tomorrow")


asyncio.run(main())
