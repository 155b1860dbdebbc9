"""Identities, networks, tickets, and the exceptions."""

import os
import pathlib
import pickle
import re

import pytest
import sealwire
from sealwire import _errors, _native


def test_an_identity_comes_back_from_its_seed_and_its_file(tmp_path):
    identity = sealwire.Identity.generate()
    assert re.fullmatch("[a-z2-7]{52}", identity.id) and len(identity.seed) == 32
    assert sealwire.Identity.from_seed(identity.seed).id == identity.id
    path = tmp_path / "me.key"
    identity.save(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert sealwire.Identity.load(path).id == identity.id
    assert sealwire.Node(identity=path).id == sealwire.Node(identity=str(path)).id == identity.id
    assert identity.id in repr(identity)
    with pytest.raises(sealwire.KeyFileError):
        identity.save(path)
    path.chmod(0o644)
    with pytest.raises(OSError) as caught:
        sealwire.Identity.load(path)
    assert caught.value.code == "key_file" and "chmod" in caught.value.hint
    with pytest.raises(sealwire.KeyFileError):
        sealwire.Identity.load(tmp_path / "missing")
    with pytest.raises(ValueError):
        sealwire.Identity.from_seed(b"short")
    for call in (sealwire.Identity.load, identity.save):
        with pytest.raises(ValueError) as caught:
            call(f"{tmp_path}/a\0b.key")
        assert caught.value.code == "argument"


def test_a_short_passphrase_is_told_as_a_key_that_is_not_valid():
    with pytest.raises(sealwire.Error) as caught:
        sealwire.network_from_passphrase("short")
    assert caught.value.code == "key" and "12 bytes" in caught.value.hint
    assert caught.value.detail == "the passphrase of a network has at least 12 bytes, this one 5"


def test_networks_and_tickets():
    assert sealwire.network_new().startswith("swnet1") and sealwire.network_new() != sealwire.network_new()
    id = sealwire.Identity.generate().id
    ticket = sealwire.Ticket("tcp://127.0.0.1:9000", id)
    assert str(ticket) == f"tcp://127.0.0.1:9000#{id}"
    assert sealwire.Ticket.parse(str(ticket)) == ticket
    for wrong in ("", "tcp://127.0.0.1:9000", "tcp://127.0.0.1:9000#abc"):
        with pytest.raises(sealwire.ArgumentError):
            sealwire.Ticket.parse(wrong)


def codes_of_the_header(source_root):
    header = (source_root / "capi/include/sealwire/sealwire.h").read_text()
    return [int(number) for number in re.findall(r"SW_ERR_\w+ = (\d+)", header)]


def test_every_code_has_its_class(source_root):
    codes = codes_of_the_header(source_root)
    assert len(codes) > 40
    names = {_native.result_name(code) for code in codes}
    assert len(names) == len(codes)
    assert set(_errors.CLASSES) == names
    for code in codes:
        error = _errors.make(code, "some detail", status=64, text="words", peer="p", endpoint="e")
        assert type(error) is _errors.CLASSES[_native.result_name(code)]
        assert isinstance(error, sealwire.Error)
        assert (error.result, error.code, error.peer) == (code, _native.result_name(code), "p")
        assert _native.result_text(code) in str(error) and error.hint in str(error)
        if isinstance(error, sealwire.QueueFull):  # the library's speaks of an event that Python has not
            assert "send() or publish(), which wait for room" in error.hint
        else:
            assert error.hint == _native.result_hint(code)


@pytest.mark.parametrize("code,builtin", [
    (1, ValueError), (6, RuntimeError), (20, ValueError), (22, OSError), (23, PermissionError), (24, OSError),
    (40, ConnectionRefusedError), (41, ConnectionError), (42, TimeoutError), (43, ConnectionError), (46, PermissionError),
    (60, ConnectionError), (80, TimeoutError), (83, LookupError)])
def test_exceptions_are_the_builtins_that_fit(code, builtin):
    assert isinstance(_errors.make(code), builtin)


def test_every_public_name_is_there():
    for name in sealwire.__all__:
        assert getattr(sealwire, name) is not None
    assert {cls.__name__ for cls in _errors.CLASSES.values()} <= set(sealwire.__all__)
    assert (pathlib.Path(sealwire.__file__).parent / "py.typed").exists()


def test_a_status_can_be_copied_between_processes():
    status = pickle.loads(pickle.dumps(sealwire.Status(64, "no")))
    assert (status.status, status.text, status.code) == (64, "no", "status")
