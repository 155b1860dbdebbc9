"""Who may connect, and what the other side learns when it may not; listeners and the ends of sessions."""

import asyncio
import logging

import pytest
import sealwire
from conftest import run
from pair import pair


async def connect_to(url, allow, network="tests", **options):
    """A client connects to a server with `allow`; both are closed. Raises what the client gets."""
    async with sealwire.Node(allow=allow, network="tests") as server, sealwire.Node(network=network) as client:
        listener = await server.listen(url)
        return (await client.connect(listener.ticket, **options)).id == server.id


def test_only_keys_on_the_list_come_in(url):
    async def scenario():
        me, other = sealwire.Identity.generate(), sealwire.Identity.generate()
        async with sealwire.Node(allow=[me.id], network="tests") as server:
            listener = await server.listen(url)
            async with sealwire.Node(identity=me, network="tests") as node:
                assert (await node.connect(listener.ticket)).id == server.id
            async with sealwire.Node(identity=other, network="tests") as node:
                with pytest.raises(PermissionError) as caught:
                    await node.connect(listener.ticket)
                error = caught.value
                assert isinstance(error, sealwire.NotAllowedError) and isinstance(error, ConnectionError)
                assert (error.code, error.peer) == ("not_allowed", server.id)
                server.allow([other.id])
                assert await node.connect(listener.ticket)
    run(scenario)


def test_by_default_nobody_is_let_in(url):
    async def scenario():
        with pytest.raises(sealwire.NotAllowedError):
            await connect_to(url, ())
    run(scenario)


def decisions():
    def yes(asking):
        return True

    async def later_yes(asking):
        await asyncio.sleep(0)
        return True

    def no(asking):
        return False

    async def later_no(asking):
        await asyncio.sleep(0)
        return sealwire.Reject(70, "not today")

    def broken(asking):
        raise ValueError("a bug")

    async def later_broken(asking):
        raise ValueError("a bug")

    return [(yes, None, 0, ""), (later_yes, None, 0, ""), (no, "not_allowed", 0, ""),
            (later_no, "rejected", 70, "not today"), (broken, "not_allowed", 0, ""), (later_broken, "not_allowed", 0, ""),
            (lambda asking: sealwire.Reject(5, "no code of an application"), "not_allowed", 0, "")]


@pytest.mark.parametrize("decide,code,status,text", decisions())
def test_a_function_decides_who_comes_in(url, decide, code, status, text):
    async def scenario():
        if code is None:
            assert await connect_to(url, decide)
            return
        with pytest.raises(sealwire.NotAllowedError) as caught:
            await connect_to(url, decide)
        assert (caught.value.code, caught.value.text) == (code, text)
        if status:
            assert caught.value.status == status
    run(scenario)


def test_who_decides_sees_key_address_and_data(url):
    async def scenario():
        seen = []
        async with sealwire.Node(allow=lambda asking: seen.append(asking) or True, network="tests") as server, \
                sealwire.Node(network="tests") as client:
            arrivals = server.arrivals()
            next_one = asyncio.ensure_future(arrivals.__anext__())
            await asyncio.sleep(0)
            listener = await server.listen(url)
            await client.connect(listener.ticket, data=b"I am Ada")
            (asking,) = seen
            assert asking.id == client.id and asking.data == b"I am Ada" and asking.address
            peer = await next_one
            assert (peer.id, peer.data, peer.dialled) == (client.id, b"I am Ada", False)
            await arrivals.aclose()
    run(scenario)


def test_who_is_on_the_list_is_not_asked_about(url):
    async def scenario():
        me, asked = sealwire.Identity.generate(), []

        def decide(asking):
            asked.append(asking.id)
            return False

        async with sealwire.Node(allow=[me.id], on_ask=decide) as server:
            listener = await server.listen(url)
            async with sealwire.Node(identity=me) as node:
                await node.connect(listener.ticket)
            async with sealwire.Node() as other:
                with pytest.raises(sealwire.NotAllowedError):
                    await other.connect(listener.ticket)
                assert asked == [other.id]
        with pytest.raises(ValueError):
            sealwire.Node(allow="everyone")
    run(scenario)


def test_on_peer_is_called_for_each_that_connects(url):
    async def scenario():
        met = asyncio.get_running_loop().create_future()

        async def on_peer(peer):
            met.set_result((await peer.request("name")).text())

        async with sealwire.Node(allow="anyone", on_peer=on_peer) as server, sealwire.Node() as client:
            client.route("name")(lambda request: "Ada")
            await client.connect((await server.listen(url)).ticket)
            assert await met == "Ada"
    run(scenario)


