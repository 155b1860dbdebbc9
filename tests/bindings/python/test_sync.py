"""The synchronous face: calls that wait, handlers as plain functions, from one thread or several."""

import io
import logging
import pathlib
import threading
import time
import warnings

import pytest
import sealwire
from conftest import DEADLINE
from sealwire import sync
from sync_pair import echo, in_thread, pair, until


# ---- Requests and messages ----

def test_a_request_is_answered_by_a_plain_function(url):
    def greet(request):
        assert request.peer.id == client.id and request.timeout == 2.0
        return {"hello": request.json()["name"]}

    with pair(url, routes={"greet": greet, "": lambda request: request.route, "done": lambda request: None}) as (server, client, peer):
        reply = peer.request("greet", {"name": "Ada"}, timeout=2.0)
        assert reply.json() == {"hello": "Ada"} and peer.id == server.id and peer.dialled
        assert peer.request("other").text() == "other"
        assert not peer.request("done").has_body
        assert peer.request("greet", {"name": "x" * 100_000}, timeout=2.0).json()["hello"] == "x" * 100_000
        assert peer.ping().round_trip > 0
        (there,) = server.peers
        client.route("back")(echo)
        client.serve_in_background()
        assert there.request("back", b"either side asks").body == b"either side asks" and not there.dialled


def test_what_goes_wrong_is_raised(url, caplog):
    def fail(request):
        raise LookupError("the secret")

    def status(request):
        raise sealwire.Status(70, "no", {"left": 0})

    with caplog.at_level(logging.ERROR, "sealwire"), pair(url, routes={"fail": fail, "status": status}) as (server, _, peer):
        with pytest.raises(sealwire.HandlerFailed) as failed:
            peer.request("fail")
        assert "secret" not in str(failed.value) and "the secret" in caplog.text
        with pytest.raises(sealwire.Status) as caught:
            peer.request("status")
        assert (caught.value.status, caught.value.text, caught.value.details) == (70, "no", {"left": 0})
        with pytest.raises(sealwire.NoRouteError):
            peer.request("nothing")
        with pytest.raises(sealwire.ArgumentError):
            peer.request("")
        with pytest.raises(TypeError):
            peer.request("fail", parts=[b"no stream"])
        with pytest.raises(TypeError):
            @server.route("later")
            async def later(request):
                """No handler of this face."""
    with pytest.raises(sealwire.ClosedError):
        peer.request("status")


def test_a_handler_that_nobody_waits_for_learns_it(url):
    started, ended, over = threading.Event(), threading.Event(), []

    def slow(request):
        started.set()
        over.append((request.wait_cancelled(0), request.wait_cancelled(DEADLINE)))
        ended.set()

    with pair(url, routes={"slow": slow}) as (server, _, peer):
        with pytest.raises(TimeoutError) as caught:
            peer.request("slow", timeout=0.05)
        assert caught.value.code == "timeout" and started.wait(DEADLINE)
        assert ended.wait(DEADLINE)
    assert over == [(False, True)]


def test_a_request_that_waits_in_vain_for_a_thread_is_dropped(url):
    ran = []
    server = sync.Node(allow="anyone")
    server.route("late")(lambda request: ran.append(request))
    server.route("now")(echo)
    with server, sync.Node() as client:
        peer = client.connect(server.listen(url).ticket)
        with pytest.raises(TimeoutError):
            peer.request("late", timeout=0.05)
        client.route("back")(echo)
        client.serve_in_background()
        (there,) = server.peers
        there.request("back")  # its answer comes behind the cancel
        server.serve_in_background()
        assert peer.request("now", b"x").body == b"x" and not ran


