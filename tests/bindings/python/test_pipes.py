"""Pipes that the program carries: sessions over streams, files and sockets of its own, in both faces."""

import asyncio
import contextlib
import io
import os
import socket
import sys

import pytest
import sealwire
from conftest import DEADLINE, run
from sealwire import sync
from sync_pair import echo, in_thread, until


async def streams():
    """Two connected ends: (reader, writer) of each."""
    ours, theirs = socket.socketpair()
    return await asyncio.open_connection(sock=ours), await asyncio.open_connection(sock=theirs)


@contextlib.asynccontextmanager
async def nodes(allow="anyone", **options):
    # Sessions end with their pipe: one that is suspended waits for another.
    server = sealwire.Node(network="tests", allow=allow, handshake_timeout=0.3, lease=0, **options)
    server.route("echo")(lambda request: request.body)
    async with server, sealwire.Node(network="tests", handshake_timeout=0.3, lease=0) as client:
        yield server, client


async def connected(server, client, near, far, **options):
    return await asyncio.gather(client.connect_pipe(server.id, *near, **options), server.accept_pipe(*far, address="line:far"))


def test_a_session_runs_over_asyncio_streams():
    async def scenario():
        came = []
        async with nodes(on_peer=came.append) as (server, client):
            near, far = await streams()
            here, there = await connected(server, client, near, far, address="line:near", data=b"hello")
            assert (here.id, there.id) == (server.id, client.id)
            assert (here.address, there.address) == ("line:near", "line:far")
            assert there.data == b"hello" and came == [there] and here.dialled and not there.dialled
            body = os.urandom(3_000_000)
            assert (await here.request("echo", body)).body == body
            await here.close()
            await there.wait_closed()
            assert await far[0].read() == b"" and near[1].is_closing() and far[1].is_closing()
        assert not server._pipes.all and not client._pipes.all
    run(scenario)


def test_a_session_whose_pipe_broke_goes_on_over_another():
    async def scenario():
        links, lost = [], asyncio.Event()

        def on_link(peer, link):
            links.append((peer, link))
            lost.set()

        server = sealwire.Node(network="tests", allow="anyone")
        server.route("echo")(lambda request: request.body)
        async with server, sealwire.Node(network="tests", on_link=on_link) as client:
            near, far = await streams()
            here, there = await connected(server, client, near, far)
            for _, writer in (near, far):
                writer.transport.abort()
            await asyncio.wait_for(lost.wait(), DEADLINE)
            assert here.suspended and not here.closed and links[0][1].state == "suspended"
            answer = asyncio.ensure_future(here.request("echo", b"meanwhile"))
            assert await connected(server, client, *await streams(), address="line:again") == [here, there]
            assert (await answer).body == b"meanwhile"
            assert (here.address, there.address, here.suspended) == ("line:again", "line:far", False)
    run(scenario)


def test_a_session_closes_at_once_where_the_pipe_has_no_end_of_its_own():
    class Half:
        """As a serial line: nothing tells the other side that this one has gone."""

        def __init__(self, to):
            self.to = to

        def write(self, data):
            self.to.feed_data(data)

    async def scenario():
        async with nodes() as (server, client):
            one, other = asyncio.StreamReader(), asyncio.StreamReader()
            here, there = await connected(server, client, (one, Half(other)), (other, Half(one)))
            assert (await here.request("echo", b"x")).body == b"x"
            await here.close()
            await there.wait_closed()
            assert there.reason.code == "peer_closed"
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before < 1.5  # a wait for the other's end would take 2 s
    run(scenario)


def test_small_buffers_only_slow_it_down():
    async def scenario():
        async with nodes() as (server, client):
            near, far = await streams()
            here, _ = await connected(server, client, near, far, buffer_bytes=700)
            body = os.urandom(300_000)
            assert (await here.request("echo", body)).body == body
    run(scenario)


