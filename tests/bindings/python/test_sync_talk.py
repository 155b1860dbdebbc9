"""Conversations of the synchronous face; the same scenarios as in test_conversations.py."""

import threading

import pytest
import sealwire
from conftest import DEADLINE, run
from sealwire import sync
from sync_pair import in_thread, pair, until


def add(request):
    """Adds up what the requester says until it has no more."""
    total = int(request.body)
    while True:
        said = request.talk.ask("more?")
        if not said.has_body:
            return str(total)
        total += int(said.text())


def adds_up(peer, numbers):
    with peer.converse("add", "1") as talk:
        for said in talk:
            if said.asks:
                assert said.text() == "more?"
                said.answer(str(numbers.pop(0)) if numbers else None)
            else:
                result = said.text()
    assert not talk.running
    return result


def test_the_handler_asks_until_it_knows_enough(url):
    with pair(url, routes={"add": add}) as (_, _, peer):
        assert adds_up(peer, [20, 300]) == "321"
        assert not peer._talks


def test_the_requester_asks_while_it_is_asked_and_answers_ask_in_turn(url):
    def deep(request):
        for said in request.talk:
            depth = int(said.text())
            while depth:
                said = said.ask(str(depth - 1))
                depth = int(said.text())
            said.answer("bottom")
            return b"done"

    with pair(url, routes={"deep": deep}) as (_, _, peer):
        with peer.converse("deep") as talk:
            said = talk.ask("100", metadata={"a": "b"})
            turns = 1
            while said.asks:
                turns += 1
                said = said.ask(str(max(int(said.text()) - 1, 0)))
            assert said.text() == "bottom" and turns > 50
            assert [one.body for one in talk] == [b"done"]


def test_what_is_asked_before_a_thread_serves_is_answered_when_one_does(url):
    def hear(request):
        for said in request.talk:
            said.answer(said.text().upper())
            return None

    with pair(url, routes={"hear": hear}, threads=0) as (server, _, peer):
        with peer.converse("hear") as talk:
            asked = in_thread(talk.ask, "early")
            until(lambda: peer.running.questions)
            peer.ping()  # the question is there
            server.serve_in_background()
            assert asked.result(DEADLINE).text() == "EARLY"
            assert [said.has_body for said in talk] == []


def test_the_same_for_messages_that_are_iterated_over(url):
    with pair(url, threads=0) as (server, _, peer), server.messages("hear") as messages:
        with peer.converse("hear") as talk:
            asked = in_thread(talk.ask, "early")
            request = next(messages)
            said = next(iter(request.talk))
            said.answer("answer to " + said.text())
            assert asked.result(DEADLINE).text() == "answer to early"
            request.reply(None)
            assert list(talk) == [] and not request.peer._talks


def test_a_question_is_answered_by_a_status_which_ask_raises(url):
    def refuse(request):
        for said in request.talk:
            said.status(70, "not that")
            with pytest.raises(sealwire.StateError):
                said.answer(b"twice")
            return b"end"

    with pair(url, routes={"refuse": refuse}) as (_, _, peer), peer.converse("refuse") as talk:
        with pytest.raises(sealwire.Status) as refused:
            talk.ask("this?")
        assert (refused.value.status, refused.value.text) == (70, "not that")


def test_leaving_a_conversation_ends_what_its_handler_asks(url):
    ended = []
    over = threading.Event()

    def wait(request):
        try:
            request.talk.ask("?")
        except sealwire.Error as error:
            ended.append(error.code)
        finally:
            over.set()

    with pair(url, routes={"wait": wait}) as (_, _, peer):
        with peer.converse("wait") as talk:
            assert next(iter(talk)).asks
        assert over.wait(DEADLINE) and ended == ["cancelled"]


def test_a_conversation_ends_with_its_session(url):
    with pair(url, routes={"hear": lambda request: [said.answer() for said in request.talk]}) as (_, _, peer):
        with peer.converse("hear") as talk:
            assert not talk.ask("here?").has_body
            rest = in_thread(list, talk)
            peer.close(deadline=0.001)
            assert isinstance(rest.exception(DEADLINE), sealwire.Error)
            with pytest.raises(sealwire.Error):
                talk.ask("still?")


def test_who_does_not_converse_is_not_asked(url):
    def ask(request):
        assert not request.converses
        with pytest.raises(sealwire.StateError):
            request.talk
        return b"fine"

    with pair(url, routes={"ask": ask}) as (_, _, peer):
        assert peer.request("ask").body == b"fine"


def test_deadlines_are_paused_and_resumed(url):
    def stop(request):
        yield b"one"
        request.wait_cancelled(DEADLINE)

    with pair(url, routes={"stop": stop}) as (_, _, peer):
        replies = peer.request_many("stop", timeout=sealwire.NEVER, between=sealwire.NEVER)
        with pytest.raises(sealwire.StateError):
            replies.pause()
        assert next(replies).body == b"one"
        replies.pause()
        replies.set_deadlines(next=0.02)
        assert replies.running and peer.running.requests == 1
        replies.resume()
        with pytest.raises(TimeoutError):
            next(replies)


def test_the_faces_converse_with_each_other(url):
    import test_conversations

    async def scenario(ticket):
        async with sealwire.Node(network="tests") as client:
            peer = await client.connect(ticket)
            numbers = [2, 3]
            async with peer.converse("add", "1") as talk:
                async for said in talk:
                    if said.asks:
                        said.answer(str(numbers.pop(0)) if numbers else None)
                    else:
                        assert said.text() == "6"

    with pair(url, routes={"add": add}) as (server, _, _):
        run(scenario, next(iter(server._listeners.values())).ticket)

    async def other_way():
        import asyncio
        async with sealwire.Node(network="tests", allow="anyone") as server:
            server.route("add", max_handlers=1)(test_conversations.add)  # waits in an inbox first
            ticket = (await server.listen(url if url.startswith("tcp") else url + "2")).ticket

            def ask():
                with sync.Node(network="tests") as client:
                    return adds_up(client.connect(ticket), [4])

            assert await asyncio.get_running_loop().run_in_executor(None, ask) == "5"

    run(other_way)
