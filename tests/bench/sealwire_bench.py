"""The peer `sealwire-asyncio`: requests with `async def` at both ends, messages in batches; --plain: plain handlers, one after the other."""

import asyncio
import sys
import time

import bench_common as bench

arguments = bench.parse(__doc__)
if arguments.package:
    sys.path.insert(0, arguments.package)

import sealwire  # noqa: E402

NETWORK = "bench"
SLOTS = 512  # W2 has 256 outstanding, the default window of slots


async def serve(options):
    loop = asyncio.get_running_loop()
    node = sealwire.Node(allow="anyone", network=NETWORK, exchange_slots=SLOTS)
    tally, done = bench.Tally(options), loop.create_future()

    def take(request):
        body = request.body
        if tally.add(body):
            done.set_result(None)
        return body

    async def answer(request):
        return take(request)

    node.route("request")(take if options.plain else answer)
    if options.plain:
        node.route("message")(take)

    async with node:
        listener = await node.listen("tcp://127.0.0.1:0")
        if not options.plain:
            loop.create_task(iterate(node.messages("message"), tally, done))
        bench.emit_ready(listener.ticket)
        await done
        await loop.run_in_executor(None, tally.emit)  # until the end of its input, while the node lives on


async def iterate(messages, tally, done):
    async for batch in messages.batches():
        for message in batch:
            if tally.add(message.body):
                done.set_result(None)


async def ask(options):
    async with sealwire.Node(network=NETWORK, exchange_slots=SLOTS) as node:
        peer = await node.connect(options.address)
        if options.kind == 5:
            await subscribe(options, node)
        elif options.kind == 3:
            sent = await send(options, peer)
            bench.emit_client(options, sent, 0)
        else:
            await peer.request("request", bench.make_message(options.size, 0))  # connected before the clock starts
            requests = bench.Requests(options)

            async def one_after_another():
                more = True
                while more:
                    more = requests.take((await peer.request("request", requests.next())).body)

            await asyncio.gather(*(one_after_another() for _ in range(requests.first_requests())))
            elapsed = time.perf_counter() - requests.pace.start
            await peer.request("request", bench.make_message(options.size, requests.sent + 1, last=True))
            requests.emit(elapsed)


async def subscribe(options, node):
    tally = bench.Tally(options)
    async with node.join("bench") as topic:
        await (each if options.plain else in_batches)(topic, tally)
    tally.emit_deliveries()


async def each(topic, tally):
    async for message in topic:
        if tally.add(message.body):
            return


async def in_batches(topic, tally):
    async for batch in topic.batches():
        for message in batch:
            if tally.add(message.body):
                return


async def send(options, peer):
    pace, sent, send_nowait = bench.Pace(options), 0, peer.send_nowait
    while pace.more(sent):
        try:
            send_nowait("message", bench.make_message(options.size, sent))
        except sealwire.QueueFull:
            await peer.send("message", bench.make_message(options.size, sent))
        sent += 1
    await peer.send("message", bench.make_message(options.size, sent, last=True), receipt=True)
    return sent


if __name__ == "__main__":
    asyncio.run((serve if arguments.role == "server" else ask)(arguments))
