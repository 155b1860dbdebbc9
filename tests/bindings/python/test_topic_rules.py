"""Topics: who may join and publish, by rules and by what a function of the application decides; both faces."""

import asyncio
import threading

import pytest
import sealwire
from conftest import DEADLINE, run
from pair import pair
from sealwire import TopicRule, sync
from sync_pair import pair as sync_pair
from test_topics import Told, take, texts

URL = "tcp://127.0.0.1:0"


def test_who_may_join_gets_what_is_published_who_may_publish_is_heard_and_others_are_told_why_not():
    async def scenario():
        async with pair(URL) as (server, client, peer):
            server.set_topic_rules([
                TopicRule("in/*", client.id, ["publish"]),
                TopicRule("out/**", rights=["join"]),
                TopicRule("**", verdict="deny"),
            ])
            told = Told()
            inward, shut = await server.join("in/a"), await server.join("in/a/b")
            outward = await server.join("out/a/b", on_joined=told.joined, on_left=told.left)
            heard = await client.join("in/a")
            assert (heard.joined, heard.refused) == (0, 1) and isinstance(heard.refusal, sealwire.NotAllowedError)
            assert await heard.publish("heard") == 1
            assert texts(await take(inward, 1)) == ["heard"]
            assert await inward.publish("not for it") == 0

            refused = Told()
            gets = await client.join("out/a/b", on_refused=lambda peer, reason: refused.put_nowait((peer, reason)))
            assert (gets.joined, gets.refused) == (1, 0)
            assert (await told.next("joined")).id == client.id
            assert await outward.publish("got") == 1
            assert texts(await take(gets, 1)) == ["got"]
            assert await gets.publish("not heard") == 0

            nothing = await client.join("in/a/b")
            assert isinstance(nothing.refusal, sealwire.NotAllowedError)
            assert (await nothing.publish("x"), await shut.publish("x"), nothing.members()) == (0, 0, [])

            server.set_topic_rules([])
            of, reason = await refused.get()
            assert of is peer and isinstance(reason, sealwire.NotAllowedError)
            assert (await told.next("left")).id == client.id
            server.set_topic_rules(None)
            await gets.leave()
            assert (await client.join("out/a/b")).joined == 1

    run(scenario)


def test_a_function_decides_what_rules_ask_now_or_later():
    async def scenario():
        async with pair(URL) as (server, client, peer):
            asked = asyncio.Queue()
            later = asyncio.get_running_loop().create_future()

            async def wait():
                return await later

            answers = {"all": lambda: True, "one": lambda: ["join"], "none": lambda: False, "later": wait}

            def decide(asking):
                asked.put_nowait(asking)
                return answers[asking.topic]()

            server.set_topic_rules([TopicRule("*", verdict="ask")], on_ask=decide)
            all_of, one, none, last = [await server.join(name) for name in answers]
            told = Told()
            joined = await client.join("all", on_joined=told.joined)
            asking = await asked.get()
            assert joined.joined == 1 and asking == (server.peers[0], "all", ("join", "publish"))
            while (await told.next("joined")).publisher:
                pass
            assert (await joined.publish("up"), await all_of.publish("down")) == (1, 1)
            assert texts(await take(all_of, 1) + await take(joined, 1)) == ["up", "down"]

            reads = await client.join("one")
            assert (reads.joined, await one.publish("read"), await reads.publish("x")) == (1, 1, 0)
            assert texts(await take(reads, 1)) == ["read"]
            refused = await client.join("none")
            assert isinstance(refused.refusal, sealwire.NotAllowedError) and await none.publish("x") == 0

            waits = asyncio.ensure_future(client._join("later", sealwire._topics.options("drop_oldest", 0, 0, False, False, False), (None,) * 4))
            while (await asked.get()).topic != "later":
                pass
            assert await last.publish("meanwhile") == 0 and not waits.done()
            later.set_result(("join",))
            waited = await waits
            assert waited.joined == 1
            assert texts(await take(waited, 1)) == ["meanwhile"]

    run(scenario)


