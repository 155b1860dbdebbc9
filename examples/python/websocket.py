"""WebSocket: a node behind a web port, which answers HTTP as well; wss:// is the same with `tls`, as in tls.py."""

import asyncio
import urllib.request

import sealwire
from sealwire import Http, HttpRequest


async def hello(request: HttpRequest) -> str:
    return f"hello, {request.query.partition('=')[2]}"


async def show(url: str, path: str) -> None:
    with await asyncio.to_thread(urllib.request.urlopen, url + path) as answer:
        print(f"web: GET {path} is {answer.status}: {answer.read().decode().strip()}")


async def main() -> None:
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:
        server.route("echo")(lambda request: request.body)
        listener = await server.listen("ws://127.0.0.1:0/talk", http=Http(health="/health", on_request=hello))
        print("server: listening on a web port")

        web = listener.address.replace("ws://", "http://").replace("/talk", "")
        await show(web, "/health")
        await show(web, "/hello?name=Ada")

        peer = await client.connect(listener.ticket)
        reply = await peer.request("echo", b"over a WebSocket")
        print(f'client: got "{reply.text()}"')


asyncio.run(main())
