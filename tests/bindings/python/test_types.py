"""The package's types: strict, and of use to a program that is checked against them."""

import os
import subprocess
import sys

PROGRAM = '''
import asyncio
from typing import AsyncIterator, List
import sealwire

async def decide(asking: sealwire.Asking) -> bool:
    return asking.data == b"please"

async def main() -> None:
    async with sealwire.Node(identity=sealwire.Identity.generate(), network="demo", allow=decide) as node:
        @node.route("greet")
        async def greet(request: sealwire.Request) -> str:
            return request.peer.id
        listener: sealwire.Listener = await node.listen("tcp://127.0.0.1:0")
        peer = await node.connect(listener.ticket, timeout=2.0)
        reply = await peer.request("greet", {"name": "Ada"}, timeout=2.0)
        text: str = reply.text()
        body: bytes = reply.body
        ids: List[str] = [one.id for one in node.peers]
        async for one in peer.request_many("tail", parts=[sealwire.File("a"), sealwire.Stream(b"b", name="n")]):
            many: bytes = one.body
            chunks: List[bytes] = [chunk for part in one.parts async for chunk in part]
        @node.route("upload")
        async def upload(request: sealwire.Request) -> AsyncIterator[sealwire.Answer]:
            yield sealwire.Answer({"got": len(await request.parts[0].read())}, [sealwire.Stream(request.parts[1])])
        async for request in node.messages("news"):
            request.reply(None)
        value = (await peer.request("greet", sealwire.encode([1], "messagepack"))).decode()
        draft: sealwire.Draft = node.draft("greet", kind="json", metadata={"by": "Ada"})
        await peer.send(draft, [1], metadata=[("by", "Eve")])
        news: List[str] = [one.text() async for one in peer.request_many(draft)]
        encoded: sealwire.Encoded = sealwire.encode(value, "cbor")
        def joined(member: sealwire.Member) -> None:
            print(member.id, member.peer.address, member.publisher)
        async with node.join("news", slow="block", on_joined=joined) as topic:
            count: int = await topic.publish({"a": 1}, filter=lambda member: member.id != node.id)
            async for message in topic:
                publisher: str = message.publisher
                address: str = message.peer.address
                missing: int = message.dropped
        again: sealwire.Topic = await node.join("news", on_dropped=lambda dropped: print(dropped.count, dropped.peer.id))
        secret: str = sealwire.topic_secret_from_passphrase("correct horse battery", "news")
        async with node.join("news", secret=sealwire.topic_secret_new()) as sealed, node.join("news", secret=secret):
            signers: List[str] = [one.publisher async for one in sealed]
        batch: List[sealwire.TopicMessage] = [one async for ones in again.batches() for one in ones]
        print(text, body, ids, encoded.kind)
        WRONG
'''


def check(path, folder, *options):
    return subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *options, str(path)],
                          text=True, capture_output=True, env={**os.environ, "MYPYPATH": str(folder)})


def test_the_package_passes_strict_checking(source_root):
    folder = source_root / "bindings" / "python"
    result = check(folder / "sealwire", folder, "--python-version", "3.9")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_program_is_checked_against_it(source_root, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("WRONG", "pass"))
    result = check(program, source_root / "bindings" / "python")
    assert result.returncode == 0, result.stdout + result.stderr
    program.write_text(PROGRAM.replace("WRONG", "await peer.request(5)"))
    result = check(program, source_root / "bindings" / "python")
    assert result.returncode == 1 and "arg-type" in result.stdout
