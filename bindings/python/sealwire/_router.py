"""Router: what stands around handlers: middleware, limits of how many run at once, and what becomes of their failures."""

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, List, Optional, Sequence

from sealwire import _errors, _native
from sealwire._log import fields, logger
from sealwire._messages import Request
from sealwire._replies import complete, leave

if TYPE_CHECKING:
    from sealwire._node import Node

Handler = Callable[[Request], Any]
Next = Callable[[], "Awaitable[Any]"]
Middleware = Callable[[Request, Next], Any]
ErrorHandler = Callable[[Request, Exception], Any]

_TURN = 64  # handlers that may begin, and end at once, before others in the event loop have their turn


def words(error: BaseException, tell: bool) -> str:
    """What the requester is told of an exception, beyond that there was one."""
    text = f"{type(error).__name__}: {error}" if tell and isinstance(error, Exception) else ""
    return text.encode("utf-8", "replace")[:1024].decode("utf-8", "ignore")


class Route:
    """A route's handler and what holds for it."""

    __slots__ = ("name", "handler", "use", "max_handlers", "tell_errors", "called", "inbox", "running", "armed")

    def __init__(self, name: str, handler: Handler, use: Sequence[Middleware], max_handlers: int, tell_errors: bool) -> None:
        self.name = name
        self.handler = handler
        self.use = tuple(use)
        self.max_handlers = _errors.whole(max_handlers, "max_handlers")
        self.tell_errors = tell_errors
        self.called: Handler = handler  # with its middleware
        self.inbox: Optional[int] = None  # where messages wait for their turn
        self.running = 0
        self.armed = False


