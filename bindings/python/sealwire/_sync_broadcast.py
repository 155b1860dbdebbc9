"""Messages to all peers, in the synchronous face."""

import threading
from typing import TYPE_CHECKING, Any, Callable, Optional

from sealwire._broadcast import Round, chosen
from sealwire._draft import RouteLike
from sealwire._messages import BodyLike

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Broadcasts:
    """A part of Node."""

    _rooms: threading.Condition  # over its lock: a peer has room again, or is closed

    def broadcast(self, route: RouteLike, body: BodyLike = b"", *, filter: "Optional[Callable[[Peer], Any]]" = None) -> int:
        """Sends a message to all peers that are connected, or to those that `filter` says; returns to how many. Waits for room where a queue is
        full, which holds up no other peer; as `broadcast` of sealwire.Node."""
        one = Round(self._opened(), route, body)  # type: ignore[attr-defined]
        handles = chosen(self.peers, filter)  # type: ignore[attr-defined]
        with self._rooms:
            one.send(handles)
            while one.full:
                self._rooms.wait()
                one.send(one.full)
        return one.end()
