"""Requests, replies and messages between two nodes."""

import asyncio
import logging

import pytest
import sealwire
from conftest import run
from pair import pair


def test_a_request_is_echoed_by_plain_and_async_handlers(url):
    async def scenario():
        async def later(request):
            await asyncio.sleep(0)
            return request.body

        async with pair(url, routes={"now": lambda request: request.body, "later": later}) as (_, _, peer):
            for route in ("now", "later"):
                reply = await peer.request(route, b"hello")
                assert (reply.body, reply.has_body, bytes(reply.view), reply.kind) == (b"hello", True, b"hello", "bytes")
                assert len(reply) == 5
    run(scenario)


def test_the_handler_sees_the_proved_id_of_who_asks(url):
    async def scenario():
        seen = []

        async with pair(url, routes={"who": lambda request: seen.append(request.peer.id)}) as (server, client, peer):
            await peer.request("who")
            assert seen == [client.id]
            assert peer.id == server.id
            assert [one.id for one in server.peers] == [client.id]
    run(scenario)


def test_json_text_and_any_buffer_are_bodies(url):
    async def scenario():
        def handler(request):
            return {"kind": request.kind, "text": request.text(), "route": request.route}

        async with pair(url, routes={"": handler}) as (_, _, peer):
            for body, kind, text in [({"a": [1, None]}, "json", '{"a":[1,null]}'), ("ä", "utf8", "ä"),
                                     (bytearray(b"x"), "bytes", "x"), (memoryview(b"xyz")[1:], "bytes", "yz"),
                                     ([1, 2], "json", "[1,2]"), (b"", "bytes", "")]:
                reply = await peer.request("any", body)
                assert reply.json() == {"kind": kind, "text": text, "route": "any"}
            with pytest.raises(TypeError):
                await peer.request("any", object())
    run(scenario)


def test_none_is_a_fast_reply_without_a_body(url):
    async def scenario():
        async with pair(url, routes={"quiet": lambda request: None}) as (_, _, peer):
            reply = await peer.request("quiet")
            assert not reply.has_body and reply.body == b""
    run(scenario)


def test_a_status_reaches_the_requester(url):
    async def scenario():
        def plain(request):
            raise sealwire.Status(64, "no")

        async def task(request):
            raise sealwire.Status(4095, "never")

        def explicit(request):
            request.status(65, "said so")

        async with pair(url, routes={"plain": plain, "task": task, "explicit": explicit}) as (server, _, peer):
            for route, code, text in [("plain", 64, "no"), ("task", 4095, "never"), ("explicit", 65, "said so")]:
                with pytest.raises(sealwire.Status) as caught:
                    await peer.request(route)
                error = caught.value
                assert (error.status, error.text, error.code, error.peer) == (code, text, "status", server.id)
    run(scenario)


@pytest.mark.parametrize("words", ["x" * 1025, "\udc80", None])
def test_a_status_with_words_that_cannot_be_sent_is_a_failed_handler(url, caplog, words):
    async def scenario():
        def plain(request):
            raise sealwire.Status(70, words)

        async def task(request):
            raise sealwire.Status(70, words)

        async with pair(url, routes={"plain": plain, "task": task}) as (_, _, peer):
            for route in ("plain", "task"):
                with pytest.raises(sealwire.HandlerFailed):
                    await peer.request(route, timeout=20)
        assert sum("the handler of" in line for line in caplog.messages) == 2
    run(scenario)


def test_closing_with_a_wrong_code_closes_nothing(url):
    async def scenario():
        async with pair(url, routes={"alive": lambda request: b"yes"}) as (_, _, peer):
            with pytest.raises(sealwire.ArgumentError):
                await peer.close(5)
            assert (await peer.request("alive")).body == b"yes"
            await peer.close()
            assert peer.closed
    run(scenario)


