"""Codecs: values as bodies, and back, by the type field; MessagePack and CBOR by the host's libraries."""

import io
import json
from typing import Any

TYPES = ("bytes", "utf8", "json", "messagepack", "cbor")  # by the numbers of sw_body_type


class Encoded:
    """A body that says how it is encoded; wherever a body is taken. Made by `encode`."""

    __slots__ = ("data", "type")

    def __init__(self, data: bytes, type: int) -> None:
        self.data = data
        self.type = type

    @property
    def kind(self) -> str:
        """bytes, utf8, json, messagepack or cbor."""
        return TYPES[self.type] if self.type < len(TYPES) else "bytes"

    def decode(self) -> Any:
        """What it says."""
        return decode(self.data, self.type)

    def __repr__(self) -> str:
        return f"<sealwire.Encoded {self.kind}, {len(self.data)} bytes>"


def encode(value: Any, kind: str) -> Encoded:
    """A value as a body of that kind: bytes, utf8, json, messagepack or cbor.

    The last two carry None, bool, whole numbers from -2^63 to 2^64 - 1, float, str, bytes, lists and dicts with str as keys
    to programs in any language; they need the packages `msgpack` and `cbor2` (pip install 'sealwire[msgpack]', ... [cbor]).
    TypeError, ValueError or OverflowError for what cannot be said in that kind.
    """
    if kind == "json":
        return Encoded(to_json(value).encode(), 2)
    if kind == "messagepack":
        return Encoded(_msgpack().packb(value), 3)
    if kind == "cbor":
        cbor2 = _cbor2()
        try:
            return Encoded(cbor2.dumps(value), 4)
        except cbor2.CBOREncodeError as error:
            raise TypeError(str(error)) from error
    if kind == "bytes":
        return Encoded(bytes(memoryview(value)), 0)
    if kind == "utf8":
        if not isinstance(value, str):
            raise TypeError(f"{type(value).__name__} is no str")
        return Encoded(value.encode(), 1)
    raise ValueError(f"{kind!r} is none of {', '.join(TYPES)}")


def decode(data: bytes, type: int) -> Any:
    """What a body of this type says; ValueError when it is none."""
    if type == 1:
        return data.decode()
    if type == 2:
        return json.loads(data)
    if type == 3:
        msgpack = _msgpack()
        try:
            return msgpack.unpackb(data)
        except Exception as error:
            raise ValueError(f"the body is no MessagePack: {error or repr(error)}") from error
    if type == 4:
        cbor2 = _cbor2()
        stream = io.BytesIO(data)
        try:
            value = cbor2.CBORDecoder(stream).decode()
        except Exception as error:
            raise ValueError(f"the body is no CBOR: {error}") from error
        if stream.tell() != len(data):
            raise ValueError("the body is no CBOR: something follows its value")
        return value
    return data


def to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _msgpack() -> Any:
    try:
        import msgpack  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise ImportError("bodies in MessagePack need the package msgpack: pip install 'sealwire[msgpack]'") from None
    return msgpack


def _cbor2() -> Any:
    try:
        import cbor2  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ImportError("bodies in CBOR need the package cbor2: pip install 'sealwire[cbor]'") from None
    return cbor2
