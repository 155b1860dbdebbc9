"""Sessions that outlive their connections: broken and resumed, moved, given up, with everything that runs in them; both faces."""

import asyncio
import contextlib
import threading

import pytest

import sealwire
from conftest import DEADLINE, run
from pair import known
from sealwire import sync


class Proxy:
    """Passes connections on, until they are cut or it is closed."""

    def __init__(self):
        self.writers = []

    async def start(self, ticket):
        address, _, id = ticket.partition("#")
        self.port = int(address.rsplit(":", 1)[1])
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self.server.sockets[0].getsockname()[1]}#{id}"

    async def _accept(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    @staticmethod
    async def _pass(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

    def cut(self):
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def close(self):
        self.server.close()
        self.cut()


@contextlib.asynccontextmanager
async def broken_pair(on_link=None, lease=None, **more):
    proxy = Proxy()
    options = {"allow": "anyone", "lease": lease, "redial": 0.02, **more}
    async with sealwire.Node(**options) as server, sealwire.Node(on_link=on_link, **options) as client:
        through = await proxy.start((await server.listen("tcp://127.0.0.1:0")).ticket)
        try:
            yield proxy, server, client, await client.connect(through)
        finally:
            proxy.close()


def test_a_move_that_leads_nowhere_is_told_and_changes_nothing():
    async def scenario():
        links = asyncio.Queue()
        async with broken_pair(lambda peer, link: links.put_nowait(link)) as (proxy, server, client, peer):
            server.route("here")(lambda request: b"")
            await peer.request("here")
            address, back, told = peer.address, server.peers[0], asyncio.Queue()
            server.on_link = lambda peer, link: told.put_nowait(link)
            while not links.empty():
                links.get_nowait()  # of the connect
            peer.move("unix:@sealwire-nobody-listens")
            assert (await links.get())[:3] == ("connecting", None, "unix:@sealwire-nobody-listens")
            failed = await links.get()
            assert failed.state == "resumed" and failed.reason.code == "refused" and failed.address == address
            proxy.cut()
            assert (await links.get()).state == "suspended"
            assert (await links.get()).address == address  # which is dialled again
            for queue in (links, told):
                while (await queue.get()).state != "resumed":
                    pass
            before = back.address
            listener = await server.listen("tcp://127.0.0.1:0")
            peer.move(listener.address)
            while (await links.get()).state != "resumed":
                pass
            assert peer.address == listener.address
            assert (await told.get()).address == back.address != before  # the other end is told, too

    run(scenario)


def test_a_session_goes_on_over_another_connection():
    async def scenario():
        links = asyncio.Queue()
        async with broken_pair(lambda peer, link: links.put_nowait((peer, link))) as (proxy, server, client, peer):
            answer = asyncio.get_running_loop().create_future()
            asked = asyncio.Event()

            @server.route("later")
            async def later(request):
                asked.set()
                return await answer

            @server.route("echo")
            def echo(request):
                return request.body

            running = asyncio.create_task(peer.request("later"))
            await asked.wait()
            who, first = await links.get()
            assert who is peer and first.state == "connecting" and first.attempt == 1 and first.reason is None
            assert first.address == peer.address
            proxy.cut()
            seen = []
            while not seen or seen[-1].state != "resumed":
                who, link = await links.get()
                assert who is peer
                assert peer.suspended is (link.state != "resumed")
                seen.append(link)
            assert seen[0].state == "suspended" and seen[0].reason.code in ("peer_lost", "truncated") and seen[0].address
            assert seen[1].state == "connecting" and seen[1].attempt == 1 and seen[1].reason.code == seen[0].reason.code
            assert seen[-1].attempt >= 1 and seen[-1].reason is None and peer.address == seen[-1].address
            answer.set_result("after all")
            assert (await running).text() == "after all"
            assert (await peer.request("echo", b"more")).body == b"more"
            assert client.stats()["resumed"] == 1 and client.stats()["sessions"] == 1
    run(scenario)


def test_what_is_sent_meanwhile_arrives_in_order():
    async def scenario():
        came = []
        links = asyncio.Queue()
        async with broken_pair(lambda peer, link: links.put_nowait(link.state)) as (proxy, server, client, peer):
            server.route("number")(lambda request: came.append(int(request.body)))
            for n in range(100):
                await peer.send("number", str(n).encode())
                if n == 50:
                    proxy.cut()
                    while await links.get() != "suspended":
                        pass
            ping = asyncio.create_task(peer.ping())
            await peer.send("number", b"100", receipt=True)
            assert came == list(range(101))
            assert (await ping).round_trip > 0
    run(scenario)


def test_a_stream_goes_on_at_the_byte():
    async def scenario():
        async with broken_pair() as (proxy, server, client, peer):
            content = bytes(range(256)) * 8192

            @server.route("upload")
            async def upload(request):
                got = bytearray()
                async for piece in request.parts[0]:
                    got += piece
                    if len(got) >= 300_000 and not cuts:
                        cuts.append(len(got))
                        proxy.cut()
                return got == content

            cuts = []
            stream = sealwire.Stream(content)
            reply = await peer.request("upload", parts=[stream])
            assert reply.json() is True and cuts and client.stats()["resumed"] == 1
    run(scenario)


def test_without_a_lease_it_ends_with_its_connection():
    async def scenario():
        async with broken_pair(lease=0) as (proxy, server, client, peer):
            proxy.cut()
            await asyncio.wait_for(peer.wait_closed(), DEADLINE)
            assert peer.reason.code in ("peer_lost", "truncated")
    run(scenario)


def test_after_the_lease_it_ends():
    async def scenario():
        async with broken_pair(lease=0.2) as (proxy, server, client, peer):
            server.route("never")(lambda request: asyncio.Event().wait())
            running = asyncio.create_task(peer.request("never", timeout=sealwire.NEVER))
            await known(server, 1)
            proxy.close()
            with pytest.raises(sealwire.DeliveryError):
                await running
            await asyncio.wait_for(peer.wait_closed(), DEADLINE)
            assert peer.reason.code == "lease" and isinstance(peer.reason, ConnectionError)
    run(scenario)


def test_a_session_moves_to_another_address(tmp_path):
    async def scenario():
        links = asyncio.Queue()
        async with broken_pair(lambda peer, link: links.put_nowait(link)) as (proxy, server, client, peer):
            server.route("echo")(lambda request: request.body)
            listener = await server.listen(f"unix://{tmp_path}/other")
            peer.move(listener.address)
            while (link := await links.get()).state != "resumed":
                assert link.state == "connecting"
            assert link.address == listener.address == peer.address and link.suspended == 0
            assert (await peer.request("echo", b"x")).body == b"x"
            with pytest.raises(sealwire.ArgumentError):
                peer.move("nonsense")
            with pytest.raises(sealwire.ArgumentTypeError):
                peer.move(7)
    run(scenario)


def test_of_one_address_so_many_sessions_are_kept():
    async def scenario():
        proxy, came = Proxy(), asyncio.Queue()
        async with sealwire.Node(allow="anyone", max_suspended_per_address=1, on_peer=came.put_nowait) as server:
            through = await proxy.start((await server.listen("tcp://127.0.0.1:0")).ticket)
            async with sealwire.Node(redial=0.02) as one, sealwire.Node(redial=0.02) as other:
                await one.connect(through)
                await other.connect(through)
                peers = [await came.get(), await came.get()]
                proxy.close()
                ends = [asyncio.ensure_future(peer.wait_closed()) for peer in peers]
                await asyncio.wait(ends, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
                gone = [peer for peer in peers if peer.closed]
                kept = [peer for peer in peers if not peer.closed]
                assert [peer.reason.code for peer in gone] == ["lease"]
                assert [peer.suspended for peer in kept] == [True]
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
        with pytest.raises(sealwire.ArgumentError):
            sealwire.Node(max_suspended_per_address=-1)
    run(scenario)


def test_a_silent_connection_is_given_up():
    async def scenario():
        links = asyncio.Queue()
        async with broken_pair(lambda peer, link: links.put_nowait(link), heartbeat=0.1, heartbeats=2) as (proxy, server, client, peer):
            server.route("echo")(lambda request: request.body)
            for writer in proxy.writers:
                writer.transport.pause_reading()
            while (link := await asyncio.wait_for(links.get(), DEADLINE)).state == "connecting":
                pass
            assert link.state == "suspended" and link.reason.code == "silent"
            assert (await peer.request("echo", b"x")).body == b"x"
    run(scenario)


def test_threads_wait_through_it():
    proxy, loop = Proxy(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    states = []
    try:
        with sync.Node(allow="anyone") as server, sync.Node(redial=0.02, on_link=lambda peer, link: states.append(link.state)) as client:
            asked = threading.Event()
            go_on = threading.Event()

            @server.route("later")
            def later(request):
                asked.set()
                go_on.wait(DEADLINE)
                return "after all"

            ticket = server.listen("tcp://127.0.0.1:0").ticket
            peer = client.connect(asyncio.run_coroutine_threadsafe(proxy.start(ticket), loop).result(DEADLINE))

            def disturb():
                asked.wait(DEADLINE)
                loop.call_soon_threadsafe(proxy.cut)
                go_on.set()

            serving = threading.Thread(target=server.serve)
            serving.start()
            disturber = threading.Thread(target=disturb)
            disturber.start()
            assert peer.request("later").text() == "after all"
            disturber.join()
            peer.ping()
            assert peer.request("later").text() == "after all"
            server.close()
            serving.join()
    finally:
        loop.call_soon_threadsafe(proxy.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
