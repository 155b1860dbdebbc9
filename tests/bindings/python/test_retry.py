"""Requests that are made again run once; tests/bindings/node/retry.test.mjs has the same facts."""

import asyncio

import pytest
import sealwire
from conftest import run
from pair import pair

URL = "tcp://127.0.0.1:0"
KEY = b"a key of sixteen"


def test_a_request_of_the_same_key_is_answered_as_the_first_was_and_not_run_again(url):
    async def scenario():
        runs = []

        def count(request):
            runs.append(request.text())
            if request.text() == "fail":
                raise sealwire.Status(77, "no", {"left": 0})
            request.reply({"run": len(runs)}, metadata={"a": "b"})

        async with pair(url, routes={"count": count}) as (_, _, peer):
            for _ in range(2):
                reply = await peer.request("count", "x", idempotency_key=KEY)
                assert (reply.json(), reply.kind, reply.metadata) == ({"run": 1}, "json", {"a": "b"})
            for _ in range(2):
                with pytest.raises(sealwire.Status) as failed:
                    await peer.request("count", "fail", idempotency_key=KEY[::-1])
                assert (failed.value.status, failed.value.text, failed.value.details) == (77, "no", {"left": 0})
            assert runs == ["x", "fail"]
            assert (await peer.request("count", "x")).json() == {"run": 3}

    run(scenario)


def test_it_is_answered_over_a_new_connection_of_the_same_peer_and_run_for_another():
    async def scenario():
        runs = []
        async with pair(URL, routes={"count": lambda request: runs.append(1) or str(len(runs))}) as (server, client, peer):
            assert (await peer.request("count", idempotency_key=KEY)).text() == "1"
            await peer.close()
            ticket = (await server.listen(URL)).ticket
            again = await client.connect(ticket)
            assert (await again.request("count", idempotency_key=KEY)).text() == "1"
            async with sealwire.Node(network="tests") as other:
                theirs = await other.connect(ticket)
                assert (await theirs.request("count", idempotency_key=KEY)).text() == "2"

    run(scenario)


def test_one_that_comes_while_the_first_runs_waits_for_its_answer_and_one_that_is_cancelled_does_not():
    async def scenario():
        go, runs = asyncio.Event(), []

        async def slow(request):
            runs.append(request)
            await go.wait()
            return "done"

        async with pair(URL, routes={"slow": slow}) as (server, _, peer):
            asked = [asyncio.ensure_future(peer.request("slow", idempotency_key=KEY)) for _ in range(3)]
            (back,) = server.peers
            while not runs or back.running.serving < 3:
                await asyncio.sleep(0)
            asked[1].cancel()
            while back.running.serving > 2:
                await asyncio.sleep(0)
            go.set()
            assert [(await asked[i]).text() for i in (0, 2)] == ["done", "done"]
            assert len(runs) == 1

    run(scenario)


def test_one_whose_answer_is_not_kept_is_not_run_again():
    async def scenario():
        runs = []

        async def slow(request):
            runs.append("slow")
            await asyncio.Event().wait()

        def parts(request):
            runs.append("parts")
            return sealwire.Answer("a", [sealwire.Stream(b"b")])

        async with pair(URL, routes={"slow": slow, "parts": parts}) as (_, _, peer):
            asked = asyncio.ensure_future(peer.request("slow", idempotency_key=KEY))
            while not runs:
                await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(sealwire.DeliveryError) as failed:
                await peer.request("slow", idempotency_key=KEY)
            assert failed.value.code == "outcome_unknown"
            reply = await peer.request("parts", idempotency_key=b"p" * 16)
            assert await reply.parts[0].read() == b"b"
            with pytest.raises(sealwire.DeliveryError):
                await peer.request("parts", idempotency_key=b"p" * 16)
            assert runs == ["slow", "parts"]

    run(scenario)


def test_attempts_are_made_until_one_is_answered_and_the_handler_runs_once():
    async def scenario():
        runs = []

        async def slow(request):
            runs.append(request.idempotency_key)
            (back,) = request.peer.node.peers
            while back.running.serving < 3:  # until the third attempt is there
                await asyncio.sleep(0)
            return "at last"

        async with pair(URL, routes={"slow": slow}) as (_, _, peer):
            reply = await peer.request("slow", timeout=0.05, attempts=1000, backoff=0)
            assert reply.text() == "at last"
            assert len(runs) == 1 and len(runs[0]) == 16
            while peer.running.requests:  # the others were cancelled
                await asyncio.sleep(0)

    run(scenario)


def test_attempts_end_with_the_last_and_with_what_no_attempt_changes():
    async def scenario():
        runs = []

        async def never(request):
            runs.append("never")
            try:
                await asyncio.Event().wait()
            finally:
                runs.append("cancelled")

        def fails(request):
            runs.append("fails")
            raise sealwire.Status(64, "no")

        async with pair(URL, routes={"never": never, "fails": fails}) as (_, _, peer):
            with pytest.raises(sealwire.DeadlineError):
                await peer.request("never", timeout=0.01, attempts=3, backoff=(0.001, 0.002))
            while runs != ["never", "cancelled"]:
                await asyncio.sleep(0)
            with pytest.raises(sealwire.Status):
                await peer.request("fails", attempts=3)
            assert runs == ["never", "cancelled", "fails"]
            with pytest.raises(sealwire.NoRouteError):
                await peer.request("nowhere", attempts=3)
            for wrong in ({"attempts": 0}, {"attempts": 2, "backoff": -1}, {"attempts": 2, "backoff": (2, 1)},
                          {"attempts": 2, "backoff": None}, {"attempts": 2, "backoff": "1"}, {"attempts": 2, "backoff": (1, 2, 3)},
                          {"attempts": 2, "parts": [sealwire.Stream(b"x")]}):
                with pytest.raises(sealwire.ArgumentError):
                    await peer.request("fails", **wrong)

    run(scenario)