class Router:
    """The routes of a node. Middleware runs in the order in which it was added, the node's before the route's, around every handler
    of the node, whichever was there first."""

    def __init__(self, node: "Node", max_handlers: int, tell_errors: bool) -> None:
        self._node = node
        self._core: Optional[_native.Core] = None
        self._middleware: List[Middleware] = []
        self._routes: Dict[str, Route] = {}
        self._limited: List[Route] = []
        self._max = _errors.whole(max_handlers, "max_handlers")
        self._running = 0
        self.tell_errors = tell_errors

    # ---- Registering ----

    def open(self, core: _native.Core) -> None:
        self._core = core
        for route in self._routes.values():
            self._register(route)

    def use(self, middleware: Middleware) -> None:
        self._middleware.append(middleware)
        for route in self._routes.values():
            self._register(route)

    def add(self, route: Route) -> None:
        old = self._routes.get(route.name)
        self._routes[route.name] = route
        if old is not None and old in self._limited:
            self._limited.remove(old)
            if self._core is not None and old.inbox is not None:
                route.inbox, route.running = old.inbox, old.running  # what waits there goes to the new handler
        self._register(route)

    def _register(self, route: Route) -> None:
        chain = (*self._middleware, *route.use)
        route.called = functools.partial(_through, chain, route.handler) if chain else route.handler
        if self._core is None:
            return
        if not route.max_handlers and not self._max and route.inbox is None:
            self._core.add_handler(route.name, route.called)
        elif route not in self._limited:
            if route.inbox is None:
                route.inbox = self._core.add_handler(route.name, None)
            self._limited.append(route)
            self._wait(route)

    # ---- Limits: messages wait in the route's inbox, charged to their sender's window, until a handler has ended ----

    def _wait(self, route: Route) -> None:
        if self._core is None or self._core.over or route.armed or route.inbox is None:
            return
        route.armed = True
        self._core.wait(route.inbox).add_done_callback(functools.partial(self._came, route))

    def _came(self, route: Route, future: "asyncio.Future[None]") -> None:
        route.armed = False
        if not future.cancelled() and route in self._limited:
            self._begin(route)

    def _begin(self, route: Route) -> None:
        """Lets as many begin as may run."""
        core = self._core
        if core is None or core.over or route.inbox is None:
            return
        for _ in range(_TURN):
            if (self._max and self._running >= self._max) or (route.max_handlers and route.running >= route.max_handlers):
                return  # one that ends goes on here
            waiting = core.take(route.inbox, 1)
            if not waiting:
                return self._wait(route)
            request = waiting[0]
            if request.cancelled:
                leave(request, True)
                continue
            task = core.run(route.called, request)
            if task is not None:
                self._running += 1
                route.running += 1
                task.add_done_callback(functools.partial(self._ended, route))
        self._wait(route)

    def _ended(self, route: Route, _: "asyncio.Task[Any]") -> None:
        self._running -= 1
        route.running -= 1
        if not self._max:
            return self._begin(route)
        for one in list(self._limited):  # each in its turn
            if self._running >= self._max:
                break
            self._limited.append(self._limited.pop(self._limited.index(one)))
            self._begin(one)

    def put_back(self, inbox: int, request: Request) -> None:
        """One that was taken from what waits goes to its handler, beyond the limit: it was waited for elsewhere."""
        for route in self._limited:
            if route.inbox == inbox and self._core is not None:
                self._core.run(route.called, request)

    # ---- Failures ----

    def failed(self, request: Request, error: BaseException) -> None:
        """A handler raised: what the requester learns of it, and who else."""
        request._stop()
        leave(request, True)
        handler = self._node.on_error
        if handler is not None and isinstance(error, Exception) and not isinstance(error, _errors.Status):
            self._node._background(self._handle(handler, request, error))
        else:
            self._answer(request, error)

    async def _handle(self, handler: ErrorHandler, request: Request, error: Exception) -> None:
        try:
            result = handler(request, error)
            if inspect.isawaitable(result):
                result = await result
            if result is not None:
                if not request._finish(result):
                    await complete(request, result)
                return
        except _errors.Status as status:
            return self._answer(request, status)
        except Exception as second:
            report_error_handler(request, second)
            return self._answer(request, error)
        self._fail(request, error)

    def _answer(self, request: Request, error: BaseException) -> None:
        left = untold(request, error)
        if left is None:
            return
        self._fail(request, left)
        if not isinstance(left, Exception):
            if isinstance(left, asyncio.CancelledError):
                return
            raise left
        report_handler(request, left)

    def _fail(self, request: Request, error: BaseException) -> None:
        route = self._routes.get(request.route) or self._routes.get("")
        tell = self.tell_errors or (route is not None and route.tell_errors)
        try:
            request._fail(words(error, tell))
        except _errors.Error:
            pass


def untold(request: Any, error: BaseException) -> Optional[BaseException]:
    """Answers by a Status that a handler raised. What is to be told and reported after all: nothing, when that was done or the
    request has ended; else the error, or why no status can carry it."""
    if not isinstance(error, _errors.Status) or not request.wants_reply or request.answered:
        return error
    try:
        request.status(error.status, error.text, error._details)
    except (_errors.ArgumentError, TypeError, ValueError, OverflowError) as refused:
        return refused
    except _errors.Error:
        pass
    return None


def report_handler(request: Any, error: BaseException) -> None:
    logger.error("the handler of %r failed for peer %s", request.route, request.peer.id, exc_info=error,
                 extra=fields(request.peer, "handler_failed", request.route))


def report_error_handler(request: Any, error: BaseException) -> None:
    logger.error("the error handler failed for peer %s", request.peer.id, exc_info=error,
                 extra=fields(request.peer, "handler_failed", request.route))


async def _through(chain: Sequence[Middleware], handler: Handler, request: Request) -> Any:
    """The middleware of `chain`, one inside the other, and within them the handler; the outermost's result is the answer."""
    place = 0  # that was reached

    async def step(at: int) -> Any:
        nonlocal place
        if at < place:
            raise RuntimeError("a middleware calls next() once")
        place = at + 1
        result = chain[at](request, functools.partial(step, at + 1)) if at < len(chain) else handler(request)
        return await result if inspect.isawaitable(result) else result

    return await step(0)
