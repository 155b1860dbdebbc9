"""Peers by their ids, and one message to all of them; both faces."""

import asyncio
import contextlib
import time

import pytest
import sealwire
from conftest import DEADLINE, run
from pair import known
from sealwire import sync
from sync_pair import in_thread, until
from test_resume import broken_pair

URL = "tcp://127.0.0.1:0"
FILLING = b"f" * 10000
WINDOW = 64 * 1024
SLOW = {"window_bytes": WINDOW}  # which is less than half of the hub's queue: one that is paused stays full
HUB = {"allow": "anyone", "network": "tests", "send_queue_bytes": 256 * 1024}
UNTOLD = "a peer that is paused did not tell that it has what its window holds, so its queue did not stay full"


# ---- asyncio ----

class Member:
    """A node that has dialled the hub, and what comes to it."""

    def __init__(self, node, messages, peer):
        self.node, self.id, self.messages, self.peer = node, node.id, messages, peer

    async def take(self, count=1):
        return [(await self.messages.__anext__()).body for _ in range(count)]


@contextlib.asynccontextmanager
async def hub_with(*options, **more):
    """(hub, members): one of them for each of the options."""
    async with contextlib.AsyncExitStack() as stack:
        hub = await stack.enter_async_context(sealwire.Node(**HUB, **more))
        ticket = (await hub.listen(URL)).ticket
        members = []
        for each in options:
            node = await stack.enter_async_context(sealwire.Node(network="tests", **each))
            messages = node.messages("news")
            members.append(Member(node, messages, await node.connect(ticket)))
        await known(hub, len(options))
        yield hub, members


def fill_once(peer):
    """How many messages it took until its queue was full."""
    count = 0
    with pytest.raises(sealwire.QueueFull):
        while count < 1000:
            peer.send_nowait("news", FILLING)
            count += 1
    return count


def has_its_window(peer, sent):
    """Whether it has told that it has as many of the messages sent as it takes while it is paused: then no more room comes."""
    return sent * len(FILLING) - peer.running.queued_bytes > WINDOW - len(FILLING)


async def fill(peer):
    """How many messages it took until the queue of a peer that is paused was full, and stays so."""
    count = fill_once(peer)
    end = time.monotonic() + DEADLINE / 2  # before that of run(), which does not say what was waited for
    while not has_its_window(peer, count):
        assert time.monotonic() < end, UNTOLD
        await asyncio.sleep(0)
    return count + fill_once(peer)


def test_a_peer_is_found_by_its_id_whichever_side_has_dialled():
    async def scenario():
        async with hub_with({}) as (hub, (member,)):
            (there,) = hub.peers
            assert hub.peer(member.id) is there and member.node.peer(hub.id) is member.peer
            assert hub.peer(hub.id) is None and hub.peer(sealwire.Identity.generate().id) is None
            await hub.peer(member.id).send("news", "by id")
            assert await member.take() == [b"by id"]
            with pytest.raises(sealwire.ArgumentError):
                hub.peer("nobody")
            with pytest.raises(sealwire.ArgumentTypeError):
                hub.peer(member.node.identity)
            await member.peer.close()
            assert member.node.peer(hub.id) is None
            await there.wait_closed()
            assert hub.peer(member.id) is None
        assert hub.peer(member.id) is None
        with pytest.raises(sealwire.StateError):
            sealwire.Node().peer(member.id)
    run(scenario)


def test_a_peer_that_closes_is_not_found_and_of_several_sessions_the_last_is():
    async def scenario():
        several = {"several_sessions": True}
        async with hub_with(several, **several) as (hub, (member,)):
            held = asyncio.get_running_loop().create_future()

            @hub.route("later")
            async def later(request):
                return await held

            ticket = f"{member.peer.address}#{hub.id}"
            second = await member.node.connect(ticket)
            await known(hub, 2)
            assert member.node.peer(hub.id) is second and hub.peer(member.id) in hub.peers
            running = asyncio.create_task(second.request("later"))
            while second.running.requests == 0:
                await asyncio.sleep(0)
            closing = asyncio.create_task(second.close(deadline=60))
            while not second.closing:
                await asyncio.sleep(0)
            assert member.node.peer(hub.id) is member.peer
            held.set_result("done")
            assert (await running).text() == "done"
            await closing
            assert member.node.peer(hub.id) is member.peer
    run(scenario)


