"""Listener and Messages of the synchronous face."""

from typing import TYPE_CHECKING, List

from sealwire import _errors, _native
from sealwire._outcome import Outcome
from sealwire._sync_peer import Request

if TYPE_CHECKING:
    from sealwire.sync import Node


class Listener:
    """Where a node listens. `address` has the real port; `ticket` is what others connect to."""

    __slots__ = ("_handle", "_ready", "_over", "address", "ticket")

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._ready = Outcome()
        self._over = Outcome()
        self.address = ""
        self.ticket = ""

    def close(self) -> None:
        """Stops listening; connections that are up stay."""
        if not self._over.done():
            try:
                _native.listener_close(self._handle)
            except _errors.ClosedError:
                pass
            self._over.wait()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sealwire.sync.Listener {self.ticket}>"


class Messages:
    """The messages to one route, as they come: `for request in messages`, in one thread or several. A message counts as taken when the
    iterator hands it out."""

    def __init__(self, node: "Node", route: str) -> None:
        self._node = node
        self._route = route
        self._closed = False
        with node._mutex:
            self._number = node._opened().add_handler(route, None)

    def __iter__(self) -> "Messages":
        return self

    def __next__(self) -> Request:
        core = self._node._opened()
        with self._node._messages:
            while True:
                batch: List[Request] = [] if self._closed else core.take(self._number, 1)
                if batch:
                    return batch[0]
                if self._closed or core.over:
                    raise StopIteration
                core.wait(self._number)._then = self._node._wake
                self._node._messages.wait()

    def close(self) -> None:
        """Stops taking; later messages to the route are answered no_route."""
        with self._node._messages:
            if self._closed:
                return
            self._closed = True
            core = self._node._opened()
            if not core.over:
                _native.unroute(core, self._route)
            core.close_inbox(self._number)
            self._node._messages.notify_all()

    def __enter__(self) -> "Messages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
