"""Middleware, failures of handlers, limits of how many run at once; tests/bindings/node/router.test.mjs has the same facts."""

import asyncio

import pytest
import sealwire
from conftest import run
from pair import pair
from sealwire import sync

URL = "tcp://127.0.0.1:0"


def noting(notes, name):
    async def middleware(request, next):
        notes.append(f"{name} in")
        try:
            return await next()
        finally:
            notes.append(f"{name} out")
    return middleware


def test_middleware_runs_in_the_order_in_which_it_was_added():
    async def scenario():
        notes = []
        async with pair(URL) as (server, _, peer):
            server.use(noting(notes, "first"))

            @server.route("before", use=[noting(notes, "own"), noting(notes, "own too")])
            def before(request):
                notes.append("handler")
                return "answer"

            server.use(noting(notes, "second"))
            assert (await peer.request("before")).text() == "answer"
            inside = ["first in", "second in", "own in", "own too in", "handler"]
            assert notes == [*inside, "own too out", "own out", "second out", "first out"]

    run(scenario)


def test_middleware_stands_around_every_handler_and_nothing_else():
    async def scenario():
        seen = []

        async def many(request):
            yield 1
            yield 2

        async with pair(URL, routes={"plain": lambda request: "a", "many": many}) as (server, _, peer):
            @server.use
            async def middleware(request, next):
                seen.append(request.route)
                return await next()

            with pytest.raises(sealwire.NoRouteError):
                await peer.request("nowhere")
            assert seen == []
            assert (await peer.request("plain")).text() == "a"
            assert [one.json() async for one in peer.request_many("many")] == [1, 2]
            server.route("")(lambda request: request.route)
            assert (await peer.request("nowhere")).text() == "nowhere"
            await peer.send("plain", receipt=True)
            assert seen == ["plain", "many", "nowhere", "plain"]

    run(scenario)


def test_middleware_may_answer_refuse_and_change_the_answer():
    async def scenario():
        async with pair(URL, routes={"echo": lambda request: request.body}) as (server, _, peer):
            @server.use
            async def change(request, next):
                return (await next()) + b"!"

            @server.use
            def decide(request, next):
                if request.body == b"refuse":
                    raise sealwire.Status(70, "no")
                return b"own" if request.body == b"answer" else next()

            assert (await peer.request("echo", b"x")).body == b"x!"
            assert (await peer.request("echo", b"answer")).body == b"own!"
            with pytest.raises(sealwire.Status) as caught:
                await peer.request("echo", b"refuse")
            assert caught.value.status == 70

    run(scenario)


def test_next_is_called_once(caplog):
    async def scenario():
        calls = []
        async with pair(URL, routes={"echo": calls.append}) as (server, _, peer):
            @server.use
            async def twice(request, next):
                await next()
                await next()

            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("echo")
            assert len(calls) == 1 and "next() once" in caplog.text

    run(scenario)


def failing(request):
    raise ValueError("the secret")


async def failing_later(request):
    await asyncio.sleep(0)
    raise ValueError("the secret")


@pytest.mark.parametrize("handler", [failing, failing_later])
def test_the_words_of_a_failure_stay_here_and_are_logged_with_the_peer(handler, caplog):
    async def scenario():
        async with pair(URL, routes={"fail": handler}) as (_, client, peer):
            with pytest.raises(sealwire.HandlerFailed) as caught:
                await peer.request("fail")
            assert "secret" not in str(caught.value)
            assert client.id in caplog.text and "the secret" in caplog.text and "'fail'" in caplog.text

    run(scenario)


def test_the_words_of_a_failure_reach_the_requester_when_that_is_asked_for():
    async def scenario():
        async with pair(URL, {"tell_errors": True}, routes={"fail": failing}) as (_, _, peer):
            with pytest.raises(sealwire.HandlerFailed) as caught:
                await peer.request("fail")
            assert caught.value.detail == "ValueError: the secret"
        async with pair(URL, routes={"silent": failing}) as (server, _, peer):
            @server.route("fail", tell_errors=True)
            def long(request):
                raise ValueError("é" * 1000)

            with pytest.raises(sealwire.HandlerFailed) as caught:
                await peer.request("fail")
            assert caught.value.detail.startswith("ValueError: éé") and len(caught.value.detail.encode()) in (1023, 1024)
            with pytest.raises(sealwire.HandlerFailed) as caught:
                await peer.request("silent")
            assert caught.value.detail == ""

    run(scenario)


def test_an_error_handler_answers_in_place_of_the_log(caplog):
    async def scenario():
        told = []

        async def on_error(request, error):
            told.append((request.route, request.peer.id, str(error)))
            if request.body == b"status":
                raise sealwire.Status(71, "sorry")
            if request.body == b"bug":
                raise KeyError("its own")
            return None if request.body == b"nothing" else b"instead"

        routes = {"fail": failing, "later": failing_later, "status": lambda request: request.status(72)}
        async with pair(URL, {"on_error": on_error}, routes=routes) as (_, client, peer):
            assert (await peer.request("fail")).body == b"instead"
            assert (await peer.request("later")).body == b"instead"
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("fail", b"nothing")
            with pytest.raises(sealwire.Status) as caught:
                await peer.request("fail", b"status")
            assert caught.value.status == 71
            assert told[0] == ("fail", client.id, "the secret") and not caplog.records
            with pytest.raises(sealwire.Status):
                await peer.request("status")
            assert len(told) == 4
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("fail", b"bug")
            assert "its own" in caplog.text and "the secret" in caplog.text

    run(scenario)