def test_what_is_sent_to_a_peer_by_its_id_waits_for_its_connection():
    async def scenario():
        sent = []

        def on_link(peer, link):
            if link.state == "suspended":
                sent.append(client.peer(server.id) is peer)
                client.peer(server.id).send_nowait("news", b"meanwhile")
                sent.append(asyncio.ensure_future(client.broadcast("news", b"to all")))

        async with broken_pair(on_link) as (proxy, server, client, peer):
            messages = server.messages("news")
            proxy.cut()
            assert [(await messages.__anext__()).body for _ in range(2)] == [b"meanwhile", b"to all"]
            assert sent[0] is True and await sent[1] == 1
    run(scenario)


def test_a_message_goes_to_all_or_to_those_of_a_filter():
    async def scenario():
        async with hub_with({}, {}, {}) as (hub, members):
            assert await members[0].node.broadcast("nowhere") == 1
            assert await hub.broadcast("news", {"n": 1}) == 3
            assert await hub.broadcast(hub.draft("news", kind="json"), [2]) == 3
            assert await hub.broadcast("news") == 3
            for member in members:
                assert await member.take(3) == [b'{"n":1}', b"[2]", b""]
            assert await hub.broadcast("news", b"l" * 100000) == 3
            for member in members:
                assert await member.take() == [b"l" * 100000]
            asked = []
            assert await hub.broadcast("news", "some", filter=lambda peer: asked.append(peer) or peer.id != members[1].id) == 2
            assert sorted(peer.id for peer in asked) == sorted(member.id for member in members)
            assert await members[0].take() == await members[2].take() == [b"some"]
            assert await hub.broadcast("news", "x", filter=lambda peer: False) == 0
            with pytest.raises(ZeroDivisionError):
                await hub.broadcast("news", "x", filter=lambda peer: 1 / 0)
            with pytest.raises(sealwire.ArgumentTypeError, match="filter is a plain function"):
                await hub.broadcast("news", "x", filter=3)
            with pytest.raises(sealwire.ArgumentError):
                await hub.broadcast("", "x")
            with pytest.raises(sealwire.ArgumentError):
                await hub.broadcast("news", object())
            with pytest.raises(sealwire.ArgumentError, match="another node"):
                await hub.broadcast(members[0].node.draft("news"), "x")
            await hub.broadcast("news", "last")
            for member in members:
                assert await member.take() == [b"last"]
        with pytest.raises(sealwire.ClosedError):
            await hub.broadcast("news", "x")
    run(scenario)


def test_a_broadcast_waits_for_who_is_full_and_holds_up_nobody():
    async def scenario():
        async with hub_with({}, {}, SLOW) as (hub, (first, second, slow)):
            slow.peer.pause()
            filled = await fill(hub.peer(slow.id))
            one = asyncio.create_task(hub.broadcast("news", "one"))
            two = asyncio.create_task(hub.broadcast("news", "two"))
            for member in (first, second):
                assert await member.take(2) == [b"one", b"two"]
            assert not one.done() and not two.done()
            slow.peer.resume()
            assert await slow.take(filled + 2) == [FILLING] * filled + [b"one", b"two"]
            assert await one == await two == 3
    run(scenario)


