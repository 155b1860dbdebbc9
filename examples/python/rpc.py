"""Procedure calls: functions and objects by name, many results, and errors with details."""

import asyncio
import json
from typing import Any, AsyncIterator

import sealwire


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        self.value += n
        return self.value


class Account:
    balance = 10

    async def pay(self, amount: int) -> int:
        if amount > self.balance:
            raise sealwire.Status(64, "too much", {"balance": self.balance})
        self.balance -= amount
        return self.balance


async def count(to: int) -> AsyncIterator[int]:
    for n in range(to):
        yield n


async def call(peer: sealwire.Peer, name: str, *arguments: Any) -> None:
    try:
        print(f"{name}: {await peer.call(name, *arguments)}")
    except sealwire.Status as error:
        details = "" if error.details is None else ", " + json.dumps(error.details, separators=(",", ":"))
        print(f"{name}: status {error.status}, {error.text}{details}")


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:
        server.expose("math", {"add": lambda a, b: a + b})
        server.expose("counter", Counter())  # keeps its state
        server.expose("account", Account())
        server.expose("count", count)

        peer = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
        await call(peer, "math.add", 1, 2)
        await call(peer, "counter.add", 2)
        await call(peer, "counter.add", 3)
        async for n in peer.call_many("count", 3):
            print(f"count: {n}")
        await call(peer, "account.pay", 11)
        await call(peer, "math.sub", 1, 2)


asyncio.run(main())
