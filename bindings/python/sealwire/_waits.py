"""Waiting for a message to a route, beside the route's handler."""

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from sealwire import _errors, _native
from sealwire._messages import Request
from sealwire._talk import Ear

if TYPE_CHECKING:
    from sealwire._inbox import Messages
    from sealwire._peer import Peer
    from sealwire._router import Router

Filter = Callable[[Request], Any]


class _Waiter:
    __slots__ = ("filter", "peer", "future")

    def __init__(self, filter: Optional[Filter], peer: "Optional[Peer]", future: "asyncio.Future[Request]") -> None:
        self.filter = filter
        self.peer = peer
        self.future = future


class Waits:
    """Who waits, by route. The native half looks at the dict and offers what comes."""

    __slots__ = ("iterated", "_router", "_core", "_by_route")

    def __init__(self) -> None:
        self.iterated: "Dict[int, Messages]" = {}  # by the number of their inbox
        self._router: "Optional[Router]" = None
        self._core: Optional[_native.Core] = None
        self._by_route: Dict[str, List[_Waiter]] = {}

    def open(self, core: _native.Core, router: "Router") -> None:
        self._core, self._router = core, router
        core.set_waits(self._by_route, self._offer)

    def _offer(self, request: Request) -> bool:
        """Whether one of them takes it."""
        for waiter in list(self._by_route.get(request.route, ())):
            if waiter.future.done() or waiter.peer not in (None, request.peer):
                continue
            try:
                accepted = waiter.filter is None or waiter.filter(request)
            except Exception as error:
                if not waiter.future.done():
                    waiter.future.set_exception(error)
                continue
            if accepted and not waiter.future.done():
                if request.converses:
                    Ear(request.peer).begin(request.number)
                waiter.future.set_result(request)
                return True
        return False

    async def wait(self, route: str, filter: Optional[Filter], timeout: Optional[float],
                   peer: "Optional[Peer]") -> Request:
        from sealwire._peer import NEVER, milliseconds
        if not isinstance(route, str) or not route:
            raise _errors.argument("a route to wait for has a name")
        if filter is not None and (not callable(filter) or inspect.iscoroutinefunction(filter)):
            raise _errors.ArgumentTypeError(1, "a filter is a plain function of the request")
        milliseconds(timeout)  # a duration?
        core = self._core
        if core is None:
            raise _errors.state("the node is not open: use `async with` or open()")
        loop = asyncio.get_running_loop()
        waiter = _Waiter(filter, peer, loop.create_future())
        if route not in self._by_route:
            core.wait_route(route)
        self._by_route.setdefault(route, []).append(waiter)
        timer = None
        if timeout is not None and timeout != NEVER:
            timer = loop.call_later(timeout, self._late, waiter, route)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._leave(route, waiter)
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self._pass_on(core, waiter.future.result())
            raise
        finally:
            self._leave(route, waiter)
            if timer is not None:
                timer.cancel()

    def _late(self, waiter: _Waiter, route: str) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(_errors.make(80, f"no message to {route!r} that was waited for",
                                                     peer=waiter.peer.id if waiter.peer is not None else None))

    def _leave(self, route: str, waiter: _Waiter) -> None:
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

    def _pass_on(self, core: _native.Core, request: Request) -> None:
        """Who waited was cancelled in the moment in which it came."""
        if core.over or request.cancelled or self._offer(request):
            return
        number = core.handle(request)
        if number in self.iterated:
            self.iterated[number].put_back(request)
        elif number is not None and self._router is not None:
            self._router.put_back(number, request)

    def lost(self, error: Callable[[], BaseException], peer: "Optional[Peer]" = None) -> None:
        """Nothing comes any more: from the peer, or at all."""
        for waiters in self._by_route.values():
            for waiter in waiters:
                if (peer is None or waiter.peer is peer) and not waiter.future.done():
                    waiter.future.set_exception(error())


class Waiting:
    """A part of Node."""

    _waits: Waits

    async def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """Waits for a message or request to `route` that `filter`, a plain function of it, accepts: it goes to the first who waits
        and accepts it, in place of the route's handler, and to that otherwise. Who takes a request answers it, by `reply` or
        `status`. Without a timeout (seconds) it waits for ever; what a filter raises is raised here."""
        return await self._waits.wait(route, filter, timeout, None)