def test_who_closes_or_is_waited_for_no_more_does_not_fail_the_rest():
    async def scenario():
        async with hub_with({}, SLOW, SLOW) as (hub, (first, gone, slow)):
            filled = 0
            for member in (gone, slow):
                member.peer.pause()
                filled = await fill(hub.peer(member.id))
            task = asyncio.create_task(hub.broadcast("news", "kept"))
            assert await first.take() == [b"kept"]
            dropped = asyncio.create_task(hub.broadcast("news", "dropped"))
            assert await first.take() == [b"dropped"]
            dropped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dropped
            await gone.node.close(0.001)
            slow.peer.resume()
            assert (await slow.take(filled + 1))[-1] == b"kept"
            assert await task == 2
            await hub.broadcast("news", "last")
            assert await slow.take() == await first.take() == [b"last"]
    run(scenario)


def test_who_takes_no_such_message_is_told_when_the_others_have_it():
    async def scenario():
        async with hub_with({}, {"max_message_bytes": 20000}, {}) as (hub, (first, small, last)):
            with pytest.raises(sealwire.TooBigError) as failure:
                await hub.broadcast("news", b"b" * 50000)
            assert failure.value.peer == small.id
            assert await first.take() == await last.take() == [b"b" * 50000]
            await hub.broadcast("news", "small")
            for member in (first, small, last):
                assert await member.take() == [b"small"]
    run(scenario)


# ---- The synchronous face ----

@contextlib.contextmanager
def sync_hub_with(*options):
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(sync.Node(**HUB))
        ticket = hub.listen(URL).ticket
        members = []
        for each in options:
            node = stack.enter_context(sync.Node(network="tests", **each))
            messages = node.messages("news")
            members.append((node, messages, node.connect(ticket)))
        until(lambda: len(hub.peers) == len(options))
        yield hub, members


def take(messages, count=1):
    return [next(messages).body for _ in range(count)]


def sync_fill(peer):
    count = fill_once(peer)
    until(lambda: has_its_window(peer, count), UNTOLD)
    return count + fill_once(peer)


def test_sync_peers_are_found_and_reached():
    with sync_hub_with({}, {}) as (hub, ((first, first_in, peer), (second, second_in, _))):
        assert first.peer(hub.id) is peer and hub.peer(first.id) in hub.peers
        assert hub.peer(hub.id) is None
        with pytest.raises(sealwire.ArgumentError):
            hub.peer("nobody")
        hub.peer(second.id).send("news", "by id")
        assert take(second_in) == [b"by id"]
        assert hub.broadcast("news", {"n": 1}) == 2
        assert hub.broadcast("news", "some", filter=lambda peer: peer.id == second.id) == 1
        assert take(first_in) == [b'{"n":1}'] and take(second_in, 2) == [b'{"n":1}', b"some"]
        with pytest.raises(sealwire.ArgumentTypeError):
            hub.broadcast("news", "x", filter="all")
        peer.close()
        assert first.peer(hub.id) is None
        until(lambda: hub.peer(first.id) is None)
    with pytest.raises(sealwire.ClosedError):
        hub.broadcast("news", "x")


def test_a_sync_broadcast_waits_for_who_is_full_and_holds_up_nobody():
    with sync_hub_with({}, SLOW, SLOW) as (hub, ((_, first_in, _), (gone, _, gone_peer), (slow, slow_in, slow_peer))):
        filled = 0
        for node, peer in ((gone, gone_peer), (slow, slow_peer)):
            peer.pause()
            filled = sync_fill(hub.peer(node.id))
        one = in_thread(hub.broadcast, "news", "one")
        assert take(first_in) == [b"one"]
        two = in_thread(hub.broadcast, "news", "two")
        assert take(first_in) == [b"two"]
        assert not one.done() and not two.done()
        gone.close(0.001)
        slow_peer.resume()
        assert sorted(take(slow_in, filled + 2)[-2:]) == [b"one", b"two"]
        assert one.result() == two.result() == 2


def test_a_sync_broadcast_that_waits_ends_with_its_node():
    with sync_hub_with(SLOW) as (hub, ((slow, _, peer),)):
        peer.pause()
        sync_fill(hub.peer(slow.id))
        waits = in_thread(hub.broadcast, "news", "x")
        until(lambda: hub._rooms._waiters)
        hub.close(0.1)
        with pytest.raises(sealwire.ClosedError):
            waits.result()
