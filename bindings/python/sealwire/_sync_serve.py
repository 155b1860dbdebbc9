"""Serving: the threads that run a synchronous node's handlers, middleware, and what becomes of what they return or raise."""

import inspect
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from sealwire import _errors, _native
from sealwire._deciding import Decisions, data_bytes
from sealwire._log import fields, logger
from sealwire._replies import leave, too_many
from sealwire._router import report_error_handler, report_handler, untold, words
from sealwire._sending import Answer, answer_of
from sealwire._sync_messages import Request
from sealwire._sync_peer import Peer
from sealwire._sync_streams import prepared
from sealwire._types import Accept, AcceptData, Asking, Decide, Decision

if TYPE_CHECKING:
    from sealwire.sync import Node

Next = Callable[[], Any]
Middleware = Callable[[Request, Next], Any]


class Route:
    """A route, its inbox, and what handles its messages."""

    __slots__ = ("name", "handler", "use", "max_handlers", "tell_errors", "number", "running", "returned")

    def __init__(self, name: str, handler: Callable[[Request], Any], use: Sequence[Middleware], max_handlers: int,
                 tell_errors: bool) -> None:
        if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
            raise _errors.ArgumentTypeError(1, "a synchronous node has plain functions as handlers; sealwire.Node has async ones")
        self.name = name
        self.handler = handler
        self.use = tuple(use)
        self.max_handlers = _errors.whole(max_handlers, "max_handlers")
        self.tell_errors = tell_errors
        self.number = -1
        self.running = 0
        self.returned: Deque[Request] = deque()  # that were waited for elsewhere, in vain


class Serving:
    """The routes of a node, whose messages threads take. All but `handle` is called with the node's lock."""

    def __init__(self, node: "Node", max_handlers: int, tell_errors: bool) -> None:
        self._node = node
        self._core: Optional[_native.Core] = None
        self._messages = threading.Condition(node._mutex)  # there are some, or a handler has ended, or the node is over
        self._routes: Dict[str, Route] = {}
        self._numbers: Dict[int, Route] = {}
        self._ready: Deque[Route] = deque()  # with messages that wait
        self._max = _errors.whole(max_handlers, "max_handlers")
        self._running = 0
        self._tell_errors = tell_errors
        self.middleware: List[Middleware] = []

    def open(self, core: _native.Core) -> None:
        self._core = core
        for route in self._routes.values():
            self._register(route)

    def add(self, route: Route) -> None:
        old = self._routes.get(route.name)
        self._routes[route.name] = route
        if old is not None and old.number >= 0:
            route.number, route.running, route.returned = old.number, old.running, old.returned  # what waits goes to the new one
            self._numbers[route.number] = route
            if old in self._ready:
                self._ready[self._ready.index(old)] = route
        elif self._core is not None:
            self._register(route)

    def _register(self, route: Route) -> None:
        assert self._core is not None
        route.number = self._core.add_handler(route.name, None)
        self._numbers[route.number] = route
        self._await(route.number)

    def put_back(self, number: int, request: Request) -> None:
        """One that was waited for elsewhere."""
        self._numbers[number].returned.append(request)
        self._came(number)

    def _await(self, number: int) -> None:
        """Once there are messages of the route, a thread that serves is told."""
        assert self._core is not None
        if self._core.over:
            return
        coming = self._core.wait(number)
        coming._then = lambda: self._came(number)
        if coming.done():
            self._came(number)

    def _came(self, number: int) -> None:
        with self._messages:
            route = self._numbers[number]
            if route not in self._ready:
                self._ready.append(route)
            self._messages.notify_all()

    def wake(self) -> None:
        with self._messages:
            self._messages.notify_all()

    # ---- In the threads that serve ----

    def run(self, end: Optional[float]) -> None:
        core = self._core
        assert core is not None
        while True:
            with self._messages:
                taken = self._next(core)
                while taken is None:
                    if core.over or self._node._closed.done():
                        return
                    if not self._messages.wait(None if end is None else max(end - time.monotonic(), 0)):
                        return
                    taken = self._next(core)
                route, request = taken
                route.running += 1
                self._running += 1
            try:
                self._handle(route, request)
            finally:
                with self._messages:
                    self._numbers[route.number].running -= 1
                    self._running -= 1
                    if self._ready:
                        self._messages.notify()
            if end is not None and time.monotonic() >= end:
                return

    def _next(self, core: _native.Core) -> Optional[Tuple[Route, Request]]:
        """The next message whose handler may run."""
        if self._max and self._running >= self._max:
            return None
        for _ in range(len(self._ready)):
            route = self._ready.popleft()
            if route.max_handlers and route.running >= route.max_handlers:
                self._ready.append(route)
                continue
            batch: List[Request] = [route.returned.popleft()] if route.returned else core.take(route.number, 1)
            if batch:
                self._ready.append(route)  # others in their turn
                self._messages.notify()
                return route, batch[0]
            self._await(route.number)
        return None

    def _handle(self, route: Route, request: Request) -> None:
        try:
            if request.cancelled:
                return leave(request, True)
            complete(request, through((*self.middleware, *route.use), route.handler, request))
        except Exception as error:
            self._failed(route, request, error)
        except BaseException:
            self._fail(request, "")
            raise
        finally:
            if request.converses:
                request.peer._end_talk(request.number)

    def _failed(self, route: Route, request: Request, error: Exception) -> None:
        leave(request, True)
        if isinstance(error, _errors.CancelledByPeer) and request.cancelled:
            return
        tell = self._tell_errors or route.tell_errors
        on_error = self._node.on_error
        if on_error is not None and not isinstance(error, _errors.Status):
            try:
                result = on_error(request, error)
                return self._fail(request, words(error, tell)) if result is None else complete(request, result)
            except Exception as second:
                if not isinstance(second, _errors.Status):
                    report_error_handler(request, second)
                error = second
        left = untold(request, error)
        if left is None:
            return
        report_handler(request, left)
        self._fail(request, words(left, tell))

    def _fail(self, request: Request, text: str) -> None:
        try:
            request._fail(text)
        except _errors.Error:
            pass