def test_messages_are_sent_and_taken(url):
    came = []
    with pair(url, routes={"news": lambda request: came.append(request.body)}) as (server, _, peer):
        for number in range(100):
            peer.send("news", str(number))
        peer.send("news", b"last", receipt=True, metadata={"name": "value"})
        assert came == [str(number).encode() for number in range(100)] + [b"last"]
        server.pause("news")
        peer.send("news", b"written", receipt="written")
        peer.send("news", b"written, with metadata", receipt="written", metadata={"name": "value"})
        assert came[-1] == b"last"
        server.resume("news")
        peer.send("news", b"taken", receipt="acknowledged")
        assert came[-1] == b"taken"
        with server.messages("stream") as messages:
            peer.send("stream", b"one", metadata={"name": "value"})
            peer.send("stream", b"two")
            first, second = next(messages), next(messages)
            assert (first.body, first.metadata, second.body) == (b"one", {"name": "value"}, b"two")
            waiting = in_thread(list, messages)
            messages.close()
            assert waiting.result(DEADLINE) == []


def test_a_sender_waits_for_room(url):
    with pair(url, client_options={"send_queue_bytes": 65536}, threads=0) as (server, _, peer):
        body = b"x" * 50_000
        with server.messages("slow") as messages:
            sender = in_thread(lambda: [peer.send("slow", body) for _ in range(100)])
            for _ in range(100):
                assert len(next(messages)) == len(body)
        assert len(sender.result(DEADLINE)) == 100


# ---- Many replies ----

def count(request):
    for number in range(request.json()):
        yield {"number": number}


def test_many_replies_are_iterated_over(url):
    with pair(url, routes={"count": count}) as (_, __, peer):
        assert [reply.json()["number"] for reply in peer.request_many("count", 200)] == list(range(200))
        assert list(peer.request_many("count", 0)) == []
        assert peer.request("count", 1).json() == {"number": 0}
        with pytest.raises(sealwire.NoRouteError):
            next(peer.request_many("nothing"))


def test_leaving_the_replies_ends_the_handler(url):
    ended = threading.Event()

    def forever(request):
        try:
            while True:
                yield b"x" * 1000
        finally:
            ended.set()

    def dropped(peer):
        for _ in peer.request_many("forever"):
            break

    def closed(peer):
        with peer.request_many("forever") as replies:
            next(replies)
            assert replies.running
        assert not replies.running and list(replies) == []

    with pair(url, routes={"forever": forever}) as (_, __, peer):
        for leave in (dropped, closed):
            leave(peer)
            assert ended.wait(DEADLINE)
            ended.clear()


def test_a_failure_comes_behind_the_replies_before_it(url):
    def fails(request):
        yield b"one"
        request.more(b"two")
        raise sealwire.Status(99, "enough")

    with pair(url, routes={"fails": fails}) as (_, __, peer):
        replies = peer.request_many("fails")
        assert [next(replies).body, next(replies).body] == [b"one", b"two"]
        with pytest.raises(sealwire.Status):
            next(replies)
        assert list(replies) == []


def test_deadlines_between_replies_and_in_all(url):
    def stuck(request):
        yield b"one"
        request.wait_cancelled(DEADLINE)

    with pair(url, routes={"stuck": stuck}, threads=3) as (_, __, peer):
        for deadlines in ({"between": 0.05}, {"total": 0.05}, {}):
            replies = peer.request_many("stuck", **deadlines)
            assert next(replies).body == b"one"
            if not deadlines:
                replies.set_deadlines(next=0.05)
            with pytest.raises(TimeoutError):
                next(replies)


# ---- Streams and files ----

def test_streams_go_both_ways_at_once(url):
    def upper(request):
        return sync.Answer("here", [sync.Stream(piece.upper() for piece in part) for part in request.parts])

    with pair(url, routes={"upper": upper}) as (_, __, peer):
        large = b"abc" * 700_000
        reply = peer.request("upper", parts=[sync.Stream(large), sync.Stream(io.BytesIO(b"file object")), sync.Stream(iter([b"a", b"", b"b"]))])
        first, second, third = reply.parts
        assert reply.text() == "here" and first.readexactly(4) == b"ABCA"
        first.unread(b"ABCA")
        assert first.read() == large.upper() and first.read(1) == b"" and first.at_end
        assert second.read(4) == b"FILE" and b"".join(second) == b" OBJECT"
        with pytest.raises(EOFError):
            third.readexactly(3)
        assert third.read() == b"AB"


