"""What two applications tell each other with the handshake, and how far their clocks are apart."""

import asyncio
import logging
import os
import subprocess
import sys

import pytest
import sealwire
from conftest import run


async def connected(url, server_options, client_options=None, **options):
    """(what the client's application was told, what the server's was) of one connection."""
    arrived = asyncio.get_running_loop().create_future()
    server = sealwire.Node(**{"allow": "anyone", "on_peer": arrived.set_result, **server_options})
    async with server, sealwire.Node(**client_options or {}) as client:
        peer = await client.connect((await server.listen(url)).ticket, **options)
        return peer.data, (await arrived).data


async def later(value):
    await asyncio.sleep(0)
    return value


def test_a_dialler_makes_its_data_for_the_key_that_was_proved(url):
    async def scenario():
        seen = []
        for make in (lambda id: seen.append(id) or b"made", lambda id: later(b"made")):
            assert await connected(url, {"data": b"welcome"}, data=make) == (b"welcome", b"made")
        assert len(seen) == 1 and len(seen[0]) == 52
    run(scenario)


def test_a_dialler_whose_data_cannot_be_made_does_not_connect(url):
    async def scenario():
        def broken(id):
            raise LookupError("nothing to say")

        async def broken_later(id):
            raise LookupError("nothing to say")

        for make, error in ((broken, LookupError), (broken_later, LookupError), (lambda id: b"x" * 61441, sealwire.TooBigError)):
            with pytest.raises(error):
                await connected(url, {}, data=make)
        with pytest.raises(TypeError):
            await connected(url, {}, data="a str")
    run(scenario)


def test_a_node_tells_those_it_lets_in_what_it_makes_for_each(url):
    async def scenario():
        me = sealwire.Identity.generate()
        seen = []

        def make(asking):
            seen.append((asking.id, asking.data, asking.allowed))
            return b"for " + asking.data

        for options, allowed in (({"allow": "anyone"}, True), ({"allow": [me.id]}, True), ({"allow": lambda asking: True}, False)):
            for made in (make, lambda asking: later(make(asking))):
                told = await connected(url, {**options, "data": made}, {"identity": me}, data=b"Ada")
                assert told == (b"for Ada", b"Ada")
                assert seen.pop() == (me.id, b"Ada", allowed)
        told = await connected(url, {"allow": lambda asking: sealwire.Accept(b"by decision"), "data": make})
        assert told == (b"by decision", b"") and not seen
    run(scenario)


def test_who_is_not_allowed_is_told_nothing(url):
    async def scenario():
        with pytest.raises(sealwire.NotAllowedError):
            await connected(url, {"allow": [], "data": lambda asking: pytest.fail("made for a stranger")})
    run(scenario)


def test_what_a_node_cannot_make_refuses_its_peer(url, caplog):
    async def scenario():
        for make in (lambda asking: 1 / 0, lambda asking: b"x" * 61441):
            with pytest.raises(sealwire.NotAllowedError):
                await connected(url, {"data": make})
        with pytest.raises(TypeError):
            sealwire.Node(data="a str")
    with caplog.at_level(logging.ERROR, "sealwire"):
        run(scenario)
    assert len(caplog.records) == 2


def test_data_are_taken_up_to_a_limit(url):
    async def scenario():
        most = 60 * 1024
        assert await connected(url, {"data": b"x" * 2048}, data=b"y" * 2048) == (b"x" * 2048, b"y" * 2048)
        with pytest.raises(sealwire.TooBigError):
            await connected(url, {}, data=b"y" * 2049)
        with pytest.raises(sealwire.TooBigError):
            await connected(url, {"data": b"x" * 2049})
        wide = {"application_data_bytes": most}
        assert await connected(url, {**wide, "data": b"x" * most}, wide, data=b"y" * most) == (b"x" * most, b"y" * most)
        with pytest.raises(sealwire.ArgumentError):
            await connected(url, {"application_data_bytes": most + 1})
    run(scenario)


AHEAD = """
import asyncio, sealwire
async def main():
    arrived = asyncio.get_running_loop().create_future()
    async with sealwire.Node(allow="anyone", on_peer=arrived.set_result) as node:
        print((await node.listen("tcp://127.0.0.1:0")).ticket, flush=True)
        peer = await arrived
        print(peer.clock_difference, flush=True)
        await peer.wait_closed()
asyncio.run(main())
"""


@pytest.mark.skipif("SEALWIRE_SHIFTED_CLOCK" not in os.environ or "SEALWIRE_SANITIZED" in os.environ,
                    reason="needs the library that shifts a clock, loaded first")
def test_each_side_learns_how_far_the_others_clock_is_ahead(folder_of_package):
    async def scenario():
        environment = {**os.environ, "PYTHONPATH": folder_of_package, "SHIFTED_CLOCK_S": "1000",
                       "LD_PRELOAD": os.environ["SEALWIRE_SHIFTED_CLOCK"]}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", AHEAD, env=environment, stdout=subprocess.PIPE)
        async with sealwire.Node() as client:
            peer = await client.connect((await process.stdout.readline()).decode().strip())
            assert abs(peer.clock_difference - 1000) < 10
            assert abs(float(await process.stdout.readline()) + 1000) < 10
            assert abs((await peer.ping()).clock_difference - 1000) < 10
        assert await process.wait() == 0
    run(scenario)
