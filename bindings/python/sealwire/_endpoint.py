"""Endpoint: what a node is in either face: its options, what it does at once, and what the native half tells it."""

import warnings
from typing import Any, Callable, Dict, Generic, Iterable, List, Optional, Tuple, TypeVar, Union

from sealwire import _errors, _native
from sealwire._broadcast import find
from sealwire._carried import Metadata
from sealwire._deciding import Decisions
from sealwire._draft import Draft, draft
from sealwire._durations import limit, message_count, milliseconds, span
from sealwire._keys import Identity, PathLike, path_text
from sealwire._limits import ConnectionLimits, native_limits
from sealwire._log import log_line, native_level
from sealwire._outcome import fail, settle
from sealwire._rpc import ROUTE, Exposed
from sealwire._session import ANSWER, PART_DATA, PART_PROGRESS, QUESTION
from sealwire._topics import TOPIC_ASKS, TOPIC_LEFT, TOPIC_MESSAGE, Topics
from sealwire._types import AcceptData, CloseReport, Decide, Link, NodeStats, Undelivered
from sealwire._waits import WaitsBase
from sealwire._web import HttpRequest, asked

(_LISTENING, _LISTENER_CLOSED, _ASKS, _CONNECTED, _CLOSING, _CLOSED, _MESSAGE, _REPLY, _DONE, _WRITABLE, _RECEIPT, _PONG,
 _STALLED, _LOG, _NODE_CLOSED) = range(1, 16)  # of sw_event_type
_PROVED = 22
_PIPE_OUTPUT, _PIPE_CLOSED = 23, 25
_HTTP_REQUEST, _HTTP_UPGRADE = 26, 27
_LISTENER_PAUSED, _LISTENER_RESUMED = 31, 32
_LINKS = {28: "suspended", 29: "connecting", 30: "resumed"}
CUT: Tuple[Any, ...] = (True, 0, 0, 0, 0, False, "", [])  # the report of a node that cannot tell

Allow = Union[str, Iterable[str], Decide]
PeerT = TypeVar("PeerT")
RequestT = TypeVar("RequestT")
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


def _ids(ids: Iterable[str]) -> List[str]:
    try:
        return [_errors.text(id, "an id") for id in ids]
    except TypeError as error:
        raise _errors.of_argument(error)


def key_log_path(path: Optional[PathLike]) -> str:
    """The path of a key log, about which the one who makes the node is warned."""
    if path is None:
        return ""
    name = path_text(path)
    if not name:
        raise _errors.argument("key_log is an empty path")
    warnings.warn(f"key log: all that this node sends and receives can be read by whoever has {name}", RuntimeWarning, stacklevel=3)
    return name


