"""TLS: a listener that wants client certificates, what others are told, and certificates that change while it runs.

The folder CERTIFICATES of the environment has ca.pem, server.pem, server.key, client.pem, client.key and other-ca.pem;
docs/TRANSPORTS.md says how to make them.
"""

import asyncio
import os
from dataclasses import replace

import sealwire
from sealwire import Tls

FOLDER = os.environ.get("CERTIFICATES", "certificates")


async def main() -> None:
    serving = Tls(certificate_file=f"{FOLDER}/server.pem", key_file=f"{FOLDER}/server.key",
                  ca_file=f"{FOLDER}/ca.pem", clients="required")
    right = Tls(ca_file=f"{FOLDER}/ca.pem", certificate_file=f"{FOLDER}/client.pem", key_file=f"{FOLDER}/client.key")
    wrong = {
        "without a certificate": Tls(ca_file=f"{FOLDER}/ca.pem"),
        "with another CA": replace(right, ca_file=f"{FOLDER}/other-ca.pem"),
    }
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:

        @server.route("echo")
        def echo(request: sealwire.Request) -> bytes:
            return request.body

        listener = await server.listen("tls://localhost:0", tls=serving)
        print("server: listening on TLS")
        peer = await client.connect(listener.ticket, tls=right)
        print(f"client: connected, the server {'proved' if peer.id == server.id else 'did not prove'} its key")
        reply = await peer.request("echo", b"hello over TLS")
        print(f'client: got "{reply.text()}"')
        await peer.close()

        for what, tls in wrong.items():
            try:
                await client.connect(listener.ticket, tls=tls)
            except sealwire.TlsError as error:
                print(f"client: {what}: {error.code}")

        listener.set_tls(serving)  # reads the files again
        print("server: has other certificates")
        peer = await client.connect(listener.ticket, tls=right)
        print("client: connected again")


asyncio.run(main())
