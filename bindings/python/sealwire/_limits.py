"""Limits at the door: how many connections may come in, and from where."""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from sealwire import _errors, _native
from sealwire._durations import limit


class ConnectionCounts(NamedTuple):
    """Connections that are in now, and how many were refused: by `per_address` and `per_subnet`, and by `connections` and `per_key`."""

    connections: int
    refused_by_address: int
    refused_by_limit: int


class ConnectionLimits:
    """How many connections may come in, counted together over all nodes and listeners that are given it; 0 is no limit. Those that this
    side dials do not count.

    connections  of peers that have proved their key and are let in; the next are told `limit`
    per_key      the same, of one key
    per_address  pipes from one address, strangers included; the next are closed at once, without a word
    per_subnet   the same, of IPv6 from one /64
    """

    __slots__ = ("_native",)

    def __init__(self, connections: float = 0, per_key: float = 0, per_address: float = 0, per_subnet: float = 0) -> None:
        self._native = _native.Limits()
        self.set(connections, per_key, per_address, per_subnet)

    def set(self, connections: float = 0, per_key: float = 0, per_address: float = 0, per_subnet: float = 0) -> None:
        """Other numbers from now on; connections that are there stay."""
        self._native.set(limit(connections), limit(per_key), limit(per_address), limit(per_subnet))

    @property
    def counts(self) -> ConnectionCounts:
        return ConnectionCounts(*self._native.counts())


def native_limits(limits: Optional[ConnectionLimits]) -> Any:
    if limits is not None and not isinstance(limits, ConnectionLimits):
        raise _errors.ArgumentTypeError(1, f"connection_limits are ConnectionLimits, not {type(limits).__name__}")
    return None if limits is None else limits._native


def ranges(addresses: Iterable[str], name: str) -> List[str]:
    if isinstance(addresses, (str, bytes)):
        raise _errors.argument(f"{name} is a list of addresses or ranges")
    try:
        return [_errors.text(address, "an address") for address in addresses]
    except TypeError as error:
        raise _errors.of_argument(error)


def door(limits: Optional[ConnectionLimits], allow: Iterable[str], deny: Iterable[str]) -> Dict[str, Any]:
    """The options of a listener that say who may come to it."""
    return {"connection_limits": native_limits(limits), "allow_addresses": ranges(allow, "allow_addresses"),
            "deny_addresses": ranges(deny, "deny_addresses")}


class Doors:
    """What listeners of both faces have."""

    __slots__ = ("paused",)
    _handle: int
    paused: Optional[_errors.Error]

    def set_addresses(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        """Replaces the lists of who may connect by its address; connections that are up stay."""
        _native.listener_set_addresses(self._handle, ranges(allow, "allow"), ranges(deny, "deny"))

    def _on_paused(self, result: int, detail: str) -> None:
        self.paused = _errors.make(result, detail) if result else None
