"""Node: an endpoint of ours in an asyncio program, with its listeners, peers and handlers."""

import asyncio
import warnings
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Dict, Iterable, List, Optional, Sequence, Tuple, TypeVar, Union

from sealwire import _errors, _native
from sealwire._broadcast import Broadcasts
from sealwire._deciding import Deciding, data_bytes
from sealwire._duplex import channel_of
from sealwire._durations import limit, milliseconds
from sealwire._endpoint import CUT, Endpoint, HandlerT
from sealwire._handling import Handling, cancel
from sealwire._inbox import Messages
from sealwire._keys import Ticket
from sealwire._limits import ConnectionLimits, door
from sealwire._listener import Listener
from sealwire._log import fields, logger
from sealwire._messages import Request
from sealwire._peer import Peer
from sealwire._pipes import Carried, Pipes, Piping
from sealwire._pump import Pump
from sealwire._parts import make_parts
from sealwire._received import Buffer
from sealwire._router import Middleware, Route, Router
from sealwire._rpc import Exposed
from sealwire._tls import Tls, native_tls
from sealwire._topic import Joins
from sealwire._types import AcceptData, CloseReport, Decide, HelloData, Link
from sealwire._waits import Waiting, Waits
from sealwire._web import Http, HttpRequest, answer_async

MiddlewareT = TypeVar("MiddlewareT", bound=Callable[..., Any])


async def _later(result: Any) -> Any:
    return result


