"""A server and a client node of the synchronous face, connected, for the tests; and threads."""

import contextlib
import os
import threading
import time
from concurrent.futures import Future

from conftest import DEADLINE
from sealwire import sync


@contextlib.contextmanager
def pair(url, server_options=None, client_options=None, routes=(), threads=1):
    """(server node, client node, the client's peer); so many threads serve."""
    server = sync.Node(**{"allow": "anyone", "network": "tests", **(server_options or {})})
    for route, handler in dict(routes).items():
        server.route(route)(handler)
    with server, sync.Node(**{"network": "tests", **(client_options or {})}) as client:
        server.serve_in_background(threads)
        yield server, client, client.connect(server.listen(url).ticket, timeout=DEADLINE)


def echo(request):
    return request.body


def in_thread(function, *arguments):
    """Runs it beside; `.result()` waits."""
    future = Future()

    def run():
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def until(condition, failure="what was waited for did not come to hold"):
    """Looks until it holds, for what no event tells of."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, failure
        os.sched_yield()
