#!/usr/bin/env python3
"""WebSockets of others: Python's websockets and npm's ws as clients and as servers of our pipe of bytes, over ws and wss.

    websockets_test.py --pipe PROGRAM --node NODE --npm FOLDER     certificates in CERTIFICATES
"""

import argparse
import asyncio
import pathlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
BYTES = bytes(i * 7 % 256 for i in range(700_000))
NODE_CLIENT = """
import WebSocket from 'ws'
const bytes = Buffer.alloc(700_000, (_, i) => i), socket = new WebSocket(process.argv[2]) // trusts NODE_EXTRA_CA_CERTS
let got = []
socket.on('open', () => { for (let i = 0; i < bytes.length; i += 50_001) socket.send(bytes.subarray(i, i + 50_001)); socket.ping('are you there') })
let pong = ''
socket.on('pong', (data) => { pong = data.toString() })
socket.on('message', (data, binary) => {
  got.push(data)
  if (Buffer.concat(got).length >= bytes.length) socket.close(1000, 'thank you')
})
socket.on('close', (code) => console.log(Buffer.concat(got).equals(bytes) && pong === 'are you there' ? 'same' : 'other', code))
"""
NODE_SERVER = """
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { WebSocketServer } from 'ws'
const folder = process.env.CERTIFICATES, scheme = process.argv[2]
const http = scheme === 'ws' ? createServer() : createSecureServer({ cert: readFileSync(`${folder}/server.pem`), key: readFileSync(`${folder}/server.key`) })
const server = new WebSocketServer({ server: http, path: '/bytes' })
http.listen(0, '127.0.0.1', () => console.log(`${scheme}://127.0.0.1:${http.address().port}/bytes`))
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
process.stdin.on('end', () => process.exit()).resume()
"""


class Serving:
    """A program that prints its address and ends with its input."""

    def __init__(self, *command, cwd=None):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd)

    def __enter__(self):
        return self.child.stdout.readline().strip()

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(PATIENCE_S)
        self.child.stdout.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipe", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--npm", type=pathlib.Path, required=True)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sealwire-websockets-"))
    (folder / "node_modules").mkdir()
    shutil.copytree(options.npm / "node_modules" / "ws", folder / "node_modules" / "ws")
    (folder / "client.mjs").write_text(NODE_CLIENT)
    (folder / "server.mjs").write_text(NODE_SERVER)
    certificates = pathlib.Path(os.environ["CERTIFICATES"])
    os.environ["NODE_EXTRA_CA_CERTS"] = str(certificates / "ca.pem")
    trusting = {"ws": None, "wss": ssl.create_default_context(cafile=certificates / "ca.pem")}
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    def dial(address):
        done = subprocess.run([options.pipe, "dial", address], capture_output=True, text=True, timeout=PATIENCE_S)
        if done.stdout != "ok\n":
            yield f"status {done.returncode}: {done.stdout}{done.stderr}"

    def npm_client(scheme):
        with Serving(options.pipe, "listen", scheme) as address:
            done = subprocess.run([options.node, "client.mjs", address], capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder)
        if done.stdout != "same 1000\n":
            yield f"{done.stdout}{done.stderr}"

    def npm_server(scheme):
        with Serving(options.node, "server.mjs", scheme, cwd=folder) as address:
            yield from dial(address)

    async def python_client_talks(address):
        async with websockets.connect(address, max_size=None, ssl=trusting[address.split(":")[0]]) as socket:
            async def write():
                for i in range(0, len(BYTES), 60_007):
                    await socket.send(BYTES[i:i + 60_007])
            writing = asyncio.ensure_future(write())
            got = b""
            while len(got) < len(BYTES):
                got += await socket.recv()
            await writing
            await (await socket.ping())
        if got != BYTES:
            return "other bytes came back"
        return "" if socket.close_code == 1000 else f"closed with {socket.close_code}"

    def python_client(scheme):
        with Serving(options.pipe, "listen", scheme) as address:
            yield from filter(None, [asyncio.run(asyncio.wait_for(python_client_talks(address), PATIENCE_S))])

    async def python_serves(scheme):
        async def echo(socket):
            async for message in socket:
                await socket.send(message)
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None, ssl=serving if scheme == "wss" else None) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.get_running_loop().run_in_executor(None, lambda: list(dial(f"{scheme}://127.0.0.1:{port}/bytes")))

    def python_text(scheme):
        async def talk(address):
            async with websockets.connect(address, ssl=trusting[scheme]) as socket:
                await socket.send("text")
                try:
                    await socket.recv()
                except websockets.ConnectionClosed:
                    return "" if socket.close_code == 1003 else f"closed with {socket.close_code}"
        with Serving(options.pipe, "listen", scheme) as address:
            yield from filter(None, [asyncio.run(asyncio.wait_for(talk(address), PATIENCE_S))])

    def refusing(scheme):
        """As it cuts TLS off, what it sent last is all that says why."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def refuse():
                one = listener.accept()[0]
                one = serving.wrap_socket(one, server_side=True) if scheme == "wss" else one
                while not one.recv(4096).endswith(b"\r\n\r\n"):
                    continue
                one.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                one.close()
            thread = threading.Thread(target=refuse)
            thread.start()
            yield from (line for line in dial(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/bytes") if "403" not in line)
            thread.join(PATIENCE_S)

    try:
        checks = {
            "npm's ws sends bytes and pings to our listener, and gets them back until it closes": npm_client,
            "Python's websockets does the same": python_client,
            "a text message of Python's websockets closes the WebSocket with code 1003": python_text,
            "we dial a server of npm's ws": npm_server,
            "we are refused by a server that closes at once behind its answer": refusing,
            "we dial a server of Python's websockets": lambda scheme: asyncio.run(python_serves(scheme)),
        }
        return tap.run({f"{scheme}: {fact}": lambda check=check, scheme=scheme: check(scheme)
                        for scheme in ("ws", "wss") for fact, check in checks.items()})
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
