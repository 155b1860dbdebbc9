"""Pubsub: what is published to a topic goes to all who have joined it; the last message also to who joins later and wants it."""

import asyncio

import sealwire


async def read(name: str, topic: sealwire.Topic) -> None:
    message = await topic.__anext__()  # or: async for message in topic
    print(f"{name} reads: {message.text()}{', from before' if message.last_value else ''}")


async def main() -> None:
    station = sealwire.Node(network="example", allow="anyone")
    ada, bob = sealwire.Node(network="example"), sealwire.Node(network="example")
    async with station, ada, bob:
        ticket = (await station.listen("tcp://127.0.0.1:0")).ticket
        left = asyncio.Event()
        weather = await station.join("weather", keep_last=True, on_left=lambda member: left.set())

        async def publish(text: str) -> None:
            print(f"{text}: for {await weather.publish(text)}")

        await publish("rain")
        await ada.connect(ticket)
        await bob.connect(ticket)
        async with ada.join("weather", want_last=True) as hers:
            await read("Ada", hers)
            await publish("sun")
            await read("Ada", hers)
            his = await bob.join("weather")
            await publish("wind")
            await read("Ada", hers)
            await read("Bob", his)
            await weather.publish("storm in his street", filter=lambda member: member.id == bob.id)
            await read("Bob", his)
        await left.wait()
        await publish("night")
        await read("Bob", his)


asyncio.run(main())