def test_an_exception_in_a_handler_is_logged_here_and_tells_nothing_there(url, caplog):
    async def scenario():
        def plain(request):
            raise ValueError("secret of the server")

        async def task(request):
            raise ValueError("secret of the server")

        def unserialisable(request):
            return {"x": object()}

        routes = {"plain": plain, "task": task, "unserialisable": unserialisable}
        async with pair(url, routes=routes) as (_, client, peer):
            for route in routes:
                caplog.clear()
                with pytest.raises(sealwire.HandlerFailed) as caught:
                    await peer.request(route)
                assert caught.value.code == "handler_failed"
                assert "secret" not in str(caught.value) and "secret" not in repr(vars(caught.value))
                (record,) = [r for r in caplog.records if r.name == "sealwire" and r.levelno == logging.ERROR]
                assert route in record.getMessage() and client.id in record.getMessage()
                assert record.exc_info
    run(scenario)


def test_a_deadline_passes(url):
    async def scenario():
        ended = asyncio.Event()

        async def forever(request):
            assert 0 < request.timeout <= 0.05
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with pair(url, routes={"forever": forever}) as (_, _, peer):
            with pytest.raises(TimeoutError) as caught:
                await peer.request("forever", timeout=0.05)
            assert isinstance(caught.value, sealwire.DeadlineError) and caught.value.code == "timeout"
            await ended.wait()  # the handler's task was cancelled at the peer
    run(scenario)


def test_a_cancelled_task_is_seen_as_cancelled_by_the_peers_handler(url):
    async def scenario():
        started, ended = asyncio.Event(), asyncio.Event()
        requests = []

        async def forever(request):
            requests.append(request)
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.set()
                raise

        async with pair(url, routes={"forever": forever}) as (_, _, peer):
            task = asyncio.ensure_future(peer.request("forever", timeout=sealwire.NEVER))
            await started.wait()
            assert requests[0].timeout is None and not requests[0].cancelled
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ended.wait()
            assert requests[0].cancelled
    run(scenario)


@pytest.mark.filterwarnings("error")
def test_requests_that_are_cancelled_before_their_handler_begins_leave_nothing(url):
    async def scenario():
        async def forever(request):
            await asyncio.Event().wait()

        async with pair(url, routes={"forever": forever, "x": lambda request: None}) as (server, _, peer):
            for _ in range(100):
                task = asyncio.ensure_future(peer.request("forever"))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.sleep(0)
            await peer.request("x")
            assert server._core.tasks == []
    run(scenario)


def test_a_handler_of_a_peer_that_has_gone_is_cancelled(url):
    async def scenario():
        started, ended = asyncio.Event(), asyncio.Event()

        async def forever(request):
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with pair(url, routes={"forever": forever}) as (_, _, peer):
            task = asyncio.ensure_future(peer.request("forever"))
            await started.wait()
            await peer.close(deadline=0.01)
            with pytest.raises(sealwire.Error):
                await task
            await ended.wait()
    run(scenario)


def test_no_route(url):
    async def scenario():
        async with pair(url) as (_, _, peer):
            with pytest.raises(LookupError) as caught:
                await peer.request("nowhere")
            assert caught.value.code == "no_route" and caught.value.hint
    run(scenario)


def test_five_megabytes_there_and_back(url):
    async def scenario():
        body = bytes(range(256)) * 20_000
        views = []

        def handler(request):
            views.append(request.view)
            return request.view

        async with pair(url, routes={"large": handler}) as (_, _, peer):
            reply = await peer.request("large", body)
            assert reply.body == body and reply.body is reply.body
            assert len(reply) == len(body)
            assert views[0] == body and views[0].readonly  # the view outlives its handler
    run(scenario)


def test_too_big_for_the_receiver(url):
    async def scenario():
        async with pair(url, {"max_message_bytes": 100_000}, routes={"x": lambda request: None}) as (_, _, peer):
            with pytest.raises(sealwire.TooBigError):
                await peer.request("x", bytes(200_000))
            await peer.request("x", bytes(50_000))
    run(scenario)