class Deciding(Decisions):
    """Who is let in, as functions say that are each called in a thread of its own."""

    def __init__(self, node: "Node", decide: Optional[Decide], data: AcceptData) -> None:
        super().__init__(node, decide, data)
        for function in (decide, data):
            if inspect.iscoroutinefunction(function):
                raise _errors.ArgumentTypeError(1, "a synchronous node decides by plain functions; sealwire.Node by async ones, too")

    def on_proved(self, peer: Peer) -> None:
        aside(self._say_hello, peer)

    def _say_hello(self, peer: Peer) -> None:
        make = self.hellos.get(peer._handle)
        try:
            peer._hello(data_bytes(make(peer.id)) if callable(make) else b"")
        except Exception as error:
            self._no_hello(peer, error)

    def _answer(self, peer: Peer, asking: Asking) -> None:
        aside(self._decide_about, peer, asking)

    def _decide_about(self, peer: Peer, asking: Asking) -> None:
        decision: Decision = False
        try:
            made: Any = True if asking.allowed else self._decide(asking) if self._decide is not None else False
            if made is True and callable(self._data) and asking.channel == "sealwire":
                made = Accept(data_bytes(self._data(asking)))
            decision = made
        except Exception:
            logger.exception("the decision about %s failed; it is refused", peer.id, extra=fields(peer, "rejected"))
        self._decided(peer, decision)


def through(chain: Sequence[Callable[[Request, Next], Any]], handler: Callable[[Request], Any], request: Request) -> Any:
    """The middleware of `chain`, one inside the other, and within them the handler; the outermost's result is the answer."""
    if not chain:
        return handler(request)
    return chain[0](request, lambda: through(chain[1:], handler, request))


def complete(request: Request, result: Any) -> None:
    """Answers with what a handler returned."""
    if hasattr(result, "__next__"):
        reply_each(request, result)
        request._end(None)
    elif not isinstance(result, Answer):
        request._end(result)  # which stops the parts that were never read
    elif not request.wants_reply or request.answered:
        request._end(None)
    elif not result.parts:
        request._end(result.body)
    else:
        request._begin_parts(False)  # the streams of the answer may be made of them
        body, parts = answer_of(result)
        streams = prepared(parts)
        sourced = [stream for stream in streams if stream._source is not None]
        if request._reply_now(body, streams, False):
            for stream in sourced:
                try:
                    stream.wait()
                except _errors.Error:
                    if stream._failed:
                        raise
    leave(request)


def reply_each(request: Request, results: Any) -> None:
    """Sends what a handler yields. It is closed when the requester wants no more."""
    only: Any = None  # of a requester that wants one reply
    count = 0
    try:
        for result in results:
            count += 1
            body, parts = answer_of(result)
            if not request.wants_reply:
                pass
            elif request.wants_many:
                request.more(body, parts)
            elif count == 1:
                only = (body, parts)
            else:
                raise too_many(request)
    finally:
        if hasattr(results, "close"):
            results.close()
    if only is not None and not request.answered:
        request.reply(*only)


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """What the native half calls does not keep its node."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        there = reference()
        if there is not None:
            there(*arguments)

    return call


def nothing(*_: Any) -> Any:
    """Hooks of handlers that are tasks: here messages wait in inboxes, and threads take them."""


def make_error(result: int, code: int, text: str, peer: Optional[Peer], details: Optional[Tuple[bytes, int]]) -> _errors.Error:
    return _errors.make(result, status=code, text=text, peer=peer.id if peer else None, endpoint=peer.address if peer else None,
                        details=details)


def aside(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls what the program has written, which may wait for the node, in a thread of its own."""
    def run() -> None:
        try:
            function(*arguments)
        except Exception:
            peer = arguments[0] if arguments else None
            logger.exception("%s failed", getattr(function, "__name__", "a function"), extra=fields(peer))

    threading.Thread(target=run, name="sealwire aside", daemon=True).start()
