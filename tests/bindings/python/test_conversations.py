"""Conversations, deadlines, and what messages carry; the same scenarios as in tests/bindings/node/conversations.test.mjs."""

import asyncio

import pytest

import sealwire
from conftest import run
from pair import pair

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_metadata_and_trace_reach_the_handler_and_come_back_with_the_reply(url):
    async def scenario():
        def look(request):
            request.reply(request.body, metadata={**request.metadata, "seen": "yes"}, trace=request.trace)

        async with pair(url, routes={"look": look}) as (_, _, peer):
            reply = await peer.request("look", b"x", metadata={"user": "Ada", "größe": "3"}, trace=TRACE)
            assert reply.metadata == {"user": "Ada", "größe": "3", "seen": "yes"}
            assert reply.trace == TRACE
            plain = await peer.request("look", b"x")
            assert plain.metadata == {"seen": "yes"} and plain.trace is None

    run(scenario)


def test_a_one_way_message_carries_metadata_and_the_first_of_a_name_counts(url):
    async def scenario():
        seen = asyncio.get_running_loop().create_future()
        async with pair(url, routes={"note": seen.set_result}) as (_, _, peer):
            await peer.send("note", "x", metadata=[("a", "1"), ("a", "2")], receipt=True)
            assert (await seen).metadata == {"a": "1"}

    run(scenario)


def test_metadata_that_is_too_long_or_a_trace_of_another_form_is_refused(url):
    async def scenario():
        async with pair(url) as (_, _, peer):
            with pytest.raises(sealwire.ArgumentError):
                await peer.request("x", metadata={"a": "x" * 5000})
            with pytest.raises(ValueError):
                await peer.request("x", trace="01-00")
            with pytest.raises(sealwire.ArgumentError):
                await peer.request("x", idempotency_key=b"short")

    run(scenario)


def test_a_message_has_one_uuid_at_both_ends(url):
    async def scenario():
        seen = []

        async def look(request):
            seen.append(request.uuid)
            for part in request.parts:
                await part.read()
            return str(request.reply_uuid())

        async with pair(url, routes={"look": look}) as (_, _, peer):
            for options in ({}, {"receipt": True}, {"metadata": {"a": "b"}}, {"parts": [sealwire.Stream(b"x")]}):
                own = await peer.send("look", uuid=True, **options)
                await peer.request("look")
                assert seen[0] == own and len(set(seen)) == 2
                seen.clear()
            replies = [await peer.request("look"), await peer.request("look")]
            assert len({*seen, *(reply.uuid for reply in replies)}) == 4
            assert all(one.version == 8 for one in seen)
            assert [reply.request_uuid for reply in replies] == seen
            assert [reply.text() for reply in replies] == [str(reply.uuid) for reply in replies]

    run(scenario)


async def add(request):
    """Adds up what the requester says until it has no more."""
    total = int(request.body)
    while True:
        said = await request.talk.ask("more?")
        if not said.has_body:
            return str(total)
        total += int(said.text())


def test_the_handler_asks_until_it_knows_enough(url):
    async def scenario():
        async with pair(url, routes={"add": add}) as (_, _, peer):
            numbers = [20, 300]
            async with peer.converse("add", "1") as talk:
                async for said in talk:
                    if said.asks:
                        assert said.text() == "more?"
                        said.answer(str(numbers.pop(0)) if numbers else None)
                    else:
                        result = said.text()
            assert result == "321" and not talk.running

    run(scenario)


def test_the_requester_asks_while_it_is_asked_and_answers_ask_in_turn(url):
    async def scenario():
        async def deep(request):
            async for said in request.talk:
                depth = int(said.text())
                while depth:
                    said = await said.ask(str(depth - 1))
                    depth = int(said.text())
                if said.asks:
                    said.answer("bottom")
                return b"done"

        async with pair(url, routes={"deep": deep}) as (_, _, peer):
            async with peer.converse("deep") as talk:
                said = await talk.ask("100")
                turns = 1
                while said.asks:
                    turns += 1
                    number = int(said.text())
                    said = await said.ask(str(max(number - 1, 0)))
                assert said.text() == "bottom" and turns > 50
                replies = [one.body async for one in talk]
            assert replies == [b"done"]

    run(scenario)


def test_a_question_is_answered_by_a_status_which_ask_raises(url):
    async def scenario():
        async def refuse(request):
            async for said in request.talk:
                said.status(70, "not that")
                with pytest.raises(sealwire.StateError):
                    said.answer(b"twice")
                break
            return b"end"

        async with pair(url, routes={"refuse": refuse}) as (_, _, peer):
            async with peer.converse("refuse") as talk:
                with pytest.raises(sealwire.Status) as refused:
                    await talk.ask("this?")
                assert (refused.value.status, refused.value.text) == (70, "not that")

    run(scenario)


def test_the_end_of_the_exchange_ends_what_was_asked(url):
    async def scenario():
        asked = asyncio.Event()

        async def leave(request):
            await asked.wait()
            return b"bye"

        async with pair(url, routes={"leave": leave}) as (_, _, peer):
            async with peer.converse("leave") as talk:
                question = asyncio.ensure_future(talk.ask("?"))
                await asyncio.sleep(0)
                asked.set()
                with pytest.raises(sealwire.CancelledByPeer):
                    await question
            assert peer.running.questions == 0

    run(scenario)


def test_leaving_a_conversation_cancels_its_handler(url):
    async def scenario():
        ended = asyncio.get_running_loop().create_future()

        async def wait(request):
            try:
                await request.talk.ask("?")
            finally:
                ended.set_result(request.cancelled)

        async with pair(url, routes={"wait": wait}) as (_, _, peer):
            async with peer.converse("wait") as talk:
                async for said in talk:
                    assert said.asks
                    break
            assert await ended

    run(scenario)


def test_asking_a_requester_that_does_not_converse_is_an_error(url):
    async def scenario():
        async def ask(request):
            assert not request.converses
            with pytest.raises(sealwire.StateError):
                request.talk
            return b"fine"

        async with pair(url, routes={"ask": ask}) as (_, _, peer):
            assert (await peer.request("ask")).body == b"fine"

    run(scenario)


def test_deadlines_between_replies_and_for_all_of_them(url):
    async def scenario():
        async def stop(request):
            yield b"one"
            await asyncio.Event().wait()

        async def wait(request):
            await asyncio.Event().wait()

        async with pair(url, routes={"stop": stop, "wait": wait}) as (_, _, peer):
            for options in ({"between": 0.02}, {"total": 0.02}):
                with pytest.raises(TimeoutError):
                    async for _ in peer.request_many("stop", timeout=sealwire.NEVER, **options):
                        pass
            with pytest.raises(TimeoutError):
                await peer.request("wait", timeout=sealwire.NEVER, total=0.02)

    run(scenario)


def test_deadlines_are_changed_paused_and_resumed_while_it_runs(url):
    async def scenario():
        async def stop(request):
            yield b"one"
            await asyncio.Event().wait()

        async with pair(url, routes={"stop": stop}) as (_, _, peer):
            replies = peer.request_many("stop", timeout=sealwire.NEVER, between=sealwire.NEVER)
            with pytest.raises(sealwire.StateError):
                replies.pause()
            assert (await replies.__anext__()).body == b"one"
            replies.pause()
            replies.set_deadlines(next=0.02)
            assert replies.running and peer.running.requests == 1
            replies.resume()
            with pytest.raises(TimeoutError):
                await replies.__anext__()
            assert not replies.running

    run(scenario)
