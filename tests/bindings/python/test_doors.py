"""Who may come in: lists of addresses, and limits of connections that nodes share, in both faces."""

import asyncio

import pytest
import sealwire
from conftest import run
from sealwire import sync


def test_as_many_connections_as_are_taken_come_in():
    async def scenario():
        limits = sealwire.ConnectionLimits(connections=1)
        async with sealwire.Node(network="tests", allow="anyone", connection_limits=limits) as server, \
                sealwire.Node(network="tests") as one, sealwire.Node(network="tests") as other:
            listener = await server.listen("tcp://127.0.0.1:0")
            peer = await one.connect(listener.ticket)
            with pytest.raises(sealwire.Error) as caught:
                await other.connect(listener.ticket)
            assert caught.value.code == "limit" and "as many connections as are taken" in str(caught.value.text)
            assert limits.counts == sealwire.ConnectionCounts(1, 0, 1)
            assert server.stats()["refused_by_limit"] == 1 and server.stats()["accepted"] == 2
            limits.set(connections=2)
            await other.connect(listener.ticket)
            await peer.close()
            while limits.counts.connections > 1:
                await asyncio.sleep(0)
    run(scenario)


def test_limits_count_over_nodes_and_listeners_by_key_and_address():
    async def scenario():
        shared, own = sealwire.ConnectionLimits(per_key=1), sealwire.ConnectionLimits(per_address=1)
        async with sealwire.Node(network="tests", allow="anyone", connection_limits=shared) as one, \
                sealwire.Node(network="tests", allow="anyone", connection_limits=shared) as two, \
                sealwire.Node(network="tests", handshake_timeout=1.0) as client:
            first, second = await one.listen("tcp://127.0.0.1:0"), await two.listen("tcp://127.0.0.1:0", connection_limits=own)
            await client.connect(first.ticket)
            with pytest.raises(sealwire.Error) as caught:
                await client.connect(second.ticket)
            assert caught.value.code == "limit"
            async with sealwire.Node(network="tests") as another:
                await another.connect(second.ticket)
                with pytest.raises(sealwire.ConnectError):
                    await client.connect(second.ticket)
            assert own.counts.refused_by_address == 1
    run(scenario)


def test_addresses_are_allowed_and_denied_while_it_runs():
    async def scenario():
        async with sealwire.Node(network="tests", allow="anyone") as server, sealwire.Node(network="tests") as client:
            listener = await server.listen("tcp://127.0.0.1:0", deny_addresses=["127.0.0.0/8"])
            with pytest.raises(sealwire.ConnectError):
                await client.connect(listener.ticket)
            assert server.stats()["refused_by_address"] == 1 and listener.paused is None
            listener.set_addresses(allow=["::ffff:127.0.0.1", "192.0.2.0/24"])
            await client.connect(listener.ticket)
            for wrong in (["10.0.0.1/8"], ["x"], "127.0.0.1", [5], 5):
                with pytest.raises(sealwire.ArgumentError):
                    listener.set_addresses(deny=wrong)
                with pytest.raises(sealwire.ArgumentError):
                    await server.listen("tcp://127.0.0.1:0", allow_addresses=wrong)
            with pytest.raises(sealwire.ArgumentError):
                await server.listen("tcp://127.0.0.1:0", connection_limits=5)
            with pytest.raises(sealwire.ArgumentError):
                sealwire.ConnectionLimits(connections=-1)
    run(scenario)


def test_a_synchronous_node_has_the_same_doors():
    limits = sealwire.ConnectionLimits(connections=1)
    with sync.Node(network="tests", allow="anyone", connection_limits=limits) as server, sync.Node(network="tests") as one, \
            sync.Node(network="tests") as other:
        listener = server.listen("tcp://127.0.0.1:0", deny_addresses=["127.0.0.1"], connection_limits=sealwire.ConnectionLimits())
        with pytest.raises(sealwire.ConnectError):
            one.connect(listener.ticket)
        listener.set_addresses()
        one.connect(listener.ticket)
        with pytest.raises(sealwire.Error) as caught:
            other.connect(listener.ticket)
        assert caught.value.code == "limit"