def test_a_thousand_requests_at_once(url):
    async def scenario():
        async def double(request):
            await asyncio.sleep(0)
            return {"twice": 2 * request.json()}

        async with pair(url, routes={"double": double}) as (_, _, peer):
            replies = await asyncio.gather(*(peer.request("double", number) for number in range(1000)))
            assert [reply.json()["twice"] for reply in replies] == [2 * number for number in range(1000)]
    run(scenario)


def test_requests_go_from_either_side(url):
    async def scenario():
        async def ask_back(request):
            return (await request.peer.request("name")).body + b" asked"

        async with pair(url, routes={"ask": ask_back}) as (_, client, peer):
            client.route("name")(lambda request: "Ada")
            assert (await peer.request("ask")).text() == "Ada asked"
    run(scenario)


def test_messages_arrive_in_order(url):
    async def scenario():
        seen, all_there = [], asyncio.Event()

        def handler(request):
            assert not request.wants_reply
            seen.append(int(request.body))
            if len(seen) == 2000:
                all_there.set()

        async with pair(url, routes={"n": handler}) as (_, _, peer):
            for number in range(1000):
                peer.send_nowait("n", b"%d" % number)
            for number in range(1000, 2000):
                await peer.send("n", str(number))
            await all_there.wait()
            assert seen == list(range(2000))
    run(scenario)


def test_send_waits_for_room_and_send_nowait_raises(url):
    async def scenario():
        gate, seen, all_there = asyncio.Event(), [], asyncio.Event()

        async def slow(request):
            await gate.wait()

        def count(request):
            seen.append(len(request.body))
            if len(seen) == 60:
                all_there.set()

        async with pair(url, {"window_bytes": 65536}, {"send_queue_bytes": 65536},
                        routes={"slow": slow, "count": count}) as (_, _, peer):
            body, taken = bytes(16384), 0
            with pytest.raises(sealwire.QueueFull) as caught:
                for _ in range(10_000):
                    peer.send_nowait("count", body)
                    taken += 1
            assert caught.value.code == "again" and 0 < taken < 100
            more = 60 - taken
            tasks = [asyncio.ensure_future(peer.send("count", body)) for _ in range(more)]
            await asyncio.gather(*tasks)
            await all_there.wait()
            assert seen == [16384] * 60
            gate.set()
            await peer.request("slow", timeout=10)
    run(scenario)


def test_a_receipt_comes_when_the_handler_has_taken_the_message(url):
    async def scenario():
        taken = []
        async with pair(url, routes={"x": lambda request: taken.append(request.body)}) as (_, _, peer):
            await peer.send("x", b"first", receipt=True)
            assert taken == [b"first"]
            await asyncio.gather(*(peer.send("x", b"%d" % n, receipt=True) for n in range(100)))
            assert len(taken) == 101
    run(scenario)


def test_a_message_is_written_before_it_is_taken_or_fails(url):
    async def scenario():
        taken = []
        async with pair(url, routes={"x": lambda request: taken.append(request.body)}) as (server, _, peer):
            server.pause("x")
            await peer.send("x", b"first", receipt="written")
            acknowledged = asyncio.ensure_future(peer.send("x", b"second", receipt="acknowledged"))
            await peer.send("x", b"third", receipt="written", metadata={"name": "value"})
            assert not taken and not acknowledged.done()
            server.resume("x")
            await acknowledged
            assert taken == [b"first", b"third", b"second"]  # the task began when this one first waited
            server.pause("x")
            big = [asyncio.ensure_future(peer.send("x", bytes(60_000), receipt="written")) for _ in range(60)]
            await big[0]
            await peer.close(deadline=0.001)
            ends = await asyncio.gather(*big, return_exceptions=True)
            assert ends[0] is None and ends[-1].code == "not_sent"
            with pytest.raises(sealwire.ArgumentError, match="written"):
                await peer.send("x", receipt="sent")
    run(scenario)


