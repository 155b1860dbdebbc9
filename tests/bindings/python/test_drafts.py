"""Drafts, in both faces: what they say arrives as with every message said anew, and what they cannot say is refused."""

import asyncio

import pytest
import sealwire
import sync_pair
from conftest import run
from pair import pair
from sealwire import sync

ONCE = {"tenant": "Ada", "n": ""}
TRACE = "00-" + "4b" * 16 + "-" + "0f" * 8 + "-01"
KEY = b"a key of sixteen"


def told(request):
    """What arrived, as JSON can say it."""
    return {"route": request.route, "kind": request.kind, "body": request.body.decode("latin-1"),
            "metadata": [list(pair) for pair in request.metadata.items()], "trace": request.trace,
            "key": request.idempotency_key and request.idempotency_key.decode()}


def expected(kind, body, more=(), trace=None, key=None, route="orders.place"):
    return {"route": route, "kind": kind, "body": body, "metadata": [["tenant", "Ada"], ["n", ""], *more], "trace": trace, "key": key}


def test_route_kind_and_metadata_arrive_by_every_call_that_takes_a_route(url):
    async def scenario():
        arrived = asyncio.Queue()

        async def one(request):
            arrived.put_nowait(told(request))
            if request.parts:
                await request.parts[0].read()
            return told(request)

        async def many(request):
            yield told(request)
            yield "end"

        async def converse(request):
            return told(request)

        async with pair(url, routes={"orders.place": one, "many": many, "talk": converse}) as (_, client, peer):
            draft = client.draft("orders.place", kind="json", metadata=ONCE)
            assert isinstance(draft, sealwire.Draft) and (draft.route, draft.kind) == ("orders.place", "json")
            assert repr(draft) == "<sealwire.Draft 'orders.place' json>"
            want = expected("json", "[1]")
            for _ in range(2):
                assert (await peer.request(draft, [1])).json() == want
            await peer.send(draft, [1], receipt=True)
            await peer.send(draft, [1])
            peer.send_nowait(draft, [1])
            peer.send_nowait(draft)
            await peer.send(draft, [1], parts=[sealwire.Stream(b"stream")])
            assert await peer.send(draft, [1], uuid=True)
            assert (await peer.request(draft, [1], parts=[sealwire.Stream(b"stream")])).json() == want
            assert [await arrived.get() for _ in range(5)] == [want] * 5
            assert await arrived.get() == expected("json", "")
            assert [await arrived.get() for _ in range(3)] == [want] * 3
            # What a message says of itself comes behind, and stands beside.
            more = {"metadata": {"by": "Bob"}, "trace": TRACE}
            beside = expected("json", "{}", [["by", "Bob"]], TRACE)
            await peer.send(draft, {}, receipt=True, **more)
            assert await arrived.get() == beside
            assert (await peer.request(draft, {}, idempotency_key=KEY, **more)).json() == {**beside, "key": KEY.decode()}
            assert (await peer.request(draft, "tea", attempts=2, idempotency_key=KEY[::-1])).json() == expected(
                "json", '"tea"', key=KEY[::-1].decode())
            draft = client.draft("many", metadata=ONCE)
            replies = [reply async for reply in peer.request_many(draft, b"x", metadata={"by": "Bob"})]
            assert replies[0].json() == expected("bytes", "x", [["by", "Bob"]], route="many") and replies[1].text() == "end"
            async with peer.converse(client.draft("talk", metadata=ONCE), "x") as talk:
                assert [reply.json() async for reply in talk] == [expected("utf8", "x", route="talk")]

    run(scenario)


def test_the_synchronous_face_has_the_same(url):
    def one(request):
        for part in request.parts:
            part.read()
        return told(request)

    def many(request):
        yield told(request)

    with sync_pair.pair(url, routes={"orders.place": one, "many": many}) as (_, client, peer):
        draft = client.draft("orders.place", kind="json", metadata=ONCE)
        want = expected("json", "[1]")
        assert type(draft) is sealwire.Draft and peer.request(draft, [1]).json() == want
        peer.send(draft, [1], receipt=True)
        peer.send(draft, [1], parts=[sync.Stream(b"x")], receipt=True)
        peer.send_nowait(draft, [1])
        assert peer.request(draft, [1], parts=[sync.Stream(b"x")]).json() == want
        assert peer.request(draft, [1], metadata={"by": "Bob"}, trace=TRACE, idempotency_key=KEY).json() == expected(
            "json", "[1]", [["by", "Bob"]], TRACE, KEY.decode())
        assert peer.request(draft, [1], attempts=2, idempotency_key=KEY[::-1]).json() == {**want, "key": KEY[::-1].decode()}
        assert [reply.json() for reply in peer.request_many(client.draft("many", metadata=ONCE), b"x")] == [
            expected("bytes", "x", route="many")]
        with peer.converse(draft, [1]) as talk:
            assert [reply.json() for reply in talk] == [want]
        threads = [sync_pair.in_thread(lambda: [peer.request(draft, [1]).json() for _ in range(50)]) for _ in range(4)]
        assert all(each.result() == [want] * 50 for each in threads)


@pytest.mark.parametrize("kind,value", [
    ("bytes", b"\x00\xff"), ("utf8", "text"), ("json", {"a": [1, None]}), ("json", "text"), ("json", None), ("messagepack", {"a": [1]}),
    ("messagepack", "text"), ("messagepack", b"\xff"), ("messagepack", None), ("cbor", [1.5, b"\x00"]), ("cbor", "text")])
