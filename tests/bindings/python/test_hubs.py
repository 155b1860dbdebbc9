"""Hubs: their clients publish to each other without being connected, each message comes once and in order, and no hub that is not named
passes anything on; both faces."""

import asyncio
import contextlib
import queue
import re
import time

import pytest
import sealwire
from conftest import DEADLINE, run
from pair import known
from sealwire import sync
from sync_pair import until
from test_topics import Told, take, texts

URL = "tcp://127.0.0.1:0"
SECRET = sealwire.topic_secret_new()


@pytest.fixture(params=[1, 3], ids=["one-thread", "three-threads"])
def threads(request):
    """Of each node."""
    return request.param


class World:
    """Hubs that name each other, each connected with each, and nodes at them."""

    def __init__(self, stack, threads):
        self.stack = stack
        self.options = {"network": "tests", "loop_threads": threads}
        self.hubs = []
        self.tickets = {}

    async def open(self, **options):
        return await self.stack.enter_async_context(sealwire.Node(**self.options, **options))

    async def add_hubs(self, count):
        keys = [sealwire.Identity.generate() for _ in range(count)]
        for key in keys:
            hub = await self.open(identity=key, allow="anyone", hub=True, hubs=[other.id for other in keys if other is not key])
            self.tickets[hub] = (await hub.listen(URL)).ticket
            for other in self.hubs:
                await hub.connect(self.tickets[other])
            self.hubs.append(hub)
        for hub in self.hubs:
            await known(hub, count - 1)

    async def client(self, *hubs, **options):
        """A node at those hubs, which it names."""
        node = await self.open(**{"hubs": [hub.id for hub in hubs], **options})
        for hub in hubs:
            await node.connect(self.tickets[hub])
        return node


@contextlib.asynccontextmanager
async def world(threads, hubs=1):
    async with contextlib.AsyncExitStack() as stack:
        made = World(stack, threads)
        await made.add_hubs(hubs)
        yield made


async def rest(topic):
    """Leaves it: what has come and nobody has taken."""
    await topic.leave()
    return texts([message async for message in topic])


async def logged(caplog, words, peer):
    """The first record with those words about that peer, once it is there."""
    while True:
        for record in caplog.records:
            if words in record.getMessage() and record.peer == peer.id[:8]:
                return record
        await asyncio.sleep(0)


# ---- Messages ----

def test_two_clients_of_a_hub_publish_to_each_other_in_order_each_message_once(threads):
    async def scenario():
        async with world(threads) as made:
            (hub,) = made.hubs
            told = Told()
            ada, bob = await made.client(hub), await made.client(hub)
            mine = await ada.join("news", on_joined=told.joined, on_left=told.left)
            assert (mine.joined, mine.members(), await mine.publish("nobody is there")) == (1, [], 0)
            theirs = await bob.join("news")
            member = await told.next("joined")
            assert member == (hub.id, ada.peer(hub.id), False, True) and isinstance(member, sealwire.Member)
            assert mine.members() == [member] and member.hub is True
            for number in range(200):
                assert await mine.publish(f"a{number}") == await theirs.publish(f"b{number}") == 1
            for node, topic, letter in ((ada, mine, "b"), (bob, theirs, "a")):
                messages = await take(topic, 200)
                assert texts(messages) == [f"{letter}{number}" for number in range(200)]
                for number, one in enumerate(messages):
                    assert (one.passed_on, one.publisher, one.number, one.dropped, one.last_value) == (True, hub.id, number, 0, False)
                    assert one.peer is node.peer(hub.id) and one.topic == "news"
            assert await rest(theirs) == []
            assert await told.next("left") == member
            assert mine.members() == [] and await mine.publish("gone") == 0 and await rest(mine) == []
    run(scenario)


