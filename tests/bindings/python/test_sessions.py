"""One session with each peer: dials that lead to it, both sides at once, replacement, and the option of several; both faces."""

import asyncio
import threading

import pytest

import sealwire
from conftest import DEADLINE, run
from pair import known, pair
from sealwire import sync


def echo(request):
    return request.body


def test_connecting_to_a_peer_that_is_connected_gives_its_session(url):
    async def scenario():
        async with pair(url, routes={"echo": echo}) as (server, client, peer):
            (there,) = server.peers
            ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
            assert await client.connect(ticket) is peer
            back = (await client.listen("tcp://127.0.0.1:0")).ticket
            assert await server.connect(back) is there
            await peer.close()
            assert peer.reason is None and peer.instead is None
            again = await client.connect(ticket)
            assert again is not peer and (await again.request("echo", b"x")).body == b"x"
    run(scenario)


def test_tasks_that_connect_at_once_get_one_session(url):
    async def scenario():
        met = []
        async with sealwire.Node(allow="anyone", on_peer=met.append) as server, sealwire.Node() as client:
            ticket = (await server.listen(url)).ticket
            first, *others = await asyncio.gather(*(client.connect(ticket) for _ in range(10)))
            assert all(other is first for other in others) and client.peers == (first,)
            await known(server, 1)
            assert len(met) == 1 and server.stats()["sessions"] == 1
    run(scenario)


def test_both_sides_that_connect_at_once_get_one_session(url):
    async def scenario():
        nodes = [sealwire.Node(allow="anyone", network="tests") for _ in range(2)]
        for node in nodes:
            node.route("id")(lambda request, node=node: node.id)
        async with nodes[0] as one, nodes[1] as other:
            to_one, to_other = (await one.listen(url)).ticket, (await other.listen("tcp://127.0.0.1:0")).ticket
            for _ in range(20):
                there, back = await asyncio.gather(one.connect(to_other), other.connect(to_one))
                assert (await there.request("id")).text() == other.id and (await back.request("id")).text() == one.id
                assert one.peers == (there,) and other.peers == (back,) and there.dialled != back.dialled
                await there.close()
                await back.wait_closed()
    run(scenario)


def test_a_dial_that_waited_dials_when_the_first_has_failed():
    async def scenario():
        answers = [False, True]
        async with sealwire.Node(on_ask=lambda asking: answers.pop(0)) as server, sealwire.Node() as client:
            ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
            first, second = await asyncio.gather(*(client.connect(ticket) for _ in range(2)), return_exceptions=True)
            assert isinstance(first, sealwire.NotAllowedError) and client.peers == (second,)
    run(scenario)


def test_another_process_with_the_key_replaces_the_session_and_each_side_is_told():
    async def scenario():
        key = sealwire.Identity.generate()
        started = asyncio.Event()
        async with sealwire.Node(allow="anyone") as server, sealwire.Node(identity=key) as one, sealwire.Node(identity=key) as two:

            @server.route("slow")
            async def slow(request):
                started.set()
                await asyncio.Event().wait()

            ticket = (await server.listen("tcp://127.0.0.1:0")).ticket
            old = await one.connect(ticket)
            asked = asyncio.ensure_future(old.request("slow"))
            await started.wait()
            (old_there,) = server.peers
            new = await two.connect(ticket)
            reason = await old.wait_closed()
            assert isinstance(reason, sealwire.SessionError) and reason.code == "replaced" and old.instead is None
            with pytest.raises(sealwire.Error) as caught:
                await asked
            assert caught.value.code == "outcome_unknown"
            reason = await old_there.wait_closed()
            assert reason.code == "replaced" and old_there.instead in server.peers and len(server.peers) == 1
            assert two.peers == (new,) and one.peers == ()
    run(scenario)


def test_with_several_sessions_each_connect_makes_one(url):
    async def scenario():
        options = {"several_sessions": True}
        async with pair(url, options, options, routes={"echo": echo}) as (server, client, first):
            second = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
            await known(server, 2)
            assert second is not first and set(client.peers) == {first, second}
            for peer in (first, second):
                assert (await peer.request("echo", b"x")).body == b"x"
    run(scenario)


def test_threads_that_connect_at_once_get_one_session(url):
    with sync.Node(allow="anyone") as server, sync.Node() as client:
        ticket = server.listen(url).ticket
        together, got = threading.Barrier(4, timeout=DEADLINE), []

        def dial():
            together.wait()
            got.append(client.connect(ticket))

        threads = [threading.Thread(target=dial) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert len(got) == 4 and set(got) == set(client.peers) and len(client.peers) == 1
        with sync.Node(identity=client.identity) as other:
            peer = other.connect(ticket)
            assert got[0].wait_closed(DEADLINE).code == "replaced" and got[0].instead is None
            assert other.peers == (peer,)


def test_threads_with_several_sessions_get_one_each(url):
    with sync.Node(allow="anyone", several_sessions=True) as server, sync.Node(several_sessions=True) as client:
        ticket = server.listen(url).ticket
        assert client.connect(ticket) is not client.connect(ticket)
        assert len(client.peers) == 2


@pytest.mark.parametrize("node", [sealwire.Node, sync.Node])
def test_several_sessions_is_yes_or_no(node):
    for neither in ("no", 1, None):
        with pytest.raises(sealwire.ArgumentTypeError, match="several_sessions") as caught:
            node(several_sessions=neither)
        assert caught.value.code == "argument"
