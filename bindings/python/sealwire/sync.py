"""Sealwire for programs without an event loop: the names of `sealwire`, with calls that wait.

    from sealwire import sync

    with sync.Node(network="demo") as node:
        print(node.connect(ticket).request("greet", {"name": "Ada"}).json())

One thread of the package for each node carries its events; every call may be made from any thread, and each waits for its own. Handlers
are plain functions, run by the threads that `serve`.
"""

import atexit
import queue
import threading
import time
import warnings
import weakref
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Union

from sealwire import _errors, _native
from sealwire._codecs import encode
from sealwire._deciding import data_bytes
from sealwire._duplex import channel_of
from sealwire._durations import limit, milliseconds
from sealwire._endpoint import Endpoint, HandlerT
from sealwire._keys import Ticket
from sealwire._limits import ConnectionLimits, door
from sealwire._outcome import Outcome
from sealwire._pipes import Pipes
from sealwire._received import Buffer
from sealwire._replies import leave
from sealwire._rpc import Exposed
from sealwire._sending import Answer
from sealwire._sync_broadcast import Broadcasts
from sealwire._sync_duplex import Duplex
from sealwire._sync_inbox import Listener, Messages
from sealwire._sync_messages import Reply, Request
from sealwire._sync_parts import Part, make_parts
from sealwire._sync_peer import Peer
from sealwire._sync_pipes import Carried
from sealwire._sync_replies import Replies, Results
from sealwire._sync_serve import Deciding, Middleware, Route, Serving, aside, make_error, nothing, weakly
from sealwire._sync_streams import File, Stream
from sealwire._sync_talk import Conversation, Said, Talk
from sealwire._sync_topic import Dropped, Joins, Member, Topic, TopicMessage
from sealwire._sync_waits import Filter, Waits
from sealwire._tls import Tls, native_tls
from sealwire._types import AcceptData, CloseReport, Decide, HelloData, Link
from sealwire._web import Http, HttpRequest, answer

__all__ = ["Answer", "Conversation", "Dropped", "Duplex", "File", "Listener", "Member", "Messages", "Node", "Part", "Peer", "Replies", "Reply", "Request", "Results",
           "Said", "Stream", "Talk", "Topic", "TopicMessage"]

_CUT = CloseReport(True, 0, 0, 0, 0, False, "", ())
_live: "weakref.WeakSet[Node]" = weakref.WeakSet()


class _Exposed(Exposed):
    def _each(self, results: Any, kind: str) -> Any:
        return (encode(one, kind) for one in results)


