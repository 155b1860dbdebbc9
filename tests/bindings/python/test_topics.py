"""Topics: who joins gets what is published, once and in order, or is told how much it was too slow for; both faces."""

import asyncio
import contextlib
import gc
import queue
import threading

import pytest
import sealwire
from conftest import DEADLINE, run
from pair import known, pair
from sealwire import sync
from sync_pair import in_thread, until
from sync_pair import pair as sync_pair
from test_resume import broken_pair

URL = "tcp://127.0.0.1:0"


async def take(topic, count):
    """The next `count` messages."""
    messages = []
    if count:
        async for message in topic:
            messages.append(message)
            if len(messages) == count:
                break
    return messages


def texts(messages):
    return [message.text() for message in messages]


class Told(asyncio.Queue):
    """What callbacks of a topic were called with."""

    def __getattr__(self, name):
        return lambda *arguments: self.put_nowait((name, *arguments))

    async def next(self, name):
        while True:
            got, *arguments = await self.get()
            if got == name:
                return arguments[0]


@contextlib.asynccontextmanager
async def joined(url=URL, theirs=None, mine=None, **nodes):
    """(server, client, peer, from, to, told): "news" at both ends, once each knows of the other; told is of `from`."""
    async with pair(url, **nodes) as (server, client, peer):
        told = Told()
        calls = {f"on_{name}": getattr(told, name) for name in ("joined", "left", "dropped", "refused")}
        source = await server.join("news", **calls, **(mine or {}))
        to = await client.join("news", **(theirs or {}))
        await told.next("joined")
        yield server, client, peer, source, to, told


# ---- Publishing and reading ----

def test_what_is_published_arrives_with_its_topic_its_publisher_and_its_number(url):
    async def scenario():
        async with pair(url) as (server, client, peer):
            told = Told()
            async with server.join("news", on_joined=told.joined, on_left=told.left) as mine:
                assert (mine.name, mine.joined, mine.refused, mine.refusal, mine.members(), mine.closed) == ("news", 1, 0, None, [], False)
                assert await mine.publish("nobody is there") == 0
                theirs = await client.join("news")
                (back,) = server.peers
                member = await told.next("joined")
                assert member == (client.id, back, False, False) and isinstance(member, sealwire.Member)
                assert mine.members() == [member] and theirs.members() == [(server.id, peer, False, False)]
                for value in ("one", {"two": 2}, b"three", sealwire.encode([4], "messagepack"), bytearray(b"five"), b"6" * 5000):
                    assert await mine.publish(value) == 1
                assert await mine.publish() == 1
                assert theirs.publish_nowait("back") == 1
                messages = await take(theirs, 7)
                assert [one.body for one in messages] == [b"one", b'{"two":2}', b"three", b"\x91\x04", b"five", b"6" * 5000, b""]
                assert [one.kind for one in messages] == ["utf8", "json", "bytes", "messagepack", "bytes", "bytes", "bytes"]
                assert [one.type for one in messages[:4]] == [1, 2, 0, 3]
                assert messages[1].json() == {"two": 2} and messages[3].decode() == [4]
                assert bytes(messages[5].view) == messages[5].body == bytes(messages[5]) and len(messages[5]) == 5000
                for number, one in enumerate(messages):
                    assert (one.number, one.dropped, one.last_value, one.topic) == (number, 0, False, "news")
                    assert one.peer is peer and one.publisher == server.id and isinstance(one, sealwire.TopicMessage)
                assert repr(messages[0]) == f"<sealwire.TopicMessage 'news' 0 of {server.id[:8]}>"
                assert texts(await take(mine, 1)) == ["back"]
                await theirs.leave()
                assert await told.next("left") == member
                assert mine.members() == [] and await mine.publish("gone") == 0
                assert theirs.closed and [message async for message in theirs] == []
                with pytest.raises(sealwire.ClosedError, match="the topic news was left"):
                    await theirs.publish("x")
                with pytest.raises(sealwire.ClosedError, match="the topic news was left"):
                    theirs.publish_nowait("x")
                await theirs.leave()
            assert mine.closed and repr(mine) == "<sealwire.Topic 'news' closed>"
    run(scenario)


def test_each_join_of_a_name_gets_each_message():
    async def scenario():
        async with joined() as (server, client, peer, source, first, told):
            second = await client.join("news")
            await source.publish("both")
            assert texts(await take(first, 1)) == texts(await take(second, 1)) == ["both"]
            await first.leave()
            assert await source.publish("second alone") == 1
            assert texts(await take(second, 1)) == ["second alone"]
            third = await client.join("news")
            other = await client.join("other")
            await client.leave_topic("news")
            assert second.closed and third.closed and not other.closed
            assert (await told.next("left")).id == client.id
            with pytest.raises(sealwire.StateError, match="was not joined"):
                await client.leave_topic("news")
    run(scenario)


