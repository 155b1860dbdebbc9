"""Request: what an answer can be: a body, a bare 'done', a status with words, and no answer in time."""

import asyncio
from typing import Any, Dict, Optional

import sealwire


async def ask(peer: sealwire.Peer, route: str, body: Any = b"", timeout: Optional[float] = None) -> None:
    try:
        reply = await peer.request(route, body, timeout=timeout)
        print(f"{route}: {reply.text() if reply.has_body else 'done'}")
    except sealwire.Status as status:
        print(f"{route}: status {status.status}, {status.text}")
    except sealwire.Error as error:
        print(f"{route}: {error.code}")


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:

        @server.route("greet")
        async def greet(request: sealwire.Request) -> Dict[str, Any]:
            return {"hello": request.json()["name"]}

        @server.route("ready")
        def ready(request: sealwire.Request) -> None:
            pass  # no task, and an answer without a body

        @server.route("order")
        def order(request: sealwire.Request) -> None:
            raise sealwire.Status(64, "sold out")

        @server.route("slow")
        async def slow(request: sealwire.Request) -> None:
            await asyncio.Event().wait()  # cancelled at the requester's deadline

        listener = await server.listen("tcp://127.0.0.1:0")
        peer = await client.connect(listener.ticket)
        await ask(peer, "greet", {"name": "Ada"})
        await ask(peer, "ready")
        await ask(peer, "order")
        await ask(peer, "slow", timeout=0.1)
        await ask(peer, "unknown")


asyncio.run(main())