class Node(Endpoint[Peer, Request], Handling, Waiting, Piping, Joins, Broadcasts):
    """A program's endpoint. Used as `async with sealwire.Node(...) as node:`.

    identity  an Identity, the path of a key file, or None for a new key of this node only
    network   name or secret (`network_new()`) of the network; others meet only nodes of the same
    allow     who may connect: ids, "anyone", or a function as `on_ask`; by default nobody may
    on_ask    decides about those who are not on the list: a function (plain or async) of an Asking that returns True,
              Accept(data), False or Reject(status, text)
    data      what the application of a peer that is let in is told: bytes, or a function (plain or async) of an Asking that makes
              them for it; at most 60 KiB, of which it takes `application_data_bytes` of its own, 2 KiB by default
    on_peer   called with each peer that has connected; what it returns, if a coroutine, becomes a task
    on_link   called with a peer and a Link when it is dialled, its connection breaks, is dialled again and when the session goes on;
              likewise
    on_error  called with the request and the exception of a handler that is no Status, in place of the log: a function, plain or
              async, whose result, unless None, is the answer, and which may raise Status
    max_handlers, tell_errors  as those of `route`, over all of them; the former counts handlers that wait for something
    connection_limits  how many connections may come in, ConnectionLimits
    several_sessions  any number of sessions with one peer; by default there is one, whoever dials (see connect)
    lease     for how long a session is kept whose connection broke; the side that has dialled dials again meanwhile, and nothing is
              lost. Default 60; 0: it ends with its connection
    redial    the longest wait before the first such dial, doubled for each further one, or (first, longest); default (0.25, 30)
    heartbeat, heartbeats  after how long without a sign of the peer it is asked for one (15), and how many times as long it takes
              until the connection is given up (3); heartbeat 0: never
    max_suspended_per_address  how many such sessions are kept of peers that dialled from one address and are on no list; default 16,
              also for loopback only where it is given; NEVER: any number
    refresh   after how long a connection is replaced by one with fresh keys; default 7,200; 0: never
    loop_threads   on which peers are spread, each staying on one; default 1, at most 64. Handlers run where they always do
    topics_per_peer  that a peer may have joined here; default 1,024, at most 1,048,576
    hub       this node passes on what its peers publish to a topic, to those of its other peers that have joined the same, by tags: it
              knows no name that it has not joined, and cannot read what has a secret. Several that name each other are one. On a hub slow
              "block" is "drop_oldest"; what does not leave for a slow peer, 4 MiB a topic, is told in the log
    hubs      ids of the peers that are hubs for this node: what it publishes these pass on, and what they pass on it takes. Others are
              refused, and both sides' logs say so. A hub could keep messages back, and of topics without a secret say what it likes
    memory_bytes   that all peers may use together beyond what each is granted at first; default 1 GiB, at least 1 MiB
    padding_bytes  what is sent is filled up to multiples of 64, 256, 1024 or 4096 bytes, so that sizes tell less
    key_log   FOR DEBUGGING ONLY: the path of a file that gets the keys of all sessions (docs/PROTOCOL.md, "Key log"). Whoever has it can
              read everything that was recorded of them. Appended to, created with mode 0600; a RuntimeWarning says that it is on
    Durations are in seconds; the limits are those of sw_node_options in sealwire.h.
    """

    _peer_class = Peer
    _listeners: Dict[int, Listener]
    _closed: "Optional[asyncio.Future[CloseReport]]"
    _deciding: Deciding
    _waits: Waits

    def _begin(self, on_ask: Optional[Decide], data: AcceptData, max_handlers: int, tell_errors: bool) -> None:
        self._deciding = Deciding(self, on_ask, data)
        self._pump: Optional[Pump] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._router = Router(self, max_handlers, tell_errors)
        self._waits = Waits()
        self._pipes = Pipes()
        self._tasks: "set[asyncio.Task[Any]]" = set()

    # ---- Life ----

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
            self._open_core(core, pump.sender.fileno())
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
            self._topics.free()
            try:
                _native.shutdown(self._core, milliseconds(deadline))
            except _errors.ForkedError:
                self._on_node_closed(*CUT)  # it goes on in the parent alone
            except _errors.StateError:
                pass
        carried = [each for each in self._pipes.all.values() if isinstance(each, Carried)]
        report = await asyncio.shield(self._closed)
        if carried:  # whose last bytes are on their way
            await asyncio.wait([asyncio.ensure_future(each.wait_finished()) for each in carried], timeout=deadline)
        return report

    def __del__(self) -> None:
        core, pump = getattr(self, "_core", None), getattr(self, "_pump", None)
        if core is None or pump is None or core.over:
            return
        core.forget()
        self._pipes.lost()
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
        self._on_node_closed(*CUT)

    # ---- Reaching others ----

    async def listen(self, url: str, *, unix_mode: int = 0, max_handshakes: float = 0,
                     max_handshakes_per_address: float = 0, handshakes_per_second: float = 0, handshake_burst: float = 0,
                     handshake_share_percent: float = 0, channel: str = "sealwire",
                     shs_network: Optional[Buffer] = None, http: Optional[Http] = None,
                     connection_limits: Optional[ConnectionLimits] = None, allow_addresses: Iterable[str] = (),
                     deny_addresses: Iterable[str] = (), tls: Optional[Tls] = None) -> Listener:
        """tcp://host:port or tls://host:port (port 0: any), unix:///path, unix:@name, ws://host:port/path or wss://host:port/path, whose port answers HTTP
        as well, as `http` says. `tls` is for tls:// and wss://, and needed there.

        The limits of handshakes are those of sw_listen_options in sealwire.h: 0 is the default, NEVER none. Those by address
        (at once 16, 20 a second, 5 at once before that pace holds) are for loopback only when they are set. `channel` "shs1": by the
        published Secret Handshake, for its deployed peers, with `shs_network`, the 32 bytes that all of them know; they have one
        stream each way, `peer.stream`, and no session.

        `connection_limits` count for this listener beside those of the node. `allow_addresses` and `deny_addresses` say from where one
        may connect: addresses, or ranges as "192.0.2.0/24"; who is in one that is denied, or in none where some are allowed, is
        closed without a word. `set_addresses` of the listener changes them.
        """
        limits = {"unix_mode": limit(unix_mode), "max_handshakes": limit(max_handshakes),
                  "max_handshakes_per_address": limit(max_handshakes_per_address),
                  "handshakes_per_second": limit(handshakes_per_second), "handshake_burst": limit(handshake_burst),
                  "handshake_share_percent": limit(handshake_share_percent),
                  **door(connection_limits, allow_addresses, deny_addresses)}
        core, loop = self._opened(), asyncio.get_running_loop()
        future: asyncio.Future[Listener] = loop.create_future()
        handle = _native.listen(core, _errors.text(url, "url"), limits, channel_of(channel, shs_network),
                                None if http is None else http._options, native_tls(tls))
        self._listeners[handle] = Listener(handle, future, http)
        return await future

    async def connect(self, ticket: Union[str, Ticket], *, timeout: Optional[float] = None, data: HelloData = b"",
                      channel: str = "sealwire", shs_network: Optional[Buffer] = None,
                      tls: Optional[Tls] = None) -> Peer:
        """Connects and proves keys both ways. `timeout` (20 s by default) covers all of it. `data` are for the other application: bytes,
        or a function (plain or async) that makes them when the peer has proved its id, which it is called with. There is one session
        with each peer, unless both nodes have `several_sessions`: with one that is up, or that comes up meanwhile, dialled by
        either side, this returns its Peer. To have a new one, close that first. `channel` and `shs_network` are those of the listener,
        and with "shs1" each call makes a connection of its own, which takes no `data`. `tls` is for tls:// and wss://; without it the
        system's CAs are trusted."""
        core, loop = self._opened(), asyncio.get_running_loop()
        future: asyncio.Future[Peer] = loop.create_future()
        ticket = _errors.text(str(ticket) if isinstance(ticket, Ticket) else ticket, "ticket")
        handle = _native.connect(core, ticket, milliseconds(timeout), None if callable(data) else data_bytes(data),
                                 channel_of(channel, shs_network), native_tls(tls))
        peer: Peer = self._add_peer(handle, future)
        peer.id = Ticket.parse(ticket).id
        if callable(data):
            self._deciding.hellos[handle] = data
        try:
            return await future
        except asyncio.CancelledError:
            peer._drop()
            raise
        finally:
            self._deciding.hellos.pop(handle, None)

    async def arrivals(self) -> "AsyncIterator[Peer]":
        """Every peer that connects to this node once the iteration has begun."""
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
        self._expose(name, target, with_request, Exposed)

    def messages(self, route: str) -> Messages:
        """The messages to `route`, to be iterated over in place of a handler."""
        return Messages(self, self._opened(), route)

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

    def _answer_http(self, listener: int, number: int, upgrade: bool, function: Any, request: HttpRequest) -> None:
        self._background(answer_async(listener, number, upgrade, function, request))

    def _call_on_link(self, peer: Peer, link: Link) -> None:
        assert self.on_link is not None
        try:
            result = self.on_link(peer, link)
            if asyncio.iscoroutine(result):
                self._background(result)
        except Exception:
            logger.exception("on_link failed for %s", peer.id, extra=fields(peer))

    def _call_on_peer(self, peer: Peer) -> None:
        assert self.on_peer is not None
        try:
            result = self.on_peer(peer)
            if asyncio.iscoroutine(result):
                self._background(result)
        except Exception:
            logger.exception("on_peer failed for %s", peer.id, extra=fields(peer))

    def _on_over(self, core: _native.Core) -> None:
        for task in [*core.tasks, *self._tasks]:
            cancel(task)
