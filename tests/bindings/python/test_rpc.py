"""Procedure calls; tests/interop/rpc.* makes them between all languages."""

import asyncio
import logging

import pytest
import sealwire
from conftest import run
from pair import pair

URL = "tcp://127.0.0.1:0"


class Counter:
    def __init__(self):
        self.value = 0
        self._secret = lambda: "secret"
        self.data = {"not": "a function"}

    def add(self, n):
        self.value += n
        return self.value

    def _hidden(self):
        return "hidden"

    @staticmethod
    def name():
        return "counter"

    @property
    def boom(self):
        raise AssertionError("a property is not looked at")


class Child(Counter):
    def twice(self, n):
        return self.add(2 * n)


def exposing(scenario, **targets):
    async def inner():
        async with pair(URL) as (server, client, peer):
            for name, target in targets.items():
                server.expose(name.replace("__", "."), target)
            await scenario(server, peer)

    run(inner)


async def refused(awaitable, status):
    with pytest.raises(sealwire.Status) as caught:
        await awaitable
    assert caught.value.status == status
    return caught.value


def test_a_function_is_called_by_its_name():
    async def scenario(_, peer):
        assert await peer.call("add", 1, 2) == 3
        assert await peer.call("math.vector.add", [1, 2], [3, 4]) == [4, 6]
        assert await peer.call("nothing") is None

    exposing(scenario, add=lambda a, b: a + b, nothing=lambda: None,
             math={"vector": {"add": lambda a, b: [x + y for x, y in zip(a, b)]}})


def test_arguments_and_results_may_be_bytes_and_nested():
    async def scenario(_, peer):
        for value in (b"\x00\xff" * 40000, {"a": [b"x", {"b": [None, 1.5, -2**63, 2**64 - 1]}]}, [], "é", True):
            assert await peer.call("echo", value) == value

    exposing(scenario, echo=lambda value: value)


def test_an_object_keeps_its_state():
    async def scenario(_, peer):
        assert await peer.call("counter.add", 2) == 2
        assert await peer.call("counter.add", 3) == 5
        assert await peer.call("counter.name") == "counter"

    exposing(scenario, counter=Counter())


def test_only_what_was_exposed_can_be_reached():
    async def scenario(server, peer):
        for name in ("", ".", "child", "child.add", "child._hidden", "child.__init__", "child.__class__", "child._secret",
                     "child.twice.__call__", "child.twice.__globals__", "child.data", "child.data.not", "child.boom", "child.value",
                     "__class__", "expose", "constructor", "child.constructor", "child.__proto__", "toString", "child.toString"):
            await refused(peer.call(name), sealwire.NO_FUNCTION)
        assert await peer.call("child.twice", 2) == 4
        server.unexpose("child")
        await refused(peer.call("child.twice", 2), sealwire.NO_FUNCTION)

    exposing(scenario, child=Child())


def test_what_has_no_functions_cannot_be_exposed():
    node = sealwire.Node()
    for target in (5, Counter, asyncio, {"a": 5}, object()):
        with pytest.raises(TypeError):
            node.expose("name", target)
    for name in ("", "a..b", ".a"):
        with pytest.raises(ValueError):
            node.expose(name, print)


def test_results_may_come_later():
    async def scenario(_, peer):
        assert await asyncio.gather(*(peer.call("later", n) for n in range(5))) == list(range(5))

    async def later(n):
        await asyncio.sleep(0)
        return n

    exposing(scenario, later=later)


def test_many_results_come_one_after_the_other():
    ended = []

    def count(to):
        try:
            yield from range(to)
        finally:
            ended.append(to)

    async def slowly(to):
        for n in range(to):
            await asyncio.sleep(0)
            yield n

    async def scenario(_, peer):
        for name in ("count", "slowly"):
            assert [n async for n in peer.call_many(name, 100)] == list(range(100))
        assert [n async for n in peer.call_many("once")] == ["one"]
        async for n in peer.call_many("count", 10**9):
            if n == 3:
                break
        while ended != [100, 10**9]:
            await asyncio.sleep(0)
        await refused(peer.call("count", 3), sealwire.BAD_CALL)
        assert ended == [100, 10**9]

    exposing(scenario, count=count, slowly=slowly, once=lambda: "one")


def test_an_error_has_code_words_and_details():
    def refuse():
        raise sealwire.Status(70, "no", {"why": b"\x00"})

    async def later():
        refuse()

    async def many():
        yield 1
        refuse()

    async def scenario(_, peer):
        for call in (peer.call("refuse"), peer.call("later"), anext_of(peer.call_many("many"), 2)):
            status = await refused(call, 70)
            assert (status.text, status.details) == ("no", {"why": b"\x00"})

    async def anext_of(results, n):
        for _ in range(n):
            await results.__anext__()

    exposing(scenario, refuse=refuse, later=later, many=many)


def test_a_failure_of_a_function_stays_here(caplog):
    def bug():
        raise TypeError("the secret of the server")

    async def scenario(_, peer):
        with pytest.raises(sealwire.HandlerFailed) as caught:
            await peer.call("bug")
        assert "secret" not in str(caught.value)
        with pytest.raises(sealwire.HandlerFailed):
            await peer.call("unsayable")
        assert "the secret of the server" in caplog.text

    exposing(scenario, bug=bug, unsayable=lambda: object())


def test_arguments_that_do_not_fit_are_told():
    async def scenario(_, peer):
        await refused(peer.call("add", 1), sealwire.BAD_CALL)
        await refused(peer.call("add", 1, 2, 3), sealwire.BAD_CALL)

    exposing(scenario, add=lambda a, b: a + b)


def test_what_is_no_call_is_told():
    async def scenario(_, peer):
        wrong = [b"", "text", {"a": 1}, 5, [], ["add"], ["add", 1], [1, []], ["add", [], 3],
                 sealwire.Encoded(b"\xc1", 3), sealwire.Encoded(b"", 4)]
        for body in wrong:
            await refused(peer.request("rpc", body), sealwire.BAD_CALL)
        for kind in ("json", "messagepack", "cbor"):
            reply = await peer.request("rpc", sealwire.encode(["add", [1, 2]], kind))
            assert (reply.kind, reply.decode()) == (kind, 3)

    exposing(scenario, add=lambda a, b: a + b)


def test_a_notification_is_not_answered(caplog):
    got = []

    def note(n):
        got.append(n)
        if n == 1:
            raise sealwire.Status(64, "nobody hears it")

    async def scenario(_, peer):
        for n in range(3):
            await peer.notify("note", n, receipt=True)
        await peer.notify("missing", receipt=True)
        assert got == [0, 1, 2]
        assert [record.levelno for record in caplog.records].count(logging.ERROR) == 2
        assert peer.node.id in caplog.text

    exposing(scenario, note=note)


def test_a_function_learns_who_calls():
    async def scenario(server, peer):
        server.expose("who", lambda request, n: [request.peer.id, n], with_request=True)
        assert await peer.call("who", 5) == [peer.node.id, 5]

    exposing(scenario, other=lambda: None)


def test_a_call_has_a_deadline_and_can_be_cancelled():
    begun, ended = [], []

    async def forever():
        begun.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def scenario(_, peer):
        with pytest.raises(TimeoutError if hasattr(asyncio, "timeout") else asyncio.TimeoutError):
            await peer.call("forever", timeout=0.05)
        before = len(begun)  # that one may have been over before its handler could begin
        task = asyncio.ensure_future(peer.call("forever"))
        while len(begun) == before:
            await asyncio.sleep(0)
        task.cancel()
        while len(ended) < len(begun):
            await asyncio.sleep(0)

    exposing(scenario, forever=forever)
