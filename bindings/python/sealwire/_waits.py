"""Waiting for a message to a route, beside the route's handler."""

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from sealwire import _errors, _native
from sealwire._durations import NEVER, milliseconds
from sealwire._messages import Request
from sealwire._outcome import fail

if TYPE_CHECKING:
    from sealwire._peer import Peer

Filter = Callable[[Request], Any]


class Waiter:
    """Somebody who waits: `future` is one of asyncio's, or an Outcome."""

    __slots__ = ("filter", "peer", "future")

    def __init__(self, filter: Optional[Callable[[Any], Any]], peer: Any, future: Any) -> None:
        self.filter = filter
        self.peer = peer
        self.future = future


class WaitsBase:
    """Who waits, by route, in either face. The native half looks at the dict and offers what comes."""

    def __init__(self) -> None:
        self.iterated: Dict[int, Any] = {}  # Messages, by the number of their inbox
        self._router: Any = None
        self._core: Optional[_native.Core] = None
        self._by_route: Dict[str, List[Waiter]] = {}

    def open(self, core: _native.Core, router: Any) -> None:
        """`router.put_back(number, request)` takes one that was waited for in vain and has a handler with an inbox."""
        self._core, self._router = core, router
        core.set_waits(self._by_route, self._offer)

    def _offer(self, request: Any) -> bool:
        """Whether one of them takes it."""
        for waiter in list(self._by_route.get(request.route, ())):
            if waiter.future.done() or waiter.peer not in (None, request.peer):
                continue
            try:
                accepted = waiter.filter is None or waiter.filter(request)
            except Exception as error:
                fail(waiter.future, error)
                continue
            if accepted and not waiter.future.done():
                if request.converses:
                    request.peer._begin_talk(request.number)
                waiter.future.set_result(request)
                return True
        return False

    def _enter(self, route: str, filter: Optional[Callable[[Any], Any]], timeout: Optional[float], peer: Any,
               make: Callable[[], Any]) -> Waiter:
        if not isinstance(route, str) or not route:
            raise _errors.argument("a route to wait for has a name")
        if filter is not None and (not callable(filter) or inspect.iscoroutinefunction(filter)):
            raise _errors.ArgumentTypeError(1, "a filter is a plain function of the request")
        milliseconds(timeout)  # a duration?
        core = self._core
        if core is None:
            raise _errors.state("the node is not open: open it, or use it in a `with`")
        waiter = Waiter(filter, peer, make())
        if route not in self._by_route:
            core.wait_route(route)
        self._by_route.setdefault(route, []).append(waiter)
        return waiter

    def _late(self, waiter: Waiter, route: str) -> None:
        fail(waiter.future, _errors.make(80, f"no message to {route!r} that was waited for",
                                         peer=waiter.peer.id if waiter.peer is not None else None))

    def _leave(self, route: str, waiter: Waiter) -> None:
        waiters = self._by_route.get(route)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        if waiters:
            return
        del self._by_route[route]
        if self._core is not None and not self._core.over:
            try:
                self._core.unwait_route(route)
            except _errors.Error:
                pass

    def _pass_on(self, request: Any) -> None:
        """Who waited was cancelled in the moment in which it came."""
        core = self._core
        if core is None or core.over or request.cancelled or self._offer(request):
            return
        number = core.handle(request)
        if number in self.iterated:
            self.iterated[number].put_back(request)
        elif number is not None and self._router is not None:
            self._router.put_back(number, request)

    def lost(self, error: Callable[[], BaseException], peer: Any = None) -> None:
        """Nothing comes any more: from the peer, or at all."""
        for waiters in self._by_route.values():
            for waiter in waiters:
                if peer is None or waiter.peer is peer:
                    fail(waiter.future, error())


class Waits(WaitsBase):
    """Tasks that wait."""

    async def wait(self, route: str, filter: Optional[Filter], timeout: Optional[float], peer: "Optional[Peer]") -> Request:
        loop = asyncio.get_running_loop()
        waiter = self._enter(route, filter, timeout, peer, loop.create_future)
        timer = None
        if timeout is not None and timeout != NEVER:
            timer = loop.call_later(timeout, self._late, waiter, route)
        try:
            request: Request = await waiter.future
            return request
        except asyncio.CancelledError:
            self._leave(route, waiter)
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self._pass_on(waiter.future.result())
            raise
        finally:
            self._leave(route, waiter)
            if timer is not None:
                timer.cancel()


class Waiting:
    """A part of Node."""

    _waits: Waits

    async def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """Waits for a message or request to `route` that `filter`, a plain function of it, accepts: it goes to the first who waits
        and accepts it, in place of the route's handler, and to that otherwise. Who takes a request answers it, by `reply` or
        `status`. Without a timeout (seconds) it waits for ever; what a filter raises is raised here."""
        return await self._waits.wait(route, filter, timeout, None)
