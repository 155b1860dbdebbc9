"""The web port: nodes over ws://, and what a program answers by HTTP beside it."""

import asyncio
import functools
import http.client
import re

import pytest

import sealwire
import sealwire.sync
from conftest import run
from sealwire import Http, HttpAnswer


def scenario(test):
    @functools.wraps(test)
    def runs(*arguments, **named):
        run(test, *arguments, *named.values())
    return runs


def port_of(listener):
    return int(re.match(r"ws://127\.0\.0\.1:(\d+)", listener.address).group(1))


def fetch(port, path, method="GET", body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, dict(answer.getheaders())


UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


async def get(port, path, *more, **others):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: fetch(port, path, *more, **others))


def node(**options):
    return sealwire.Node(network="web", allow="anyone", **options)


@scenario
async def test_two_nodes_talk_over_a_websocket():
    async with node() as server, node() as client:
        @server.route("echo")
        async def echo(request):
            return request.body

        listener = await server.listen("ws://127.0.0.1:0/chat")
        assert listener.ticket.startswith(listener.address) and "/chat#" in listener.ticket
        peer = await client.connect(listener.ticket)
        assert (await peer.request("echo", b"x" * 300_000)).body == b"x" * 300_000
        with pytest.raises(sealwire.ConnectError) as failed:
            await client.connect(listener.ticket.replace("/chat", "/other").replace(server.id, sealwire.Identity.generate().id))
        assert failed.value.code == "ws_refused" and "404" in failed.value.detail


@scenario
async def test_what_the_program_answers(tmp_path):
    (tmp_path / "a.txt").write_text("aaa")
    seen = []

    async def on_request(request):
        seen.append(request)
        await asyncio.sleep(0)
        kinds = {"/text": "text", "/bytes": b"bytes", "/status": 418, "/none": None,
                 "/answer": HttpAnswer("<p>", status=201, headers={"Content-Type": "text/html", "X-A": "b"})}
        return kinds[request.path]

    async with node() as server:
        listener = await server.listen("ws://127.0.0.1:0", http=Http(health="/health", metrics="/metrics", folder=tmp_path,
                                                                     on_request=on_request, max_body_bytes=10))
        port = port_of(listener)
        assert (await get(port, "/health"))[:2] == (200, b"ok\n")
        assert b"\nsealwire_sessions 0\n" in (await get(port, "/metrics"))[1]
        assert (await get(port, "/a.txt"))[:2] == (200, b"aaa")
        assert (await get(port, "/text"))[:2] == (200, b"text")
        assert (await get(port, "/bytes"))[:2] == (200, b"bytes")
        assert (await get(port, "/status"))[0] == 418
        assert (await get(port, "/none"))[0] == 404
        status, body, headers = await get(port, "/answer?a=b", "POST", b"12345", {"X-Thing": "c"})
        assert (status, body, headers["Content-Type"], headers["X-A"]) == (201, b"<p>", "text/html", "b")
        assert (await get(port, "/text", "POST", b"12345678901"))[0] == 413
        assert (await get(port, "/unheard-of"))[0] == 500
    request = seen[-2]
    assert (request.method, request.path, request.query, request.body) == ("POST", "/answer", "a=b", b"12345")
    assert request.header("X-Thing") == "c" and request.address.startswith("tcp://127.0.0.1:") and not request.secure


@scenario
async def test_the_program_decides_on_upgrades():
    async with node() as server, node() as client:
        listener = await server.listen("ws://127.0.0.1:0/x", http=Http(
            origins=["https://friend.example"], on_upgrade=lambda request: request.header("cookie") == "a=b" or request.path == "/x"))
        port = port_of(listener)
        assert (await get(port, "/any", headers={**UPGRADE, "Cookie": "a=b"}))[0] == 101
        assert (await get(port, "/any", headers=UPGRADE))[0] == 403
        assert (await get(port, "/x", headers={**UPGRADE, "Origin": "https://friend.example"}))[0] == 101
        assert (await get(port, "/x", headers={**UPGRADE, "Origin": "https://evil.example"}))[0] == 403
        assert (await client.connect(listener.ticket)).id == server.id


def test_the_synchronous_face_answers_in_a_thread():
    with sealwire.sync.Node(network="web", allow="anyone") as server:
        listener = server.listen("ws://127.0.0.1:0", http=Http(on_request=lambda request: request.path))
        assert fetch(port_of(listener), "/abc")[:2] == (200, b"/abc")


@scenario
async def test_options_that_cannot_be_are_refused():
    async with node() as server:
        with pytest.raises(sealwire.ArgumentError):
            await server.listen("tcp://127.0.0.1:0", http=Http(health="/health"))
        with pytest.raises(sealwire.ArgumentError):
            await server.listen("ws://127.0.0.1:0", http=Http(health="health"))
        with pytest.raises(sealwire.ArgumentError):
            Http(origins="https://a.example")