def test_bodies_are_encoded_as_the_draft_says(kind, value):
    async def scenario():
        def echo(request):
            assert request.kind == kind
            return sealwire.encode(request.decode(), kind)

        async with pair("tcp://127.0.0.1:0", routes={"echo": echo}) as (_, client, peer):
            draft = client.draft("echo", kind=kind)
            assert (await peer.request(draft, value)).decode() == value
            assert (await peer.request(draft, sealwire.encode(value, kind))).decode() == value

    run(scenario)


def test_without_a_kind_each_body_says_its_own():
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"": lambda request: [request.kind, request.metadata["tenant"]]}) as (_, client, peer):
            draft = client.draft("anything", metadata=list(ONCE.items()))
            assert draft.kind is None and repr(draft) == "<sealwire.Draft 'anything'>"
            for body, kind in ((b"x", "bytes"), ("x", "utf8"), ([1], "json"), (sealwire.encode(1, "cbor"), "cbor"), (b"x", "bytes")):
                assert (await peer.request(draft, body)).json() == [kind, "Ada"]

    run(scenario)


def test_text_that_is_encoded_already_is_taken_as_bytes():
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"": lambda request: [request.kind, request.decode()]}) as (_, client, peer):
            for kind, body, value in (("json", b'{"a":1}', {"a": 1}), ("json", memoryview(b"[]"), []), ("utf8", bytearray(b"x"), "x")):
                assert (await peer.request(client.draft("x", kind=kind), body)).json() == [kind, value]

    run(scenario)


@pytest.mark.parametrize("kind,value", [
    ("bytes", "text"), ("bytes", {"a": 1}), ("bytes", sealwire.encode("text", "utf8")), ("utf8", 5), ("utf8", sealwire.encode(1, "json")),
    ("json", object()), ("json", float("nan")), ("json", sealwire.encode(1, "cbor")), ("messagepack", 2**64),
    ("messagepack", sealwire.encode(1, "json")), ("cbor", object())])
def test_a_body_of_another_kind_is_refused(kind, value):
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"": lambda request: request.body}) as (_, client, peer):
            draft = client.draft("x", kind=kind)
            for send in (peer.send, peer.request):
                with pytest.raises((TypeError, ValueError)) as raised:
                    await send(draft, value)
                assert isinstance(raised.value, sealwire.Error)
            body = sealwire.encode(b"x" if kind == "bytes" else "x", kind)
            assert (await peer.request(draft, body)).body == body.data  # the draft goes on

    run(scenario)


def test_what_is_wrong_is_refused_where_it_is_made():
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"": lambda request: len(request.metadata)}) as (_, client, peer):
            for route, options in (("", {}), ("x" * 256, {}), ("x", {"kind": "xml"}), ("x", {"metadata": {"": "x"}}),
                                   ("x", {"metadata": {"a": "x" * 5000}}), ("x", {"metadata": {"a": 1}})):
                with pytest.raises((ValueError, TypeError)) as raised:
                    client.draft(route, **options)
                assert isinstance(raised.value, sealwire.Error)
            with pytest.raises(sealwire.ArgumentTypeError):
                client.draft(b"x")
            half = client.draft("x", metadata={"a": "x" * 3000})
            with pytest.raises(sealwire.ArgumentError, match="4096"):
                await peer.send(half, metadata={"b": "x" * 1200})
            assert (await peer.request(half, metadata={"b": "x" * 1000})).json() == 2
            with pytest.raises(sealwire.StateError):
                await peer.send(sealwire.Draft.__new__(sealwire.Draft))
        with pytest.raises(sealwire.Error):
            client.draft("x")
        with pytest.raises(sealwire.StateError):
            sealwire.Node().draft("x")

    run(scenario)


def test_a_draft_is_of_its_node_and_may_outlive_it():
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"": lambda request: request.route}) as (_, client, peer):
            async with sealwire.Node() as other:
                foreign = other.draft("elsewhere", metadata=ONCE)
                client.draft("here")  # has the same number there
                for send in (peer.send, peer.request):
                    with pytest.raises(sealwire.ArgumentError, match="another node"):
                        await send(foreign, b"x")
            with pytest.raises(sealwire.ArgumentError, match="another node"):
                await peer.send(foreign, b"x")
            assert (await peer.request("still", b"x")).text() == "still"
            draft = client.draft("here")
        with pytest.raises(sealwire.ClosedError):
            await peer.send(draft, b"x")
        del draft, foreign

    run(scenario)


def test_a_draft_may_go_while_messages_made_by_it_wait(url):
    async def scenario():
        decide = asyncio.get_running_loop().create_future()
        got = []

        async def on_ask(_):
            return await decide

        async with sealwire.Node(allow=on_ask, network="tests") as server, sealwire.Node(network="tests") as client:
            done = asyncio.get_running_loop().create_future()

            @server.route("orders.place")
            def order(request):
                got.append((request.metadata, len(request.body)))
                if request.wants_reply:
                    done.set_result(None)

            listener = await server.listen(url)
            client_peer = asyncio.ensure_future(client.connect(listener.ticket))
            while not client._core.peers:
                await asyncio.sleep(0)
            peer = client._core.peers[0]
            draft = client.draft("orders.place", metadata=ONCE)
            for _ in range(20):
                await peer.send(draft, b"x" * 20000)
            request = asyncio.ensure_future(peer.request(draft, b"last"))
            await asyncio.sleep(0)
            del draft
            decide.set_result(True)
            await client_peer
            await request
            await done
            assert sorted(size for _, size in got) == [4] + [20000] * 20 and all(metadata == ONCE for metadata, _ in got)

    run(scenario)
