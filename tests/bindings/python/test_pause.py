"""Delivery that is paused: of a peer, of a route."""

import asyncio

import pytest
import sealwire
from conftest import run
from pair import pair


def test_messages_of_a_paused_peer_wait_while_its_answers_come(url):
    async def scenario():
        seen, come = [], asyncio.Event()

        def note(message):
            seen.append(message.text())
            come.set()

        async with pair(url, routes={"note": note}) as (server, client, peer):
            client.route("back")(lambda request: request.body)
            [back] = server.peers
            back.pause()
            for text in "abcd":
                await peer.send("note", text)
            await peer.ping()
            assert (await back.request("back", b"other way")).body == b"other way"
            assert seen == []
            back.resume(1)
            await come.wait()
            await peer.ping()
            await peer.ping()
            assert seen == ["a"]
            back.resume()
            await peer.send("note", "e", receipt=True)
            assert seen == list("abcde")
    run(scenario)


def test_messages_to_a_paused_route_wait_while_others_pass(url):
    async def scenario():
        seen = []
        routes = {"slow": lambda message: seen.append(message.text()), "fast": lambda message: seen.append(message.text())}
        async with pair(url, routes=routes) as (server, _, peer):
            server.pause("slow")
            waiting = asyncio.ensure_future(peer.request("slow", "first"))
            await peer.request("fast", "second")
            assert seen == ["second"]
            server.resume("slow")
            await waiting
            assert seen == ["second", "first"]
            with pytest.raises(sealwire.StateError):
                server.pause("nobody's")
    run(scenario)


def test_a_request_that_waits_runs_into_its_deadline(url):
    async def scenario():
        seen = []
        async with pair(url, routes={"slow": lambda message: seen.append(message.text())}) as (server, _, peer):
            server.pause("slow")
            with pytest.raises(sealwire.DeadlineError):
                await peer.request("slow", "late", timeout=0.001)
            server.resume("slow")
            await peer.request("slow", "good")
            assert seen == ["good"]
    run(scenario)


def test_a_number_of_messages_is_a_whole_number(url):
    async def scenario():
        async with pair(url, routes={"x": lambda message: None}) as (server, _, peer):
            with pytest.raises(sealwire.ArgumentError):
                peer.resume(-1)
            with pytest.raises(sealwire.ArgumentTypeError):
                server.resume("x", 1.5)
    run(scenario)
