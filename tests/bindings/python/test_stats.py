"""Counters; the same scenarios as in tests/bindings/node/stats.test.mjs."""

import pytest

import sealwire
from conftest import run
from pair import pair


def test_both_ends_count_what_goes_between_them(url):
    async def scenario():
        async with pair(url, routes={"echo": lambda request: request.body}) as (server, client, peer):
            assert peer.stats()["messages_sent"] == 0 and peer.stats()["round_trip"] is None
            await peer.request("echo", b"hello")
            await peer.send("echo", b"abc", receipt=True)
            pong = await peer.ping()
            mine, theirs = peer.stats(), server.peers[0].stats()
            assert (mine["messages_sent"], mine["requests_sent"], mine["body_bytes_sent"]) == (2, 1, 8)
            assert (mine["messages_received"], mine["replies_received"], mine["body_bytes_received"]) == (1, 1, 5)
            assert (theirs["messages_received"], theirs["requests_received"], theirs["replies_sent"]) == (2, 1, 1)
            assert mine["round_trip"] == pytest.approx(pong.round_trip)
            assert mine["connected"] == 1 and mine["requests_running"] == 0
            assert mine["wire_bytes_sent"] > 100 and mine["records_received"] > 0

    run(scenario)


def test_a_node_sums_its_peers_and_knows_its_routes(url):
    async def scenario():
        async with pair(url, routes={"echo": lambda request: request.body, "other": print}) as (server, client, peer):
            await peer.request("echo", b"hello")
            with pytest.raises(sealwire.NoRouteError):
                await peer.request("nobody", b"x")
            stats = server.stats()
            assert stats["routes"]["echo"] == {"messages_received": 1, "requests_received": 1, "body_bytes_received": 5,
                                               "messages_sent": 0, "requests_sent": 0, "body_bytes_sent": 0}
            sent = client.stats()["routes"]
            assert (sent["echo"]["messages_sent"], sent["echo"]["requests_sent"], sent["echo"]["body_bytes_sent"]) == (1, 1, 5)
            assert sent["nobody"]["messages_sent"] == 1
            assert stats["routes"]["other"]["messages_received"] == 0
            assert stats["refused_no_route"] == 1 and stats["connected"] == 1
            await peer.close()
            with pytest.raises(sealwire.Error):
                peer.stats()
            after = client.stats()
            assert (after["requests_sent"], after["sessions"], after["connected"]) == (2, 1, 0)

    run(scenario)


def test_every_counter_has_a_type():
    async def scenario():
        async with pair("tcp://127.0.0.1:0") as (_, client, peer):
            assert set(peer.stats()) == set(sealwire.PeerStats.__annotations__)
            assert set(client.stats()) == set(sealwire.NodeStats.__annotations__)
            await peer.send("x")
            assert set(client.stats()["routes"]["x"]) == set(sealwire.RouteStats.__annotations__)

    run(scenario)
