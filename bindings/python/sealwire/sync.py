"""Sealwire for programs without an event loop: the names of `sealwire`, with calls that wait.

    from sealwire import sync

    with sync.Node(network="demo") as node:
        print(node.connect(ticket).request("greet", {"name": "Ada"}).json())

One thread of the package for each node carries its events; every call may be made from any thread, and each waits for its own. Handlers
are plain functions, run by the threads that `serve`.
"""

import atexit
import inspect
import logging
import threading
import time
import warnings
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional, Sequence, Tuple, TypeVar, Union

from sealwire import _errors, _native, _node
from sealwire._codecs import encode
from sealwire._deciding import data_bytes
from sealwire._keys import Identity, PathLike, Ticket
from sealwire._outcome import Outcome
from sealwire._peer import limit, milliseconds
from sealwire._rpc import ROUTE, Exposed
from sealwire._sync_inbox import Listener, Messages
from sealwire._sync_parts import Part, make_parts
from sealwire._sync_peer import Peer, Replies, Reply, Request
from sealwire._sync_serve import Next, Route, aside, complete, leave, make_error, nothing, through, weakly
from sealwire._sync_streams import Answer, File, Stream
from sealwire._types import Accept, AcceptData, Asking, CloseReport, Decide, Decision, HelloData, Reject, Undelivered

__all__ = ["Answer", "File", "Listener", "Messages", "Node", "Part", "Peer", "Replies", "Reply", "Request", "Stream"]

logger = logging.getLogger("sealwire")
(_LISTENING, _LISTENER_CLOSED, _ASKS, _CONNECTED, _CLOSING, _CLOSED, _MESSAGE, _REPLY, _DONE, _WRITABLE, _RECEIPT, _PONG,
 _STALLED, _LOG, _NODE_CLOSED, _PART_DATA, _PART_WRITABLE, _PART_DONE, _PART_PROGRESS) = range(1, 20)
_PROVED = 22

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
_CUT = CloseReport(True, 0, 0, 0, 0, False, "", ())
_live: "weakref.WeakSet[Node]" = weakref.WeakSet()


class _Exposed(Exposed):
    def _each(self, results: Any, kind: str) -> Any:
        return (encode(one, kind) for one in results)


