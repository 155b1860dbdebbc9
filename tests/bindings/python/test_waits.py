"""Waiting for a message to a route; tests/bindings/node/waits.test.mjs has the same facts."""

import asyncio

import pytest
import sealwire
from conftest import run
from pair import known, pair

URL = "tcp://127.0.0.1:0"


async def waiting(node, count=1):
    """Returns when so many wait, over all routes."""
    while sum(map(len, node._waits._by_route.values())) != count:
        await asyncio.sleep(0)


def test_a_message_that_is_waited_for_goes_to_who_waits_and_the_next_to_the_handler(url):
    async def scenario():
        handled = []
        async with pair(url, routes={"news": lambda request: handled.append(request.text())}) as (server, _, peer):
            waits = asyncio.create_task(server.wait_for("news"))
            await waiting(server)
            await peer.send("news", "first")
            assert (await waits).text() == "first"
            await peer.request("news", "second")
            assert handled == ["second"]

    run(scenario)


def test_the_first_whose_filter_accepts_it_gets_it_and_else_the_handler_does():
    async def scenario():
        handled = []
        async with pair(URL, routes={"n": lambda request: handled.append(request.json())}) as (server, _, peer):
            even = asyncio.create_task(server.wait_for("n", lambda request: request.json() % 2 == 0))
            await waiting(server)
            big = asyncio.create_task(server.wait_for("n", filter=lambda request: request.json() > 5))
            await waiting(server, 2)
            for number in (1, 8, 10, 12):
                await peer.send("n", number, receipt=True)
            assert ((await even).json(), (await big).json()) == (8, 10)
            assert handled == [1, 12]

    run(scenario)


def test_a_request_that_was_waited_for_is_answered_by_reply():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            for answer in ("reply", "status"):
                waits = asyncio.create_task(server.wait_for("ask"))
                await waiting(server)
                asked = asyncio.create_task(peer.request("ask"))
                request = await waits
                assert request.wants_reply and not request.answered
                if answer == "reply":
                    request.reply("here")
                    assert (await asked).text() == "here"
                    with pytest.raises(sealwire.StateError):
                        request.reply("again")
                else:
                    request.status(77, "no")
                    with pytest.raises(sealwire.Status) as status:
                        await asked
                    assert status.value.status == 77
            assert not server._core.tasks

    run(scenario)


def test_a_request_that_was_waited_for_is_told_that_its_requester_has_gone():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            waits = asyncio.create_task(server.wait_for("ask"))
            await waiting(server)
            asked = asyncio.create_task(peer.request("ask"))
            request = await waits
            asked.cancel()
            while not request.cancelled:
                await asyncio.sleep(0)
            request.reply("too late")  # nobody's mistake

    run(scenario)


def test_a_route_without_a_handler_is_no_route_for_what_no_filter_accepts_and_afterwards():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            waits = asyncio.create_task(server.wait_for("ask", lambda request: request.text() == "yes"))
            await waiting(server)
            with pytest.raises(sealwire.NoRouteError):
                await peer.request("ask", "no")
            asked = asyncio.create_task(peer.request("ask", "yes"))
            (await waits).reply(None)
            await asked
            with pytest.raises(sealwire.NoRouteError):
                await peer.request("ask", "yes")

            @server.route("")
            def anything(request):
                return f"default of {request.route}"

            waits = asyncio.create_task(server.wait_for("ask", lambda request: False))
            await waiting(server)
            assert (await peer.request("ask")).text() == "default of ask"
            waits.cancel()

    run(scenario)


def test_a_handler_that_is_registered_while_somebody_waits_stays():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            waits = asyncio.create_task(server.wait_for("ask", lambda request: request.text() == "mine"))
            await waiting(server)
            server.route("ask")(lambda request: "handler")
            assert (await peer.request("ask")).text() == "handler"
            await peer.send("ask", "mine")
            assert (await waits).text() == "mine"
            assert (await peer.request("ask", "mine")).text() == "handler"

    run(scenario)