def test_to_one_member_to_those_of_a_filter_and_not_to_who_only_publishes():
    async def scenario():
        async with joined(mine={"publish_only": True}) as (server, client, peer, source, to, told):
            assert to.members()[0].publisher is True
            assert await to.publish("not for publishers") == 0
            with pytest.raises(sealwire.StateError, match="publish_only"):
                await source.__anext__()
            with pytest.raises(sealwire.StateError, match="publish_only"):
                await source.batches().__anext__()
            (member,) = source.members()
            asked = []
            assert await source.publish("to one", to=member.peer) == 1
            assert await source.publish("to none", filter=lambda one: asked.append(one)) == 0
            assert source.publish_nowait("filtered", filter=lambda one: one.id == client.id) == 1
            assert await source.publish("neither", to=member.peer, filter=lambda one: False) == 0
            assert asked == [member]
            messages = await take(to, 2)
            assert texts(messages) == ["to one", "filtered"]
            assert [(one.number, one.dropped) for one in messages] == [(0, 0), (1, 0)]
            with pytest.raises(ZeroDivisionError):
                await source.publish("x", filter=lambda one: 1 // 0)
            async def later(member):
                """No filter."""

            for wrong in ({"to": peer}, {"to": 1}, {"filter": 1}, {"filter": later}):
                with pytest.raises(sealwire.ArgumentTypeError):
                    await source.publish("x", **wrong)
            with pytest.raises(sealwire.ArgumentError):
                await source.publish({1, 2})
            back = member.peer
            await peer.close()
            await back.wait_closed()
            with pytest.raises(sealwire.SessionError):
                await source.publish("x", to=back)
    run(scenario)


def test_the_last_value_comes_first_and_says_so():
    async def scenario():
        async with pair(URL) as (server, client, _):
            source = await server.join("state", keep_last=True)
            for value in ("old", "kept"):
                await source.publish(value)
            to = await client.join("state", want_last=True)
            (kept,) = await take(to, 1)
            assert (kept.text(), kept.last_value) == ("kept", True) and "last value" in repr(kept)
            await source.publish("new")
            (new,) = await take(to, 1)
            assert (new.text(), new.last_value) == ("new", False)
            plain = await client.join("plain")
            assert plain.joined == 1
    run(scenario)


def test_a_large_message_and_what_is_behind_it():
    async def scenario():
        async with joined() as (_, _, _, source, to, _):
            large = bytes(12 * 2**20)
            await source.publish(large)
            await source.publish("small")
            first, second = await take(to, 2)
            assert first.body == large and second.text() == "small"
            with pytest.raises(sealwire.TooBigError):
                await source.publish(bytes(17 * 2**20))
    run(scenario)


def test_batches_and_loops_share_the_messages():
    async def scenario():
        async with joined() as (_, _, _, source, to, _):
            for number in range(300):
                await source.publish(number)
            assert texts(await take(to, 2)) == ["0", "1"]
            got = []
            async for batch in to.batches(50):
                assert 0 < len(batch) <= 50
                got += [message.json() for message in batch]
                if len(got) == 298:
                    break
            assert got == list(range(2, 300))
            # Leaving a loop leaves no topic; several wait at once; one that is cancelled takes none away.
            one, other, third = (asyncio.ensure_future(take(to, 1)) for _ in range(3))
            await asyncio.sleep(0)
            third.cancel()
            await source.publish("a")
            await source.publish("b")
            assert sorted(texts(await one + await other)) == ["a", "b"]
            with pytest.raises(asyncio.CancelledError):
                await third
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(to.__anext__(), 0.01)
            await source.publish("last")
            assert texts(await take(to, 1)) == ["last"]
    run(scenario)


# ---- Slow members ----

SLOW = 3000
SMALL = {"queue_bytes": 262_144}
LITTLE = {"credit_bytes": 131_072}


def numbered(number):
    return number.to_bytes(4, "little") + bytes(996)


def number_in(message):
    return int.from_bytes(message.body[:4], "little")


def test_a_publisher_that_blocks_waits_and_nothing_is_lost():
    async def scenario():
        async with joined(theirs=LITTLE, mine={"slow": "block", **SMALL}) as (_, _, _, source, to, told):
            publishing = [asyncio.ensure_future(source.publish(numbered(number))) for number in range(SLOW)]
            await asyncio.sleep(0)
            with pytest.raises(sealwire.QueueFull):
                source.publish_nowait("too early")
            cancelled = asyncio.ensure_future(source.publish("cancelled"))
            await asyncio.sleep(0)
            cancelled.cancel()
            for number, message in enumerate(await take(to, SLOW)):
                assert (number_in(message), message.number, message.dropped) == (number, number, 0)
            assert await asyncio.gather(*publishing) == [1] * SLOW
            assert await source.publish("more") == 1
            assert texts(await take(to, 1)) == ["more"]
            assert cancelled.cancelled() and told.empty()
    run(scenario)


def test_leaving_ends_what_waits_for_room():
    async def scenario():
        async with joined(theirs=LITTLE, mine={"slow": "block", **SMALL}) as (_, _, _, source, to, _):
            publishing = [asyncio.ensure_future(source.publish(numbered(number))) for number in range(SLOW)]
            await asyncio.sleep(0)
            await source.leave()
            results = await asyncio.gather(*publishing, return_exceptions=True)
            sent = results.count(1)
            assert 100 < sent < SLOW and all(isinstance(one, sealwire.ClosedError) for one in results[sent:])
    run(scenario)


@pytest.mark.parametrize("slow", ["drop_oldest", "drop_newest"])
def test_what_did_not_come_is_counted_at_both_ends(slow):
    async def scenario():
        async with joined(theirs=LITTLE, mine={"slow": slow, **SMALL}) as (server, _, _, source, to, told):
            (back,) = server.peers
            sent = 0
            while sent < SLOW:
                assert source.publish_nowait(numbered(sent)) == 1
                sent += 1
            following = came = gaps = 0
            # The last one comes, or with drop_newest one that is published when there is room again.
            while following < sent:
                if slow == "drop_newest":
                    source.publish_nowait(numbered(sent))
                    sent += 1
                for message in await asyncio.wait_for(to.batches().__anext__(), DEADLINE):
                    gaps += message.dropped
                    came += 1
                    assert message.number == following + message.dropped == number_in(message)
                    following = message.number + 1
            assert gaps > 0 and came + gaps == sent
            await to.leave()
            count = size = 0
            while True:
                kind, what = await told.get()
                if kind == "left":
                    break
                assert kind == "dropped" and isinstance(what, sealwire.Dropped) and what.peer is back
                count += what.count
                size += what.bytes
            assert (count, size) == (gaps, 1000 * gaps)
    run(scenario)


def test_a_member_that_is_too_slow_is_cut_off_and_both_are_told_why():
    async def scenario():
        async with joined(theirs=LITTLE, mine={"slow": "disconnect", **SMALL}) as (server, _, peer, source, to, told):
            (back,) = server.peers
            for number in range(SLOW):
                source.publish_nowait(numbered(number))
            for one in (peer, back):
                reason = await one.wait_closed()
                assert reason.code == "slow" and isinstance(reason, ConnectionError)
            assert (await told.next("left")).peer is back
            assert source.members() == []
    run(scenario)


# ---- Who is there ----

def test_a_peer_that_connects_later_gets_the_join():
    async def scenario():
        async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
            there, here = Told(), Told()
            source = await server.join("later", on_joined=there.joined)
            to = await client.join("later", on_joined=here.joined)
            assert (source.joined, to.joined) == (0, 0)
            peer = await client.connect((await server.listen(URL)).ticket)
            assert (await there.next("joined")).id == client.id
            assert await here.next("joined") == (server.id, peer, False, False)
            assert await source.publish("welcome") == 1
            assert texts(await take(to, 1)) == ["welcome"]
            await peer.close()
            while to.members():
                await asyncio.sleep(0)
    run(scenario)


def test_a_peer_that_takes_no_more_joins_refuses_which_is_told():
    most, more = 1024, 6

    async def scenario():
        async with sealwire.Node() as many, sealwire.Node(allow="anyone") as late:
            told = Told()
            topics = await asyncio.gather(*(many.join(f"topic {number}", on_refused=lambda *what: told.refused(what))
                                            for number in range(most + more)))
            peer = await many.connect((await late.listen(URL)).ticket)
            for _ in range(more):
                whose, error = await told.next("refused")
                assert whose is peer and error.code == "limit" and error.peer == late.id
            one_more = await many.join("one more")
            assert (one_more.joined, one_more.refused, one_more.refusal.code) == (0, 1, "limit")
            assert told.empty() and {topic.refused for topic in topics} == {0}
    run(scenario)


def test_a_peer_may_join_as_many_topics_as_the_node_says():
    async def scenario():
        async with pair(URL, {"topics_per_peer": 2}) as (_, client, _):
            topics = [await client.join(name) for name in ("one", "two", "three")]
            assert [topic.refusal and topic.refusal.code for topic in topics] == [None, None, "limit"]
        with pytest.raises(sealwire.ArgumentError):
            sealwire.Node(topics_per_peer=-1)
        with pytest.raises(sealwire.ArgumentError):
            async with sealwire.Node(topics_per_peer=1024 * 1024 + 1):
                pass
    run(scenario)


def test_many_members_on_several_threads():
    async def scenario():
        arrived = asyncio.Queue()
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(sealwire.Node(allow="anyone", loop_threads=4))
            source = await server.join("news", slow="block", on_joined=arrived.put_nowait)
            ticket = (await server.listen(URL)).ticket
            readers = []
            for number in range(8):
                node = await stack.enter_async_context(sealwire.Node(loop_threads=2))
                await node.connect(ticket)
                topic = await node.join("news")
                readers.append(asyncio.ensure_future(take(topic, 5000)))
                await arrived.get()
            assert len(source.members()) == 8
            for number in range(5000):
                assert await source.publish(number) == 8
            for messages in await asyncio.gather(*readers):
                assert [message.json() for message in messages] == list(range(5000))
    run(scenario)


def test_callbacks_may_be_async_be_replaced_and_fail(caplog):
    async def scenario():
        async with joined() as (_, client, _, source, to, told):
            seen = asyncio.Queue()

            async def left(member):
                await seen.put(member.id)

            def fails(member):
                raise RuntimeError("a mistake of the program")

            source.on_left, source.on_joined = left, fails
            await to.leave()
            assert await seen.get() == client.id
            async with client.join("news"):
                await source.publish("still works")
        assert "fails of the topic news failed" in caplog.text and "a mistake of the program" in caplog.text
    run(scenario)


def test_joins_outlive_their_connection():
    async def scenario():
        links, left = asyncio.Queue(), []
        async with broken_pair(lambda peer, link: links.put_nowait(link.state)) as (proxy, server, client, peer):
            arrived = asyncio.Event()
            source = await server.join("news", on_joined=lambda member: arrived.set(), on_left=left.append)
            to = await client.join("news", on_left=left.append)
            await arrived.wait()
            for number in range(100):
                await source.publish(number)
                if number == 50:
                    proxy.cut()
                    while await links.get() != "suspended":
                        pass
            messages = await take(to, 100)
            assert [message.json() for message in messages] == list(range(100))
            assert [(message.number, message.dropped) for message in messages] == [(number, 0) for number in range(100)]
            assert client.stats()["resumed"] == 1 and left == []
            assert await to.publish("back") == 1 and texts(await take(source, 1)) == ["back"]
            await client.close()
    run(scenario)


def test_a_new_session_gets_the_joins_again_and_numbers_begin_anew():
    async def scenario():
        async with joined() as (server, client, peer, source, to, told):
            await source.publish("before")
            assert texts(await take(to, 1)) == ["before"]
            await peer.close()
            await told.next("left")
            assert await source.publish("nobody") == 0
            again = await client.connect(next(iter(server._listeners.values())).ticket)
            member = await told.next("joined")
            assert member.id == client.id and await source.publish("after") == 1
            (message,) = await take(to, 1)
            assert (message.text(), message.number, message.peer) == ("after", 0, again)
    run(scenario)


# ---- With a secret ----

PASSPHRASE = "correct horse battery"
SECRET = sealwire.topic_secret_new()


def damaged(secret):
    return secret[:20] + ("b" if secret[20] == "a" else "a") + secret[21:]


@contextlib.asynccontextmanager
async def three(url):
    """(server, client, stranger): both others are connected to the server."""
    async with pair(url) as (server, client, _), sealwire.Node(network="tests") as stranger:
        await stranger.connect(next(iter(server._listeners.values())).ticket)
        await known(server, 2)
        yield server, client, stranger


def test_members_with_the_secret_read_and_others_get_nothing(url):
    async def scenario():
        secret = sealwire.topic_secret_new()
        async with three(url) as (server, client, stranger):
            told = Told()
            source = await server.join("news", secret=secret, on_joined=told.joined, on_left=told.left)
            plain = await stranger.join("news")
            wrong = await stranger.join("news", secret=sealwire.topic_secret_new())
            assert (plain.joined, wrong.joined) == (1, 1)
            assert await source.publish("nobody has the secret") == 0
            to = await client.join("news", secret=secret)
            assert (await told.next("joined")).id == client.id
            assert [member.id for member in source.members()] == [client.id]
            assert [member.id for member in to.members()] == [server.id]
            assert plain.members() == wrong.members() == []
            for value in ("one", {"two": 2}, b"3" * 5000):
                assert await source.publish(value) == 1
            assert await plain.publish("x") == await wrong.publish("x") == 0
            messages = await take(to, 3)
            assert [one.body for one in messages] == [b"one", b'{"two":2}', b"3" * 5000]
            assert [(one.kind, one.type) for one in messages] == [("utf8", 1), ("json", 2), ("bytes", 0)]
            for number, one in enumerate(messages):
                assert (one.number, one.dropped, one.last_value, one.topic) == (number, 0, False, "news")
                assert one.publisher == one.peer.id == server.id
            assert repr(messages[0]) == f"<sealwire.TopicMessage 'news' 0 of {server.id[:8]}>"
            assert await to.publish("back") == 1
            (back,) = await take(source, 1)
            assert (back.text(), back.publisher) == ("back", client.id)
            # What is published without a secret behind all that is the first that comes.
            async with server.join("news") as beside:
                assert await beside.publish("without") == 1
                (message,) = await take(plain, 1)
                assert (message.text(), message.number, message.publisher) == ("without", 0, server.id)
                assert wrong._next() is None
            await to.leave()
            assert (await told.next("left")).id == client.id
            assert source.members() == []
    run(scenario)


def test_who_signed_a_message_is_known_when_its_peer_is_gone():
    async def scenario():
        async with joined(mine={"secret": SECRET}, theirs={"secret": SECRET}) as (server, _, peer, source, to, told):
            await source.publish("last words")
            reading = asyncio.ensure_future(take(to, 1))
            await server.close()
            (message,) = await reading
            await peer.wait_closed()
            assert message.publisher == server.id
    run(scenario)


def test_the_last_value_comes_with_the_secret_also_to_one_who_joins_anew():
    async def scenario():
        async with pair(URL) as (server, client, _):
            source = await server.join("state", keep_last=True, secret=SECRET)
            for value in ("old", {"kept": True}):
                await source.publish(value)
            for _ in range(2):
                async with client.join("state", want_last=True, secret=SECRET) as to:
                    (kept,) = await take(to, 1)
                    assert (kept.json(), kept.kind, kept.last_value, kept.publisher) == ({"kept": True}, "json", True, server.id)
            async with client.join("state", want_last=True) as plain, client.join("state", want_last=True, secret=SECRET) as to:
                await take(to, 1)
                await source.publish("new")
                (new,) = await take(to, 1)
                assert (new.text(), new.last_value) == ("new", False)
                assert plain._next() is None and plain.members() == []
    run(scenario)


def test_leaving_a_name_leaves_its_topics_with_and_without_a_secret():
    async def scenario():
        async with joined(mine={"secret": SECRET}, theirs={"secret": SECRET}) as (_, client, _, source, sealed, told):
            plain = await client.join("news")
            another = await client.join("news", secret=sealwire.topic_secret_new())
            other = await client.join("other", secret=SECRET)
            await client.leave_topic("news")
            assert sealed.closed and plain.closed and another.closed and not other.closed
            assert (await told.next("left")).id == client.id
            with pytest.raises(sealwire.StateError, match="was not joined"):
                await client.leave_topic("news")
    run(scenario)


def test_a_damaged_secret_is_refused():
    for wrong, detail in ((damaged(SECRET), "the topic secret has a typing error: its checksum does not fit"),
                          (SECRET[:-1], "a topic secret has 58 characters after swtopic1, this one 57"),
                          (SECRET.replace("swtopic1", "swnet1"), "a topic secret starts with swtopic1"),
                          (sealwire.network_new(), "a topic secret starts with swtopic1"),
                          ("", "a topic secret starts with swtopic1")):
        async def scenario():
            async with sealwire.Node() as node:
                with pytest.raises(sealwire.ArgumentError) as caught:
                    await node.join("news", secret=wrong)
                assert (caught.value.code, caught.value.detail) == ("key", detail)
                assert not node._topics.all
        run(scenario)
        with sync.Node() as node:
            with pytest.raises(sealwire.ArgumentError) as caught:
                node.join("news", secret=wrong)
            assert (caught.value.code, caught.value.detail) == ("key", detail)
            assert not node._topics.all


def test_a_passphrase_is_the_secret_of_one_topic():
    secret = sealwire.topic_secret_from_passphrase(PASSPHRASE, "news")
    assert secret.startswith("swtopic1") and len(secret) == len(SECRET) == 66
    assert secret == sealwire.topic_secret_from_passphrase(PASSPHRASE, "news")
    assert secret != sealwire.topic_secret_from_passphrase(PASSPHRASE, "other")
    assert secret != sealwire.topic_secret_from_passphrase(PASSPHRASE + "!", "news")
    assert sealwire.topic_secret_new() != sealwire.topic_secret_new()
    with pytest.raises(sealwire.ArgumentError) as caught:
        sealwire.topic_secret_from_passphrase("short", "news")
    assert (caught.value.code, caught.value.detail) == ("key", "the passphrase of a topic has at least 12 bytes, this one 5")
    for wrong in (("", "news"), (PASSPHRASE, ""), (PASSPHRASE, "a\0b"), (PASSPHRASE, "\ud800")):
        with pytest.raises(sealwire.ArgumentError):
            sealwire.topic_secret_from_passphrase(*wrong)
    for wrong in ((None, "news"), (b"correct horse battery", "news"), (PASSPHRASE, None)):
        with pytest.raises(sealwire.ArgumentTypeError):
            sealwire.topic_secret_from_passphrase(*wrong)

    async def scenario():
        async with joined(mine={"secret": secret}, theirs={"secret": secret}) as (_, _, _, source, to, _):
            await source.publish("by passphrase")
            assert texts(await take(to, 1)) == ["by passphrase"]
    run(scenario)


# ---- The end ----

def test_leaving_while_iterating_ends_the_loop_behind_what_has_come():
    async def scenario():
        async with joined() as (_, _, _, source, to, _):
            reading = asyncio.ensure_future(take(to, 100))
            await asyncio.sleep(0)
            await to.leave()
            assert await reading == []
        async with joined() as (_, client, _, source, to, told):
            for number in range(200):
                await source.publish(number)
            seen = []
            async for message in to:
                seen.append(message.json())
                if len(seen) == 5:
                    await to.leave()
            assert seen == list(range(len(seen))) and len(seen) >= 5
            assert await told.next("left")
            async with client.join("news") as again:
                await told.next("joined")
                assert await source.publish("again") == 1
                assert texts(await take(again, 1)) == ["again"]
    run(scenario)


def test_a_node_that_closes_ends_loops_and_what_had_come_is_read():
    async def scenario():
        async with joined() as (server, client, _, source, to, told):
            for number in range(100):
                await source.publish(number)
            assert texts(await take(to, 1)) == ["0"]
            waiting = asyncio.ensure_future(take(source, 1))
            while client.stats()["events_held"] < 99:  # they wait to be read
                await asyncio.sleep(0)
            client._topics.free()  # as closing does first
            assert client.stats()["events_held"] == 0
            assert (await client.close(5)).deadline_passed is False
            await to.wait_closed()
            assert [message.json() async for message in to] == list(range(1, 100))
            assert (await told.next("left")).id == client.id
            await server.close()
            assert await waiting == []
            for one in (source, to):
                with pytest.raises(sealwire.ClosedError, match="the node was closed"):
                    await one.publish("x")
            with pytest.raises(sealwire.ClosedError):
                await client.join("news")
    run(scenario)


def test_what_was_published_is_delivered_when_its_publisher_closes():
    async def scenario():
        async with joined() as (server, _, _, source, to, _):
            for number in range(1000):
                await source.publish(number)
            reading = asyncio.ensure_future(take(to, 1000))
            await server.close(10)
            assert [message.json() for message in await reading] == list(range(1000))
    run(scenario)


def test_a_join_that_is_cancelled_is_left():
    async def scenario():
        async with pair(URL) as (server, client, _):
            told = Told()
            await server.join("news", on_joined=told.joined, on_left=told.left)
            joining = asyncio.create_task(client.join("news"))
            await asyncio.sleep(0)
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
            while client._topics.all:
                await asyncio.sleep(0)
            topic = await asyncio.wait_for(client.join("news"), DEADLINE)
            assert topic.joined == 1
            joining = client.join("never")
            joining.close()
            assert not client._topics.named("never")
    run(scenario)


def test_options_and_names_that_are_none_are_refused():
    async def scenario():
        async with sealwire.Node() as node:
            for name in ("", "n" * 256, "a\0b", "\ud800"):
                with pytest.raises(sealwire.ArgumentError):
                    await node.join(name)
            for wrong in (1, None, b"news"):
                with pytest.raises(sealwire.ArgumentTypeError):
                    await node.join(wrong)
            for wrong in ({"slow": "never"}, {"slow": 1}, {"credit_bytes": 1000}, {"credit_bytes": 2**40}, {"queue_bytes": -1}, {"queue_bytes": "1"},
                          {"publish_only": 1}, {"keep_last": None}, {"on_joined": 1}, {"secret": "\ud800"}):
                with pytest.raises(sealwire.ArgumentError):
                    await node.join("t", **wrong)
            for wrong in (1, b"swtopic1", False):
                with pytest.raises(sealwire.ArgumentTypeError):
                    await node.join("t", secret=wrong)
            with pytest.raises(TypeError):
                node.join("t", queue=1)
            async with node.join("n" * 255) as topic:
                assert await topic.publish("x") == 0
            assert topic.closed and not node._topics.all
            for wrong in ("", 1):
                with pytest.raises(sealwire.ArgumentError):
                    await node.leave_topic(wrong)
        with pytest.raises(sealwire.StateError):
            await sealwire.Node().join("t")
    run(scenario)


def test_a_node_that_is_dropped_takes_its_joins_and_messages_with_it(script):
    result = script("""
import asyncio, gc, weakref
import sealwire

async def main():
    async with sealwire.Node(allow="anyone") as server:
        arrived = asyncio.Event()
        source = await server.join("news", on_joined=lambda member: arrived.set())
        node = sealwire.Node().open()
        await node.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
        topic = await node.join("news")
        await arrived.wait()
        for number in range(100):
            await source.publish(number)
        await topic.__anext__()                   # the rest waits
        gone = weakref.ref(node)
        del node, topic
        while gone():
            await asyncio.sleep(0)
            gc.collect()
        while source.members():
            await asyncio.sleep(0)
        print("gone")

asyncio.run(main())
""")
    assert (result.returncode, result.stdout) == (0, "gone\n"), result.stderr


def test_a_child_of_a_fork_cannot_publish_and_its_parent_goes_on(script):
    result = script("""
import asyncio, os
import sealwire

async def main():
    async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
        arrived = asyncio.Event()
        source = await server.join("news", on_joined=lambda member: arrived.set())
        await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
        topic = await client.join("news")
        await arrived.wait()
        for number in range(100):
            await source.publish(number)
        await topic.__anext__()
        child = os.fork()
        if child == 0:
            for call in (lambda: source.publish_nowait("x"), lambda: topic._begin_leave()):
                try:
                    call()
                    os._exit(1)
                except sealwire.ForkedError:
                    pass
            await server.close()
            await client.close()
            os._exit(0 if topic.closed and source.closed else 2)
        _, status = os.waitpid(child, 0)
        for number in range(1, 100):
            assert (await topic.__anext__()).json() == number
        print(status)

asyncio.run(main())
""")
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")


# ---- Without an event loop ----

@contextlib.contextmanager
def sync_joined(theirs=None, mine=None):
    """(server, client, peer, from, to, told), as above; told is a queue of (name, what)."""
    with sync_pair(URL) as (server, client, peer):
        told = queue.Queue()

        def call(name):
            return lambda what: told.put((name, what))

        source = server.join("news", **{f"on_{name}": call(name) for name in ("joined", "left", "dropped")}, **(mine or {}))
        to = client.join("news", **(theirs or {}))
        kind, member = told.get(timeout=DEADLINE)
        (back,) = server.peers
        assert kind == "joined" and member == (client.id, back, False, False) and isinstance(member, sync.Member)
        yield server, client, peer, source, to, told


def test_threads_publish_and_read():
    with sync_joined() as (server, client, peer, source, to, told):
        assert (source.joined, source.name, repr(to)) == (1, "news", "<sealwire.sync.Topic 'news'>")
        assert source.publish("one") == source.publish({"two": 2}) == source.publish_nowait(b"three") == 1
        first, second, third = (next(to) for _ in range(3))
        assert (first.text(), second.json(), third.body) == ("one", {"two": 2}, b"three")
        assert first.peer is peer and first.publisher == server.id and isinstance(first, sync.TopicMessage)
        assert repr(first).startswith("<sealwire.sync.TopicMessage 'news' 0 of ")
        (member,) = source.members()
        assert source.publish("to", to=member.peer) == 1 and source.publish("no", filter=lambda one: False) == 0
        assert next(to).text() == "to"
        for number in range(100):
            source.publish(number)
        got = []
        for batch in to.batches(30):
            assert len(batch) <= 30
            got += [message.json() for message in batch]
            if len(got) == 100:
                break
        assert got == list(range(100))
        readers = [in_thread(next, to) for _ in range(3)]
        for number in range(3):
            source.publish(number)
        assert sorted(reader.result(DEADLINE).json() for reader in readers) == [0, 1, 2]
        reading = in_thread(list, to)
        to.leave()
        assert reading.result(DEADLINE) == [] and to.closed
        assert told.get(timeout=DEADLINE) == ("left", member)
        with pytest.raises(sealwire.ClosedError):
            to.publish("x")
        for wrong in ({"to": peer}, {"filter": 1}):
            with pytest.raises(sealwire.ArgumentTypeError):
                source.publish("x", **wrong)


def test_threads_have_topics_with_a_secret():
    with sync_joined(mine={"secret": SECRET, "keep_last": True}, theirs={"secret": SECRET}) as (server, client, peer, source, to, told):
        plain, wrong = client.join("news"), client.join("news", secret=sealwire.topic_secret_new())
        assert source.publish({"one": 1}) == to.publish("back") == 1
        message, back = next(to), next(source)
        assert (message.json(), message.kind, message.publisher, message.peer) == ({"one": 1}, "json", server.id, peer)
        assert (back.text(), back.publisher) == ("back", client.id)
        to.leave()
        with client.join("news", secret=SECRET, want_last=True) as again:
            kept = next(again)
            assert (kept.json(), kept.last_value, kept.publisher) == ({"one": 1}, True, server.id)
        assert plain.members() == wrong.members() == [] and plain.publish("x") == wrong.publish("x") == 0
        with server.join("news") as beside:
            assert beside.publish("without") == 1
            first = next(plain)
            assert (first.text(), first.number, first.publisher) == ("without", 0, server.id)
        assert wrong._next() is None
        sealed = client.join("news", secret=SECRET)
        client.leave_topic("news")
        assert sealed.closed and plain.closed and wrong.closed
        assert [told.get(timeout=DEADLINE)[0] for _ in range(5)] == ["left", "joined", "left", "joined", "left"]
        with pytest.raises(sealwire.ArgumentTypeError):
            client.join("news", secret=b"swtopic1")


def test_threads_wait_for_room_and_nothing_is_lost():
    with sync_joined(theirs=LITTLE, mine={"slow": "block", **SMALL}) as (_, _, _, source, to, told):
        def publish():
            return sum(source.publish(numbered(number)) for number in range(SLOW))

        publishing = in_thread(publish)
        for number in range(SLOW):
            message = next(to)
            assert (number_in(message), message.dropped) == (number, 0)
        assert publishing.result(DEADLINE) == SLOW and told.empty()
        with pytest.raises(sealwire.QueueFull):
            while True:
                source.publish_nowait(numbered(0))
        waits = in_thread(source.publish, "x")
        source.leave()
        assert isinstance(waits.exception(DEADLINE), sealwire.ClosedError) or waits.result() == 1


def test_threads_are_told_of_drops_in_order():
    with sync_joined(theirs=LITTLE, mine=SMALL) as (server, _, _, source, to, told):
        for number in range(SLOW):
            source.publish(numbered(number))
        gaps = following = 0
        while following < SLOW:
            message = next(to)
            gaps += message.dropped
            following = message.number + 1
        to.leave()
        count = 0
        while True:
            kind, what = told.get(timeout=DEADLINE)
            if kind == "left":
                break
            assert kind == "dropped" and isinstance(what, sync.Dropped)
            count += what.count
        assert count == gaps > 0


def test_a_synchronous_node_that_is_dropped_ends_the_thread_of_its_topic():
    with sync.Node(allow="anyone") as server:
        source = server.join("news")
        node, told = sync.Node().open(), queue.Queue()
        node.connect(server.listen(URL).ticket)
        topic = node.join("news", on_joined=lambda member: told.put(threading.current_thread()))
        thread = told.get(timeout=DEADLINE)
        assert thread.name == "sealwire topic"
        until(lambda: source.members())
        source.publish("never read")
        del node, topic
        with pytest.warns(ResourceWarning):
            gc.collect()
        thread.join(DEADLINE)
        assert not thread.is_alive()
        until(lambda: not source.members())


def test_a_synchronous_node_leaves_all_joins_of_a_name_and_closes():
    with sync_joined() as (server, client, _, source, first, told):
        second = client.join("news")
        client.leave_topic("news")
        assert first.closed and second.closed and list(first) == []
        with pytest.raises(sealwire.StateError):
            client.leave_topic("news")
        with pytest.raises(sealwire.ArgumentError):
            client.join("news", slow="never")
        with pytest.raises(sealwire.ArgumentTypeError):
            client.join(1)
        with client.join("news") as again:
            until(lambda: source.members())
            source.publish("kept")
            assert next(again).text() == "kept"
            reading = in_thread(list, again)
            server.close()
            client.close()
            assert reading.result(DEADLINE) == []
        assert again.closed and source.closed
        with pytest.raises(sealwire.ClosedError):
            client.join("news")
