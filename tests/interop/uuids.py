"""The UUIDs of messages, sent and received, against a program of another language: uuids.py [TICKET]."""

import asyncio
import sys

import sealwire


async def main():
    noted = []
    async with sealwire.Node(network="uuids", allow="anyone") as node:

        @node.route("note")
        def note(request):
            noted.append(str(request.uuid))

        @node.route("noted")
        def tell(request):
            return noted[-1]

        @node.route("both")
        def both(request):
            return f"{request.uuid} {request.reply_uuid()}"

        if len(sys.argv) < 2:
            print((await node.listen("tcp://127.0.0.1:0")).ticket, flush=True)
            return await asyncio.Event().wait()
        peer = await node.connect(sys.argv[1])
        own = await peer.send("note", uuid=True)
        told = (await peer.request("noted")).text()
        if told != str(own):
            print(f"one-way: {told} in place of {own}")
        reply = await peer.request("both")
        if reply.text() != f"{reply.request_uuid} {reply.uuid}":
            print(f"request and reply: {reply.text()} in place of {reply.request_uuid} {reply.uuid}")
        print("compared 3")


asyncio.run(main())