def test_waiting_stands_before_an_iterator_and_a_limit():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            server.route("limited", max_handlers=1)(lambda request: "handler")
            with server.messages("iterated") as messages:
                for route in ("iterated", "limited"):
                    waits = asyncio.create_task(server.wait_for(route, lambda request: request.text() == "mine"))
                    await waiting(server)
                    other = asyncio.create_task(peer.request(route, "other"))
                    await peer.send(route, "mine")
                    assert (await waits).text() == "mine"
                    if route == "iterated":
                        request = await messages.__anext__()
                        assert request.text() == "other"
                        request.reply("iterator")
                    assert (await other).text() == ("iterator" if route == "iterated" else "handler")

    run(scenario)


def test_a_peer_is_waited_for_alone():
    async def scenario():
        async with pair(URL, {"several_sessions": True}, {"several_sessions": True}) as (server, client, peer):
            (first_there,) = server.peers
            second = await client.connect((await server.listen(URL)).ticket)
            await known(server, 2)
            (second_there,) = set(server.peers) - {first_there}
            waits = asyncio.create_task(second_there.wait_for("hello"))
            both = asyncio.create_task(server.wait_for("hello"))
            await waiting(server, 2)
            await peer.send("hello", "first")
            assert (await both).peer is first_there
            await second.send("hello", "second")
            assert (await waits).text() == "second"

    run(scenario)


def test_waiting_ends_with_its_timeout_its_filter_its_peer_and_its_node():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            with pytest.raises(sealwire.DeadlineError):
                await server.wait_for("x", timeout=0.001)
            waits = asyncio.create_task(server.wait_for("x", lambda request: 1 // 0))
            await waiting(server)
            await peer.send("x")
            with pytest.raises(ZeroDivisionError):
                await waits
            (back,) = server.peers
            of_peer = asyncio.create_task(back.wait_for("x"))
            of_node = asyncio.create_task(server.wait_for("x"))
            await waiting(server, 2)
            await peer.close()
            with pytest.raises(sealwire.SessionError):
                await of_peer
            with pytest.raises(sealwire.SessionError):
                await back.wait_for("x")
            await server.close()
            with pytest.raises(sealwire.ClosedError):
                await of_node
            assert not server._waits._by_route

    run(scenario)


def test_what_comes_in_the_moment_of_a_cancel_goes_to_the_next():
    async def scenario():
        handled = []
        async with pair(URL, routes={"n": lambda request: handled.append(request.text())}) as (server, _, peer):
            async def cancelled_at_once():
                soon = asyncio.get_running_loop().call_soon  # before the task hears of what it waits for
                task = asyncio.create_task(server.wait_for("n", lambda request: bool(soon(task.cancel))))
                while not task.done():
                    await asyncio.sleep(0)
                assert task.cancelled()

            first = asyncio.create_task(cancelled_at_once())
            await waiting(server)
            await peer.send("n", "to the handler", receipt=True)
            await first
            assert handled == ["to the handler"]
            first = asyncio.create_task(cancelled_at_once())
            await waiting(server)
            second = asyncio.create_task(server.wait_for("n"))
            await waiting(server, 2)
            await peer.send("n", "to the second")
            assert (await second).text() == "to the second"
            await first
            with server.messages("n") as messages:
                first = asyncio.create_task(cancelled_at_once())
                await waiting(server)
                await peer.send("n", "to the iterator")
                assert (await messages.__anext__()).text() == "to the iterator"
                await first

    run(scenario)


def test_a_conversation_may_be_waited_for():
    async def scenario():
        async with pair(URL) as (server, _, peer):
            waits = asyncio.create_task(server.wait_for("talk"))
            await waiting(server)
            async with peer.converse("talk") as talk:
                request = await waits

                async def answer():
                    async for said in talk:
                        if said.asks:
                            said.answer("an answer")

                answering = asyncio.create_task(answer())
                assert (await request.talk.ask("a question")).text() == "an answer"
                request.reply(None)
                await answering
                assert not request.peer._talks

    run(scenario)


def test_what_cannot_be_waited_for_is_refused():
    async def scenario():
        async def filter(request):
            return True

        async with pair(URL) as (server, _, _peer):
            for route, wrong in (("", None), ("x", 1), ("x", filter), ("x" * 256, None)):
                with pytest.raises(sealwire.ArgumentError):
                    await server.wait_for(route, wrong)
            with pytest.raises(sealwire.ArgumentError):
                await server.wait_for("x", timeout=-1)
            assert not server._waits._by_route
        with pytest.raises(sealwire.StateError):
            await sealwire.Node().wait_for("x")

    run(scenario)