def test_a_stream_is_written_by_hand(url):
    def total(request):
        return sum(len(piece) for piece in request.parts[0])

    with pair(url, routes={"total": total}) as (_, __, peer):
        stream = sync.Stream()
        asking = in_thread(lambda: peer.request("total", parts=[stream]).json())
        with stream:
            for _ in range(100):
                stream.write(b"x" * 20_000)  # waits for room
        assert asking.result(DEADLINE) == 2_000_000
        stream.wait()
        with pytest.raises(sealwire.StateError):
            stream.write(b"more")
        with pytest.raises(sealwire.StateError):
            peer.request("total", parts=[stream])


def test_either_side_stops_a_part(url):
    def refuse(request):
        request.parts[0].cancel(70)
        return "stopped"

    def give_up(request):
        stream = sync.Stream()
        request.reply(b"incomplete", [stream])
        stream.write(b"some")
        stream.cancel(71)

    with pair(url, routes={"refuse": refuse, "give up": give_up}) as (_, __, peer):
        stream = sync.Stream(iter(lambda: b"x" * 1000, None))
        assert peer.request("refuse", parts=[stream]).text() == "stopped"
        with pytest.raises(sealwire.CancelledByPeer) as caught:
            stream.wait()
        assert caught.value.status == 70
        (part,) = peer.request("give up").parts
        with pytest.raises(sealwire.CancelledByPeer) as caught:
            part.read()
        assert caught.value.status == 71


def test_a_source_that_fails_is_raised_where_it_was_sent(url):
    def broken():
        yield b"some"
        raise RuntimeError("the disk is gone")

    with pair(url, routes={"take": lambda request: len(request.parts[0].read())}) as (_, __, peer):
        for send in (peer.send, peer.request):
            with pytest.raises(RuntimeError, match="the disk is gone"):
                send("take", parts=[sync.Stream(broken())])
        with pytest.raises(FileNotFoundError):
            peer.request("take", parts=[sync.File("/nothing/here")])


