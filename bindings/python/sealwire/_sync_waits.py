"""Waiting for a message to a route, in the synchronous face."""

from typing import TYPE_CHECKING, Any, Callable, Optional

from sealwire import _errors
from sealwire._durations import NEVER
from sealwire._outcome import Outcome
from sealwire._sync_messages import Request
from sealwire._waits import WaitsBase

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer
    from sealwire.sync import Node

Filter = Callable[[Request], Any]


class Waits(WaitsBase):
    """Threads that wait. Filters are called by the thread that carries the node's events, with its lock."""

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self._node = node

    def wait(self, route: str, filter: Optional[Filter], timeout: Optional[float], peer: "Optional[Peer]") -> Request:
        with self._node._mutex:
            if peer is not None and peer.closed:
                raise _errors.of_call(3, "", peer)
            waiter = self._enter(route, filter, timeout, peer, Outcome)
        try:
            if not waiter.future.wait(None if timeout == NEVER else timeout):
                self._late(waiter, route)
            request: Request = waiter.future.result()
            return request
        except KeyboardInterrupt:
            with self._node._mutex:
                self._leave(route, waiter)
                if waiter.future.done() and waiter.future._error is None:
                    self._pass_on(waiter.future.result())
            raise
        finally:
            with self._node._mutex:
                self._leave(route, waiter)