def test_a_hub_hears_and_publishes_what_it_has_joined_itself(threads):
    async def scenario():
        async with world(threads) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub), await made.client(hub)
            theirs = await hub.join("news")
            mine, third = await ada.join("news"), await bob.join("news")
            assert await mine.publish("of ada") == 1
            for topic, publisher, passed_on in ((theirs, ada.id, False), (third, hub.id, True)):
                (one,) = await take(topic, 1)
                assert (one.text(), one.publisher, one.passed_on) == ("of ada", publisher, passed_on)
            assert await theirs.publish("of the hub") == 2
            for topic in (mine, third):
                (one,) = await take(topic, 1)
                assert (one.text(), one.publisher, one.passed_on) == ("of the hub", hub.id, False)
            assert sorted((member.id, member.hub) for member in theirs.members()) == sorted([(ada.id, False), (bob.id, False)])
    run(scenario)


def test_with_a_secret_the_publisher_is_proved_and_the_hub_cannot_read(threads):
    async def scenario():
        async with world(threads) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub), await made.client(hub)
            without = await hub.join("board")
            mine, theirs = await ada.join("board", secret=SECRET), await bob.join("board", secret=SECRET)
            for number in range(20):
                assert await mine.publish(f"a{number}") == await theirs.publish(f"b{number}") == 1
            for topic, letter, publisher in ((theirs, "a", ada), (mine, "b", bob)):
                messages = await take(topic, 20)
                assert texts(messages) == [f"{letter}{number}" for number in range(20)]
                assert {(one.publisher, one.peer.id, one.passed_on) for one in messages} == {(publisher.id, hub.id, True)}
            assert without.members() == [] and await without.publish("x") == 0 and await rest(without) == []
            within = await hub.join("board", secret=SECRET)  # who has it hears
            await mine.publish("for all")
            for topic, passed_on in ((within, False), (theirs, True)):
                (one,) = await take(topic, 1)
                assert (one.text(), one.publisher, one.passed_on) == ("for all", ada.id, passed_on)
            assert await rest(mine) == await rest(theirs) == await rest(within) == []
    run(scenario)


def test_hubs_that_name_each_other_are_one(threads):
    async def scenario():
        async with world(threads, hubs=2) as made:
            one, two = made.hubs
            ada, bob = await made.client(one), await made.client(two)
            mine, theirs = await ada.join("news"), await bob.join("news")
            for number in range(100):
                assert await mine.publish(f"a{number}") == await theirs.publish(f"b{number}") == 1
            for topic, letter, hub in ((theirs, "a", two), (mine, "b", one)):
                messages = await take(topic, 100)
                assert texts(messages) == [f"{letter}{number}" for number in range(100)]
                assert {(each.publisher, each.passed_on, each.dropped) for each in messages} == {(hub.id, True, 0)}
            assert await rest(mine) == await rest(theirs) == []
    run(scenario)


def test_a_client_at_two_hubs_gets_each_message_once(threads):
    async def scenario():
        async with world(threads, hubs=2) as made:
            one, two = made.hubs
            ada, bob, both = await made.client(one), await made.client(two), await made.client(one, two)
            topics = [await node.join("news") for node in (ada, bob, both)]
            for number in range(100):
                for place, topic in enumerate(topics):
                    assert await topic.publish(f"{place} {number}") == (2 if topic is topics[2] else 1)
            for place, topic in enumerate(topics):
                messages = await take(topic, 200)
                for other in {0, 1, 2} - {place}:
                    assert [text for text in texts(messages) if text.startswith(str(other))] == [f"{other} {n}" for n in range(100)]
                assert all(each.passed_on and each.dropped == 0 for each in messages)
            for number in range(3):  # behind all that may have come twice
                await topics[number].publish(f"end {number}")
            for number, topic in enumerate(topics):
                assert sorted(texts(await take(topic, 2))) == [f"end {other}" for other in range(3) if other != number]
                assert await rest(topic) == []
    run(scenario)


def test_who_is_at_a_hub_and_connected_hears_the_publisher_itself(threads):
    async def scenario():
        async with world(threads) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub, allow="anyone"), await made.client(hub)
            await bob.connect((await ada.listen(URL)).ticket)
            await known(ada, 2)
            mine, theirs = await ada.join("news"), await bob.join("news")
            for number in range(50):
                assert await mine.publish(str(number)) == 2
            messages = await take(theirs, 50)
            assert texts(messages) == [str(number) for number in range(50)]
            assert {(one.publisher, one.passed_on) for one in messages} == {(ada.id, False)}
            assert await rest(theirs) == await rest(mine) == []
    run(scenario)