def test_another_network_gets_no_answer(url):
    async def scenario():
        with pytest.raises(sealwire.ConnectError) as caught:
            await connect_to(url, "anyone", network=sealwire.network_new(), timeout=10)
        assert caught.value.code == "no_answer"
        assert "network" in caught.value.hint and caught.value.endpoint
    run(scenario)


def test_nothing_listens_there(url):
    async def scenario():
        async with sealwire.Node(allow="anyone") as server, sealwire.Node() as client:
            listener = await server.listen(url)
            await listener.close()
            with pytest.raises(ConnectionError) as caught:
                await client.connect(listener.ticket)
            assert caught.value.code in ("refused", "unreachable")
            if url.startswith("tcp"):
                assert isinstance(caught.value, ConnectionRefusedError)
    run(scenario)


def test_a_ticket_that_cannot_be_read(url):
    async def scenario():
        async with sealwire.Node() as node:
            for ticket in ("nonsense", "tcp://127.0.0.1:1", "tcp://127.0.0.1:1#short"):
                with pytest.raises(ValueError):
                    await node.connect(ticket)
            with pytest.raises(ValueError):
                await node.listen("http://127.0.0.1:0")
    run(scenario)


def test_an_address_in_use():
    async def scenario():
        async with sealwire.Node() as one, sealwire.Node() as two:
            listener = await one.listen("tcp://127.0.0.1:0")
            with pytest.raises(OSError) as caught:
                await two.listen(sealwire.Ticket.parse(listener.ticket).address)
            assert caught.value.code == "in_use"
    run(scenario)


def test_connecting_can_be_cancelled():
    async def scenario():
        blocked = asyncio.Event()

        async def decide(asking):
            blocked.set()
            await asyncio.Event().wait()

        async with sealwire.Node(allow=decide) as server, sealwire.Node() as client:
            listener = await server.listen("tcp://127.0.0.1:0")
            task = asyncio.ensure_future(client.connect(listener.ticket))
            await blocked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(TimeoutError) as caught:
                await client.connect(listener.ticket, timeout=0.05)
            assert isinstance(caught.value, sealwire.ConnectTimeout)
    run(scenario)


def test_a_closed_session_says_so_to_both(url):
    async def scenario():
        async with pair(url, routes={"x": lambda request: None}) as (server, _, peer):
            await peer.request("x")
            (there,) = server.peers
            await peer.close(64, "bye")
            reason = await there.wait_closed()
            assert isinstance(reason, sealwire.SessionError)
            assert (reason.code, reason.status, reason.text) == ("peer_closed", 64, "bye")
            assert peer.closed and peer.reason is None and there.closed
            for gone in (peer, there):
                with pytest.raises(sealwire.Error):
                    await gone.request("x")
                with pytest.raises(sealwire.Error):
                    gone.send_nowait("x")
            assert server.peers == ()
    run(scenario)


def test_what_is_pending_ends_when_the_node_closes(url):
    async def scenario():
        async with pair(url, routes={"forever": lambda request: asyncio.Event().wait()}) as (server, client, peer):
            pending = [asyncio.ensure_future(peer.request("forever")) for _ in range(10)]
            await peer.ping()
            report = await client.close(deadline=0.05)
            assert report.deadline_passed and report.exchanges >= 10
            for one in await asyncio.gather(*pending, return_exceptions=True):
                assert isinstance(one, sealwire.Error)
            assert await client.close() is report  # closing again is fine
            with pytest.raises(sealwire.StateError):
                await client.connect(peer.address)
    run(scenario)


def test_the_librarys_log_reaches_logging(url, caplog):
    async def scenario():
        with pytest.raises(sealwire.NotAllowedError):
            await connect_to(url, ())
    with caplog.at_level(logging.INFO, "sealwire"):
        run(scenario)
    assert all(record.name.startswith("sealwire") for record in caplog.records)
    assert any(record.levelno == logging.WARNING and "allow-list" in record.getMessage() for record in caplog.records)


def test_records_have_what_they_are_about_as_fields(url, caplog):
    async def scenario():
        def fail(request):
            raise ValueError("of this side")

        async with pair(url, routes={"fail": fail}) as (server, client, peer):
            short, (there,) = client.id[:8], server.peers
            await peer.send("nobody's", b"x")
            with pytest.raises(sealwire.HandlerFailed):
                await peer.request("fail")
            about = {(record.name, record.code): record for record in caplog.records}
            dropped = about["sealwire.core", "no_route"]
            failed = about["sealwire", "handler_failed"]
            assert (dropped.peer, dropped.route, dropped.levelno) == (short, "nobody's", logging.WARNING)
            assert (failed.peer, failed.route, failed.levelno) == (short, "fail", logging.ERROR)
            assert dropped.address == failed.address == there.address
            assert any(record.getMessage().startswith("listening") and record.code is None and record.route == ""
                       for record in caplog.records)

    with caplog.at_level(logging.INFO, "sealwire"):
        run(scenario)
    assert all({"peer", "address", "code", "route"} <= vars(record).keys() for record in caplog.records)