class Node(Endpoint[Peer, Request], Joins, Broadcasts):
    """A program's endpoint. Used as `with sealwire.sync.Node(...) as node:`.

    Arguments are those of sealwire.Node, but that functions are plain ones: `on_ask`, `data`, `on_peer`, `on_link` and `on_error` are each called in a
    thread that may wait. As many handlers run as threads serve, at most `max_handlers`.
    """

    _peer_class = Peer
    _listeners: Dict[int, Listener]
    _closed: Outcome
    _deciding: Deciding
    _waits: Waits

    def _begin(self, on_ask: Optional[Decide], data: AcceptData, max_handlers: int, tell_errors: bool) -> None:
        self._mutex = threading.RLock()  # held while events are handled, and by calls that must not miss one
        self._rooms = threading.Condition(self._mutex)
        self._closed = Outcome()
        self._deciding = Deciding(self, on_ask, data)
        self._serving = Serving(self, max_handlers, tell_errors)
        self._waits = Waits(self)
        self._pipes = Pipes()
        self._thread: Optional[threading.Thread] = None
        self._clock = time.monotonic

    # ---- Life ----

    def open(self) -> "Node":
        """Opens the node; `with` does it."""
        with self._mutex:
            if self._core is not None:
                raise _errors.state("this node was opened already")
            core = _native.Core(None, weakly(self._on_event), nothing, nothing, make_error, nothing, make_parts, _on_cancelled)
            core.set_face(Request, Reply, Said, Outcome, TopicMessage)
            self._open_core(core, -1)
            self._core = core
            self._serving.open(core)
            self._waits.open(core, self._serving)
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
            with self._mutex:
                self._topics.free()
            try:
                _native.shutdown(self._core, milliseconds(deadline))
            except _errors.ForkedError:
                self._closed.set_result(_CUT)  # it goes on in the parent alone
            except _errors.StateError:
                pass
        with self._mutex:
            carried = [each for each in self._pipes.all.values() if isinstance(each, Carried)]
        report: CloseReport = self._closed.result()
        end = self._clock() + deadline
        for each in carried:  # whose last bytes are on their way
            each.wait_finished(max(end - self._clock(), 0))
        return report

    def __del__(self) -> None:
        core = getattr(self, "_core", None)
        if core is not None and not self._closed.done():
            self._pipes.lost()
            with self._mutex:
                self._topics.lost()
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning)  # its core ends it

    def __repr__(self) -> str:
        return f"<sealwire.sync.Node {self.id[:8]}>"

    # ---- Reaching others ----

    def listen(self, url: str, *, unix_mode: int = 0, max_handshakes: float = 0, max_handshakes_per_address: float = 0,
               handshakes_per_second: float = 0, handshake_burst: float = 0, handshake_share_percent: float = 0,
               channel: str = "sealwire", shs_network: Optional[Buffer] = None, http: Optional[Http] = None,
               connection_limits: Optional[ConnectionLimits] = None, allow_addresses: Iterable[str] = (),
               deny_addresses: Iterable[str] = (), tls: Optional[Tls] = None) -> Listener:
        """tcp://host:port or tls://host:port (port 0: any), unix:///path, unix:@name, ws://host:port/path or wss://host:port/path; as `listen` of
        sealwire.Node."""
        limits = {"unix_mode": limit(unix_mode), "max_handshakes": limit(max_handshakes),
                  "max_handshakes_per_address": limit(max_handshakes_per_address),
                  "handshakes_per_second": limit(handshakes_per_second), "handshake_burst": limit(handshake_burst),
                  "handshake_share_percent": limit(handshake_share_percent),
                  **door(connection_limits, allow_addresses, deny_addresses)}
        core = self._opened()
        with self._mutex:
            listener = Listener(_native.listen(core, _errors.text(url, "url"), limits, channel_of(channel, shs_network),
                                               None if http is None else http._options, native_tls(tls)), http)
            self._listeners[listener._handle] = listener
        listener._ready.result()
        return listener

    def connect(self, ticket: Union[str, Ticket], *, timeout: Optional[float] = None, data: HelloData = b"",
                channel: str = "sealwire", shs_network: Optional[Buffer] = None, tls: Optional[Tls] = None) -> Peer:
        """Connects and proves keys both ways. `timeout` (20 s by default) covers all of it. `tls`, `data`, and that a session
        which is up is returned: as of sealwire.Node."""
        core = self._opened()
        ticket = _errors.text(str(ticket) if isinstance(ticket, Ticket) else ticket, "ticket")
        outcome = Outcome()
        with self._mutex:
            handle = _native.connect(core, ticket, milliseconds(timeout), None if callable(data) else data_bytes(data),
                                     channel_of(channel, shs_network), native_tls(tls))
            peer: Peer = self._add_peer(handle, outcome)
            peer.id = Ticket.parse(ticket).id
            if callable(data):
                self._deciding.hellos[handle] = data
        return self._wait_connected(peer, handle, outcome)

    def _wait_connected(self, peer: Peer, handle: int, outcome: Outcome) -> Peer:
        try:
            connected: Peer = outcome.result()
            return connected
        except KeyboardInterrupt:
            peer._drop()
            raise
        finally:
            self._deciding.hellos.pop(handle, None)

    def connect_pipe(self, id: str, reader: Any, writer: Any, *, address: str = "", buffer_bytes: int = 0,
                     timeout: Optional[float] = None, data: HelloData = b"", channel: str = "sealwire",
                     shs_network: Optional[Buffer] = None) -> Peer:
        """Connects over what `reader` and `writer` lead to: sockets, binary files (those of a child process), or objects with `read(n)`,
        which waits and gives nothing at the end, and `write(bytes)`. A thread reads and
        another one writes; both are closed at the end. All else as of sealwire.Node."""
        core = self._opened()
        id = _errors.text(id, "an id")
        carried = Carried(reader, writer, _errors.text(address, "address"))
        outcome = Outcome()
        with self._mutex:
            pipe, handle = _native.connect_pipe(core, id, carried.address, limit(buffer_bytes), milliseconds(timeout),
                                                None if callable(data) else data_bytes(data),
                                                channel_of(channel, shs_network))
            peer: Peer = self._add_peer(handle, outcome)
            peer.id = id
            if callable(data):
                self._deciding.hellos[handle] = data
            self._pipes.add(pipe, carried)
        return self._wait_connected(peer, handle, outcome)

    def accept_pipe(self, reader: Any, writer: Any, *, address: str = "", buffer_bytes: int = 0,
                    listener: Optional[Listener] = None, channel: str = "sealwire",
                    shs_network: Optional[Buffer] = None) -> Peer:
        """Waits for who connects at the other end of such a pipe, and is let in as by a listener; as of sealwire.Node."""
        core = self._opened()
        carried = Carried(reader, writer, _errors.text(address, "address"))
        carried.accepted = Outcome()
        with self._mutex:
            pipe = _native.accept_pipe(core, carried.address, limit(buffer_bytes), 0 if listener is None else listener._handle,
                                       channel_of(channel, shs_network))
            self._pipes.add(pipe, carried)
        try:
            peer: Peer = carried.accepted.result()
            return peer
        except KeyboardInterrupt:
            carried.give_up()
            raise

    def arrivals(self) -> Iterator[Peer]:
        """Every peer that connects to this node once the iteration has begun."""
        came: "queue.SimpleQueue[Optional[Peer]]" = queue.SimpleQueue()
        with self._mutex:
            if self._closed.done():
                return
            self._arrivals.append(came)
        try:
            while True:
                peer = came.get()
                if peer is None:
                    return
                yield peer
        finally:
            with self._mutex:
                self._arrivals.remove(came)

    # ---- Handlers ----

    def route(self, route: str = "", *, use: Sequence[Middleware] = (), max_handlers: int = 0,
              tell_errors: bool = False) -> Callable[[HandlerT], HandlerT]:
        """Decorator: the plain function handles messages to `route` ("" stands for all that have no other), called by the threads that
        serve. What it returns is the reply, as in sealwire.Node; what a generator yields are several. Messages that no thread has
        taken wait, and their senders with them. `use`, `max_handlers` and `tell_errors` as of sealwire.Node."""
        if not isinstance(route, str):
            raise _errors.ArgumentTypeError(1, 'write @node.route("name")')

        def register(handler: HandlerT) -> HandlerT:
            with self._mutex:
                self._serving.add(Route(route, handler, use, max_handlers, tell_errors))
            return handler

        return register

    def use(self, middleware: HandlerT) -> HandlerT:
        """Decorator: `def middleware(request, next)` stands around every handler of this node; `next()` is what lies within, and what it
        returns is the answer. The first that was added is the outermost."""
        self._serving.middleware.append(middleware)
        return middleware

    def expose(self, name: str, target: Any, *, with_request: bool = False) -> None:
        """Lets peers call `target` by `name`; as `expose` of sealwire.Node, for plain functions."""
        self._expose(name, target, with_request, _Exposed)

    def messages(self, route: str) -> Messages:
        """The messages to `route`, to be iterated over in place of a handler."""
        return Messages(self, route)

    def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """Waits for a message or request to `route` that `filter`, a function of it, accepts; as `wait_for` of sealwire.Node. A filter is
        called by the thread that carries the node's events: it must not wait for the node."""
        return self._waits.wait(route, filter, timeout, None)

    def serve(self, timeout: Optional[float] = None) -> None:
        """Runs handlers in this thread until the node is closed, or the time (seconds) is over; Ctrl-C ends it by KeyboardInterrupt. As
        many threads as wanted may serve, and each runs one handler at a time."""
        self._opened()
        self._serving.run(None if timeout is None else self._clock() + timeout)

    def serve_in_background(self, threads: int = 1) -> "Node":
        """So many threads that serve, until the node is closed."""
        self._opened()
        for number in range(threads):
            threading.Thread(target=self.serve, name=f"sealwire serve {number}", daemon=True).start()
        return self

    # ---- From the native half, in the node's own thread and with its lock ----

    def _answer_http(self, listener: int, number: int, upgrade: bool, function: Any, request: HttpRequest) -> None:
        aside(answer, listener, number, upgrade, function, request)

    def _call_on_link(self, peer: Peer, link: Link) -> None:
        assert self.on_link is not None
        aside(self.on_link, peer, link)

    def _call_on_peer(self, peer: Peer) -> None:
        assert self.on_peer is not None
        aside(self.on_peer, peer)

    def _on_node_closed(self, *report: Any) -> None:
        super()._on_node_closed(*report)
        self._serving.wake()

    def _drain(self) -> None:
        with self._mutex:
            core = self._core
            if core is not None and not core.over:
                core.drain()


def _on_cancelled(request: Request, _task: object) -> None:
    """One that was waited for: its requester has gone."""
    if request.converses:
        request.peer._end_talk(request.number)
    leave(request, True)


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
