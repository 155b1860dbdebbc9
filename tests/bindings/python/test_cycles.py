"""What is created and dropped ten thousand times, and what is open when the interpreter ends, leaves nothing behind."""

import os
import time

import pytest

SANITIZED = "SEALWIRE_SANITIZED" in os.environ
EXIT_S = 30.0 if SANITIZED else 1.0
COUNT = 1_000 if SANITIZED else 10_000  # threads that race each other: a tenth, as in tests/support/scale.h

CYCLES = """
import asyncio, gc, os, sys, warnings
import sealwire

warnings.simplefilter("ignore", ResourceWarning)  # of nodes that are dropped without a close
TASKS, FILES = "/proc/self/task", "/proc/self/fd"

async def until(condition):
    while not condition():
        await asyncio.sleep(0)

async def main():
    async with sealwire.Node(allow="anyone") as server:
        server.route("x")(lambda request: request.body)
        ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
        threads, files = len(os.listdir(TASKS)), len(os.listdir(FILES))
        for number in range(int(sys.argv[1])):
            node = sealwire.Node().open()
            node.route("x")(lambda request, node=node: node)  # a cycle, which the collector finds
            if number % 50 == 0:
                peer = await node.connect(ticket)
                assert (await peer.request("x", b"1")).body == b"1"
                del peer
            del node
            if number % 20 == 19:
                await asyncio.sleep(0)  # the event loop lets go of what it has just delivered
                gc.collect()
                await until(lambda: len(os.listdir(TASKS)) < threads + 40)  # they end by themselves
        await until(lambda: not server.peers)
        await until(lambda: len(os.listdir(TASKS)) == threads and len(os.listdir(FILES)) <= files)
        print("nothing is left")

asyncio.run(main())
"""


def test_nodes_that_are_dropped_end_with_their_threads_and_descriptors(script):
    result = script(CYCLES, str(COUNT))
    assert (result.returncode, result.stdout, result.stderr) == (0, "nothing is left\n", "")


MANY_OPEN = """
import asyncio, time
import sealwire

async def main():
    server = sealwire.Node(allow="anyone").open()
    started = []

    @server.route("forever")
    async def forever(request):
        started.append(request)
        await asyncio.Event().wait()

    ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
    nodes = [sealwire.Node().open() for _ in range(100)]
    peers = await asyncio.gather(*(node.connect(ticket, timeout=60) for node in nodes))
    keep.extend([server, nodes, peers, [asyncio.ensure_future(peer.request("forever")) for peer in peers]])
    while len(started) < 100:
        await asyncio.sleep(0)
    print(time.time(), flush=True)

keep = []
asyncio.run(main())
"""


@pytest.mark.parametrize("run", range(5))
def test_the_interpreter_exits_within_a_second_with_a_hundred_open_connections(script, run):
    result = script(MANY_OPEN)
    left = time.time() - float(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert left < EXIT_S