class Endpoint(Generic[PeerT, RequestT]):
    """The base of sealwire.Node and sealwire.sync.Node."""

    _peer_class: Any
    _deciding: Decisions
    _waits: WaitsBase
    _pipes: Any
    route: Any  # the face's decorator

    def __init__(self, *, identity: Union[Identity, PathLike, None] = None, network: str = "", allow: Allow = (),
                 on_ask: Optional[Decide] = None, data: AcceptData = b"", application_data_bytes: int = 0,
                 on_peer: Optional[Callable[[PeerT], Any]] = None, request_timeout: float = 30.0,
                 handshake_timeout: Optional[float] = None, decision_timeout: Optional[float] = None,
                 send_queue_bytes: int = 0, max_message_bytes: int = 0, window_bytes: int = 0,
                 exchange_slots: int = 0, memory_bytes: int = 0, padding_bytes: int = 0, max_handlers: int = 0,
                 tell_errors: bool = False, on_error: Optional[Callable[[RequestT, Exception], Any]] = None,
                 key_log: Optional[PathLike] = None, several_sessions: bool = False,
                 connection_limits: Optional[ConnectionLimits] = None, lease: Optional[float] = None,
                 redial: Union[None, float, Tuple[float, float]] = None, heartbeat: Optional[float] = None, heartbeats: int = 0,
                 refresh: Optional[float] = None, max_suspended_per_address: float = 0,
                 on_link: Optional[Callable[[PeerT, Link], Any]] = None, loop_threads: int = 1, topics_per_peer: int = 0,
                 hub: bool = False, hubs: Iterable[str] = ()) -> None:
        if identity is not None and not isinstance(identity, Identity):
            identity = Identity.load(identity)
        self.identity = identity if identity is not None else Identity.generate()
        self.network = _errors.text(network, "network")
        self.request_timeout = request_timeout
        self.on_peer = on_peer
        self.on_link = on_link
        self.on_error = on_error
        if callable(allow):
            on_ask = allow
            allow = ()
        if isinstance(allow, str) and allow != "anyone":
            raise _errors.argument('allow is a list of ids, "anyone", or a function')
        self._access = 2 if allow == "anyone" else 1 if on_ask is None else 0  # of sw_access
        self._allowed: List[str] = [] if isinstance(allow, str) else _ids(allow)
        if isinstance(hubs, str):
            raise _errors.argument("hubs is a list of ids")
        first, longest = redial if isinstance(redial, tuple) else (redial, None)
        self._limits: Dict[str, Any] = {
            "connection_limits": native_limits(connection_limits),
            "key_log": key_log_path(key_log),
            "application_data_bytes": limit(application_data_bytes), "ask_allowed": int(callable(data)),
            "accept_data": b"" if callable(data) else data,
            "send_queue_bytes": _errors.whole(send_queue_bytes, "send_queue_bytes"),
            "max_message_bytes": _errors.whole(max_message_bytes, "max_message_bytes"),
            "window_bytes": _errors.whole(window_bytes, "window_bytes"), "exchange_slots": limit(exchange_slots),
            "padding_bytes": limit(padding_bytes), "several_sessions": int(_errors.truth(several_sessions, "several_sessions")),
            "lease_ms": span(lease), "heartbeat_ms": span(heartbeat), "heartbeat_count": limit(heartbeats), "refresh_ms": span(refresh),
            "redial_ms": span(first), "redial_max_ms": span(longest), "loop_threads": limit(loop_threads),
            "topics_per_peer": limit(topics_per_peer), "hub": int(_errors.truth(hub, "hub")), "hubs": _ids(hubs),
            "max_suspended_per_address": limit(max_suspended_per_address),
            "memory_bytes": _errors.whole(memory_bytes, "memory_bytes"),
            "handshake_timeout_ms": milliseconds(handshake_timeout),
            "decision_timeout_ms": milliseconds(decision_timeout), "request_timeout_ms": milliseconds(request_timeout)}
        self._core: Optional[_native.Core] = None
        self._exposed: Optional[Exposed] = None
        self._listeners: Dict[int, Any] = {}
        self._arrivals: List[Any] = []  # queues of who iterates over them
        self._topics = Topics()
        self._closed: Any = None  # settled with a CloseReport
        self._begin(on_ask, data, max_handlers, tell_errors)

    def _begin(self, on_ask: Optional[Decide], data: AcceptData, max_handlers: int, tell_errors: bool) -> None:
        """What the face needs."""

    @property
    def id(self) -> str:
        """This node's public key."""
        return self.identity.id

    def _open_core(self, core: _native.Core, descriptor: int) -> None:
        _native.open(core, descriptor, self.identity._native, self.network, self._access, self._allowed, native_level(),
                     self._limits)

    def _opened(self) -> _native.Core:
        if self._core is None:
            raise _errors.state("the node is not open: open it, or use it in a `with`")
        return self._core

    # ---- What needs no waiting ----

    def allow(self, ids: Iterable[str]) -> None:
        """Replaces the allow-list; connections that are up stay."""
        self._allowed = _ids(ids)
        if self._core is not None:
            _native.set_allowed(self._core, self._allowed)

    @property
    def peers(self) -> Tuple[PeerT, ...]:
        """Those that are connected."""
        return tuple(peer for peer in self._opened().peers if (peer.suite or peer.stream) and not peer.closed)

    def peer(self, id: str) -> Optional[PeerT]:
        """The one with that id among them, whichever side has dialled: `node.peer(id).send(...)`. None: there is none, or it is being closed
        by either side. A session that waits for another connection is there: what is sent waits, too. Of several sessions with one peer
        it is the one that came last. Peers of the channel "shs1" have no session, and are not found."""
        peer: Optional[PeerT] = find(self._opened(), id)
        return peer

    def stats(self) -> NodeStats:
        """What it has done since it was opened and has to do now, by name: sums over all peers, with those that have gone."""
        return self._opened().stats()

    def draft(self, route: str, *, kind: Optional[str] = None, metadata: Optional[Metadata] = None) -> Draft:
        """What many messages have in common, to be given in place of their route: `draft = node.draft("orders", metadata={...})`,
        `peer.send(draft, body)`. It is checked and encoded once, which saves most of what metadata cost. `kind` (bytes, utf8, json,
        messagepack or cbor) is that of all their bodies, where each may else say its own; bytes are then taken as JSON or UTF-8 that is
        encoded already. Metadata of a message come behind the draft's, 4 KiB in all. For the peers of this node alone."""
        return draft(self._opened(), route, kind, metadata)

    def pause(self, route: str) -> None:
        """Lets messages to a route that has a handler wait, of all peers, as `Peer.pause` does for one."""
        _native.resume(self._opened(), route, 0)

    def resume(self, route: str, messages: Optional[int] = None) -> None:
        """Lets that many more of them come, then the route is paused again; None ends the pause."""
        _native.resume(self._opened(), route, message_count(messages))

    def _expose(self, name: str, target: Any, with_request: bool, make: Callable[[], Exposed]) -> None:
        if self._exposed is None:
            self._exposed = make()
            self.route(ROUTE)(self._exposed.serve)
        self._exposed.add(name, target, with_request)

    def unexpose(self, name: str) -> None:
        """What is called so, or below it, can no more be called."""
        if self._exposed is not None:
            self._exposed.remove(name)

    # ---- From the native half ----

    def _add_peer(self, handle: int, connected: Any) -> Any:
        core = self._opened()
        peer = self._peer_class(self, core, handle, connected)
        core.add_peer(handle, peer)
        return peer

    def _on_event(self, kind: int, fields: Tuple[Any, ...]) -> None:
        if kind >= PART_DATA:
            if kind <= PART_PROGRESS:
                self._with_peer(fields[:1], "_on_part", kind, fields)
            elif TOPIC_MESSAGE <= kind <= TOPIC_LEFT:
                self._topics.on_event(self._opened(), kind, *fields)
            elif kind == TOPIC_ASKS:
                self._topics.rights.on_asks(self, self._opened(), *fields)
            elif kind in (QUESTION, ANSWER):
                self._with_peer(fields, "_on_talk", kind)
            elif _PIPE_OUTPUT <= kind <= _PIPE_CLOSED:
                self._pipes.on_event(kind, *fields)
            elif kind in (_HTTP_REQUEST, _HTTP_UPGRADE):
                self._on_http(kind, *fields)
            elif kind in (_LISTENER_PAUSED, _LISTENER_RESUMED):
                listener = self._listeners.get(fields[0])
                if listener is not None:
                    listener._on_paused(*fields[1:])
            elif kind in _LINKS:
                self._on_link(*fields)
            elif kind == _PROVED:
                peer = self._opened().get_peer(fields[0])
                if peer is not None:
                    self._deciding.on_proved(peer)
        elif kind == _WRITABLE:
            self._with_peer(fields, "_on_writable")
        elif kind == _RECEIPT:
            self._with_peer(fields, "_on_receipt")
        elif kind == _PONG:
            self._with_peer(fields, "_on_pong")
        elif kind == _MESSAGE:  # that waits in an inbox and converses
            self._with_peer(fields, "_begin_talk")
        elif kind == _DONE:  # of the peer, in no task
            self._with_peer(fields, "_end_talk")
        elif kind == _LOG:
            log_line(*fields)
        elif kind == _LISTENING:
            listener = self._listeners[fields[0]]
            listener.address, listener.ticket = fields[1:]
            settle(listener._ready, listener)
        elif kind == _LISTENER_CLOSED:
            self._on_listener_closed(*fields)
        elif kind == _ASKS:
            self._deciding.on_asks(*fields)
        elif kind == _CONNECTED:
            self._on_connected(*fields)
        elif kind == _CLOSING:
            peer = self._opened().get_peer(fields[0])
            if peer is not None:
                peer.closing = True
        elif kind == _CLOSED:
            self._on_closed(*fields)
        elif kind == _NODE_CLOSED:
            self._on_node_closed(*fields)

    def _with_peer(self, fields: Tuple[Any, ...], method: str, *more: Any) -> None:
        peer = self._opened().get_peer(fields[0])
        if peer is not None:
            getattr(peer, method)(*fields[1:], *more)

    def _on_listener_closed(self, handle: int, result: int, code: int, text: str, detail: str, endpoint: str,
                            *_: Any) -> None:
        listener = self._listeners.pop(handle)
        fail(listener._ready, _errors.make(result or 2, detail, endpoint=endpoint))
        settle(listener._over, None)

    def _on_link(self, handle: int, kind: int, result: int, detail: str, address: str, attempt: int, suspended_ms: int,
                 suite: int, pipe: int) -> None:
        peer = self._opened().get_peer(handle)
        if peer is None:
            return
        state = _LINKS[kind]
        peer.suspended = state != "resumed" and (peer.suspended or state == "suspended")
        if state == "resumed":
            peer.address, peer.suite = address, suite
            self._pipes.on_connected(pipe, peer)
        if self.on_link is not None:
            reason = _errors.make(result, detail, endpoint=address, peer=peer.id) if result else None
            self._call_on_link(peer, Link(state, reason, address, attempt, suspended_ms / 1000))

    def _call_on_link(self, peer: PeerT, link: Link) -> None:
        """`on_link`, as the face calls functions of the program."""

    def _on_connected(self, handle: int, id: str, address: str, data: bytes, dialled: bool, suite: int,
                      clock_difference_ms: int, pipe: int, streams: Optional[Tuple[int, int, int]]) -> None:
        peer = self._opened().get_peer(handle)
        if peer is None:
            peer = self._add_peer(handle, None)
        peer.id = id
        peer._on_connected(address, data, suite, clock_difference_ms, streams)
        if not dialled:
            self._pipes.on_connected(pipe, peer)
            for queue in self._arrivals:
                queue.put_nowait(peer)
            if self.on_peer is not None:
                self._call_on_peer(peer)
        self._topics.on_connected(peer)

    def _on_http(self, kind: int, handle: int, number: int, *more: Any) -> None:
        listener = self._listeners.get(handle)
        request, function = asked(kind, None if listener is None else listener._http, *more)
        self._answer_http(handle, number, kind == _HTTP_UPGRADE, function, request)

    def _answer_http(self, listener: int, number: int, upgrade: bool, function: Any, request: HttpRequest) -> None:
        """As the face calls functions of the program."""

    def _call_on_peer(self, peer: PeerT) -> None:
        """`on_peer`, as the face calls functions of the program."""

    def _on_closed(self, handle: int, result: int, code: int, text: str, detail: str, endpoint: str, id: str,
                   not_sent: int, outcome_unknown: int, instead: int) -> None:
        core = self._opened()
        peer = core.get_peer(handle)
        core.remove_peer(handle)
        self._topics.rights.on_closed(handle)
        if peer is not None:
            peer.instead = core.get_peer(instead)
            peer._on_closed(_errors.make(result or 2, detail or ("" if result else "the peer was closed"), status=code,
                                         text=text, peer=peer.id or id, endpoint=endpoint or peer.address))

    def _on_node_closed(self, deadline_passed: bool, not_sent: int, outcome_unknown: int, exchanges: int, events_held: int,
                        callback_blocked: bool, blocking_route: str, peers: "List[Tuple[str, int, int, int]]") -> None:
        core = self._opened()
        for peer in core.peers:
            if not peer.closed:
                peer._on_closed(_errors.make(2, "the node was closed", peer=peer.id, endpoint=peer.address))
        for listener in list(self._listeners.values()):
            self._on_listener_closed(listener._handle, 2, 0, "", "the node was closed", listener.address)
        self._pipes.lost()
        self._topics.lost()
        for queue in self._arrivals:
            queue.put_nowait(None)
        self._waits.lost(lambda: _errors.make(2, "the node was closed"))
        self._on_over(core)
        core.forget()
        settle(self._closed, CloseReport(deadline_passed, not_sent, outcome_unknown, exchanges, events_held, callback_blocked,
                                         blocking_route, tuple(Undelivered(*p) for p in peers)))

    def _on_over(self, core: _native.Core) -> None:
        """Its last event was seen."""
