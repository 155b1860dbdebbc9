"""Conversation: while a request runs, either side asks and is answered."""

import asyncio

import sealwire


async def order(request: sealwire.Request) -> str:
    size = (await request.talk.ask("which size?")).text()
    async for said in request.talk:  # what the customer wants to know
        said.answer("3")
        break
    return f"{request.text()}, {size}, 3"


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:
        server.route("order")(order)
        peer = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
        async with peer.converse("order", "tea") as talk:
            async for said in talk:  # questions of the handler, and its reply
                if not said.asks:
                    print(f"reply: {said.text()}")
                    continue
                print(f"asked: {said.text()}")
                said.answer("large")
                print(f"told: {(await talk.ask('how much is it?')).text()}")


asyncio.run(main())
