"""tls:// or wss:// with client certificates against a program of another language: tls.py [TICKET]; certificates in CERTIFICATES,
where to listen in ADDRESS."""

import asyncio
import os
import sys

import sealwire

FOLDER = os.environ["CERTIFICATES"]
TLS = sealwire.Tls(ca_file=f"{FOLDER}/ca.pem", certificate_file=f"{FOLDER}/client.pem", key_file=f"{FOLDER}/client.key")
SERVING = sealwire.Tls(ca_file=f"{FOLDER}/ca.pem", certificate_file=f"{FOLDER}/server.pem", key_file=f"{FOLDER}/server.key",
                       clients="required")


async def main():
    async with sealwire.Node(network="tls", allow="anyone") as node:

        @node.route("echo")
        def echo(request):
            return request.body

        if len(sys.argv) < 2:
            print((await node.listen(os.environ["ADDRESS"], tls=SERVING)).ticket, flush=True)
            return await asyncio.Event().wait()
        for version in ("1.2", "1.3"):
            tls = sealwire.Tls(**{**TLS.__dict__, "min_version": version})
            peer = await node.connect(sys.argv[1], tls=tls)
            for size in (1, 100_000):
                body = bytes(range(256)) * (size // 256 + 1)
                if (await peer.request("echo", body[:size])).body != body[:size]:
                    print(f"{size} bytes came back changed")
            await peer.close()
        try:
            await node.connect(sys.argv[1], tls=sealwire.Tls(ca_file=f"{FOLDER}/ca.pem"))
            print("it was let in without a certificate")
        except sealwire.TlsError as error:
            if error.code != "tls_client_certificate":
                print(error)
        print("compared 5")


asyncio.run(main())
