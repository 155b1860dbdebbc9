"""Echo: two nodes in one program, one message there and back."""

import asyncio

import sealwire


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server:

        @server.route("echo")
        def echo(request: sealwire.Request) -> bytes:
            print(f"server: echoes {len(request.body)} bytes")
            return request.body

        listener = await server.listen("tcp://127.0.0.1:0")
        print("server: listening")
        arrivals = server.arrivals()
        arrival = asyncio.ensure_future(arrivals.__anext__())

        async with sealwire.Node(network="example") as client:
            peer = await client.connect(listener.ticket)
            print(f"client: connected, the server {'proved' if peer.id == server.id else 'did not prove'} its key")
            reply = await peer.request("echo", b"hello, world")
            print(f'client: got "{reply.text()}"')

        await (await arrival).wait_closed()
        print("server: the client has left")


asyncio.run(main())
