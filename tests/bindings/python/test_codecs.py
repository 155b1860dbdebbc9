"""Bodies by their type field; tests/interop/codecs.py compares values with Node.js."""

import pytest
import sealwire
from conftest import run
from pair import pair

KINDS = ["bytes", "utf8", "json", "messagepack", "cbor"]
VALUE = {"a": [1, -2.5, None, True, "text"], "b": {}}


def value_of(kind):
    return {"bytes": b"\x00\xff", "utf8": "text"}.get(kind, VALUE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_is_read_by_its_type(url, kind):
    async def scenario():
        def echo(request):
            assert request.kind == kind
            return sealwire.encode(request.decode(), kind)

        async def many(request):
            yield sealwire.encode(request.decode(), kind)
            yield sealwire.Answer(sealwire.encode(request.decode(), kind))

        async with pair(url, routes={"echo": echo, "many": many}) as (_, _, peer):
            reply = await peer.request("echo", sealwire.encode(value_of(kind), kind))
            assert reply.kind == kind and reply.decode() == value_of(kind)
            got = [one async for one in peer.request_many("many", sealwire.encode(value_of(kind), kind))]
            assert [(one.kind, one.decode()) for one in got] == [(kind, value_of(kind))] * 2
            await peer.send("echo", sealwire.encode(value_of(kind), kind), receipt=True)
            peer.send_nowait("echo", sealwire.encode(value_of(kind), kind))

    run(scenario)


def test_bodies_that_are_given_plainly_have_their_type():
    async def scenario():
        async with pair("tcp://127.0.0.1:0", routes={"kind": lambda request: request.kind}) as (_, _, peer):
            for body, kind in ((b"x", "bytes"), ("x", "utf8"), ({"x": 1}, "json")):
                assert (await peer.request("kind", body)).text() == kind

    run(scenario)


@pytest.mark.parametrize("kind,value", [
    ("bytes", "text"), ("utf8", b"bytes"), ("json", b"bytes"), ("json", float("nan")), ("messagepack", object()),
    ("messagepack", 2**64), ("messagepack", -(2**63) - 1), ("cbor", object()), ("xml", "x")])
def test_what_an_encoding_cannot_say_is_refused_where_it_is_sent(kind, value):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        sealwire.encode(value, kind)


@pytest.mark.parametrize("kind,data", [
    ("utf8", b"\xff"), ("json", b"{"), ("json", b""), ("messagepack", b""), ("messagepack", b"\xc1"),
    ("messagepack", b"\x01\x02"), ("messagepack", b"\x81\x01\x02"), ("messagepack", b"\xdd\xff\xff\xff\xff"),
    ("messagepack", b"\xc6\xff\xff\xff\xff"), ("cbor", b""), ("cbor", b"\x01\x02"), ("cbor", b"\xff"),
    ("cbor", b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), ("cbor", b"\x81" * 100000)], ids=repr)
def test_a_body_that_is_not_what_its_type_says_raises(kind, data):
    from sealwire import _codecs
    with pytest.raises(ValueError):
        _codecs.decode(data, KINDS.index(kind))


def test_a_missing_package_is_named(script):
    result = script('''
import sys
sys.modules["msgpack"] = sys.modules["cbor2"] = None  # as if they were not installed
import sealwire
for kind in ("messagepack", "cbor"):
    try:
        sealwire.encode(1, kind)
    except ImportError as error:
        print(error)
''')
    assert result.stdout.splitlines() == [
        "bodies in MessagePack need the package msgpack: pip install 'sealwire[msgpack]'",
        "bodies in CBOR need the package cbor2: pip install 'sealwire[cbor]'"], result.stderr


def test_no_package_is_loaded_before_it_is_used(script):
    result = script("import sys, sealwire; print('msgpack' in sys.modules, 'cbor2' in sys.modules)")
    assert result.stdout == "False False\n", result.stderr