def test_who_is_refused_is_told_and_who_accepts_learns_why_nobody_came():
    async def scenario():
        async with nodes(allow=[]) as (server, client):
            near, far = await streams()
            dialled, accepted = await asyncio.gather(client.connect_pipe(server.id, *near), server.accept_pipe(*far),
                                                     return_exceptions=True)
            assert isinstance(dialled, sealwire.NotAllowedError) and isinstance(accepted, sealwire.NotAllowedError)
            assert server.peers == () and near[1].is_closing()
    run(scenario)


def test_a_reader_or_writer_that_fails_loses_the_peer_with_its_words():
    class Broken:
        def __init__(self, inner):
            self.inner, self.broken = inner, asyncio.get_running_loop().create_future()

        async def read(self, n):
            reading = asyncio.ensure_future(self.inner.read(n))
            await asyncio.wait([reading, self.broken], return_when=asyncio.FIRST_COMPLETED)
            if self.broken.done():
                reading.cancel()
                raise OSError("unplugged")
            return await reading

    async def scenario():
        async with nodes() as (server, client):
            near, far = await streams()
            broken = Broken(near[0])
            here, there = await connected(server, client, (broken, near[1]), far)
            broken.broken.set_result(None)
            await here.wait_closed()
            assert here.reason.code == "peer_lost" and "OSError: unplugged" in here.reason.detail
            await there.wait_closed()
    run(scenario)


