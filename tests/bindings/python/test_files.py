"""Files: sent from a path, saved into a folder; what is refused, what changes meanwhile, and how far it has come."""

import asyncio
import io
import os

import pytest
import sealwire

from pair import pair
from conftest import run

SIZE = 5_000_003


def content(size=SIZE):
    return bytes(range(251)) * (size // 251) + bytes(range(size % 251))


def test_a_file_is_sent_and_saved(url, tmp_path):
    source, folder = tmp_path / "a file", tmp_path / "saved"
    source.write_bytes(content())
    folder.mkdir()
    told, seen, heads = [], [], []

    async def save(request):
        (part,) = request.parts
        heads.append((part.name, part.size, part.kind, part.received, part.left))
        path = await part.save(folder, progress=lambda *so_far: seen.append(so_far))
        return {"path": str(path), "received": part.received, "left": part.left}

    async def scenario():
        async with pair(url, routes={"save": save}) as (_, _, peer):
            file = sealwire.File.from_path(source, progress=lambda *so_far: told.append(so_far))
            reply = await peer.request("save", parts=[file])
            assert reply.json() == {"path": str(folder / "a file"), "received": SIZE, "left": 0}
            assert file.sent == SIZE and file.size == SIZE

    run(scenario)
    assert heads == [("a file", SIZE, "file", 0, SIZE)]
    assert [path.name for path in folder.iterdir()] == ["a file"]
    assert (folder / "a file").read_bytes() == content()
    for steps in (told, seen):
        assert 1 <= len(steps) <= 4 and all(size == SIZE for _, size in steps)
        assert steps == sorted(steps)


def test_files_from_bytes_and_streams_have_their_digest(url, tmp_path):
    async def save(request):
        return [str(await part.save(tmp_path)) for part in request.parts]

    async def some():
        yield b"some "
        yield b"pieces"

    async def scenario():
        async with pair(url, routes={"save": save}) as (_, _, peer):
            await peer.request("save", parts=[
                sealwire.File.from_bytes(b"bytes", "one"),
                sealwire.File.from_stream(some(), "two"),
                sealwire.File.from_stream(io.BytesIO(b"a file object"), "three", size=13),
            ])

    run(scenario)
    assert (tmp_path / "one").read_bytes() == b"bytes"
    assert (tmp_path / "two").read_bytes() == b"some pieces"
    assert (tmp_path / "three").read_bytes() == b"a file object"


def test_what_cannot_be_saved(url, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "there").write_bytes(b"old")

    async def save(request):
        (part,) = request.parts
        options = request.json()
        try:
            await part.save(options.pop("folder", folder), **options)
        except sealwire.Error as error:
            return error.code
        return "saved"

    async def scenario():
        async with pair(url, routes={"save": save}) as (_, _, peer):
            async def answer(part, **options):
                return (await peer.request("save", options, parts=[part])).body.decode()

            def file(name):
                return sealwire.File.from_bytes(b"new", name)

            assert await answer(file("../up")) == "file_name"
            assert await answer(file("")) == "file_name"
            assert await answer(file("there")) == "file_exists"
            assert await answer(file("big"), max_size=2) == "too_big"
            assert await answer(file("lost"), folder=str(tmp_path / "missing")) == "not_found"
            assert await answer(sealwire.Stream(b"new", name="stream")) == "digest"
            assert await answer(sealwire.Stream(b"new", name="stream"), unchecked=True) == "saved"
            assert await answer(file("../up"), name="mine", max_size=None) == "saved"
            wrong = sealwire.File(None, name="wrong")
            asked = asyncio.ensure_future(answer(wrong))
            await wrong.write(b"new")
            await wrong.close(digest=bytes(32))
            assert await asked == "digest"

    run(scenario)
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "stream", "there"]
    assert (folder / "there").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [folder] or url.startswith("unix")


def test_what_cannot_be_sent(url, tmp_path):
    async def scenario():
        async with pair(url, routes={"x": lambda request: None}) as (_, _, peer):
            with pytest.raises(FileNotFoundError) as missing:
                await peer.send("x", parts=[sealwire.File.from_path(tmp_path / "missing")])
            assert isinstance(missing.value, sealwire.FileNotFound) and missing.value.code == "not_found"
            os.mkfifo(tmp_path / "fifo")
            for kind in (tmp_path, tmp_path / "fifo", "/dev/null"):
                with pytest.raises(sealwire.FileError) as refused:
                    await peer.request("x", parts=[sealwire.File.from_path(kind)])
                assert refused.value.code == "file_type"

    run(scenario)


def test_a_file_that_changes_meanwhile_fails_its_request(url, tmp_path):
    source = tmp_path / "changing"
    folder = tmp_path / "saved"
    folder.mkdir()

    async def scenario():
        began, changed = asyncio.Event(), asyncio.Event()

        async def save(request):
            began.set()
            await changed.wait()
            await request.parts[0].save(folder)

        async with pair(url, routes={"save": save}) as (_, _, peer):
            source.write_bytes(content())
            asked = asyncio.ensure_future(peer.request("save", parts=[sealwire.File.from_path(source)]))
            await began.wait()
            with source.open("ab") as file:
                file.write(b"more")
            changed.set()
            with pytest.raises(sealwire.FileError) as failed:
                await asked
            assert failed.value.code == "file_changed"

    run(scenario)
    assert list(folder.iterdir()) == []


def test_saving_is_cancelled_with_its_task(url, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()

    async def scenario():
        ended = asyncio.get_running_loop().create_future()

        async def save(request):
            task = asyncio.ensure_future(request.parts[0].save(folder))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            ended.set_result(request.parts[0].at_end)

        async with pair(url, routes={"save": save}) as (_, _, peer):
            stream = sealwire.File(None, name="endless", size=10 ** 9)
            await peer.send("save", parts=[stream])
            with pytest.raises(sealwire.CancelledByPeer):
                while True:
                    await stream.write(bytes(100_000))
            assert await ended

    run(scenario)
    for _ in range(2000):
        if not list(folder.iterdir()):
            break
        os.sched_yield()


def test_parts_are_refused_before_a_byte(url):
    seen = []

    async def pick(request):
        for part in request.parts:
            seen.append((part.name, part.size, part.received))
            if part.name != "wanted":
                await part.cancel(70)
        return await request.parts[1].read()

    async def scenario():
        async with pair(url, routes={"pick": pick}) as (_, _, peer):
            huge, wanted = sealwire.Stream(name="huge", size=10 ** 15), sealwire.Stream(b"it", name="wanted")
            assert (await peer.request("pick", parts=[huge, wanted])).body == b"it"
            with pytest.raises(sealwire.CancelledByPeer) as refused:
                await huge.wait()
            assert refused.value.status == 70
            assert huge.sent == 0

    run(scenario)
    assert seen == [("huge", 10 ** 15, 0), ("wanted", 2, 0)]


def test_a_part_is_copied_to_file_objects_and_streams(url, tmp_path):
    async def copy(request):
        first, second = request.parts
        with open(tmp_path / "copy", "wb") as file:
            count = await first.copy_to(file)
        back = sealwire.Stream(second)  # which iterates over it
        return sealwire.Answer({"count": count}, [back])

    async def scenario():
        async with pair(url, routes={"copy": copy}) as (_, _, peer):
            reply = await peer.request("copy", parts=[sealwire.Stream(content()), sealwire.Stream(content(100_000))])
            assert reply.json() == {"count": SIZE}
            assert await reply.parts[0].read() == content(100_000)

    run(scenario)
    assert (tmp_path / "copy").read_bytes() == content()
