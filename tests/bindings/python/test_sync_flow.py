"""The synchronous face: what waits, is paused, is made again, is limited and counted."""

import threading

import pytest
import sealwire
from conftest import DEADLINE
from sealwire import sync
from sync_pair import echo, in_thread, pair, until

URL = "tcp://127.0.0.1:0"


def waiting(node, count=1):
    """Returns when so many wait, over all routes."""
    def there():
        with node._mutex:
            return sum(map(len, node._waits._by_route.values())) == count

    until(there)


# ---- Waiting for a message ----

def test_a_message_that_is_waited_for_goes_to_who_waits_and_the_next_to_the_handler(url):
    handled = []
    with pair(url, routes={"n": lambda request: handled.append(request.json())}) as (server, _, peer):
        even = in_thread(server.wait_for, "n", lambda request: request.json() % 2 == 0)
        waiting(server)
        big = in_thread(lambda: server.wait_for("n", filter=lambda request: request.json() > 5))
        waiting(server, 2)
        for number in (1, 8, 10, 12):
            peer.send("n", number, receipt=True)
        assert (even.result(DEADLINE).json(), big.result(DEADLINE).json()) == (8, 10)
        assert handled == [1, 12]


def test_a_request_that_was_waited_for_is_answered_by_reply(url):
    with pair(url) as (server, _, peer):
        for answer in ("reply", "status"):
            waits = in_thread(server.wait_for, "ask")
            waiting(server)
            asked = in_thread(peer.request, "ask")
            request = waits.result(DEADLINE)
            assert request.wants_reply and not request.answered
            if answer == "reply":
                request.reply("here")
                assert asked.result(DEADLINE).text() == "here"
            else:
                request.status(77, "no")
                assert asked.exception(DEADLINE).status == 77
        with pytest.raises(sealwire.NoRouteError):
            peer.request("ask")


def test_a_conversation_may_be_waited_for(url):
    with pair(url) as (server, _, peer):
        waits = in_thread(server.wait_for, "talk")
        waiting(server)
        with peer.converse("talk") as talk:
            request = waits.result(DEADLINE)
            asked = in_thread(request.talk.ask, "a question")
            next(iter(talk)).answer("an answer")
            assert asked.result(DEADLINE).text() == "an answer"
            request.reply(None)
            assert list(talk) == [] and not request.peer._talks