def test_strangers_are_met_by_silence():
    async def scenario():
        async with nodes() as (server, _):
            near, far = await streams()
            accepting = asyncio.ensure_future(server.accept_pipe(*far))
            near[1].write(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(sealwire.Error):
                await accepting
            assert await near[0].read() == b""
            near[1].close()
    run(scenario)


def test_a_wait_that_is_cancelled_ends_its_pipe():
    async def scenario():
        async with nodes() as (server, client):
            near, far = await streams()
            accepting = asyncio.ensure_future(server.accept_pipe(*far))
            await asyncio.sleep(0)
            accepting.cancel()
            assert await near[0].read() == b""
            near[1].close()
            near, far = await streams()
            dialling = asyncio.ensure_future(client.connect_pipe(server.id, *near))
            await far[0].readexactly(1280)
            dialling.cancel()
            assert await far[0].read() == b""
            far[1].close()
    run(scenario)


def test_the_limits_of_a_listener_hold_for_a_pipe_that_is_accepted_under_it():
    async def scenario():
        async with nodes() as (server, client):
            listener = await server.listen("tcp://127.0.0.1:0")
            near, far = await streams()
            here, _ = await asyncio.gather(client.connect_pipe(server.id, *near), server.accept_pipe(*far, listener=listener))
            assert (await here.request("echo", b"x")).body == b"x"
            await listener.close()
            near, far = await streams()
            with pytest.raises(sealwire.ClosedError):
                await server.accept_pipe(*far, listener=listener)
            for each in (*near[1:], *far[1:]):
                each.close()
    run(scenario)


def test_wrong_arguments_are_refused():
    async def scenario():
        async with nodes() as (server, client):
            near, far = await streams()
            for wrong in (lambda: client.connect_pipe("nonsense", *near), lambda: client.connect_pipe(server.id, *near, address="a\nb"),
                          lambda: client.connect_pipe(server.id, *near, buffer_bytes=2**31), lambda: client.connect_pipe(server.id, 1, 2),
                          lambda: client.accept_pipe(near[0], None), lambda: client.connect_pipe(server.id, *near, data=1)):
                with pytest.raises(sealwire.ArgumentError):
                    await wrong()
            with pytest.raises(sealwire.ConnectError):
                await client.connect_pipe(client.id, *near)
            assert not client._pipes.all
            for each in (near[1], far[1]):
                each.close()
    run(scenario)


def test_a_child_process_is_spoken_to_over_its_standard_streams(script, folder_of_package, tmp_path):
    child = tmp_path / "child.py"
    child.write_text("""
import sys
from sealwire import sync
with sync.Node(network="tests", allow="anyone", identity=sync_key) as node:
    node.route("echo")(lambda request: request.body)
    node.serve_in_background()
    peer = node.accept_pipe(sys.stdin.buffer, sys.stdout.buffer)
    peer.wait_closed()
""".replace("sync_key", repr(str(tmp_path / "key"))))
    identity = sealwire.Identity.generate()
    identity.save(tmp_path / "key")

    async def scenario():
        process = await asyncio.create_subprocess_exec(sys.executable, str(child), stdin=asyncio.subprocess.PIPE,
                                                       stdout=asyncio.subprocess.PIPE,
                                                       env={**os.environ, "PYTHONPATH": folder_of_package})
        async with sealwire.Node(network="tests") as node:
            peer = await node.connect_pipe(identity.id, process.stdout, process.stdin)
            body = os.urandom(500_000)
            assert (await peer.request("echo", body)).body == body
            await peer.close()
        assert await process.wait() == 0
    run(scenario)


# ---- Without an event loop ----


@contextlib.contextmanager
def sync_nodes(allow="anyone"):
    with sync.Node(network="tests", allow=allow, handshake_timeout=0.3) as server, \
            sync.Node(network="tests", handshake_timeout=0.3) as client:
        server.route("echo")(echo)
        server.serve_in_background()
        yield server, client


def both(kind):
    """Two connected ends, each (reader, writer)."""
    if kind == "sockets":
        ours, theirs = socket.socketpair()
        return (ours, ours), (theirs, theirs)
    there, back = os.pipe(), os.pipe()
    buffering = 0 if kind == "raw files" else -1
    return ((os.fdopen(back[0], "rb", buffering), os.fdopen(there[1], "wb", buffering)),
            (os.fdopen(there[0], "rb", buffering), os.fdopen(back[1], "wb", buffering)))


@pytest.mark.parametrize("kind", ["sockets", "files", "raw files"])
def test_a_session_runs_over_what_threads_read_and_write(kind):
    with sync_nodes() as (server, client):
        near, far = both(kind)
        accepting = in_thread(lambda: server.accept_pipe(*far, address="line:far"))
        here = client.connect_pipe(server.id, *near, address="line:near", timeout=DEADLINE)
        there = accepting.result(DEADLINE)
        assert (here.id, there.id, there.address) == (server.id, client.id, "line:far")
        body = os.urandom(2_000_000)
        assert here.request("echo", body).body == body
        here.close()
        assert there.wait_closed(DEADLINE)
        until(lambda: all(each.fileno() < 0 if isinstance(each, socket.socket) else each.closed for each in (*near, *far)))


def test_a_synchronous_wait_learns_why_nobody_came():
    with sync_nodes(allow=[]) as (server, client):
        near, far = both("sockets")
        accepting = in_thread(lambda: server.accept_pipe(*far))
        with pytest.raises(sealwire.NotAllowedError):
            client.connect_pipe(server.id, *near)
        with pytest.raises(sealwire.NotAllowedError):
            accepting.result(DEADLINE)


def test_a_file_that_fails_loses_the_peer():
    class Failing(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, _):
            raise OSError("unplugged")

    with sync_nodes() as (server, client):
        with pytest.raises(sealwire.Error) as caught:
            client.connect_pipe(server.id, Failing(), io.BytesIO())
        assert "unplugged" in str(caught.value)
        with pytest.raises(sealwire.ArgumentError):
            client.connect_pipe(server.id, 1, 2)


def test_the_two_faces_talk_over_a_socketpair():
    async def scenario():
        loop = asyncio.get_running_loop()
        with sync_nodes() as (server, _):
            ours, theirs = socket.socketpair()
            accepting = loop.run_in_executor(None, server.accept_pipe, theirs, theirs)
            async with sealwire.Node(network="tests") as client:
                peer = await client.connect_pipe(server.id, *await asyncio.open_connection(sock=ours))
                assert (await peer.request("echo", b"both")).body == b"both"
            await accepting
    run(scenario)
