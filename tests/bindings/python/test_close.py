"""How a node closes with work left; the same scenarios as in tests/bindings/node/close.test.mjs."""

import asyncio
import math
import threading

import sealwire
from conftest import run
from pair import pair
from sealwire import sync


async def stuck(request):
    await asyncio.Event().wait()


def test_close_returns_at_its_deadline_and_reports_what_was_not_delivered_and_to_whom(url):
    async def scenario():
        async with pair(url, routes={"news": lambda request: None, "stuck": stuck}) as (server, client, peer):
            server.pause("news")  # nothing is taken: a window full is sent, the rest waits here
            sent = [asyncio.ensure_future(peer.request("stuck", timeout=math.inf))]
            sent += [asyncio.ensure_future(peer.send("news", bytes(60_000), receipt=True)) for _ in range(60)]
            await peer.ping()
            report = await client.close(0.1)
            assert (report.deadline_passed, report.exchanges, report.callback_blocked, report.blocking_route) == (True, 1, False, "")
            assert report.not_sent > 0 and report.not_sent + report.outcome_unknown == 60
            assert report.peers == ((server.id, report.not_sent, report.outcome_unknown, 1),)
            ends = await asyncio.gather(*sent, return_exceptions=True)
            assert all(isinstance(end, sealwire.Error) for end in ends)

    run(scenario)


def test_a_handler_that_never_ends_holds_up_no_close(url):
    async def scenario():
        begun = asyncio.Event()

        async def never(request):
            begun.set()
            await stuck(request)

        async with pair(url, routes={"stuck": never}) as (server, _, peer):
            asked = asyncio.ensure_future(peer.request("stuck", timeout=math.inf))
            await begun.wait()
            report = await server.close(0.1)
            assert (report.deadline_passed, report.exchanges, report.blocking_route, len(report.peers)) == (True, 1, "stuck", 1)
            (end,) = await asyncio.gather(asked, return_exceptions=True)
            assert isinstance(end, sealwire.Error)

    run(scenario)


def test_a_thread_that_serves_holds_up_no_close(url):
    begun, go = threading.Event(), threading.Event()
    server = sync.Node(allow="anyone")

    @server.route("stuck")
    def keep(request):
        begun.set()
        go.wait()

    with server, sync.Node() as client:
        server.serve_in_background(1)
        peer = client.connect(server.listen(url).ticket)
        asking = threading.Thread(target=lambda: ends.append(failure(peer)))
        ends = []
        asking.start()
        begun.wait()
        report = server.close(0.1)
        assert (report.deadline_passed, report.exchanges, report.blocking_route, len(report.peers)) == (True, 1, "stuck", 1)
        asking.join()
        assert isinstance(ends[0], sealwire.Error)
        go.set()


def failure(peer):
    try:
        return peer.request("stuck", timeout=math.inf)
    except sealwire.Error as error:
        return error