def test_a_node_is_opened_once_and_in_an_event_loop():
    with pytest.raises(RuntimeError):
        sealwire.Node().open()

    async def scenario():
        node = sealwire.Node()
        with pytest.raises(RuntimeError):
            await node.listen("tcp://127.0.0.1:0")
        async with node:
            with pytest.raises(RuntimeError):
                node.open()
    run(scenario)


def test_a_handshake_beyond_the_listeners_limit_is_met_by_silence():
    async def scenario():
        asked, decision = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def decide(asking):
            asked.set()
            return await decision

        async with sealwire.Node(on_ask=decide) as server, sealwire.Node(several_sessions=True) as client:
            listener = await server.listen("tcp://127.0.0.1:0", max_handshakes_per_address=1, max_handshakes=sealwire.NEVER)
            first = asyncio.ensure_future(client.connect(listener.ticket))
            await asked.wait()
            with pytest.raises(sealwire.Error) as caught:
                await client.connect(listener.ticket, timeout=0.3)
            assert caught.value.code == "no_answer"
            decision.set_result(True)
            assert (await first).id == server.id
            with pytest.raises(ValueError):
                await server.listen("tcp://127.0.0.1:0", max_handshakes=-1)
            with pytest.raises(ValueError):
                await server.listen("tcp://127.0.0.1:0", handshake_share_percent=101)
    run(scenario)


def test_words_for_the_other_side_that_are_too_long_are_an_error(caplog):
    async def scenario():
        async with sealwire.Node(on_ask=lambda asking: True if asking.data else sealwire.Reject(70, "w" * 1025)) as server, \
                sealwire.Node() as client:
            listener = await server.listen("tcp://127.0.0.1:0")
            with pytest.raises(sealwire.NotAllowedError):
                await client.connect(listener.ticket)
            assert "not valid" in caplog.text
            peer = await client.connect(listener.ticket, data=b"please")
            with pytest.raises(sealwire.ArgumentError):
                await peer.close(64, "w" * 1025)
    run(scenario)


def test_an_answer_that_is_none_refuses_and_is_logged(caplog):
    async def scenario():
        answers = [None, 1, "yes", b"data", []]
        count = len(answers)
        async with sealwire.Node(on_ask=lambda asking: answers.pop(0)) as server, sealwire.Node() as client:
            listener = await server.listen("tcp://127.0.0.1:0")
            for _ in range(count):
                with pytest.raises(sealwire.NotAllowedError):
                    await client.connect(listener.ticket)
            assert caplog.text.count("on_ask gives True, False, Accept or Reject") == count
    run(scenario)


def test_a_wrong_argument_is_an_error_of_the_package_with_a_code(url):
    async def scenario():
        async with pair(url) as (server, client, peer):
            wrong_values = [
                lambda: peer.request("r", timeout=-1), lambda: peer.request("r", timeout=float("nan")),
                lambda: peer.request("\udc80"), lambda: peer.request("r", "\udc80"), lambda: peer.request("r", float("inf")),
                lambda: peer.send("\udc80"), lambda: peer.send(""), lambda: peer.close(10 ** 20), lambda: peer.close(5),
                lambda: server.listen("\udc80"), lambda: server.listen(url, max_handshakes=-1),
                lambda: server.listen(url, max_handshakes=0.5), lambda: server.listen(url, unix_mode=2 ** 40),
                lambda: client.connect("\udc80"), lambda: client.connect("nowhere"),
                lambda: client.connect(f"{url}#{server.id}", timeout=-0.5),
            ]
            wrong_types = [
                lambda: peer.request("r", timeout="1"), lambda: peer.request(7), lambda: peer.request("r", object()),
                lambda: peer.send(None), lambda: peer.close("no"), lambda: server.listen(7),
                lambda: server.listen(url, max_handshakes="5"),
                lambda: client.connect(f"{url}#{server.id}", data="text"),
            ]
            for number, call in enumerate(wrong_values + wrong_types):
                with pytest.raises(sealwire.ArgumentError) as caught:
                    await call()
                error = caught.value
                assert error.code in (("argument", "address", "key") if number < len(wrong_values) else ("argument",))
                assert error.result and error.hint and isinstance(error, ValueError)
                assert isinstance(error, TypeError) == (number >= len(wrong_values)), number
            for call in (lambda: peer.send_nowait("\udc80"), lambda: server.route("\udc80")(print),
                         lambda: client.allow(["\udc80"]), lambda: client.allow([7]), lambda: client.allow(7)):
                with pytest.raises(sealwire.ArgumentError) as caught:
                    call()
                assert caught.value.code == "argument"
    run(scenario)
    for call in (lambda: sealwire.Node(allow="nobody"), lambda: sealwire.Node(network=7), lambda: sealwire.Node(network="\udc80"),
                 lambda: sealwire.Node(window_bytes=-1), lambda: sealwire.Node(send_queue_bytes="1"),
                 lambda: sealwire.Node(exchange_slots=-1), lambda: sealwire.Node(request_timeout=-1),
                 lambda: sealwire.Node(identity=7), lambda: sealwire.Identity.load("\udc80"),
                 lambda: sealwire.Identity.from_seed(32), lambda: sealwire.Ticket.parse(None),
                 lambda: sealwire.network_from_passphrase(7), lambda: sealwire.Status(5)):
        with pytest.raises(sealwire.ArgumentError) as caught:
            call()
        assert caught.value.code == "argument" and isinstance(caught.value, ValueError)