class Node:
    """A program's endpoint. Used as `with sealwire.sync.Node(...) as node:`.

    Arguments are those of sealwire.Node, but that functions are plain ones: `on_ask`, `data`, `on_peer` and `on_error` are each called in a
    thread that may wait. There is no `max_handlers`: as many run as threads serve.
    """

    def __init__(self, *, identity: Union[Identity, PathLike, None] = None, network: str = "",
                 allow: Union[str, Iterable[str], Decide] = (), on_ask: Optional[Decide] = None, data: AcceptData = b"",
                 on_peer: Optional[Callable[[Peer], Any]] = None, request_timeout: float = 30.0, tell_errors: bool = False,
                 on_error: Optional[Callable[[Request, Exception], Any]] = None, **limits: Any) -> None:
        if "max_handlers" in limits:
            raise _errors.ArgumentTypeError(1, "a synchronous node has no max_handlers: as many run as threads serve")
        options = _node.Node(identity=identity, network=network, allow=allow, on_ask=on_ask, data=data,
                             request_timeout=request_timeout, **limits)
        self._options = options  # never opened: it has read them
        self.identity = options.identity
        self.network = options.network
        self.request_timeout = request_timeout
        self.on_peer = on_peer
        self.on_error = on_error
        self._tell_errors = tell_errors
        self._decide = allow if callable(allow) else on_ask
        self._data = data
        self._hellos: Dict[int, HelloData] = {}
        self._core: Optional[_native.Core] = None
        self._mutex = threading.RLock()  # held while events are handled, and by calls that must not miss one
        self._messages = threading.Condition(self._mutex)  # there are some, or the node is over
        self._routes: Dict[str, Route] = {}
        self._numbers: Dict[int, Route] = {}
        self._ready: Deque[Route] = deque()  # with messages that wait
        self._middleware: List[Callable[[Request, Next], Any]] = []
        self._exposed: Optional[_Exposed] = None
        self._listeners: Dict[int, Listener] = {}
        self._closed = Outcome()
        self._thread: Optional[threading.Thread] = None
        self._clock = time.monotonic

    # ---- Life ----

    @property
    def id(self) -> str:
        """This node's public key."""
        return self.identity.id

    def open(self) -> "Node":
        """Opens the node; `with` does it."""
        with self._mutex:
            if self._core is not None:
                raise _errors.state("this node was opened already")
            core = _native.Core(None, weakly(self._on_event), nothing, nothing, make_error, nothing, make_parts, nothing)
            core.set_face(Request, Reply, Outcome)
            options = self._options
            _native.open(core, -1, self.identity._native, self.network, options._access, options._allowed, _node.native_level(),
                         options._limits)
            self._core = core
            for route in self._routes.values():
                self._register(route)
        self._thread = threading.Thread(target=_carry, args=(weakref.ref(self), core.node), name="sealwire", daemon=True)
        self._thread.start()
        _live.add(self)
        return self

    def __enter__(self) -> "Node":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, deadline: float = 2.0) -> Optional[CloseReport]:
        """Ends listeners and peers, in good order until the deadline (seconds), then hard. Threads that serve return."""
        if self._core is None:
            return None
        if not self._closed.done():
            try:
                _native.shutdown(self._core, milliseconds(deadline))
            except _errors.ForkedError:
                self._closed.set_result(_CUT)  # it goes on in the parent alone
            except _errors.StateError:
                pass
        report: CloseReport = self._closed.result()
        return report

    def __del__(self) -> None:
        core = getattr(self, "_core", None)
        if core is not None and not self._closed.done():
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning)  # its core ends it

    def __repr__(self) -> str:
        return f"<sealwire.sync.Node {self.id[:8]}>"

    def _opened(self) -> _native.Core:
        if self._core is None:
            raise _errors.state("the node is not open: use `with` or open()")
        return self._core

    # ---- Reaching others ----

    def listen(self, url: str, *, unix_mode: int = 0, **limits: float) -> Listener:
        """tcp://host:port (port 0: any), unix:///path or unix:@name; as `listen` of sealwire.Node."""
        core = self._opened()
        with self._mutex:
            listener = Listener(_native.listen(core, _errors.text(url, "url"),
                                               {"unix_mode": limit(unix_mode), **{name: limit(one) for name, one in limits.items()}}))
            self._listeners[listener._handle] = listener
        listener._ready.result()
        return listener

    def connect(self, ticket: Union[str, Ticket], *, timeout: Optional[float] = None, data: HelloData = b"") -> Peer:
        """Connects and proves keys both ways. `timeout` (20 s by default) covers all of it. `data`: as of sealwire.Node."""
        core = self._opened()
        ticket = _errors.text(str(ticket), "ticket")
        outcome = Outcome()
        with self._mutex:
            handle = _native.connect(core, ticket, milliseconds(timeout), None if callable(data) else data_bytes(data))
            peer = Peer(self, core, handle, outcome)
            peer.id = Ticket.parse(ticket).id
            core.add_peer(handle, peer)
            if callable(data):
                self._hellos[handle] = data
        try:
            outcome.result()
        except KeyboardInterrupt:
            peer._close(0, "", 1)
            raise
        finally:
            self._hellos.pop(handle, None)
        return peer

    def allow(self, ids: Iterable[str]) -> None:
        """Replaces the allow-list; connections that are up stay."""
        self._options.allow(ids)
        if self._core is not None:
            _native.set_allowed(self._core, self._options._allowed)

    @property
    def peers(self) -> Tuple[Peer, ...]:
        """Those that are connected."""
        with self._mutex:
            return tuple(peer for peer in self._opened().peers if peer.suite and not peer.closed)

    # ---- Handlers ----

    def route(self, route: str = "", *, use: Sequence[Callable[[Request, Next], Any]] = ()) -> Callable[[HandlerT], HandlerT]:
        """Decorator: the plain function handles messages to `route` ("" stands for all that have no other), called by the threads that
        serve. What it returns is the reply, as in sealwire.Node; what a generator yields are several. Messages that no thread has
        taken wait, and their senders with them."""
        if not isinstance(route, str):
            raise _errors.ArgumentTypeError(1, 'write @node.route("name")')

        def register(handler: HandlerT) -> HandlerT:
            if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
                raise _errors.ArgumentTypeError(1, "a synchronous node has plain functions as handlers; sealwire.Node has async ones")
            with self._mutex:
                old = self._routes.get(route)
                self._routes[route] = added = Route(route, handler, tuple(use))
                if old is not None and old.number >= 0:
                    added.number = old.number  # what waits there goes to the new handler
                    self._numbers[added.number] = added
                elif self._core is not None:
                    self._register(added)
            return handler

        return register

    def use(self, middleware: HandlerT) -> HandlerT:
        """Decorator: `def middleware(request, next)` stands around every handler of this node; `next()` is what lies within, and what it
        returns is the answer. The first that was added is the outermost."""
        self._middleware.append(middleware)
        return middleware

    def expose(self, name: str, target: Any, *, with_request: bool = False) -> None:
        """Lets peers call `target` by `name`; as `expose` of sealwire.Node, for plain functions."""
        if self._exposed is None:
            self._exposed = _Exposed()
            self.route(ROUTE)(self._exposed.serve)
        self._exposed.add(name, target, with_request)

    def unexpose(self, name: str) -> None:
        """What is called so, or below it, can no more be called."""
        if self._exposed is not None:
            self._exposed.remove(name)

    def messages(self, route: str) -> Messages:
        """The messages to `route`, to be iterated over in place of a handler."""
        return Messages(self, route)

    def serve(self, timeout: Optional[float] = None) -> None:
        """Runs handlers in this thread until the node is closed, or the time (seconds) is over; Ctrl-C ends it by KeyboardInterrupt. As
        many threads as wanted may serve, and each runs one handler at a time."""
        core = self._opened()
        end = None if timeout is None else self._clock() + timeout
        while True:
            with self._messages:
                while not self._ready:
                    if core.over or self._closed.done():
                        return
                    if not self._messages.wait(None if end is None else max(end - self._clock(), 0)):
                        return
                route = self._ready.popleft()
                batch = core.take(route.number, 1)
                if batch:
                    self._ready.append(route)  # others in their turn
                    self._messages.notify()
                else:
                    self._await(route)
            if batch:
                self._handle(self._numbers.get(route.number, route), batch[0])
            if end is not None and self._clock() >= end:
                return

    def serve_in_background(self, threads: int = 1) -> "Node":
        """So many threads that serve, until the node is closed."""
        self._opened()
        for number in range(threads):
            threading.Thread(target=self.serve, name=f"sealwire serve {number}", daemon=True).start()
        return self

    def _register(self, route: Route) -> None:
        route.number = self._opened().add_handler(route.name, None)
        self._numbers[route.number] = route
        self._await(route)

    def _await(self, route: Route) -> None:
        """With the lock: once there are messages of the route, a thread that serves is told."""
        core = self._opened()
        if core.over:
            return
        coming = core.wait(route.number)
        coming._then = lambda: self._came(route)
        if coming.done():
            self._came(route)

    def _came(self, route: Route) -> None:
        with self._messages:
            if route not in self._ready:
                self._ready.append(route)
            self._messages.notify_all()

    def _wake(self) -> None:
        with self._messages:
            self._messages.notify_all()

    def _handle(self, route: Route, request: Request) -> None:
        if request.cancelled:
            return leave(request, True)
        try:
            complete(request, through((*self._middleware, *route.use), route.handler, request))
        except Exception as error:
            self._failed(request, error)
        except BaseException:
            self._fail(request, "")
            raise

    def _failed(self, request: Request, error: Exception) -> None:
        leave(request, True)
        if isinstance(error, _errors.CancelledByPeer) and request.cancelled:
            return
        if self.on_error is not None and not isinstance(error, _errors.Status):
            try:
                result = self.on_error(request, error)
                return self._fail(request, self._words(error)) if result is None else complete(request, result)
            except Exception as second:
                if not isinstance(second, _errors.Status):
                    logger.error("the error handler failed for peer %s", request.peer.id, exc_info=second)
                error = second
        if isinstance(error, _errors.Status) and request.wants_reply and not request.answered:
            try:
                return request.status(error.status, error.text, error._details)
            except (_errors.ArgumentError, TypeError, ValueError, OverflowError) as refused:  # what no status can carry
                error = refused
            except _errors.Error:
                return
        logger.error("the handler of %r failed for peer %s", request.route, request.peer.id, exc_info=error)
        self._fail(request, self._words(error))

    def _words(self, error: Exception) -> str:
        return f"{type(error).__name__}: {error}" if self._tell_errors else ""

    def _fail(self, request: Request, words: str) -> None:
        try:
            request._fail(words.encode("utf-8", "replace")[:1024].decode("utf-8", "ignore"))
        except _errors.Error:
            pass

    # ---- From the native half, in the node's own thread and with its lock ----

    def _on_event(self, kind: int, fields: Tuple[Any, ...]) -> None:
        if _PART_DATA <= kind <= _PART_PROGRESS:
            self._with_peer(fields[:1], Peer._on_part, kind, fields)
        elif kind == _WRITABLE:
            self._with_peer(fields, Peer._on_writable)
        elif kind == _RECEIPT:
            self._with_peer(fields, Peer._on_receipt)
        elif kind == _PONG:
            self._with_peer(fields, Peer._on_pong)
        elif kind == _LOG:
            _node.log_line(*fields)
        elif kind == _LISTENING:
            listener = self._listeners[fields[0]]
            listener.address, listener.ticket = fields[1:]
            listener._ready.set_result(listener)
        elif kind == _LISTENER_CLOSED:
            handle, result, _, _, detail, endpoint, *_ = fields
            listener = self._listeners.pop(handle)
            listener._ready.set_exception(_errors.make(result or 3, detail, endpoint=endpoint))
            listener._over.set_result(None)
        elif kind == _ASKS:
            handle, id, address, data, allowed = fields
            peer = Peer(self, self._opened(), handle, None)
            peer.id, peer.address = id, address
            self._opened().add_peer(handle, peer)
            aside(self._answer_asking, peer, Asking(id, address, data, allowed))
        elif kind == _PROVED:
            self._with_peer(fields, lambda peer: aside(self._say_hello, peer))
        elif kind == _CONNECTED:
            self._on_connected(*fields)
        elif kind == _CLOSING:
            self._with_peer(fields[:1], lambda peer: setattr(peer, "closing", True))
        elif kind == _CLOSED:
            self._on_closed(*fields)
        elif kind == _NODE_CLOSED:
            self._on_node_closed(*fields)

    def _with_peer(self, fields: Tuple[Any, ...], method: Callable[..., None], *more: Any) -> None:
        peer = self._opened().get_peer(fields[0])
        if peer is not None:
            method(peer, *fields[1:], *more)

    def _say_hello(self, peer: Peer) -> None:
        make = self._hellos.get(peer._handle)
        try:
            peer._hello(data_bytes(make(peer.id)) if callable(make) else b"")
        except Exception as error:
            if peer._connected is not None:
                peer._connected.set_exception(error)
            try:
                peer._close(0, "", 1)
            except _errors.Error:
                pass

    def _answer_asking(self, peer: Peer, asking: Asking) -> None:
        decision: Any = False
        try:
            decision = True if asking.allowed else self._decide(asking) if self._decide is not None else False
            if decision is True:
                decision = Accept(data_bytes(self._data(asking) if callable(self._data) else self._data))
        except Exception:
            logger.exception("the decision about %s failed; it is refused", peer.id)
        try:
            if isinstance(decision, Accept):
                peer._accept(decision.data)
            elif isinstance(decision, Reject):
                peer._reject(decision.status, decision.text)
            else:
                peer._reject(0, "")
        except (_errors.ArgumentError, _errors.TooBigError):
            logger.exception("the decision about %s is not valid; it is refused", peer.id)
            peer._reject(0, "")
        except _errors.Error:
            pass  # it has gone meanwhile

    def _on_connected(self, handle: int, id: str, address: str, data: bytes, dialled: bool, suite: int,
                      clock_difference_ms: int) -> None:
        core = self._opened()
        peer: Optional[Peer] = core.get_peer(handle)
        if peer is None:
            peer = Peer(self, core, handle, None)
            core.add_peer(handle, peer)
        peer.id = id
        peer._on_connected(address, data, suite, clock_difference_ms)
        if not dialled and self.on_peer is not None:
            aside(self.on_peer, peer)

    def _on_closed(self, handle: int, result: int, code: int, text: str, detail: str, endpoint: str, id: str, *_: Any) -> None:
        core = self._opened()
        peer: Optional[Peer] = core.get_peer(handle)
        core.remove_peer(handle)
        if peer is not None:
            peer._on_closed(_errors.make(result or 3, detail, status=code, text=text, peer=peer.id or id,
                                         endpoint=endpoint or peer.address))

    def _on_node_closed(self, deadline_passed: bool, not_sent: int, outcome_unknown: int, exchanges: int, events_held: int,
                        callback_blocked: bool, blocking_route: str, peers: "List[Tuple[str, int, int, int]]") -> None:
        core = self._opened()
        for peer in core.peers:
            if not peer.closed:
                peer._on_closed(_errors.make(3, "the node was closed", peer=peer.id, endpoint=peer.address))
        for listener in list(self._listeners.values()):
            listener._ready.set_exception(_errors.make(3, "the node was closed", endpoint=listener.address))
            listener._over.set_result(None)
        self._listeners.clear()
        core.forget()
        self._closed.set_result(CloseReport(deadline_passed, not_sent, outcome_unknown, exchanges, events_held, callback_blocked,
                                            blocking_route, tuple(Undelivered(*p) for p in peers)))
        self._messages.notify_all()

    def _drain(self) -> None:
        with self._mutex:
            core = self._core
            if core is not None and not core.over:
                core.drain()


def _carry(node: "weakref.ref[Node]", handle: int) -> None:
    """The thread that carries a node's events. It knows the node weakly, so that one that was dropped can go."""
    while _native.wait_for_events(handle):
        there = node()
        if there is None:
            return
        try:
            there._drain()
        except _errors.Error:  # it is over
            there._closed.set_result(_CUT)
            return
        del there


def _close_all() -> None:
    """Before the interpreter goes: nodes end in good order, in half a second at most, and with them their threads."""
    nodes = [node for node in _live if node._core is not None and not node._closed.done()]
    for node in nodes:
        try:
            _native.shutdown(node._opened(), 400)
        except _errors.Error:
            pass
    end = time.monotonic() + 0.5
    for node in nodes:
        if node._thread is not None:
            node._thread.join(max(end - time.monotonic(), 0))


atexit.register(_close_all)
