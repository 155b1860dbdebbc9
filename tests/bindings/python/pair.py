"""A server and a client node, connected, for the tests."""

import asyncio
import contextlib

import sealwire


@contextlib.asynccontextmanager
async def pair(url, server_options=None, client_options=None, routes=()):
    """Yields (server node, client node, the client's peer)."""
    server = sealwire.Node(**{"allow": "anyone", "network": "tests", **(server_options or {})})
    for route, handler in dict(routes).items():
        server.route(route)(handler)
    client = sealwire.Node(**{"network": "tests", **(client_options or {})})
    async with server, client:
        listener = await server.listen(url)
        peer = await client.connect(listener.ticket)
        await known(server, 1)
        yield server, client, peer


async def known(server, count):
    """Until the server knows that many peers: the side that dials may be ahead of it."""
    while len(server.peers) < count:
        await asyncio.sleep(0)
