"""Listener and Messages of the synchronous face."""

from typing import TYPE_CHECKING, Iterator, List, Optional

from sealwire import _errors, _native
from sealwire._limits import Doors
from sealwire._outcome import Outcome
from sealwire._sync_messages import Request
from sealwire._web import Http
from sealwire._tls import Tls, native_tls

if TYPE_CHECKING:
    from sealwire.sync import Node


class Listener(Doors):
    """Where a node listens. `address` has the real port; `ticket` is what others connect to; `paused` is why it does not accept at the
    moment, mostly for want of file descriptors, or None."""

    __slots__ = ("_handle", "_ready", "_over", "address", "ticket", "_http")

    def __init__(self, handle: int, http: Optional[Http] = None) -> None:
        self._handle = handle
        self._http = http
        self._ready = Outcome()
        self._over = Outcome()
        self.address = ""
        self.ticket = ""
        self.paused = None

    def set_tls(self, tls: Tls) -> None:
        """Other certificates, for connections from now on; as of sealwire.Listener."""
        _native.listener_set_tls(self._handle, native_tls(tls) or {})

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
        self._returned: List[Request] = []  # that were waited for elsewhere, in vain
        self._there = node._serving._messages
        with self._there:
            self._number = node._opened().add_handler(route, None)
            node._waits.iterated[self._number] = self

    def batches(self, max: int = 256) -> Iterator[List[Request]]:
        """Lists of up to `max` requests, never empty."""
        while True:
            batch = self._take(max)
            if not batch:
                return
            yield batch

    def __iter__(self) -> "Messages":
        return self

    def __next__(self) -> Request:
        for request in self._take(1):
            return request
        raise StopIteration

    def _take(self, most: int) -> List[Request]:
        """What has come, waiting for it; nothing at the end."""
        core = self._node._opened()
        with self._there:
            while True:
                batch: List[Request] = self._returned[:most] or ([] if self._closed else core.take(self._number, most))
                del self._returned[:most]
                if batch or self._closed or core.over:
                    return batch
                core.wait(self._number)._then = self._node._serving.wake
                self._there.wait()

    def put_back(self, request: Request) -> None:
        self._returned.append(request)
        self._there.notify_all()

    def close(self) -> None:
        """Stops taking; later messages to the route are answered no_route."""
        with self._there:
            if self._closed:
                return
            self._closed = True
            self._node._waits.iterated.pop(self._number, None)
            core = self._node._opened()
            if not core.over:
                _native.unroute(core, self._route)
            core.close_inbox(self._number)
            self._there.notify_all()

    def __enter__(self) -> "Messages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
