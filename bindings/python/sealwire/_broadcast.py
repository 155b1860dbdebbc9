"""Peers by their ids, in either face; and messages to all of them, in an asyncio program."""

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional

from sealwire import _errors, _native
from sealwire._codecs import Encoded, encode
from sealwire._draft import Draft, RouteLike
from sealwire._messages import BodyLike

if TYPE_CHECKING:
    from sealwire._peer import Peer

_AGAIN = 8


def find(core: _native.Core, id: str) -> Any:
    """The peer of that id that is connected, as far as the node's events have told; or None."""
    handle = core.find_peer(_errors.text(id, "an id"))
    peer = core.get_peer(handle) if handle else None
    if handle and (peer is None or not peer.suite):  # of which they are about to tell
        told = [one for one in core.peers if one.id == id and one.suite and one.stream is None and not one.closing]
        peer = told[-1] if told else None
    return None if peer is None or peer.closed else peer


def chosen(peers: Iterable[Any], filter: Optional[Callable[[Any], Any]]) -> List[int]:
    """Handles of those that a message is for."""
    if filter is not None and (not callable(filter) or inspect.iscoroutinefunction(filter)):
        raise _errors.ArgumentTypeError(1, "filter is a plain function of a Peer")
    return [peer._handle for peer in peers if peer.stream is None and not peer.closing and (filter is None or filter(peer))]


def _once(route: RouteLike, body: Any) -> Any:
    """The body as all get it, whatever becomes of it meanwhile. One that is none is left to the first who takes it, who says why."""
    if isinstance(body, (bytes, str, Encoded)):
        return body
    try:
        with memoryview(body) as view:
            return bytes(view) if view.c_contiguous else body
    except TypeError:
        pass
    try:
        kind = route.kind if isinstance(route, Draft) else None
        return encode(body, kind or "json")
    except (TypeError, ValueError, OverflowError):
        return body


class Round:
    """One message to many, in either face."""

    __slots__ = ("sent", "full", "failure", "_core", "_route", "_body")

    def __init__(self, core: _native.Core, route: RouteLike, body: BodyLike) -> None:
        self.sent = 0
        self.full: List[int] = []  # handles of those that had no room
        self.failure: Optional[_errors.Error] = None  # of the first that does not take it at all
        self._core = core
        self._route = route
        self._body = _once(route, body)

    def send(self, handles: List[int]) -> None:
        sent, left_out = self._core.broadcast(self._route, self._body, handles)
        self.sent += sent
        self.full = [handle for handle, result in left_out if result == _AGAIN]
        for handle, result in left_out:
            if result != _AGAIN and self.failure is None:
                self.failure = _errors.of_call(result, "", self._core.get_peer(handle))

    def end(self) -> int:
        if self.failure is not None:
            raise self.failure
        return self.sent


class Broadcasts:
    """A part of Node."""

    async def broadcast(self, route: RouteLike, body: BodyLike = b"", *, filter: "Optional[Callable[[Peer], Any]]" = None) -> int:
        """Sends a message to all peers that are connected, or to those for which `filter`, a plain function of a Peer, returns true; returns
        to how many. It is encoded once, and waits for room where a queue is full, which holds up no other peer. Peers that close meanwhile do
        not count. Raises TooBigError where a peer takes no such message, when the others have it."""
        core = self._opened()  # type: ignore[attr-defined]
        one = Round(core, route, body)
        one.send(chosen(self.peers, filter))  # type: ignore[attr-defined]
        rooms: "Dict[asyncio.Future[None], int]" = {}
        try:
            while True:
                for handle in one.full:
                    peer = core.get_peer(handle)
                    if peer is not None:
                        rooms[peer._next_room()] = handle
                if not rooms:
                    return one.end()
                done, _ = await asyncio.wait(rooms, return_when=asyncio.FIRST_COMPLETED)
                for room in done:
                    room.exception()  # of who has closed: it is seen, and no matter
                one.send([rooms.pop(room) for room in done])
        finally:
            for room in rooms:  # cancelled: nobody waits there any more
                room.cancel()