def test_a_failure_loses_no_other_message():
    async def scenario():
        got = []

        def every_third(request):
            number = int(request.body)
            if number % 3 == 0:
                raise ValueError(number)
            got.append(number)

        async with pair(URL, {"on_error": lambda request, error: None}, routes={"count": every_third}) as (_, _, peer):
            for number in range(300):
                await peer.send("count", str(number).encode())
            await peer.request("count", b"1")
            assert got == [number for number in range(300) if number % 3] + [1]

    run(scenario)


class Gate:
    """A handler whose runs are counted and ended by the test."""

    def __init__(self):
        self.running, self.most, self.began, self.release = 0, 0, [], asyncio.Semaphore(0)
        self.changed = asyncio.Condition()

    async def __call__(self, request):
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.append(request.body)
        async with self.changed:
            self.changed.notify_all()
        try:
            await self.release.acquire()
            return request.body
        finally:
            self.running -= 1

    async def until(self, condition):
        async with self.changed:
            await self.changed.wait_for(condition)

    def open(self, n=1):
        for _ in range(n):
            self.release.release()


def test_only_so_many_handlers_of_a_route_run_at_once():
    async def scenario():
        gate = Gate()
        async with pair(URL, routes={"free": lambda request: "free"}) as (server, _, peer):
            server.route("gate", max_handlers=2)(gate)
            bodies = [str(n).encode() for n in range(20)]
            replies = [asyncio.ensure_future(peer.request("gate", body)) for body in bodies]
            await gate.until(lambda: gate.running == 2)
            assert (await peer.request("free")).text() == "free"
            assert gate.began == bodies[:2]
            gate.open(20)
            assert [reply.body for reply in await asyncio.gather(*replies)] == bodies
            assert gate.began == bodies and gate.most == 2

    run(scenario)


def test_the_limit_of_a_node_holds_over_all_routes():
    async def scenario():
        gate = Gate()
        async with pair(URL, {"max_handlers": 3}, routes={"a": gate, "b": gate, "free": lambda request: "free"}) as (_, _, peer):
            replies = [asyncio.ensure_future(peer.request("ab"[n % 2], str(n).encode())) for n in range(20)]
            await gate.until(lambda: gate.running == 3)
            gate.open(20)
            assert len(await asyncio.gather(*replies)) == 20
            assert gate.most == 3 and len(gate.began) == 20
            assert (await peer.request("free")).text() == "free"

    run(scenario)


def test_messages_that_wait_hold_their_sender_and_none_is_lost():
    async def scenario():
        gate = Gate()
        async with pair(URL, client_options={"send_queue_bytes": 100_000}) as (server, _, peer):
            server.route("gate", max_handlers=1)(gate)
            sent = 0
            with pytest.raises(sealwire.QueueFull):
                while True:
                    peer.send_nowait("gate", str(sent).encode() + b"x" * 1000)
                    sent += 1
                    await asyncio.sleep(0)
            assert sent < 100_000 and len(gate.began) <= 1
            gate.open(sent)
            await gate.until(lambda: len(gate.began) == sent)
            assert [int(body.rstrip(b"x")) for body in gate.began] == list(range(sent)) and gate.most == 1

    run(scenario)


def test_a_request_that_is_cancelled_while_it_waits_is_never_handled():
    async def scenario():
        gate = Gate()
        async with pair(URL) as (server, _, peer):
            server.route("gate", max_handlers=1)(gate)
            server.route("mark")(lambda request: b"here")
            first = asyncio.ensure_future(peer.request("gate", b"first"))
            await gate.until(lambda: gate.running == 1)
            with pytest.raises(sealwire.DeadlineError):
                await peer.request("gate", b"second", timeout=0.05)
            third = asyncio.ensure_future(peer.request("gate", b"third"))
            await peer.request("mark")  # comes behind the cancel
            gate.open(2)
            assert [(await first).body, (await third).body] == [b"first", b"third"]
            assert gate.began == [b"first", b"third"]

    run(scenario)


def test_handlers_that_fail_or_are_cancelled_make_room():
    async def scenario():
        gate = Gate()

        async def fail(request):
            await gate(request)
            raise ValueError("failed")

        async with pair(URL, {"on_error": lambda request, error: None}) as (server, _, peer):
            server.route("gate", max_handlers=1)(fail)
            for _ in range(3):
                with pytest.raises(sealwire.DeadlineError):
                    await peer.request("gate", timeout=0.02)
            gate.open(6)  # three are for those whose cancel is still on its way
            for _ in range(3):
                with pytest.raises(sealwire.HandlerFailed):
                    await peer.request("gate")

    run(scenario)


def test_a_limit_and_middleware_go_together():
    async def scenario():
        gate, notes = Gate(), []
        async with pair(URL, {"max_handlers": 2}) as (server, _, peer):
            server.route("gate", use=[noting(notes, "own")])(gate)
            server.use(noting(notes, "all"))
            replies = [asyncio.ensure_future(peer.request("gate")) for _ in range(5)]
            await gate.until(lambda: gate.running == 2)
            assert notes == ["all in", "own in"] * 2
            gate.open(5)
            await asyncio.gather(*replies)
            assert gate.most == 2 and notes.count("all out") == 5

    run(scenario)


@pytest.mark.parametrize("node", [sealwire.Node, sync.Node])
def test_limits_are_whole_numbers_from_0_on(node):
    def of_route(limit):
        node().route("x", max_handlers=limit)(print)

    for take in (lambda limit: node(max_handlers=limit), of_route):
        with pytest.raises(sealwire.ArgumentError, match="max_handlers") as caught:
            take(-1)
        assert caught.value.code == "argument"
        with pytest.raises(sealwire.ArgumentTypeError, match="max_handlers"):
            take("1")
