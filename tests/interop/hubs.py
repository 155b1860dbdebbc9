"""Two nodes that publish to each other over a hub of another language: hubs.py [TICKET OF THE HUB]."""

import asyncio
import sys

import sealwire
from bodies import BODIES, encoded

SECRET = sealwire.topic_secret_new()


async def serve():
    async with sealwire.Node(network="hubs", allow="anyone", hub=True) as hub:
        print((await hub.listen("tcp://127.0.0.1:0")).ticket, flush=True)
        await asyncio.Event().wait()


async def compare(ticket):
    id = sealwire.Ticket.parse(ticket).id
    compared = 0
    async with sealwire.Node(network="hubs", hubs=[id]) as ada, sealwire.Node(network="hubs", hubs=[id]) as bob:
        for node in (ada, bob):
            await node.connect(ticket)
        for secret in (None, SECRET):
            there, here = await ada.join("pairs", secret=secret), await bob.join("pairs", secret=secret)
            for source, to, publisher in ((there, here, ada), (here, there, bob)):
                for body in BODIES:
                    if await source.publish(body) != 1:
                        print("not for the hub alone")
                    got = await to.__anext__()
                    sent = encoded(body)
                    if (got.body, got.type, got.dropped, got.passed_on) != (sent.data, sent.type, 0, True):
                        print(f"{got} in place of {body!r}")
                    if got.publisher != (publisher.id if secret else id):
                        print(f"published by {got.publisher}")
                    compared += 1
    print(f"compared {compared}")


asyncio.run(compare(sys.argv[1]) if len(sys.argv) > 1 else serve())
