"""Node: an endpoint of ours in an asyncio program, with its listeners, peers and handlers."""

import asyncio
import logging
import warnings
from typing import (Any, AsyncIterator, Awaitable, Callable, Coroutine, Dict, Iterable, List, Optional, Sequence, Tuple,
                    TypeVar, Union)

from sealwire import _errors, _native
from sealwire._deciding import Deciding, data_bytes
from sealwire._handling import Handling, cancel
from sealwire._inbox import Messages
from sealwire._keys import Identity, PathLike, Ticket
from sealwire._listener import Listener
from sealwire._messages import Request
from sealwire._peer import Peer, limit, message_count, milliseconds
from sealwire._pump import Pump
from sealwire._parts import make_parts
from sealwire._router import ErrorHandler, Middleware, Route, Router
from sealwire._rpc import ROUTE, Exposed
from sealwire._types import AcceptData, CloseReport, Decide, HelloData, NodeStats, Undelivered
from sealwire._waits import Waiting, Waits

logger = logging.getLogger("sealwire")
# What the core logs: not printed where nobody has configured logging, unlike failures of handlers.
core_logger = logging.getLogger("sealwire.core")
core_logger.addHandler(logging.NullHandler())

(_LISTENING, _LISTENER_CLOSED, _ASKS, _CONNECTED, _CLOSING, _CLOSED, _MESSAGE, _REPLY, _DONE, _WRITABLE, _RECEIPT, _PONG,
 _STALLED, _LOG, _NODE_CLOSED, _PART_DATA, _PART_WRITABLE, _PART_DONE, _PART_PROGRESS) = range(1, 20)
_PROVED = 22
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


Allow = Union[str, Iterable[str], Decide]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])
MiddlewareT = TypeVar("MiddlewareT", bound=Callable[..., Any])


def _ids(ids: Iterable[str]) -> List[str]:
    try:
        return [_errors.text(id, "an id") for id in ids]
    except TypeError as error:
        raise _errors.of_argument(error)


def native_level() -> int:
    """From which level on the core's log is wanted."""
    level = core_logger.getEffectiveLevel()
    return next((i for i, one in enumerate(_LEVELS) if level <= one), len(_LEVELS))


def log_line(level: int, _result: int, text: str, peer: str, address: str) -> None:
    where = " ".join(part for part in (peer, address) if part)
    core_logger.log(_LEVELS[min(level, 3)], "%s%s", text, f" ({where})" if where else "")


async def _later(result: Any) -> Any:
    return result