def test_files_are_sent_and_saved(url, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source = tmp_path / "report.bin"
    source.write_bytes(b"0123456789" * 500_000)
    seen = []

    def upload(request):
        return [str(part.save(inbox, progress=lambda count, size: seen.append((count, size)))) for part in request.parts]

    with pair(url, routes={"upload": upload}) as (_, __, peer):
        told = []
        files = [sync.File.from_path(source, progress=lambda count, size: told.append(count)), sync.File.from_bytes(b"small", "small.txt")]
        saved = [pathlib.Path(path) for path in peer.request("upload", parts=files).json()]
        assert [path.name for path in saved] == ["report.bin", "small.txt"]
        assert saved[0].read_bytes() == source.read_bytes() and saved[1].read_bytes() == b"small"
        assert told and seen and seen[-1][1] == 5_000_000
        with pytest.raises(sealwire.HandlerFailed):
            peer.request("upload", parts=[sync.File(source)])  # it is there already
        assert sorted(path.name for path in inbox.iterdir()) == ["report.bin", "small.txt"]
        peer.send("upload", parts=[sync.File.from_stream(io.BytesIO(b"again"), "again.txt")])
        assert peer.request("upload", parts=[sync.File.from_bytes(b"", "empty")]).json()
        assert (inbox / "again.txt").read_bytes() == b"again"


# ---- Procedure calls, middleware, what is told with the handshake ----

def test_procedures_are_called(url):
    def numbers(to):
        yield from range(to)

    with pair(url) as (server, _, peer):
        server.expose("math", {"add": lambda a, b: a + b, "numbers": numbers})
        assert peer.call("math.add", 1, 2) == 3
        assert list(peer.call_many("math.numbers", 4)) == [0, 1, 2, 3]
        with pytest.raises(sealwire.Status) as caught:
            peer.call("math.nothing")
        assert caught.value.status == sealwire.NO_FUNCTION
        server.unexpose("math.add")
        with pytest.raises(sealwire.Status):
            peer.call("math.add", 1, 2)


def test_middleware_stands_around_handlers(url):
    order = []

    def named(name):
        def middleware(request, next):
            order.append(name)
            return name + next()
        return middleware

    with pair(url) as (server, _, peer):
        server.route("a", use=[named("route ")])(lambda request: request.text())
        server.use(named("outer "))
        server.use(named("inner "))
        assert peer.request("a", "x").text() == "outer inner route x" and order == ["outer ", "inner ", "route "]


def test_on_error_stands_in_for_the_log(url):
    def on_error(request, error):
        return f"{request.route}: {error}" if isinstance(error, LookupError) else None

    with pair(url, {"on_error": on_error, "tell_errors": True}, routes={"a": lambda request: {}["no"], "b": lambda request: 1 / 0}) as (_, __, peer):
        assert peer.request("a").text() == "a: 'no'"
        with pytest.raises(sealwire.HandlerFailed, match="ZeroDivisionError"):
            peer.request("b")


def test_data_are_told_with_the_handshake_both_ways(url):
    came = []
    options = {"several_sessions": True, "data": lambda asking: b"for " + asking.data, "on_peer": lambda peer: came.append((peer.data, peer.ping().round_trip > 0))}
    with pair(url, options, {"several_sessions": True}, routes={"": echo}) as (server, client, _):
        peer = client.connect(next(iter(server._listeners.values())).ticket, data=lambda id: b"Ada" if id == server.id else b"?")
        assert peer.data == b"for Ada" and abs(peer.clock_difference) < 1
        assert peer.request("x", b"y").body == b"y"
        with pytest.raises(ZeroDivisionError):
            client.connect(next(iter(server._listeners.values())).ticket, data=lambda id: 1 / 0)


def test_a_function_decides_who_comes_in(url):
    answers = [True, False, sealwire.Reject(70, "no"), sealwire.Accept(b"yes")]
    with sync.Node(on_ask=lambda asking: answers.pop(0), several_sessions=True) as server, sync.Node(several_sessions=True) as client:
        ticket = server.listen(url).ticket
        assert client.connect(ticket).data == b""
        for _ in range(2):
            with pytest.raises(sealwire.NotAllowedError):
                client.connect(ticket)
        assert client.connect(ticket).data == b"yes"
        server.allow([client.id])
        assert client.connect(ticket)
    with sync.Node() as server, sync.Node() as client, pytest.raises(PermissionError):
        client.connect(server.listen(url).ticket)


# ---- Threads, Ctrl-C, the end ----

def test_several_threads_ask_and_several_serve(url):
    together = threading.Barrier(4, timeout=DEADLINE)
    with pair(url, routes={"echo": echo, "together": lambda request: together.wait()}, threads=4) as (_, __, peer):
        def ask(thread):
            return all(peer.request("echo", f"{thread} {number}").text() == f"{thread} {number}" for number in range(200))
        assert all(future.result(DEADLINE) for future in [in_thread(ask, thread) for thread in range(8)])
        asked = [in_thread(lambda: peer.request("together").has_body) for _ in range(4)]  # four at once, or none ends
        assert all(future.result(DEADLINE) for future in asked)


def test_serving_in_the_calling_thread_ends_with_its_time_or_its_node(url):
    with sync.Node(allow="anyone") as server, sync.Node() as client:
        server.route("thread")(lambda request: threading.current_thread() is threading.main_thread())
        server.serve(timeout=0)
        ticket = server.listen(url).ticket
        asked = in_thread(lambda: client.connect(ticket).request("thread").json())
        while not asked.done():
            server.serve(timeout=0.05)
        assert asked.result() is True
        serving = in_thread(server.serve)
        server.close()
        assert serving.result(DEADLINE) is None


def test_what_waits_learns_that_its_session_has_ended(url):
    with pair(url, threads=0) as (server, client, peer):
        server.route("never")(echo)
        waiting = [in_thread(lambda: peer.request("never")), in_thread(lambda: next(peer.request_many("never"))),
                   in_thread(lambda: peer.send("never", receipt=True)), in_thread(lambda: peer.request("never", parts=[sync.Stream()]))]
        until(lambda: peer.running.requests >= 3)
        server.close(0.001)
        for future in waiting:
            assert isinstance(future.exception(DEADLINE), sealwire.Error)
        assert peer.wait_closed(DEADLINE) is not None and peer.closed
        with pytest.raises(sealwire.Error):
            peer.ping()
        assert client.close() is not None and client.close() is not None


def test_a_listener_and_a_peer_are_closed(url):
    with sync.Node(allow="anyone") as server, sync.Node() as client:
        with server.listen(url) as listener:
            with client.connect(listener.ticket) as peer:
                assert client.peers == (peer,)
            assert peer.closed and peer.reason is None and client.peers == ()
        with pytest.raises(sealwire.Error):
            client.connect(listener.ticket, timeout=2.0)
        with pytest.raises(sealwire.Error):
            server.listen("tcp://256.0.0.1:0")
        with pytest.raises(sealwire.StateError):
            server.open()
    with pytest.raises(sealwire.StateError):
        sync.Node().connect(listener.ticket)


def test_a_node_that_is_dropped_ends(url):
    server = sync.Node(allow="anyone").open()
    ticket = server.listen(url).ticket
    with sync.Node() as client:
        peer = client.connect(ticket)
        import gc
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del server
            gc.collect()
        assert [one.category for one in caught] == [ResourceWarning]
        assert peer.wait_closed(DEADLINE) is not None


INTERRUPTED = """
import os, signal, sys, threading
from sealwire import sync
what = sys.argv[1]
server = sync.Node(allow="anyone").open()
server.route("never")(lambda request: None)
client = sync.Node().open()
peer = client.connect(server.listen("tcp://127.0.0.1:0").ticket)
waits = {"request": lambda: peer.request("never"), "replies": lambda: next(peer.request_many("never")), "serve": client.serve,
         "read": lambda: peer.wait_closed(), "messages": lambda: next(server.messages("m"))}[what]
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    waits()
except KeyboardInterrupt:
    while peer.running.requests:  # it was cancelled
        peer.ping()
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", ["request", "replies", "serve", "read", "messages"])
def test_ctrl_c_ends_a_wait(what, script):
    started = time.monotonic()
    result = script(INTERRUPTED, what)
    assert (result.returncode, result.stdout, result.stderr) == (0, "interrupted\n", "")
    assert time.monotonic() - started < DEADLINE


FORKED = """
import os
import sealwire
from sealwire import sync
with sync.Node(allow="anyone") as node, sync.Node() as client:
    peer = client.connect(node.listen("tcp://127.0.0.1:0").ticket)
    child = os.fork()
    if child == 0:
        try:
            peer.ping()
        except sealwire.ForkedError:
            node.close(), client.close()
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    print(peer.ping().round_trip > 0)
"""


def test_a_child_of_a_fork_leaves_its_parent_alone(script):
    result = script(FORKED)
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


def test_both_faces_talk_to_each_other(url):
    import asyncio

    async def main(ticket):
        async with sealwire.Node() as client:
            peer = await client.connect(ticket)
            return (await peer.request("echo", b"x", parts=[sealwire.Stream(b"y")])).body

    with sync.Node(allow="anyone") as server:
        server.route("echo")(lambda request: request.body + request.parts[0].read())
        server.serve_in_background()
        assert asyncio.run(main(server.listen(url).ticket)) == b"xy"


def test_a_program_is_checked_against_its_types(source_root, tmp_path):
    from test_types import check
    program = tmp_path / "program.py"
    text = """
from sealwire import sync
with sync.Node(network="x", allow="anyone") as node:
    @node.route("greet")
    def greet(request: sync.Request) -> str:
        return request.parts[0].read().decode()
    peer = node.connect(node.listen("tcp://127.0.0.1:0").ticket)
    body: bytes = peer.request("greet", {}, parts=[sync.Stream(b"x")]).body
    many = [reply.text() for reply in peer.request_many("greet")]
    WRONG
"""
    program.write_text(text.replace("WRONG", "peer.close()"))
    result = check(program, source_root / "bindings" / "python")
    assert result.returncode == 0, result.stdout
    program.write_text(text.replace("WRONG", "peer.request(5)"))
    assert "arg-type" in check(program, source_root / "bindings" / "python").stdout
