"""The demo's peer in Python. Its siblings demo.c and demo.mjs take the same command line and print the same lines.

    demo.py server NETWORK KEY ADDRESS ALLOWED-ID...    listens until SIGTERM
    demo.py client NETWORK KEY TICKET JSON-FILE         does everything once
    demo.py stranger NETWORK KEY TICKET                 has a key that the server does not allow
"""

import asyncio
import json
import logging
import pathlib
import signal
import sys

import sealwire


def say(line):
    print(line, flush=True)


def arrived(peer):
    say(f"connected: the peer proved that it is {peer.id}")
    return left(peer)  # the node runs it as a task


async def left(peer):
    reason = await peer.wait_closed()
    orderly = reason is None or reason.code == "peer_closed"
    say("closed: the peer ended the connection in good order" if orderly else f"lost: {reason.code}")


class Refusals(logging.Handler):
    """Nobody is told of a peer that is not let in, but the log is."""

    def emit(self, record):
        line = record.getMessage()
        if line.startswith("refused: "):
            say(line.split(" (")[0])


async def server(network, key, address, *allowed):
    logging.getLogger("sealwire.core").addHandler(Refusals())
    async with sealwire.Node(identity=key, network=network, allow=allowed, on_peer=arrived) as node:

        @node.route("note")
        def note(message):
            say(f"received: a message for note: {message.text()}")

        @node.route("greet")
        async def greet(request):
            say("replied: to greet, with what the peer sent")
            return {"from": "Python", "you_sent": request.json()}

        @node.route("hurry")
        def hurry(request):
            say("answered: hurry with done, at once and without a body")

        @node.route("sleep")
        async def sleep(request):
            try:
                await asyncio.get_running_loop().create_future()  # never done: the peer's deadline cancels it
            except asyncio.CancelledError:
                say("abandoned: the request for sleep, whose deadline passed at the peer")
                raise

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listener = await node.listen(address)
        say(f"listening: others connect to me with {listener.ticket}")
        await stop.wait()
    say("stopped: all is closed")


async def talk(peer, file):
    await peer.send("note", "remember the milk")
    say("sent: a message for note")

    reply = await peer.request("greet", json.loads(pathlib.Path(file).read_text(encoding="utf-8")))
    say(f"requested: greet, with the JSON of a file; the reply is {json.dumps(reply.json(), ensure_ascii=False)}")

    hurried = await peer.request("hurry")
    say("fast reply: but it has a body" if hurried.has_body else "fast reply: hurry is done, said at once and without a body")

    try:
        await peer.request("sleep", timeout=0.2)
        say("deadline: but a reply for sleep came")
    except sealwire.Error as error:
        say(f"deadline: no reply for sleep came within 200 ms: {error.code}")

    await peer.close()
    say("closed: the connection, in good order")


async def client(network, key, ticket, file=None):
    async with sealwire.Node(identity=key, network=network) as node:
        try:
            peer = await node.connect(ticket)
        except sealwire.NotAllowedError as error:
            say(f"refused: {error.code}, the peer does not allow this key")
            return
        say(f"connected: the peer proved that it is {peer.id}")
        await talk(peer, file)


ROLES = {"server": server, "client": client, "stranger": client}

if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[1] not in ROLES:
        sys.exit("demo.py server NETWORK KEY ADDRESS ALLOWED-ID... | client NETWORK KEY TICKET JSON-FILE | "
                 "stranger NETWORK KEY TICKET")
    asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))