class Node(Handling, Waiting):
    """A program's endpoint. Used as `async with sealwire.Node(...) as node:`.

    identity  an Identity, the path of a key file, or None for a new key of this node only
    network   name or secret (`network_new()`) of the network; others meet only nodes of the same
    allow     who may connect: ids, "anyone", or a function as `on_ask`; by default nobody may
    on_ask    decides about those who are not on the list: a function (plain or async) of an Asking that returns True,
              Accept(data), False or Reject(status, text)
    data      what the application of a peer that is let in is told: bytes, or a function (plain or async) of an Asking that makes
              them for it; at most 60 KiB, of which it takes `application_data_bytes` of its own, 2 KiB by default
    on_peer   called with each peer that has connected; what it returns, if a coroutine, becomes a task
    on_error  called with the request and the exception of a handler that is no Status, in place of the log: a function, plain or
              async, whose result, unless None, is the answer, and which may raise Status
    max_handlers, tell_errors  as those of `route`, over all of them; the former counts handlers that wait for something
    memory_bytes   that all peers may use together beyond what each is granted at first; default 1 GiB, at least 1 MiB
    padding_bytes  what is sent is filled up to multiples of 64, 256, 1024 or 4096 bytes, so that sizes tell less
    Durations are in seconds; the limits are those of sw_node_options in sealwire.h.
    """

    def __init__(self, *, identity: Union[Identity, PathLike, None] = None, network: str = "", allow: Allow = (),
                 on_ask: Optional[Decide] = None, data: AcceptData = b"", application_data_bytes: int = 0,
                 on_peer: Optional[Callable[[Peer], Any]] = None, request_timeout: float = 30.0,
                 handshake_timeout: Optional[float] = None, decision_timeout: Optional[float] = None,
                 send_queue_bytes: int = 0, max_message_bytes: int = 0, window_bytes: int = 0,
                 exchange_slots: int = 0, memory_bytes: int = 0, padding_bytes: int = 0, max_handlers: int = 0,
                 tell_errors: bool = False, on_error: Optional[ErrorHandler] = None) -> None:
        if identity is not None and not isinstance(identity, Identity):
            identity = Identity.load(identity)
        self.identity = identity if identity is not None else Identity.generate()
        self.network = _errors.text(network, "network")
        self.request_timeout = request_timeout
        self.on_peer = on_peer
        self.on_error = on_error
        if callable(allow):
            on_ask = allow
            allow = ()
        if isinstance(allow, str) and allow != "anyone":
            raise _errors.argument('allow is a list of ids, "anyone", or a function')
        self._deciding = Deciding(self, on_ask, data)
        self._access = 2 if allow == "anyone" else 1 if on_ask is None else 0  # of sw_access
        self._allowed: List[str] = [] if isinstance(allow, str) else _ids(allow)
        self._limits: Dict[str, Union[int, bytes]] = {
            "application_data_bytes": limit(application_data_bytes), "ask_allowed": int(callable(data)),
            "accept_data": b"" if callable(data) else data,
            "send_queue_bytes": _errors.whole(send_queue_bytes, "send_queue_bytes"),
            "max_message_bytes": _errors.whole(max_message_bytes, "max_message_bytes"),
            "window_bytes": _errors.whole(window_bytes, "window_bytes"), "exchange_slots": limit(exchange_slots),
            "padding_bytes": limit(padding_bytes),
            "memory_bytes": _errors.whole(memory_bytes, "memory_bytes"),
            "handshake_timeout_ms": milliseconds(handshake_timeout),
            "decision_timeout_ms": milliseconds(decision_timeout), "request_timeout_ms": milliseconds(request_timeout)}
        self._core: Optional[_native.Core] = None
        self._pump: Optional[Pump] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._router = Router(self, max_handlers, tell_errors)
        self._exposed: Optional[Exposed] = None
        self._waits = Waits()
        self._listeners: Dict[int, Listener] = {}
        self._arrivals: "List[asyncio.Queue[Optional[Peer]]]" = []
        self._closed: "Optional[asyncio.Future[CloseReport]]" = None
        self._tasks: "set[asyncio.Task[Any]]" = set()

    # ---- Life ----

    @property
    def id(self) -> str:
        """This node's public key."""
        return self.identity.id

    def open(self) -> "Node":
        """Opens the node in the running event loop; `async with` does it."""
        if self._core is not None:
            raise _errors.state("this node was opened already")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise _errors.state("open() needs a running event loop") from None
        core = _native.Core(self._loop, self._on_event, self._spawn, self._router.failed, self._make_error,
                            _later, make_parts, self._on_cancelled)
        pump = Pump(self)
        try:
            _native.open(core, pump.sender.fileno(), self.identity._native, self.network, self._access, self._allowed,
                         native_level(), self._limits)
        except BaseException:
            pump.receiver.close()
            pump.sender.close()
            raise
        self._core = core
        self._pump = pump
        self._closed = self._loop.create_future()
        self._router.open(core)
        self._waits.open(core, self._router)
        pump.task = self._loop.create_task(pump.run())
        pump.task._log_destroy_pending = False  # type: ignore[attr-defined]
        return self

    async def __aenter__(self) -> "Node":
        return self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, deadline: float = 2.0) -> Optional[CloseReport]:
        """Ends listeners and peers, in good order until the deadline (seconds), then hard."""
        if self._core is None or self._closed is None:
            return None
        if not self._closed.done():
            try:
                _native.shutdown(self._core, milliseconds(deadline))
            except _errors.ForkedError:
                self._on_node_closed(True, 0, 0, 0, 0, False, "", [])  # it goes on in the parent alone
            except _errors.StateError:
                pass
        return await asyncio.shield(self._closed)

    def __del__(self) -> None:
        core, pump = getattr(self, "_core", None), getattr(self, "_pump", None)
        if core is None or pump is None or core.over:
            return
        core.forget()
        try:
            _native.shutdown(core, 1)
            pump.orphan = core  # the pump ends with the node's last event
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning)
        except _errors.Error:
            pass

    def __repr__(self) -> str:
        return f"<sealwire.Node {self.id[:8]}>"

    def _stopped(self) -> None:
        """The pump has ended; without NODE_CLOSED (cancelled with its event loop) the node is ended hard."""
        if self._closed is None or self._closed.done():
            return
        core = self._opened()
        try:
            _native.shutdown(core, 1)
        except _errors.Error:
            pass
        self._on_node_closed(True, 0, 0, 0, 0, False, "", [])

    def _opened(self) -> _native.Core:
        if self._core is None:
            raise _errors.state("the node is not open: use `async with` or open()")
        return self._core

    # ---- Reaching others ----

    async def listen(self, url: str, *, unix_mode: int = 0, max_handshakes: float = 0,
                     max_handshakes_per_address: float = 0, handshakes_per_second: float = 0, handshake_burst: float = 0,
                     handshake_share_percent: float = 0) -> Listener:
        """tcp://host:port (port 0: any), unix:///path or unix:@name.

        The limits of handshakes are those of sw_listen_options in sealwire.h: 0 is the default, NEVER none. Those by address
        (at once 16, 20 a second, 5 at once before that pace holds) are for loopback only when they are set.
        """
        limits = {"unix_mode": limit(unix_mode), "max_handshakes": limit(max_handshakes),
                  "max_handshakes_per_address": limit(max_handshakes_per_address),
                  "handshakes_per_second": limit(handshakes_per_second), "handshake_burst": limit(handshake_burst),
                  "handshake_share_percent": limit(handshake_share_percent)}
        core, loop = self._opened(), asyncio.get_running_loop()
        future: asyncio.Future[Listener] = loop.create_future()
        handle = _native.listen(core, _errors.text(url, "url"), limits)
        self._listeners[handle] = Listener(handle, future)
        return await future

    async def connect(self, ticket: Union[str, Ticket], *, timeout: Optional[float] = None, data: HelloData = b"") -> Peer:
        """Connects and proves keys both ways. `timeout` (20 s by default) covers all of it. `data` are for the other application: bytes,
        or a function (plain or async) that makes them when the peer has proved its id, which it is called with."""
        core, loop = self._opened(), asyncio.get_running_loop()
        future: asyncio.Future[Peer] = loop.create_future()
        ticket = _errors.text(str(ticket) if isinstance(ticket, Ticket) else ticket, "ticket")
        handle = _native.connect(core, ticket, milliseconds(timeout), None if callable(data) else data_bytes(data))
        peer = Peer(self, core, handle, future)
        peer.id = Ticket.parse(ticket).id
        if callable(data):
            self._deciding.hellos[handle] = data
        core.add_peer(peer._handle, peer)
        try:
            return await future
        except asyncio.CancelledError:
            try:
                peer._close(0, "", 1)
            except _errors.Error:
                pass
            raise
        finally:
            self._deciding.hellos.pop(handle, None)

    def allow(self, ids: Iterable[str]) -> None:
        """Replaces the allow-list; connections that are up stay."""
        self._allowed = _ids(ids)
        if self._core is not None:
            _native.set_allowed(self._core, self._allowed)

    @property
    def peers(self) -> Tuple[Peer, ...]:
        """Those that are connected."""
        return tuple(peer for peer in self._opened().peers if peer.suite and not peer.closed)

    def stats(self) -> NodeStats:
        """What it has done since it was opened and has to do now, by name: sums over all peers, with those that have gone."""
        return self._opened().stats()

    async def arrivals(self) -> "AsyncIterator[Peer]":
        """Every peer that connects to this node from now on."""
        queue: asyncio.Queue[Optional[Peer]] = asyncio.Queue()
        self._arrivals.append(queue)
        try:
            while True:
                peer = await queue.get()
                if peer is None:
                    return
                yield peer
        finally:
            self._arrivals.remove(queue)

    # ---- Handlers ----

    def route(self, route: str = "", *, use: Sequence[Middleware] = (), max_handlers: int = 0,
              tell_errors: bool = False) -> Callable[[HandlerT], HandlerT]:
        """Decorator: the function handles messages to `route` ("" stands for all that have no other).

        A plain function is called at once and costs no task; a coroutine function runs as a task, which is cancelled when
        the requester cancels or its deadline passes. What it returns is the reply: bytes, str, anything JSON, or None for a
        fast reply without body. A handler that yields, plain or async, sends each as one of several replies to a
        requester that wants many; Answer(body, parts) brings streams and files. `raise Status(code, text)` answers with a status;
        any other exception with handler_failed (nothing of it reaches the peer) and is logged.

        use           middleware of this route alone, within that of the node
        max_handlers  of this route that run at once; further messages wait, and their senders with them
        tell_errors   the requester learns the class and the words of exceptions
        """
        if not isinstance(route, str):
            raise _errors.ArgumentTypeError(1, 'write @node.route("name")')

        def register(handler: HandlerT) -> HandlerT:
            self._router.add(Route(route, handler, use, max_handlers, tell_errors))
            return handler

        return register

    def use(self, middleware: MiddlewareT) -> MiddlewareT:
        """Decorator: `async def middleware(request, next)` stands around every handler of this node; `await next()` is what lies
        within, and what it returns is the answer. The first that was added is the outermost, whenever the handlers came. It may
        answer by itself, raise Status, or change the answer. With any, each message takes a task.
        """
        self._router.use(middleware)
        return middleware

    def expose(self, name: str, target: Any, *, with_request: bool = False) -> None:
        """Lets peers call `target` by `name` (docs/RPC.md): a function, a dict of such, or an object with the methods that its own
        class defines; nested names are joined by dots. Nothing that is inherited or begins with an underscore is reached. Results are
        what MessagePack can say, now or awaited; a generator gives many. `with_request`: the Request is the first argument.
        """
        if self._exposed is None:
            self._exposed = Exposed()
            self.route(ROUTE)(self._exposed.serve)
        self._exposed.add(name, target, with_request)

    def unexpose(self, name: str) -> None:
        """What is called so, or below it, can no more be called."""
        if self._exposed is not None:
            self._exposed.remove(name)

    def messages(self, route: str) -> Messages:
        """The messages to `route`, to be iterated over in place of a handler."""
        return Messages(self, self._opened(), route)

    def pause(self, route: str) -> None:
        """Lets messages to a route that has a handler wait, of all peers, as `Peer.pause` does for one."""
        _native.resume(self._opened(), route, 0)

    def resume(self, route: str, messages: Optional[int] = None) -> None:
        """Lets that many more of them come, then the route is paused again; None ends the pause."""
        _native.resume(self._opened(), route, message_count(messages))

    # ---- From the native half; all run in the event loop's thread ----

    def _make_error(self, result: int, code: int, text: str, peer: Optional[Peer],
                    details: Optional[Tuple[bytes, int]]) -> _errors.Error:
        return _errors.make(result, status=code, text=text, peer=peer.id if peer else None,
                            endpoint=peer.address if peer else None, details=details)

    def _background(self, coroutine: "Coroutine[Any, Any, Any]") -> None:
        assert self._loop is not None
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_event(self, kind: int, fields: Tuple[Any, ...]) -> None:
        if kind >= _PART_DATA:
            if kind <= _PART_PROGRESS:
                self._with_peer(fields[:1], Peer._on_part, kind, fields)
            elif kind <= _PART_PROGRESS + 2:  # QUESTION, ANSWER
                self._with_peer(fields, Peer._on_talk, kind)
            elif kind == _PROVED:
                self._with_peer(fields, self._deciding.on_proved)
        elif kind == _WRITABLE:
            self._with_peer(fields, Peer._on_writable)
        elif kind == _RECEIPT:
            self._with_peer(fields, Peer._on_receipt)
        elif kind == _PONG:
            self._with_peer(fields, Peer._on_pong)
        elif kind == _LOG:
            log_line(*fields)
        elif kind == _LISTENING:
            handle, address, ticket = fields
            listener = self._listeners[handle]
            listener.address, listener.ticket = address, ticket
            if not listener._future.done():
                listener._future.set_result(listener)
        elif kind == _LISTENER_CLOSED:
            self._on_listener_closed(*fields)
        elif kind == _ASKS:
            self._deciding.on_asks(*fields)
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

    def _on_listener_closed(self, handle: int, result: int, code: int, text: str, detail: str, endpoint: str,
                            *_: Any) -> None:
        listener = self._listeners.pop(handle)
        if not listener._future.done():
            listener._future.set_exception(_errors.make(result or 2, detail, endpoint=endpoint))
        listener._over.set_result(None)

    def _on_connected(self, handle: int, id: str, address: str, data: bytes, dialled: bool, suite: int,
                      clock_difference_ms: int) -> None:
        core = self._opened()
        peer: Optional[Peer] = core.get_peer(handle)
        if peer is None:
            peer = Peer(self, core, handle, None)
            core.add_peer(handle, peer)
        peer.id = id
        peer._on_connected(address, data, suite, clock_difference_ms)
        if dialled:
            return
        for queue in self._arrivals:
            queue.put_nowait(peer)
        if self.on_peer is not None:
            try:
                result = self.on_peer(peer)
                if asyncio.iscoroutine(result):
                    self._background(result)
            except Exception:
                logger.exception("on_peer failed for %s", id)

    def _on_closed(self, handle: int, result: int, code: int, text: str, detail: str, endpoint: str, id: str,
                   *_: Any) -> None:
        core = self._opened()
        peer: Optional[Peer] = core.get_peer(handle)
        core.remove_peer(handle)
        if peer is not None:
            peer._on_closed(_errors.make(result or 2, detail or ("" if result else "the peer was closed"), status=code, text=text, peer=peer.id or id,
                                         endpoint=endpoint or peer.address))

    def _on_node_closed(self, deadline_passed: bool, not_sent: int, outcome_unknown: int, exchanges: int, events_held: int,
                        callback_blocked: bool, blocking_route: str, peers: "List[Tuple[str, int, int, int]]") -> None:
        core = self._opened()
        for peer in core.peers:
            if not peer.closed:
                peer._on_closed(_errors.make(2, "the node was closed", peer=peer.id, endpoint=peer.address))
        for listener in list(self._listeners.values()):
            self._on_listener_closed(listener._handle, 2, 0, "", "the node was closed", listener.address)
        for queue in self._arrivals:
            queue.put_nowait(None)
        self._waits.lost(lambda: _errors.make(2, "the node was closed"))
        for task in [*core.tasks, *self._tasks]:
            cancel(task)
        core.forget()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(CloseReport(deadline_passed, not_sent, outcome_unknown, exchanges, events_held,
                                                callback_blocked, blocking_route, tuple(Undelivered(*p) for p in peers)))