# ---- Which hubs ----

def test_a_hub_that_is_not_named_is_refused_and_nothing_is_passed_on(threads, caplog):
    async def scenario():
        async with world(threads) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub, hubs=[], allow="anyone"), await made.client(hub)
            mine, theirs = await ada.join("news"), await bob.join("news")
            record = await logged(caplog, "this hub may not join a topic there: the peer has to name it as a hub", ada)
            assert (record.levelname, record.code) == ("WARNING", "not_allowed")
            await logged(caplog, "the peer is a hub that this node does not name as one", hub)
            assert await mine.publish("not over it") == 0 and mine.members() == []
            assert await theirs.publish("not taken") == 1
            record = await logged(caplog, "it passes on what others have published, and is not named as a hub here", hub)
            assert (record.levelname, record.code) == ("WARNING", "not_allowed")
            await bob.connect((await ada.listen(URL)).ticket)  # then nothing is in between
            again, back = await ada.join("again"), await bob.join("again")
            assert await mine.publish("mine") == 1 and await theirs.publish("theirs") == 2
            for topic, text, publisher in ((theirs, "mine", ada), (mine, "theirs", bob)):
                (one,) = await take(topic, 1)
                assert (one.text(), one.publisher, one.passed_on) == (text, publisher.id, False)
            assert await rest(mine) == await rest(theirs) == await rest(again) == await rest(back) == []
    run(scenario)


def test_hubs_are_ids_and_a_hub_is_one_or_not():
    for wrong in ({"hub": 1}, {"hub": None}, {"hubs": [1]}, {"hubs": 1}):
        with pytest.raises(sealwire.ArgumentTypeError):
            sealwire.Node(**wrong)
    with pytest.raises(sealwire.ArgumentError, match="hubs is a list of ids"):
        sealwire.Node(hubs=sealwire.Identity.generate().id)

    async def scenario():
        with pytest.raises(sealwire.ArgumentError):
            async with sealwire.Node(hubs=["nobody"]):
                pass
        async with sealwire.Node(hub=True, hubs=iter([sealwire.Identity.generate().id])):
            pass
    run(scenario)


# ---- Joins ----

@pytest.mark.parametrize("hubs", [1, 2])
@pytest.mark.parametrize("first", ["subscriber", "publisher"])
def test_once_both_have_joined_nothing_is_missed(threads, hubs, first):
    async def scenario():
        async with world(threads, hubs) as made:
            ada, bob = await made.client(made.hubs[0]), await made.client(made.hubs[-1])
            for number in range(50):
                name = f"round {number}"
                joins = [ada.join(name, publish_only=True), bob.join(name)]
                if first == "subscriber":
                    to, source = await joins[1], await joins[0]
                else:
                    source, to = await joins[0], await joins[1]
                assert [await source.publish(text) for text in ("one", "two")] == [1, 1]
                assert texts(await take(to, 2)) == ["one", "two"]
                assert await rest(to) == []
    run(scenario)


def test_what_a_hub_does_not_get_is_told_as_dropped():
    async def scenario():
        async with world(1) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub), await made.client(hub)
            told = Told()
            mine = await ada.join("news", queue_bytes=65536, on_dropped=told.dropped)
            await bob.join("news")
            while told.empty():
                mine.publish_nowait(b"x" * 50_000)
                await asyncio.sleep(0)
            dropped = await told.next("dropped")
            assert (dropped.peer, dropped.hub, dropped.bytes) == (ada.peer(hub.id), True, 50_000 * dropped.count) and dropped.count > 0
    run(scenario)


