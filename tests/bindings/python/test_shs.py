"""The channel shs1: `peer.stream` of either face, its ends, who is let in, and what such a peer does not offer."""

import asyncio
import contextlib
import socket

import pytest

import sealwire
from conftest import run
from sealwire import sync
from sync_pair import in_thread

NETWORK = bytes(range(32))
SHS = {"channel": "shs1", "shs_network": NETWORK}


@contextlib.asynccontextmanager
async def connected(url, **options):
    """(server node, client node, the server's peer, the client's peer)."""
    server = sealwire.Node(**{"allow": "anyone", **options})
    async with server, sealwire.Node() as client:
        arrivals = server.arrivals()
        first = asyncio.ensure_future(arrivals.__anext__())
        await asyncio.sleep(0)
        listener = await server.listen(url, **SHS)
        peer = await client.connect(listener.ticket, **SHS)
        yield server, client, await first, peer


def test_bytes_go_both_ways_and_each_direction_ends_by_itself(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            assert near.channel == far.channel == "shs1" and near.id == server.id and far.id == client.id
            assert near in client.peers and far in server.peers
            assert near.dialled and not far.dialled and near.suite == 0
            await near.stream.write(b"hello, ")
            await near.stream.write(b"box stream")
            await near.stream.close()
            assert await far.stream.read() == b"hello, box stream" and far.stream.at_end
            assert await far.stream.read(5) == b""
            async with far.stream:
                for i in range(3):
                    await far.stream.write(bytes([i]) * 1000)
            assert await near.stream.readexactly(1) == b"\0"
            assert b"".join([piece async for piece in near.stream])[-1000:] == b"\2" * 1000
            assert await near.wait_closed() is None and await far.wait_closed() is None
            assert near.stream.outgoing.sent == 17 and near.stream.incoming.received == 3000
            with pytest.raises(sealwire.Error):
                await near.stream.write(b"late")

    run(scenario)


def test_a_writer_waits_for_a_reader(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            data = bytes(range(256)) * 40_000
            writing = asyncio.ensure_future(near.stream.write(data))
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not writing.done()  # 10 MB are more than all buffers between take
            got = bytearray()
            while len(got) < len(data):
                got += await far.stream.read(100_000)
            assert got == data
            await writing
            assert near.stats()["part_bytes_sent"] == len(data)
            await near.stream.close()
            await near.stream.wait()
            await far.stream.close()
            await near.wait_closed()

    run(scenario)


def test_a_stream_that_is_broken_off_is_truncated_at_the_other_end(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            await near.stream.write(b"half")
            assert await far.stream.readexactly(4) == b"half"
            near.stream.cancel()
            with pytest.raises(sealwire.SessionError) as caught:
                await far.stream.read()
            assert caught.value.code == "truncated"
            assert (await far.wait_closed()).code == "truncated"
            assert (await near.wait_closed()).code == "cancelled"

    run(scenario)


def test_close_ends_the_stream_in_good_order(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            await near.stream.write(b"last words")
            closing = asyncio.ensure_future(near.close())
            assert await far.stream.read() == b"last words"
            await far.stream.close()
            await closing
            assert near.reason is None and await far.wait_closed() is None
            with pytest.raises(sealwire.StateError):
                await near.stream.write(b"more")

    run(scenario)


def test_who_asks_is_decided_about_and_a_refusal_has_no_words(url):
    async def scenario():
        asked = []

        def decide(asking):
            asked.append(asking)
            return sealwire.Reject(70, "no") if len(asked) == 1 else True

        # What the node tells those of the other channel is not for these.
        async with sealwire.Node(allow=decide, data=b"welcome") as server, sealwire.Node() as client:
            listener = await server.listen(url, **SHS)
            with pytest.raises(sealwire.NotAllowedError) as caught:
                await client.connect(listener.ticket, **SHS)
            assert caught.value.text == ""
            peer = await client.connect(listener.ticket, **SHS)
            assert [one.id for one in asked] == [client.id] * 2 and asked[0].channel == "shs1" and asked[0].data == b""
            assert peer.data == b""

    run(scenario)


def test_another_network_identifier_gets_no_answer(tmp_path):
    async def scenario():
        server = sealwire.Node(allow="anyone", handshake_timeout=0.2)
        async with server, sealwire.Node() as client:
            listener = await server.listen(f"unix://{tmp_path}/s", **SHS)
            with pytest.raises(sealwire.ConnectError) as caught:
                await client.connect(listener.ticket, channel="shs1", shs_network=bytes(32))
            assert caught.value.code == "no_answer"
            with pytest.raises(sealwire.ConnectError) as caught:
                await client.connect(listener.ticket)
            assert caught.value.code == "no_answer" and server.peers == ()

    run(scenario)


def test_it_goes_over_a_pipe_of_the_program():
    async def scenario():
        async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
            listener = await server.listen("tcp://127.0.0.1:0", **SHS)
            a, b = socket.socketpair()
            accepting = asyncio.ensure_future(server.accept_pipe(*await asyncio.open_connection(sock=a), listener=listener))
            near = await client.connect_pipe(server.id, *await asyncio.open_connection(sock=b), **SHS)
            far = await accepting
            assert near.channel == far.channel == "shs1"
            await near.stream.write(b"over a pair of sockets")
            await near.stream.close()
            assert await far.stream.read() == b"over a pair of sockets"
            await far.stream.close()
            assert await near.wait_closed() is None
            a, b = socket.socketpair()
            with pytest.raises(sealwire.ArgumentError):
                await server.accept_pipe(*await asyncio.open_connection(sock=a), listener=listener, **SHS)
            b.close()

    run(scenario)


def test_a_pipe_without_a_listener_says_its_own_channel():
    async def scenario():
        async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
            a, b = socket.socketpair()
            accepting = asyncio.ensure_future(server.accept_pipe(*await asyncio.open_connection(sock=a), **SHS))
            near = await client.connect_pipe(server.id, *await asyncio.open_connection(sock=b), **SHS)
            far = await accepting
            assert near.channel == far.channel == "shs1"
            await near.stream.close()
            assert await far.stream.read() == b""
            await far.stream.close()
            assert await near.wait_closed() is None

    run(scenario)


def test_arguments_that_do_not_fit_are_refused(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            ticket = "tcp://127.0.0.1:1#" + server.id
            for options in ({"channel": "shs1"}, {"channel": "shs1", "shs_network": b"short"}, {"shs_network": NETWORK},
                            {"channel": "tls"}):
                with pytest.raises(sealwire.ArgumentError):
                    await client.connect(ticket, **options)
                with pytest.raises(sealwire.ArgumentError):
                    await server.listen("tcp://127.0.0.1:0", **options)
            with pytest.raises(sealwire.UnsupportedError):
                await client.connect(ticket, data=b"data", **SHS)
            for call in (near.send("route", b"x"), near.request("route"), near.ping()):
                with pytest.raises(sealwire.UnsupportedError) as caught:
                    await call
                assert "shs1" in caught.value.hint
            with pytest.raises(sealwire.UnsupportedError):
                near.pause()
            with pytest.raises(sealwire.UnsupportedError):
                await near.close(64, "text")
            assert not near.closed

    run(scenario)


def test_a_peer_of_the_other_channel_has_no_stream(url):
    async def scenario():
        async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
            peer = await client.connect((await server.listen(url)).ticket)
            assert peer.channel == "sealwire" and peer.stream is None

    run(scenario)


def test_a_peer_that_is_dropped_leaves_no_stream_behind(url):
    async def scenario():
        async with connected(url) as (server, client, far, near):
            await near.close(deadline=0.001)
            assert near.reason is None
            with pytest.raises(sealwire.Error):
                await near.stream.read()
        assert far.closed

    run(scenario)


# ---- The synchronous face ----

@contextlib.contextmanager
def sync_connected(url):
    with sync.Node(allow="anyone") as server, sync.Node() as client:
        listener = server.listen(url, **SHS)
        first = in_thread(lambda: next(server.arrivals()))
        while not server._arrivals and not first.done():
            pass
        peer = client.connect(listener.ticket, **SHS)
        yield first.result(), peer


def test_threads_read_and_write_streams_too(url):
    with sync_connected(url) as (far, near):
        assert near.channel == "shs1" and isinstance(near.stream, sync.Duplex)
        data = bytes(range(256)) * 20_000

        def echo():
            with far.stream:
                for piece in far.stream:
                    far.stream.write(piece)

        echoing = in_thread(echo)
        writing = in_thread(lambda: (near.stream.write(data), near.stream.close(), near.stream.wait()))
        assert near.stream.readexactly(10) == data[:10]
        assert near.stream.read() == data[10:] and near.stream.at_end
        writing.result()
        echoing.result()
        assert near.wait_closed() is None


def test_a_stream_of_threads_that_is_broken_off_is_truncated(url):
    with sync_connected(url) as (far, near):
        near.stream.write(b"half")
        assert far.stream.read(4) == b"half"
        with pytest.raises(sealwire.UnsupportedError):
            far.send("route", b"x")
        near.stream.cancel()
        with pytest.raises(sealwire.SessionError) as caught:
            far.stream.read()
        assert caught.value.code == "truncated"