def test_a_call_at_the_wrong_time_has_the_code_that_it_has_in_c(url):
    async def scenario():
        node = sealwire.Node(network="tests", allow="anyone")
        with pytest.raises(sealwire.StateError) as caught:
            await node.listen(url)
        assert caught.value.code == "state"
        async with node:
            ticket = (await node.listen(url)).ticket
            with pytest.raises(sealwire.StateError) as caught:
                node.open()
            assert caught.value.code == "state" and isinstance(caught.value, RuntimeError)
        client = sealwire.Node(network="tests").open()
        closing = asyncio.ensure_future(client.close())
        await asyncio.sleep(0)
        with pytest.raises(sealwire.ClosedError) as caught:  # until the node's last event
            await client.connect(ticket)
        assert caught.value.code == "closed"
        await closing
        with pytest.raises(sealwire.ClosedError) as caught:  # and from then on
            await client.connect(ticket)
        assert caught.value.code == "handle"
    run(scenario)


def test_what_is_called_after_a_peer_or_its_node_was_closed_says_so(url):
    async def scenario():
        for whose in ("peer", "node"):
            async with pair(url) as (_, client, peer):
                await (peer if whose == "peer" else client).close()
                with pytest.raises(sealwire.ClosedError) as caught:
                    await peer.request("echo")
                assert (caught.value.code, caught.value.detail) == ("handle", f"the {whose} was closed")
                assert peer.reason is None
    run(scenario)


def test_a_ticket_is_a_text_or_a_ticket(url):
    async def scenario():
        async with sealwire.Node(network="tests") as node:
            for wrong in (None, 5, b"tcp://127.0.0.1:1"):
                with pytest.raises(sealwire.ArgumentTypeError):
                    await node.connect(wrong)
    run(scenario)
    with pytest.raises(sealwire.StateError):  # no event loop
        sealwire.Node(network="tests").open()


async def bytes_of_twenty_messages(padding):
    """What a relay between client and server carries for twenty short messages, from the client alone."""
    carried = []

    async def relay(reader, writer, target):
        there, back = await asyncio.open_connection("127.0.0.1", target)

        async def carry(source, sink, count):
            while data := await source.read(65536):
                if count:
                    carried.append(len(data))
                sink.write(data)
            sink.close()
        await asyncio.gather(carry(reader, back, True), carry(there, writer, False), return_exceptions=True)

    async with sealwire.Node(allow="anyone", network="tests") as server, \
            sealwire.Node(network="tests", padding_bytes=padding) as client:
        server.route("x")(lambda request: None)
        listener = await server.listen("tcp://127.0.0.1:0")
        address, key = listener.ticket.split("#")
        target = int(address.rsplit(":", 1)[1])
        between = await asyncio.start_server(lambda reader, writer: relay(reader, writer, target), "127.0.0.1", 0)
        port = between.sockets[0].getsockname()[1]
        peer = await client.connect(f"tcp://127.0.0.1:{port}#{key}")
        before = sum(carried)
        for number in range(20):
            await peer.request("x", bytes(number))
        between.close()
        return sum(carried) - before


def test_padding_fills_what_is_sent():
    async def scenario():
        assert await bytes_of_twenty_messages(0) < 20 * 200
        assert await bytes_of_twenty_messages(4096) > 20 * 4096
        with pytest.raises(sealwire.ArgumentError, match="padding_bytes"):
            await bytes_of_twenty_messages(100)
    run(scenario)
