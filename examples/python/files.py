"""Files: a report goes to a server that saves it; a name that leads elsewhere and a file that is too large are refused."""

import asyncio
import pathlib
import tempfile

import sealwire


async def main(folder: pathlib.Path) -> None:
    inbox = folder / "inbox"
    inbox.mkdir()
    async with sealwire.Node(network="example", allow="anyone") as server, sealwire.Node(network="example") as client:

        @server.route("upload")
        async def upload(request: sealwire.Request) -> str:
            [file] = request.parts
            try:
                path = await file.save(inbox, max_size=1_000_000)
            except sealwire.Error as error:
                raise sealwire.Status(64, error.code)
            return f"saved as {path.name}, {file.received} bytes"

        peer = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)

        report = folder / "report.txt"
        report.write_text("all is well")
        for file in [
            sealwire.File.from_path(report),
            sealwire.File.from_path(report),
            sealwire.File.from_path(report, name="../report.txt"),
            sealwire.File.from_bytes(bytes(5_000_000), "large.bin"),
        ]:
            try:
                reply = await peer.request("upload", parts=[file])
                print(f"{file.name}: {reply.text()}")
            except sealwire.Status as status:
                print(f"{file.name}: {status.text}")
        print(f"in the folder: {(inbox / 'report.txt').read_text()}")
    print("closed")


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(pathlib.Path(name)))
