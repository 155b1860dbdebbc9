"""The key log; the same scenarios as in tests/bindings/node/key_log.test.mjs."""

import logging
import os

import pytest

import sealwire
from conftest import run
from sealwire import sync


def test_keys_are_written_and_warned_about(tmp_path, url, caplog):
    async def scenario():
        with pytest.warns(RuntimeWarning, match="can be read by whoever has .*keys"):
            node = sealwire.Node(network="tests", key_log=tmp_path / "keys")
        async with sealwire.Node(network="tests", allow="anyone") as server, node as client:
            server.route("x")(lambda request: None)
            peer = await client.connect((await server.listen(url)).ticket)
            await peer.request("x")
        lines = [line.split() for line in (tmp_path / "keys").read_text().splitlines()]
        assert [line[0] for line in lines] == ["SEALWIRE_INITIATOR_KEY", "SEALWIRE_RESPONDER_KEY"]
        assert [len(field) for field in lines[0][1:]] == [64, 64, 1, 64]
        assert (tmp_path / "keys").stat().st_mode & 0o7777 == 0o600

    run(scenario)
    assert [line.levelno for line in caplog.records if "KEY LOG" in line.getMessage()] == [logging.WARNING]


@pytest.mark.filterwarnings("ignore:key log")
def test_a_key_log_that_cannot_be_written_is_an_error_of_open(tmp_path):
    async def scenario():
        with pytest.raises(sealwire.Error, match="no folder") as caught:
            sealwire.Node(key_log=str(tmp_path / "no folder" / "keys")).open()
        assert caught.value.code == "not_found"
        (tmp_path / "keys").touch()
        os.chmod(tmp_path / "keys", 0o644)
        with pytest.raises(PermissionError, match="0600"):
            sealwire.Node(key_log=tmp_path / "keys").open()

    run(scenario)


@pytest.mark.filterwarnings("ignore:key log")
def test_a_synchronous_node_has_one_too(tmp_path, url):
    with sync.Node(network="tests", allow="anyone") as server:
        server.route("x")(lambda request: None)
        server.serve_in_background(1)
        with sync.Node(network="tests", key_log=tmp_path / "keys") as client:
            client.connect(server.listen(url).ticket).request("x")
    assert len((tmp_path / "keys").read_text().splitlines()) == 2
