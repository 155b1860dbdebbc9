"""Streams and files on messages and replies."""

import asyncio
import gc
import io
import logging
import tracemalloc

import pytest
import sealwire
from conftest import run
from pair import pair

MB = 1_000_000


async def settled(peer, look):
    """Waits until `look()` stays the same while messages go there and back."""
    seen = None
    while seen != look():
        seen = look()
        for _ in range(20):
            await peer.request("quiet")
    return seen


def test_a_stream_that_nobody_refers_to_any_more_goes_on_when_garbage_is_collected(url):
    async def scenario():
        async def early(request):
            later.append(request.parts[0])
            request.parts[0]._begin(True)
            return "read later"

        async def source():
            for _ in range(100):
                yield b"x" * 100_000

        later = []
        async with pair(url, routes={"early": early}) as (_, _, peer):
            assert (await peer.request("early", parts=[sealwire.Stream(source())])).text() == "read later"
            received = 0
            while piece := await later[0].read(50_000):
                received += len(piece)
                if received % 1_000_000 < 50_000:
                    gc.collect()  # also while the source waits for room
            assert received == 10_000_000

    run(scenario)


def test_twenty_megabytes_go_there_and_back_at_once_in_little_memory(url):
    async def scenario():
        async def echo(request):
            (part,) = request.parts
            return sealwire.Answer("here it comes", [sealwire.Stream(part)])

        block = bytes(range(256)) * 400
        total = 20 * MB // len(block) * len(block)

        async def source():
            for _ in range(total // len(block)):
                yield block

        async with pair(url, routes={"echo": echo}) as (_, _, peer):
            tracemalloc.start()
            reply = await peer.request("echo", parts=[sealwire.Stream(source(), name="there")])
            assert reply.text() == "here it comes"
            (part,) = reply.parts
            assert (part.kind, part.size, part.name) == ("stream", None, "")
            for _ in range(total // len(block)):
                assert await part.readexactly(len(block)) == block
            assert await part.read() == b"" and part.at_end and part.received == total
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 8 * MB
    run(scenario)


def test_every_kind_of_source(url, tmp_path):
    content = bytes(range(256)) * 3000
    path = tmp_path / "a name.bin"
    path.write_bytes(content)

    async def scenario():
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()

        async def agen():
            yield content[:7]
            yield b""
            yield bytearray(content[7:])

        async def handler(request):
            out = []
            for part in request.parts:
                out.append([part.kind, part.name, part.size, await part.read() == content])
            return out

        with open(path, "rb") as opened:
            await sources(opened, agen, reader, handler)

    async def sources(opened, agen, reader, handler):
        async with pair(url, routes={"x": handler}) as (_, _, peer):
            size = len(content)
            cases = [
                (sealwire.Stream(content, name="n"), ["stream", "n", size, True]),
                (sealwire.Stream(memoryview(content)), ["stream", "", size, True]),
                (sealwire.Stream(agen()), ["stream", "", None, True]),
                (sealwire.Stream(iter([content[:9], content[9:]]), size=size), ["stream", "", size, True]),
                (sealwire.Stream(io.BytesIO(content)), ["stream", "", None, True]),
                (sealwire.Stream(reader), ["stream", "", None, True]),
                (sealwire.Stream(path), ["stream", "a name.bin", size, True]),
                (sealwire.File(path), ["file", "a name.bin", size, True]),
                (sealwire.File(str(path), name="other"), ["file", "other", size, True]),
                (sealwire.File(opened, name="o"), ["file", "o", None, True]),
            ]
            reply = await peer.request("x", parts=[stream for stream, _ in cases])
            assert reply.json() == [expected for _, expected in cases]
            for stream, _ in cases:
                await stream.wait()
                assert stream.sent == size
            with pytest.raises(RuntimeError):
                await peer.request("x", parts=[cases[0][0]])
            with pytest.raises(TypeError):
                sealwire.Stream("text")
            with pytest.raises(TypeError):
                await peer.request("x", parts=[b"bytes"])
            with pytest.raises(FileNotFoundError):
                await peer.send("x", parts=[sealwire.File(tmp_path / "none")])
    run(scenario)


def test_a_stream_is_written_by_the_program(url):
    async def scenario():
        got = asyncio.get_running_loop().create_future()

        async def handler(request):
            part = request.parts[0]
            got.set_result((await part.read(), part.digest, part.digest_algorithm))

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream()
            await peer.send("x", parts=[stream])
            await stream.write(b"a")
            await stream.write(bytearray(3 * MB))
            await stream.close(digest=b"d" * 32)
            await stream.wait()
            assert await got == (b"a" + bytes(3 * MB), b"d" * 32, 1)
            with pytest.raises(sealwire.Error):
                await stream.write(b"more")
            got = asyncio.get_running_loop().create_future()
            stream = sealwire.Stream(size=3)

            async def write():
                async with stream:  # waits for its message
                    await stream.write(b"abc")
            task = asyncio.ensure_future(write())
            await peer.request("x", parts=[stream])
            await task
            assert await got == (b"abc", b"", 0)
    run(scenario)


def test_reading_exactly_putting_back_and_by_chunks(url):
    async def scenario():
        async def handler(request):
            part = request.parts[0]
            assert await part.read(0) == b""
            assert await part.readexactly(3) == b"012"
            part.unread(b"12")
            part.unread(b"")
            assert await part.readexactly(4) == b"1234"
            part.unread(b"34")
            assert await part.read(1) == b"3"
            assert b"".join([chunk async for chunk in part]) == b"456789"
            assert await part.read(5) == b"" and await part.read() == b"" and part.at_end
            part.unread(b"xy")
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await part.readexactly(3)
            assert caught.value.partial == b"xy"
            return b"good"

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            assert (await peer.request("x", parts=[sealwire.Stream(b"0123456789")])).body == b"good"
            tiny = sealwire.Stream(iter([b"%d" % n for n in range(10)]))
            assert (await peer.request("x", parts=[tiny])).body == b"good"
    run(scenario)


def test_a_receiver_that_stops_a_part_is_seen_by_its_sender(url):
    async def scenario():
        ended = asyncio.Event()

        async def handler(request):
            await request.parts[0].readexactly(10)
            await request.parts[0].cancel(77)
            with pytest.raises(sealwire.ClosedError):
                await request.parts[0].read()
            return await request.parts[1].read()

        async def endless():
            try:
                while True:
                    yield bytes(1000)
            finally:
                ended.set()

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream(endless())
            reply = await peer.request("x", parts=[stream, sealwire.Stream(b"whole")])
            assert reply.body == b"whole"
            with pytest.raises(sealwire.CancelledByPeer) as caught:
                await stream.wait()
            assert caught.value.status == 77
            await ended.wait()  # its source was closed
            written = sealwire.Stream()
            task = asyncio.ensure_future(peer.request("x", parts=[written, sealwire.Stream(b"")]))
            with pytest.raises(sealwire.CancelledByPeer):
                while True:
                    await written.write(bytes(1000))
            assert (await task).body == b""
            with pytest.raises(sealwire.CancelledByPeer):
                await peer.send("x", parts=[sealwire.Stream(endless()), sealwire.Stream(b"")])
    run(scenario)


def test_a_sender_that_gives_up_is_seen_by_the_receiver(url):
    async def scenario():
        async def handler(request):
            try:
                await request.parts[0].read()
            except sealwire.CancelledByPeer as error:
                return error.status

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream()
            task = asyncio.ensure_future(peer.request("x", parts=[stream]))
            await stream.write(b"some")
            stream.cancel(99)
            assert (await task).json() == 99
            with pytest.raises(sealwire.Error):
                await stream.write(b"more")
            dropped = sealwire.Stream()
            task = asyncio.ensure_future(peer.request("x", parts=[dropped]))
            await dropped.write(b"some")
            with pytest.raises(ValueError):
                async with dropped:
                    raise ValueError("of the program")
            assert (await task).json() == 0
    run(scenario)


def test_a_source_that_raises_reaches_the_sender_and_stops_the_part(url, caplog):
    async def scenario():
        seen = []

        async def handler(request):
            try:
                await request.parts[0].read()
            except sealwire.Error as error:
                seen.append(error.code)
                raise

        async def answering(request):
            return sealwire.Answer(b"reply", [sealwire.Stream(broken())])

        async def broken():
            yield b"some"
            raise ValueError("the source's own")

        async with pair(url, routes={"x": handler, "answering": answering, "quiet": lambda r: None}) as (_, _, peer):
            with pytest.raises(ValueError, match="the source's own"):
                await peer.send("x", parts=[sealwire.Stream(broken())])
            with pytest.raises(ValueError, match="the source's own"):
                await peer.request("x", parts=[sealwire.Stream(broken())])
            with pytest.raises(ValueError, match="bytes were written"):
                await peer.request("x", parts=[sealwire.Stream(iter([b"short"]), size=9)])
            with pytest.raises(ValueError, match="the source's own"):
                await peer.request_many("x", parts=[sealwire.Stream(broken())]).__anext__()
            with pytest.raises(TypeError):
                await peer.send("x", parts=[sealwire.Stream(iter(["text"]))])
            caplog.clear()
            reply = await peer.request("answering")
            with pytest.raises(sealwire.CancelledByPeer):
                await reply.parts[0].read()
            await peer.request("quiet")
            assert "the source's own" in [str(r.exc_info[1]) for r in caplog.records if r.levelno == logging.ERROR]
            assert set(seen) <= {"cancelled"}
    run(scenario)


@pytest.mark.parametrize("piece", [100, 100_000])
def test_a_slow_reader_stops_the_sender(url, piece):
    async def scenario():
        read, done = asyncio.Event(), asyncio.Event()

        async def handler(request):
            part = request.parts[0]
            await part.readexactly(1)
            await read.wait()
            while not part.at_end:
                await part.read(100_000)
            done.set()

        pieces = (20 if piece > 100 else 6) * MB // piece
        stream = sealwire.Stream(iter([bytes(piece)] * pieces))
        async with pair(url, routes={"x": handler, "quiet": lambda r: None}) as (_, _, peer):
            task = asyncio.ensure_future(peer.send("x", parts=[stream]))
            stood = await settled(peer, lambda: stream.sent)
            assert 0 < stood < 4 * MB
            read.set()
            await task
            await done.wait()
            assert stream.sent == pieces * piece
    run(scenario)


def test_what_a_handler_never_read_is_stopped(url):
    async def scenario():
        kept = []

        def plain(request):
            kept.append(request)

        async def task(request):
            kept.append(request)
            await asyncio.sleep(0)

        async def explicit(request):
            kept.append(request)
            request.reply(b"early")

        async def failing(request):
            kept.append(request)
            await request.parts[0].readexactly(1)
            raise ValueError("no")

        routes = {"plain": plain, "task": task, "explicit": explicit, "failing": failing}
        async with pair(url, routes=routes) as (_, _, peer):
            for route in routes:
                for ask in (peer.request, peer.send):
                    if route == "explicit" and ask == peer.send:
                        continue
                    stream = sealwire.Stream()
                    result = asyncio.ensure_future(ask(route, parts=[stream]))
                    with pytest.raises(sealwire.Error) as caught:
                        while True:
                            await stream.write(bytes(1000))
                    assert caught.value.code in ("cancelled", "handler_failed")
                    try:
                        await result
                    except sealwire.HandlerFailed:
                        assert route == "failing"
    run(scenario)


def test_a_part_may_be_read_after_the_reply(url):
    async def scenario():
        async def handler(request):
            request.reply(b"go on")
            assert len(await request.parts[0].read()) == 2 * MB
            await request.peer.send("done")

        async with pair(url, routes={"x": handler}) as (_, client, peer):
            done = asyncio.Event()
            client.route("done")(lambda request: done.set())
            reply = await peer.request("x", parts=[sealwire.Stream(bytes(2 * MB))])
            assert reply.body == b"go on" and reply.parts == []
            await done.wait()
    run(scenario)


def test_dropped_parts_are_stopped(url):
    async def scenario():
        async def answering(request):
            stream = sealwire.Stream(iter([bytes(1000)] * 100_000))
            request.reply(b"", [stream])
            try:
                await stream.wait()
            except sealwire.CancelledByPeer:
                stopped.set()

        stopped = asyncio.Event()
        async with pair(url, routes={"answering": answering}) as (_, _, peer):
            reply = await peer.request("answering")
            await reply.parts[0].readexactly(5)
            reply = None
            gc.collect()
            await stopped.wait()
    run(scenario)


def test_a_dropped_stream_is_incomplete_for_its_receiver(url):
    async def scenario():
        ended = asyncio.get_running_loop().create_future()

        async def handler(request):
            try:
                ended.set_result(await request.parts[0].read())
            except sealwire.Error as error:
                ended.set_result(error.code)

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream()
            await peer.send("x", parts=[stream])
            await stream.write(b"some")
            del stream
            gc.collect()
            assert await ended == "cancelled"
    run(scenario)


def test_a_cancelled_request_ends_parts_both_ways(url):
    async def scenario():
        reading, ended = asyncio.Event(), asyncio.Event()

        async def handler(request):
            try:
                await request.parts[0].readexactly(10)
                reading.set()
                await request.parts[0].read()
            finally:
                ended.set()

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream()
            task = asyncio.ensure_future(peer.request("x", parts=[stream]))
            await stream.write(bytes(10))
            await reading.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ended.wait()
            with pytest.raises(sealwire.Error):
                while True:
                    await stream.write(bytes(1000))
    run(scenario)


def test_a_lost_session_ends_what_reads_and_writes(url):
    async def scenario():
        reading, failures = asyncio.Event(), []
        both = asyncio.Event()

        async def handler(request):
            try:
                await request.parts[0].readexactly(10)
                reading.set()
                await request.parts[0].read()
            except (sealwire.Error, asyncio.CancelledError) as error:
                failures.append(error)
                both.set()
                raise

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            stream = sealwire.Stream()
            await peer.send("x", parts=[stream])
            await stream.write(bytes(10))
            await reading.wait()
            await peer.close(deadline=0.01)
            with pytest.raises(sealwire.Error):
                while True:
                    await stream.write(bytes(1000))
            await both.wait()
            with pytest.raises(sealwire.Error):
                await peer.send("x", parts=[sealwire.Stream(b"1")])
    run(scenario)


def test_parts_of_messages_that_are_iterated_over(url):
    async def scenario():
        async with pair(url, routes={"quiet": lambda r: None}) as (server, _, peer):
            with server.messages("n") as messages:
                given_up = sealwire.Stream()
                await peer.send("n", parts=[given_up])
                given_up.cancel(70)
                task = asyncio.ensure_future(peer.request("n", b"2", parts=[sealwire.Stream(b"12345")]))
                await peer.request("quiet")
                first = await messages.__anext__()
                with pytest.raises(sealwire.CancelledByPeer) as caught:
                    await first.parts[0].read()
                assert caught.value.status == 70
                second = await messages.__anext__()
                second.reply(await second.parts[0].read())
                assert (await task).body == b"12345"
                left = sealwire.Stream()
                await peer.send("n", parts=[left])
                await peer.request("quiet")
            with pytest.raises(sealwire.Error):
                while True:
                    await left.write(bytes(1000))
    run(scenario)


def test_many_replies_with_parts(url):
    async def scenario():
        async def handler(request):
            async for chunk in request.parts[0]:
                yield sealwire.Answer(b"chunk", [sealwire.Stream(chunk), sealwire.File(b"f", name="f")])
            yield b"end"

        async def one(request):
            yield sealwire.Answer({"n": 1}, [sealwire.Stream(b"only")])

        async with pair(url, routes={"x": handler, "one": one}) as (_, _, peer):
            got, body = [], b"abc" * 1000
            async for reply in peer.request_many("x", parts=[sealwire.Stream(body)]):
                got.append((reply.body, [await part.read() for part in reply.parts]))
            assert b"".join(parts[0] for name, parts in got[:-1]) == body
            assert got[-1] == (b"end", []) and all(parts[1] == b"f" for _, parts in got[:-1])
            reply = await peer.request("one")
            assert (reply.json(), await reply.parts[0].read()) == ({"n": 1}, b"only")
    run(scenario)


def test_closed_nodes_with_parts_leave_nothing_behind(url):
    async def scenario():
        import weakref

        async def once():
            async with pair(url, routes={"x": lambda request: sealwire.Answer(b"", [sealwire.Stream(b"1")])}) as nodes:
                reply = await nodes[2].request("x", parts=[sealwire.Stream(b"1")])
                assert await reply.parts[0].read() == b"1"
                return [weakref.ref(one) for one in (*nodes, reply.parts[0])]
        references = await once()
        gc.collect()
        assert [one() for one in references] == [None] * 4
    run(scenario)