def test_messages_can_be_iterated_over(url):
    async def scenario():
        async with pair(url) as (server, _, peer):
            with server.messages("n") as messages:
                for number in range(10):
                    peer.send_nowait("n", b"%d" % number)
                got = []
                async for message in messages:
                    got.append(int(message.body))
                    if len(got) == 10:
                        break
                assert got == list(range(10))
                request = asyncio.ensure_future(peer.request("n", b"?"))
                async for message in messages:
                    message.reply(b"!")
                    break
                assert (await request).body == b"!"
                with pytest.raises(RuntimeError):
                    message.reply(b"again")
                peer.send_nowait("n", b"a")
                async for batch in messages.batches():
                    assert [one.body for one in batch] == [b"a"]
                    break
            with pytest.raises(sealwire.NoRouteError):
                await peer.request("n")
    run(scenario)


def test_messages_that_wait_outlive_their_session(url):
    async def scenario():
        async with pair(url, routes={"x": lambda request: None}) as (server, client, peer):
            with server.messages("n") as messages:
                peer.send_nowait("n", b"1")
                await peer.request("x")
                (there,) = server.peers
                await peer.close()
                await there.wait_closed()
                async for message in messages:
                    assert (message.body, message.peer.id) == (b"1", client.id)
                    break
    run(scenario)


def test_ping(url):
    async def scenario():
        async with pair(url) as (_, _, peer):
            pongs = await asyncio.gather(peer.ping(), peer.ping())
            for pong in pongs:
                assert 0 < pong.round_trip < 10 and abs(pong.clock_difference) < 10
    run(scenario)


def test_more_pings_in_a_second_than_are_answered_are_too_many_and_the_session_goes_on(url):
    async def scenario():
        async with pair(url) as (_, _, peer):
            *pongs, eleventh = await asyncio.gather(*(peer.ping() for _ in range(11)), return_exceptions=True)
            assert all(isinstance(pong, sealwire.Pong) for pong in pongs)
            assert isinstance(eleventh, sealwire.TooManyError) and not isinstance(eleventh, ConnectionError)
            assert eleventh.code == "too_many" and not peer.closed
    run(scenario)


def test_wrong_arguments_say_what_is_wrong(url):
    async def scenario():
        async with pair(url) as (_, _, peer):
            with pytest.raises(ValueError) as caught:
                await peer.send("x" * 300)
            assert caught.value.code == "argument" and "route" in str(caught.value)
            with pytest.raises(ValueError):
                await peer.request("x", timeout=-1)
            with pytest.raises(TypeError):
                await peer.send(5)
            with pytest.raises(ValueError):
                sealwire.Status(5)
    run(scenario)


@pytest.mark.parametrize("details", [{"left": 0}, "words", b"\x00\xff", ["list"], sealwire.encode({"a": b"b"}, "messagepack"),
                                     sealwire.encode([1], "cbor")], ids=repr)
def test_a_status_may_have_details(url, details):
    async def scenario():
        def refuse(request):
            raise sealwire.Status(64, "no", details)

        async def later(request):
            request.status(65, "no", details)

        async with pair(url, routes={"refuse": refuse, "later": later}) as (_, _, peer):
            for route, code in (("refuse", 64), ("later", 65)):
                with pytest.raises(sealwire.Status) as caught:
                    await peer.request(route)
                assert (caught.value.status, caught.value.text) == (code, "no")
                assert caught.value.details == (details.decode() if isinstance(details, sealwire.Encoded) else details)

    run(scenario)


def test_details_that_no_status_can_carry_are_a_failure_of_the_handler(url, caplog):
    async def scenario():
        def refuse(request):
            raise sealwire.Status(64, "no", b"x" * 4095)

        async with pair(url, routes={"refuse": refuse}) as (_, _, peer):
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("refuse")
            assert "the message is larger" in caplog.text

    run(scenario)
