"""Draft: what many messages have in common, said once."""

from typing import Any, Optional, Union

from sealwire import _errors, _native
from sealwire._carried import Metadata, extras
from sealwire._codecs import TYPES, encode


class Draft(_native.Draft):
    """A route, a kind and metadata of messages that are sent again and again, checked, converted and encoded once. Made by `node.draft`;
    it stands in place of the route in whatever sends by that node's peers, in any thread.

    route  where they go
    kind   how their bodies are encoded: bytes, utf8, json, messagepack or cbor; None: each says it itself, as everywhere
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<sealwire.Draft {self.route!r}{f' {self.kind}' if self.kind else ''}>"


RouteLike = Union[str, Draft]


def draft(core: _native.Core, route: str, kind: Optional[str], metadata: Optional[Metadata]) -> Draft:
    if kind is not None and kind not in TYPES:
        raise _errors.argument(f"{kind!r} is none of {', '.join(TYPES)}")
    more: Any = extras(metadata, None)
    return Draft(core, _errors.text(route, "route"), more, -1 if kind is None else TYPES.index(kind), kind, encode)
