"""Many replies to one request."""

import asyncio
import gc
import logging

import pytest
import sealwire
from conftest import run
from pair import pair


async def count(request):
    for number in range(int(request.body)):
        yield b"%d" % number


def count_plainly(request):
    for number in range(int(request.body)):
        yield b"%d" % number


def test_each_yield_of_a_handler_is_a_reply(url):
    async def scenario():
        async def returned(request):
            return count_plainly(request)

        routes = {"async": count, "plain": count_plainly, "returned": returned}
        async with pair(url, routes=routes) as (_, _, peer):
            for route in routes:
                for many in (0, 1, 500):
                    got = [int(reply.body) async for reply in peer.request_many(route, str(many))]
                    assert got == list(range(many))
    run(scenario)


def test_one_reply_is_iterated_over_as_well(url):
    async def scenario():
        async with pair(url, routes={"one": lambda request: {"many": request.wants_many}}) as (_, _, peer):
            assert [reply.json() async for reply in peer.request_many("one")] == [{"many": True}]
            assert (await peer.request("one")).json() == {"many": False}
    run(scenario)


def test_replies_may_be_sent_one_by_one(url):
    async def scenario():
        async def handler(request):
            await request.more({"a": 1})
            await request.more("two")
            if request.body:
                request.reply(b"last")

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            assert [one.body async for one in peer.request_many("x")] == [b'{"a":1}', b"two"]
            assert [one.body async for one in peer.request_many("x", "y")] == [b'{"a":1}', b"two", b"last"]
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("x")
    run(scenario)


def endless(request, seen):
    async def generator():
        try:
            yield b"first"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("finally")
            ended = request.peer.node.ended
            ended.set()
    return generator()


@pytest.mark.parametrize("how", ["break", "cancel", "aclose", "gc", "with"])
def test_who_wants_no_more_ends_the_handler_at_the_peer(url, how):
    async def scenario():
        seen = []
        async with pair(url, routes={"x": lambda request: endless(request, seen)}) as (server, _, peer):
            server.ended = asyncio.Event()
            if how == "break":
                async for reply in peer.request_many("x"):
                    break
            elif how == "cancel":
                first = asyncio.Event()

                async def work():
                    async for _ in peer.request_many("x"):
                        first.set()
                task = asyncio.ensure_future(work())
                await first.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            elif how == "with":
                async with peer.request_many("x") as replies:
                    await replies.__anext__()
            else:
                replies = peer.request_many("x")
                assert (await replies.__anext__()).body == b"first"
                if how == "aclose":
                    await replies.aclose()
                    with pytest.raises(StopAsyncIteration):
                        await replies.__anext__()
                else:
                    kept = [replies]
                    kept.append(kept)
                    del replies, kept
                    gc.collect()
            await server.ended.wait()
            assert seen == ["cancelled", "finally"]
    run(scenario)


def test_a_failure_comes_behind_the_replies_before_it(url):
    async def scenario():
        go = asyncio.Event()

        async def status(request):
            yield b"1"
            await go.wait()  # what was not sent yet is dropped by a failure
            raise sealwire.Status(64, "enough")

        async def failing(request):
            yield b"1"
            await go.wait()
            raise ValueError("secret")

        async with pair(url, routes={"status": status, "failing": failing}) as (_, _, peer):
            for route, kind in [("status", sealwire.Status), ("failing", sealwire.HandlerFailed)]:
                go.clear()
                got = []
                with pytest.raises(kind):
                    async for reply in peer.request_many(route):
                        got.append(reply.body)
                        go.set()
                assert got == [b"1"]
            with pytest.raises(sealwire.NoRouteError):
                await peer.request_many("nowhere").__anext__()
            replies = peer.request_many("status")
            go.clear()
            await replies.__anext__()
            await peer.close(deadline=0.01)
            with pytest.raises(sealwire.Error):
                await replies.__anext__()
            with pytest.raises(StopAsyncIteration):
                await replies.__anext__()
    run(scenario)


def test_the_deadline_is_for_the_first_reply(url):
    async def scenario():
        async def slow(request):
            if request.body:
                yield b"first"
            await asyncio.Event().wait()

        async with pair(url, routes={"slow": slow}) as (_, _, peer):
            with pytest.raises(TimeoutError):
                await peer.request_many("slow", timeout=0.05).__anext__()
            replies = peer.request_many("slow", b"x", timeout=0.1)
            await replies.__anext__()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(replies.__anext__(), 0.3)  # nothing of the library's ended it before
    run(scenario)


def test_a_handler_that_yields_to_a_plain_request(url, caplog):
    async def scenario():
        closed = []

        def several(request):
            try:
                yield b"1"
                yield b"2"
            finally:
                closed.append(True)

        async with pair(url, routes={"count": count, "several": several}) as (_, _, peer):
            assert (await peer.request("count", b"1")).body == b"0"  # exactly one is an answer
            assert not (await peer.request("count", b"0")).has_body
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("several")
            assert closed == [True]
            (record,) = [r for r in caplog.records if r.name == "sealwire" and r.levelno == logging.ERROR]
            assert "request_many" in str(record.exc_info[1])
            await peer.send("several", receipt=True)
    run(scenario)


@pytest.mark.parametrize("size", [100, 30_000])
def test_a_slow_iterator_stops_the_handler(url, size):
    async def scenario():
        sent, last = [], asyncio.Event()

        async def flood(request):
            while True:
                yield bytes(size)
                sent.append(1)
                last.set()

        async with pair(url, {"send_queue_bytes": 65536}, routes={"flood": flood, "quiet": lambda r: None}) as (_, _, peer):
            replies = peer.request_many("flood")
            await replies.__anext__()
            while last.is_set():  # until it stands still
                last.clear()
                for _ in range(20):
                    await peer.request("quiet")
            stood = len(sent)
            assert stood * size < 400_000
            for _ in range(stood + 50):
                assert len(await replies.__anext__()) == size
            await replies.aclose()
    run(scenario)