def test_waiting_ends_with_its_timeout_its_filter_its_peer_and_its_node():
    with pair(URL) as (server, _, peer):
        with pytest.raises(sealwire.DeadlineError):
            server.wait_for("x", timeout=0.001)
        broken = in_thread(server.wait_for, "x", lambda request: 1 // 0)
        waiting(server)
        peer.send("x")
        assert isinstance(broken.exception(DEADLINE), ZeroDivisionError)
        (back,) = server.peers
        of_peer, of_node = in_thread(back.wait_for, "x"), in_thread(server.wait_for, "x")
        waiting(server, 2)
        peer.close()
        assert isinstance(of_peer.exception(DEADLINE), sealwire.SessionError)
        with pytest.raises(sealwire.SessionError):
            back.wait_for("x")
        server.close()
        assert isinstance(of_node.exception(DEADLINE), sealwire.ClosedError)
        waiting(server, 0)
        with pytest.raises(sealwire.ArgumentError):
            server.wait_for("")
    with pytest.raises(sealwire.StateError):
        sync.Node().wait_for("x")


def test_what_was_waited_for_in_vain_goes_to_the_handler_or_the_iterator():
    with pair(URL, routes={"n": lambda request: "handler " + request.text()}) as (server, _, peer), server.messages("i") as messages:
        for route in ("n", "i"):
            waits = in_thread(server.wait_for, route)
            waiting(server)
            asked = in_thread(peer.request, route, "x")
            request = waits.result(DEADLINE)
            with server._mutex:
                server._waits._pass_on(request)  # as a Ctrl-C does in the moment in which it comes
            if route == "i":
                next(messages).reply("iterator x")
            assert asked.result(DEADLINE).text().endswith("r x")


# ---- Pauses ----

def test_messages_of_a_paused_peer_and_to_a_paused_route_wait(url):
    seen = []
    routes = {"slow": lambda request: seen.append(request.text()), "fast": lambda request: seen.append(request.text())}
    with pair(url, routes=routes) as (server, _, peer):
        server.pause("slow")
        first = in_thread(peer.request, "slow", "first")
        until(lambda: peer.running.requests)
        peer.request("fast", "second")
        assert seen == ["second"]
        server.resume("slow")
        first.result(DEADLINE)
        (back,) = server.peers
        back.pause()
        peer.send("fast", "third")
        peer.ping()
        assert seen == ["second", "first"]
        back.resume(1)
        until(lambda: len(seen) == 3)
        back.resume()
        peer.send("fast", "fourth", receipt=True)
        assert seen == ["second", "first", "third", "fourth"]
        with pytest.raises(sealwire.StateError):
            server.pause("nobody's")
        with pytest.raises(sealwire.ArgumentError):
            back.resume(-1)


# ---- Attempts ----

def test_attempts_are_made_until_one_is_answered_and_the_handler_runs_once(url):
    runs = []

    def slow(request):
        runs.append(request.idempotency_key)
        (back,) = request.peer.node.peers
        until(lambda: back.running.serving >= 3)  # the third attempt is there
        return "at last"

    with pair(url, routes={"slow": slow}) as (_, _, peer):
        assert peer.request("slow", timeout=0.05, attempts=1000, backoff=0).text() == "at last"
        assert len(runs) == 1 and len(runs[0]) == 16
        until(lambda: not peer.running.requests)  # the others were cancelled


def test_attempts_end_with_the_last_and_with_what_no_attempt_changes(url):
    runs = []

    def never(request):
        runs.append("never")
        if request.wait_cancelled(DEADLINE):
            runs.append("cancelled")

    def fails(request):
        runs.append("fails")
        raise sealwire.Status(64, "no")

    with pair(url, routes={"never": never, "fails": fails}, threads=2) as (_, _, peer):
        with pytest.raises(sealwire.DeadlineError):
            peer.request("never", timeout=0.01, attempts=3, backoff=(0.001, 0.002))
        until(lambda: runs == ["never", "cancelled"])
        with pytest.raises(sealwire.Status):
            peer.request("fails", attempts=3)
        assert runs == ["never", "cancelled", "fails"]
        with pytest.raises(sealwire.NoRouteError):
            peer.request("nowhere", attempts=3)
        for wrong in ({"attempts": 0}, {"attempts": 2, "backoff": -1}, {"attempts": 2, "backoff": (2, 1)},
                      {"attempts": 2, "parts": [sync.Stream(b"x")]}):
            with pytest.raises(sealwire.ArgumentError):
                peer.request("fails", **wrong)


# ---- Limits ----

@pytest.mark.parametrize("where", ["route", "node"])
def test_no_more_handlers_run_than_may(where):
    together, most, lock = [], [], threading.Lock()
    two = threading.Barrier(2, timeout=DEADLINE)

    def slow(request):
        with lock:
            together.append(request)
            most.append(len(together))
        two.wait()
        with lock:
            together.remove(request)

    options = {"allow": "anyone", **({"max_handlers": 2} if where == "node" else {})}
    with sync.Node(**options) as server, sync.Node() as client:
        server.route("slow", **({"max_handlers": 2} if where == "route" else {}))(slow)
        server.route("other")(echo)
        server.serve_in_background(6)
        peer = client.connect(server.listen(URL).ticket)
        for future in [in_thread(peer.request, "slow") for _ in range(20)]:
            future.result(DEADLINE)
        assert max(most) == 2 and peer.request("other", b"x").body == b"x"
        with pytest.raises(ValueError):
            server.route("x", max_handlers=-1)(echo)


def test_a_route_tells_its_errors_where_it_is_said(url):
    with pair(url) as (server, _, peer):
        server.route("tells", tell_errors=True)(lambda request: 1 / 0)
        server.route("silent")(lambda request: 1 / 0)
        with pytest.raises(sealwire.HandlerFailed, match="ZeroDivisionError"):
            peer.request("tells")
        with pytest.raises(sealwire.HandlerFailed) as failed:
            peer.request("silent")
        assert "ZeroDivisionError" not in str(failed.value)


def test_functions_that_are_async_are_refused():
    async def later(_):
        """No function of this face."""

    for options in ({"allow": later}, {"on_ask": later}, {"data": later}):
        with pytest.raises(sealwire.ArgumentTypeError):
            sync.Node(**options)
    with pytest.raises(TypeError):
        sync.Node(no_such_limit=1)


# ---- Numbers ----

def test_counters_batches_arrivals_and_uuids(url):
    seen = []
    several = {"several_sessions": True}
    routes = {"look": lambda request: seen.append(request.uuid) or str(request.reply_uuid())}
    with pair(url, several, several, routes=routes) as (server, client, peer):
        assert peer.send("look", uuid=True, receipt=True) == seen[0]  # the server knows of the first session now
        came = server.arrivals()
        there = in_thread(next, came)
        until(lambda: server._arrivals)
        client.connect(next(iter(server._listeners.values())).ticket)
        assert there.result(DEADLINE).id == client.id
        server_waits = in_thread(list, came)
        reply = peer.request("look")
        assert reply.request_uuid == seen[1] and reply.text() == str(reply.uuid)
        with server.messages("many") as messages:
            for number in range(50):
                peer.send("many", number)
            got = []
            for batch in messages.batches(20):
                assert 0 < len(batch) <= 20
                got += [request.json() for request in batch]
                if len(got) == 50:
                    break
            assert got == list(range(50))
        mine = peer.stats()
        assert (mine["messages_sent"], mine["requests_sent"], mine["replies_received"]) == (52, 1, 1)
        assert client.stats()["sessions"] == 2 and server.stats()["routes"]["look"]["messages_received"] == 2
        server.close()
        assert server_waits.result(DEADLINE) == []
