"""A server and a client node, connected, for the tests."""

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
        yield server, client, await client.connect(listener.ticket)
