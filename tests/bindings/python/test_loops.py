"""Several loop threads: what each peer sends comes in its order, and the node is one to its program; both faces."""

import asyncio
import threading

import pytest

import sealwire
from conftest import DEADLINE, run
from sealwire import sync

PEERS, MESSAGES = 12, 100


def test_peers_of_several_loop_threads_are_served_each_in_its_order(url):
    async def scenario():
        seen = {}
        async with sealwire.Node(allow="anyone", loop_threads=4) as server:
            @server.route("count")
            async def count(request):
                seen.setdefault(request.peer.id, []).append(request.json())
                return request.body

            ticket = (await server.listen(url)).ticket
            clients = [sealwire.Node(loop_threads=2) for _ in range(PEERS)]
            try:
                for client in clients:
                    client.open()
                peers = await asyncio.gather(*(client.connect(ticket) for client in clients))
                for number in range(MESSAGES):
                    for peer in peers:
                        await peer.send("count", number)
                last = await asyncio.gather(*(peer.request("count", MESSAGES) for peer in peers))
                assert all(reply.json() == MESSAGES for reply in last)
            finally:
                for client in clients:
                    await client.close()
        assert len(seen) == PEERS and all(numbers == list(range(MESSAGES + 1)) for numbers in seen.values())
    run(scenario)


def test_threads_that_connect_at_once_are_taken_by_several_loop_threads(url):
    with sync.Node(allow="anyone", loop_threads=3) as server:
        ticket = server.listen(url).ticket
        got = []

        def connect():
            with sync.Node(loop_threads=2) as client:
                peer = client.connect(ticket)
                got.append(peer.id == server.id and peer.ping().round_trip > 0)

        threads = [threading.Thread(target=connect) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert got == [True] * 8


@pytest.mark.parametrize("node", [sealwire.Node, sync.Node])
def test_there_are_64_loop_threads_at_most(node):
    async def scenario():
        with pytest.raises(sealwire.ArgumentError, match="loop_threads"):
            async with sealwire.Node(loop_threads=65):
                pass
    if node is sealwire.Node:
        run(scenario)
        return
    with pytest.raises(sealwire.ArgumentError, match="loop_threads"):
        with sync.Node(loop_threads=65):
            pass
