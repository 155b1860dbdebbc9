"""tls:// and wss://: certificates as files and as text, in both faces; what is told where they do not fit."""

import asyncio
import dataclasses
import ssl
import urllib.request

import pytest
from conftest import run

import sealwire
from sealwire import Tls, sync


@pytest.fixture
def serving(certificates):
    return Tls(certificate_file=certificates / "server.pem", key_file=certificates / "server.key")


@pytest.fixture
def trusting(certificates):
    return Tls(ca=(certificates / "ca.pem").read_text())


@pytest.fixture(params=["tls", "wss"])
def scheme(request):
    return request.param


def echoing():
    node = sealwire.Node(network="tls", allow="anyone")
    node.route("echo")(lambda request: request.body)
    return node


def test_a_request_is_answered_over_tls(scheme, serving, trusting):
    async def scenario():
        async with echoing() as server, sealwire.Node(network="tls") as client:
            listener = await server.listen(f"{scheme}://localhost:0", tls=serving)
            assert listener.ticket.startswith(f"{scheme}://127.0.0.1:")
            peer = await client.connect(listener.ticket, tls=trusting)
            assert peer.id == server.id and peer.address.startswith(f"{scheme}://")
            assert (await peer.request("echo", b"hello")).body == b"hello"
    run(scenario)


def test_the_synchronous_face_has_it_too(scheme, certificates, serving, trusting):
    with sync.Node(network="tls", allow="anyone") as server, sync.Node(network="tls") as client:
        listener = server.listen(f"{scheme}://127.0.0.1:0", tls=serving)
        peer = client.connect(listener.ticket, tls=trusting)
        assert peer.id == server.id
        peer.close()
        listener.set_tls(Tls(certificate_file=certificates / "expired.pem", key_file=certificates / "expired.key"))
        with pytest.raises(sealwire.TlsError) as caught:
            client.connect(listener.ticket, tls=trusting)
        assert caught.value.code == "tls_expired"


def test_each_failure_has_its_code_and_is_a_connection_error(scheme, certificates, serving, trusting):
    wanted = dataclasses.replace(serving, ca_file=certificates / "ca.pem", clients="required")
    other = Tls(ca_file=certificates / "other-ca.pem")
    elsewhere = dataclasses.replace(trusting, server_name="wrong.example")

    async def scenario():
        async with echoing() as server, sealwire.Node(network="tls") as client:
            listener = await server.listen(f"{scheme}://127.0.0.1:0", tls=serving)
            for tls, code in ((other, "tls_unknown_ca"), (elsewhere, "tls_host")):
                with pytest.raises(sealwire.TlsError) as caught:
                    await client.connect(listener.ticket, tls=tls)
                assert caught.value.code == code and caught.value.detail and caught.value.hint
                assert isinstance(caught.value, ConnectionError)
            listener.set_tls(wanted)
            with pytest.raises(sealwire.TlsError) as caught:
                await client.connect(listener.ticket, tls=trusting)
            assert caught.value.code == "tls_client_certificate"
            shown = dataclasses.replace(trusting, certificate_file=certificates / "client.pem", key_file=certificates / "client.key")
            await client.connect(listener.ticket, tls=shown)
    run(scenario)


def test_what_does_not_fit_is_told_at_once(scheme, certificates, serving, trusting):
    async def scenario():
        async with echoing() as server, sealwire.Node(network="tls") as client:
            with pytest.raises(sealwire.TlsError) as caught:
                await server.listen(f"{scheme}://127.0.0.1:0")
            assert caught.value.code == "tls_config"
            with pytest.raises(sealwire.TlsError):
                await server.listen(f"{scheme}://127.0.0.1:0", tls=Tls(certificate_file="/nonexistent", key="x"))
            with pytest.raises(sealwire.ArgumentError):
                await server.listen("tcp://127.0.0.1:0", tls=serving)
            for wrong in (Tls(clients="some"), Tls(min_version="1.1"), "certificate"):
                with pytest.raises(sealwire.ArgumentError):
                    await server.listen(f"{scheme}://127.0.0.1:0", tls=wrong)
            listener = await server.listen(f"{scheme}://127.0.0.1:0", tls=serving)
            with pytest.raises(sealwire.TlsError):
                listener.set_tls(Tls(certificate_file=certificates / "server.pem", key_file=certificates / "client.key"))
            await client.connect(listener.ticket, tls=trusting)  # as it was
    run(scenario)


def test_the_port_of_wss_answers_http_over_tls(certificates, serving, trusting):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")

    async def scenario():
        async with echoing() as server, sealwire.Node(network="tls") as client:
            listener = await server.listen("wss://127.0.0.1:0/talk", tls=serving, http=sealwire.Http(health="/health"))
            health = listener.address.replace("wss://", "https://").replace("/talk", "/health")

            def get():
                with urllib.request.urlopen(health, context=context) as answer:
                    return answer.status, answer.read()

            assert await asyncio.to_thread(get) == (200, b"ok\n")
            peer = await client.connect(listener.ticket, tls=trusting)
            assert (await peer.request("echo", b"hello")).body == b"hello"
    run(scenario)


def test_keys_do_not_show():
    assert "secret" not in repr(Tls(key="secret"))


def test_many_dials_and_closes_over_tls_leave_nothing(scheme, serving, trusting):
    async def scenario():
        async with echoing() as server:
            listener = await server.listen(f"{scheme}://127.0.0.1:0", tls=serving)

            async def one():
                async with sealwire.Node(network="tls") as client:
                    peer = await client.connect(listener.ticket, tls=trusting)
                    return (await peer.request("echo", b"x" * 100_000)).body

            bodies = await asyncio.gather(*(one() for _ in range(12)))
            assert all(len(body) == 100_000 for body in bodies)
    run(scenario)
