"""A topic that is shared with a program of another language: topics.py [TICKET]."""

import asyncio
import sys

import sealwire
from bodies import BODIES, encoded



async def serve(node):
    topic = await node.join("pairs", keep_last=True)
    await topic.publish("kept")
    print((await node.listen("tcp://127.0.0.1:0")).ticket, flush=True)
    async for message in topic:
        await topic.publish(sealwire.Encoded(message.body, message.type), to=message.peer)


async def compare(node):
    peer = await node.connect(sys.argv[1])
    topic = await node.join("pairs", want_last=True)
    members = [(member.id, member.publisher) for member in topic.members()]
    if members != [(peer.id, False)]:
        print(f"members: {members}")
    kept = await topic.__anext__()
    if (kept.text(), kept.kind, kept.last_value, kept.publisher) != ("kept", "utf8", True, peer.id):
        print(f"the last value: {kept}")
    for body in BODIES:
        if await topic.publish(body) != 1:
            print("not for one member")
        back = await topic.__anext__()
        sent = encoded(body)
        if (back.body, back.type, back.dropped, back.last_value) != (sent.data, sent.type, 0, False):
            print(f"{back} in place of {body!r}")
    await topic.leave()
    print(f"compared {len(BODIES) + 2}")


async def main():
    async with sealwire.Node(network="topics", allow="anyone") as node:
        await (compare if len(sys.argv) > 1 else serve)(node)


asyncio.run(main())