def test_what_fails_or_asks_without_a_function_is_denied(caplog):
    async def scenario():
        async with pair(URL) as (server, client, _):
            def fail():
                raise RuntimeError("of the decision")

            async def fail_later():
                raise RuntimeError("of its coroutine")

            answers = {"0": fail, "1": fail_later, "2": lambda: ["all"], "5": lambda: 1, "6": lambda: "join", "7": lambda: None}
            server.set_topic_rules([TopicRule("*", verdict="ask")], on_ask=lambda asking: answers[asking.topic]())
            for name in "0123567":
                await server.join(name)
            for name in answers:
                assert isinstance((await client.join(name)).refusal, sealwire.NotAllowedError)
            server.set_topic_rules([TopicRule("*", verdict="ask")])
            assert isinstance((await client.join("3")).refusal, sealwire.NotAllowedError)
            await server.join("4")
            assert isinstance((await client.join("4")).refusal, sealwire.NotAllowedError)

    run(scenario)
    (warning,) = [record for record in caplog.records if "there is no on_ask" in record.message]
    assert warning.levelname == "WARNING" and "'3'" in warning.message
    assert [str(record.exc_info[1]) for record in caplog.records if "decision about" in record.message][:2] == ["of the decision", "of its coroutine"]
    assert len([record for record in caplog.records if "failed; it is denied" in record.message]) == 6
    assert sum("on_ask gives True, False or rights" in str(record.exc_info[1]) for record in caplog.records if record.exc_info) == 3


def test_rules_that_are_none_are_refused():
    async def scenario():
        async with pair(URL) as (server, client, _):
            for rule in (("",), ("x", None, []), ("x", None, ["all"]), ("x", None, "join"), ("x", None, ["join"], "perhaps"), (1,)):
                with pytest.raises(sealwire.ArgumentError):
                    server.set_topic_rules([TopicRule(*rule)])
            for rule in ({"pattern": "x"}, ("x", None, ["join"], "deny"), "x", None):
                with pytest.raises(sealwire.ArgumentTypeError, match=f"a rule is a TopicRule, not {type(rule).__name__}"):
                    server.set_topic_rules([rule])
            for rules in ("x", {"pattern": "x"}, TopicRule("x")):
                with pytest.raises(sealwire.ArgumentTypeError, match="rules are a list of TopicRule"):
                    server.set_topic_rules(rules)
            with pytest.raises(sealwire.Error):
                server.set_topic_rules([TopicRule("x", "nobody")])
            with pytest.raises(sealwire.ArgumentTypeError):
                server.set_topic_rules([], on_ask=1)
            await server.join("x")
            assert (await client.join("x")).joined == 1  # none of these is in force

    run(scenario)


def test_synchronous_nodes_decide_in_a_thread_that_may_wait():
    with sync_pair(URL) as (server, client, peer):
        asked, go_on = threading.Event(), threading.Event()

        def decide(asking):
            assert isinstance(asking, sealwire.TopicAsking) and isinstance(asking.peer, sync.Peer)
            asked.set()
            assert go_on.wait(DEADLINE)
            return ["join"]

        server.set_topic_rules([TopicRule("ask", verdict="ask"), TopicRule("open")], on_ask=decide)
        mine, others = server.join("ask"), server.join("open")
        joins = []
        thread = threading.Thread(target=lambda: joins.append(client.join("ask")))
        thread.start()
        assert asked.wait(DEADLINE)
        assert client.join("open").joined == 1  # nobody waits for the decision
        assert mine.publish("meanwhile") == 0
        go_on.set()
        thread.join(DEADLINE)
        assert joins[0].joined == 1
        assert next(iter(joins[0])).text() == "meanwhile"
        with pytest.raises(sealwire.ArgumentTypeError):
            server.set_topic_rules([], on_ask=asyncio.sleep)
        server.set_topic_rules([])
        assert others.publish("x") == 0