def test_what_a_hub_drops_is_counted_and_its_log_sums_it_up(caplog):
    total, counted = 400, []

    async def scenario():
        async with world(1) as made:
            (hub,) = made.hubs
            ada, bob = await made.client(hub), await made.client(hub)
            mine, theirs = await ada.join("news", slow="block"), await bob.join("news", credit_bytes=131072)
            for number in range(total):  # nobody takes them
                assert await mine.publish(number.to_bytes(4, "big") + b"x" * 50_000) == 1
            while hub.stats()["topic_passed_on"] < total:
                await asyncio.sleep(0)
            stats = hub.stats()
            got, missing = [], 0
            async for message in theirs:
                got.append(int.from_bytes(message.body[:4], "big"))
                missing += message.dropped
                if got[-1] == total - 1:
                    break
            assert got == sorted(got) and missing == total - len(got) == hub.stats()["topic_dropped"] > 0
            assert stats["topic_passed_on"] == total
            await hub.close()
            counted.append(missing)
    begun = time.monotonic()
    run(scenario)
    (dropped,) = counted
    intervals = (time.monotonic() - begun) / 10
    told = [re.match(r"(\d+) messages of topics, (\d+) bytes, were not passed on to peers", record.getMessage()) for record in caplog.records]
    lines = [(int(match[1]), int(match[2])) for match in told if match]
    assert sum(count for count, _ in lines) == dropped and sum(size for _, size in lines) == dropped * 50_004 and len(lines) <= 2 + intervals


# ---- Without an event loop ----

@contextlib.contextmanager
def sync_world(threads):
    """(hub, two nodes at it, where `joined` of the first is told)."""
    with sync.Node(network="tests", allow="anyone", hub=True, loop_threads=threads) as hub:
        ticket = hub.listen(URL).ticket
        options = {"network": "tests", "hubs": [hub.id], "loop_threads": threads}
        with sync.Node(**options) as ada, sync.Node(**options) as bob:
            for node in (ada, bob):
                node.connect(ticket, timeout=DEADLINE)
            yield hub, ada, bob


def test_threads_publish_to_each_other_over_a_hub(threads):
    with sync_world(threads) as (hub, ada, bob):
        told = queue.Queue()
        mine = ada.join("news", on_joined=told.put)
        theirs = bob.join("news")
        member = told.get(timeout=DEADLINE)
        assert member == (hub.id, ada.peer(hub.id), False, True) and isinstance(member, sync.Member)
        for number in range(100):
            assert mine.publish(f"a{number}") == theirs.publish(f"b{number}") == 1
        for topic, letter in ((theirs, "a"), (mine, "b")):
            messages = [next(topic) for _ in range(100)]
            assert texts(messages) == [f"{letter}{number}" for number in range(100)]
            assert {(one.passed_on, one.publisher, one.dropped) for one in messages} == {(True, hub.id, 0)}
        for topic in (theirs, mine):
            topic.leave()
            assert list(topic) == []


def test_threads_have_a_secret_that_the_hub_has_not(threads):
    with sync_world(threads) as (hub, ada, bob):
        without = hub.join("board")
        mine, theirs = ada.join("board", secret=SECRET), bob.join("board", secret=SECRET)
        assert mine.publish("sealed") == 1
        one = next(theirs)
        assert (one.text(), one.publisher, one.peer.id, one.passed_on) == ("sealed", ada.id, hub.id, True)
        without.leave()
        assert list(without) == []
        for number in range(50):
            name = f"round {number}"
            to, source = bob.join(name), ada.join(name)
            assert source.publish(number) == 1 and next(to).json() == number


def test_threads_hear_nothing_of_a_hub_that_they_have_not_named(threads, caplog):
    with sync_world(threads) as (hub, ada, bob), sync.Node(network="tests", loop_threads=threads) as eve:
        eve.connect(next(iter(hub._listeners.values())).ticket, timeout=DEADLINE)
        mine, theirs = eve.join("news"), bob.join("news")
        assert theirs.publish("not for eve") == 1
        for words, peer in (("this hub may not join a topic there", eve), ("is not named as a hub here", hub)):
            until(lambda: any(words in record.getMessage() and record.peer == peer.id[:8] for record in list(caplog.records)))
        assert mine.publish("not of eve") == 0
        mine.leave()
        assert list(mine) == []
