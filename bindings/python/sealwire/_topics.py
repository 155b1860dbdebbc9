"""Topics: what both faces know of joins, of members and of messages; and the events of a node that belong to them."""

import inspect
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Literal, Optional, Tuple

from sealwire import _errors, _native
from sealwire._messages import BodyLike, Readable
from sealwire._outcome import fail, settle
from sealwire._topic_rules import TopicRights

(TOPIC_MESSAGE, _JOINED, _MEMBER_JOINED, _MEMBER_LEFT, _REFUSED, _WRITABLE, _DROPPED, TOPIC_LEFT, TOPIC_ASKS) = range(33, 42)  # of sw_event_type

# What becomes of messages for a member that does not keep up: the oldest or the newest are dropped, who publishes waits, or its session ends.
Slow = Literal["drop_oldest", "drop_newest", "block", "disconnect"]
_SLOWS = ("drop_oldest", "drop_newest", "block", "disconnect")  # of sw_slow


def options(slow: str, queue_bytes: int, credit_bytes: int, publish_only: bool, keep_last: bool, want_last: bool,
            secret: Optional[str] = None) -> Tuple[int, int, int, bool, bool, bool, Optional[str]]:
    """Those of a join, as the native half has them."""
    if secret is not None:
        _native.topic_secret_check(_errors.text(secret, "secret"))  # "" is none, which a program that means to have one is told
    if slow not in _SLOWS:
        raise _errors.argument(f"slow is none of {', '.join(_SLOWS)}")
    return (_SLOWS.index(slow), _errors.whole(queue_bytes, "queue_bytes"), _errors.whole(credit_bytes, "credit_bytes"),
            _errors.truth(publish_only, "publish_only"), _errors.truth(keep_last, "keep_last"), _errors.truth(want_last, "want_last"), secret)


def _face(one: object) -> str:
    return "sealwire.sync" if "_sync_" in type(one).__module__ else "sealwire"


class Published(Readable, _native.TopicMessage):
    """A message of a topic, in either face."""

    __slots__ = ()

    @property
    def publisher(self) -> str:
        """Id of who published it: the peer's, proved by the handshake, or of a topic with a secret that of whoever has signed it. Where a hub
        passed it on (`passed_on`) and there is no secret it is the hub's."""
        id: str = self._signer or self.peer.id
        return id

    def __repr__(self) -> str:
        last = " last value" if self.last_value else ""
        return f"<{_face(self)}.TopicMessage {self.topic!r} {self.number} of {self.publisher[:8]}{last}>"


class Join:
    """The base of the faces' Topic."""

    __slots__ = ("name", "joined", "refused", "refusal", "on_joined", "on_left", "on_dropped", "on_refused", "_node", "_core", "_handle",
                 "_joining", "_present", "_ready", "_leaving", "_reason", "_publish_only", "__weakref__")
    _member: Any  # the face's Member
    _drop: Any  # ... and its Dropped

    def __init__(self, node: Any, core: _native.Core, name: str, options: Tuple[Any, ...], calls: Tuple[Any, ...], joining: Any) -> None:
        for function in calls:
            if function is not None and not callable(function):
                raise _errors.ArgumentTypeError(1, f"on_joined, on_left, on_dropped and on_refused are functions, not {type(function).__name__}")
        self.name = name
        self.joined = 0
        self.refused = 0
        self.refusal: Optional[_errors.Error] = None
        self.on_joined, self.on_left, self.on_dropped, self.on_refused = calls
        self._node = node
        self._core = core
        self._joining = joining  # settled when it is joined
        self._present: Dict[int, Any] = {}  # members, by the handles of their peers
        self._ready: Deque[Any] = deque()  # messages that were left when its last event came
        self._leaving = False
        self._reason: Optional[_errors.Error] = None  # once it was left
        self._publish_only: bool = options[3]
        self._handle = core.join_topic(_errors.text(name, "a topic"), *options)
        node._topics.all[self._handle] = self

    @property
    def closed(self) -> bool:
        """It was left, and nothing comes any more."""
        return self._reason is not None

    def __repr__(self) -> str:
        return f"<{_face(self)}.Topic {self.name!r}{' closed' if self.closed else ''}>"

    def members(self) -> List[Any]:
        return list(self._present.values())

    # ---- Publishing ----

    def _publish(self, body: BodyLike, to: Any, filter: Optional[Callable[[Any], Any]]) -> Optional[int]:
        """For how many members it is; None: there is no room."""
        if self._leaving or self._reason is not None:
            raise self._ended()
        if to is None and filter is None:
            return self._core.publish(self._handle, body, 0, None)
        return self._core.publish(self._handle, body, self._whom(to), None if filter is None else self._chosen(filter))

    def _whom(self, to: Any) -> int:
        if to is None:
            return 0
        if getattr(to, "node", None) is not self._node:
            raise _errors.ArgumentTypeError(1, "to is a Peer of this node")
        if to.closed:
            raise _errors.of_call(3, "", to)
        handle: int = to._handle
        return handle

    def _chosen(self, filter: Callable[[Any], Any]) -> List[int]:
        """Asks about those who are there now: `on_joined` may not have been called for them yet."""
        if not callable(filter) or inspect.iscoroutinefunction(filter):
            raise _errors.ArgumentTypeError(1, "filter is a plain function of a Member")
        chosen = []
        for handle, publisher, hub in self._core.topic_members(self._handle):
            peer = self._core.get_peer(handle)
            if not publisher and peer is not None and peer.suite and filter(self._member(peer.id, peer, False, hub)):
                chosen.append(handle)
        return chosen

    def _ended(self) -> _errors.Error:
        return _errors.make(3, f"the topic {self.name} was left") if self._reason is None else \
            _errors.make(self._reason.result, self._reason.detail)

    # ---- Reading ----

    def _check_reads(self) -> None:
        if self._publish_only:
            raise _errors.state(f"the topic {self.name} was joined with publish_only: nothing is delivered here")

    def _next(self) -> Any:
        """The first that has come, or None; it counts as taken by that."""
        self._check_reads()
        return self._ready.popleft() if self._ready else self._core.next_message(self._handle)

    def _take(self, most: int) -> List[Any]:
        """Up to so many."""
        self._check_reads()
        if not self._ready:
            return self._core.take_topic(self._handle, most)
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    # ---- The end ----

    def _begin_leave(self) -> None:
        if not self._leaving and self._reason is None:
            self._core.leave_topic(self._handle)
            self._leaving = True
            self._core.free_topic(self._handle)
            self._wake()

    # ---- From the node ----

    def _wake(self) -> None:
        """Messages have come, there is room again, or it is over: who waits for that looks."""

    def _call(self, function: Any, *arguments: Any) -> None:
        """As the face calls functions of the program; None is none."""

    def _on_member_joined(self, handle: int, peer: Any, publisher: bool, hub: bool) -> None:
        member = self._present[handle] = self._member(peer.id, peer, publisher, hub)
        self._call(self.on_joined, member)

    def _on_member_left(self, handle: int) -> None:
        member = self._present.pop(handle, None)
        if member is not None:
            self._call(self.on_left, member)

    def _on_dropped(self, peer: Any, count: int, bytes: int, hub: bool) -> None:
        self._call(self.on_dropped, self._drop(peer, count, bytes, hub))

    def _on_left(self, reason: _errors.Error) -> None:
        self._ready.extend(self._core.end_topic(self._handle))
        self._reason = reason
        self._present.clear()
        fail(self._joining, self._ended())
        self._wake()


class Topics:
    """The joins of a node, in either face."""

    def __init__(self) -> None:
        self.all: Dict[int, Any] = {}
        self.closing = False  # the node is
        self.rights = TopicRights()
        self._early: Dict[int, List[Tuple[Any, bool, bool]]] = {}  # members whose connection is told of next, by the handles of their peers

    def named(self, name: str) -> List[Any]:
        return [topic for topic in self.all.values() if topic.name == name]

    def on_event(self, core: _native.Core, kind: int, handle: int, *fields: Any) -> None:
        topic = self.all.get(handle)
        if topic is None:
            return
        if kind in (TOPIC_MESSAGE, _WRITABLE):
            topic._wake()
        elif kind == TOPIC_LEFT:
            self._left(topic)
        else:
            self._told(core, kind, topic, *fields)

    def _told(self, core: _native.Core, kind: int, topic: Any, handle: int, id: str, result: int, code: int, publisher: bool, refused: int,
              count: int, bytes: int, hub: bool) -> None:
        peer = core.get_peer(handle)
        if kind == _JOINED:
            topic.joined, topic.refused = count, refused
            topic.refusal = _errors.make(result, status=code) if result else None
            settle(topic._joining, topic)
        elif kind == _MEMBER_JOINED:
            if peer is not None and peer.suite:
                topic._on_member_joined(handle, peer, publisher, hub)
            else:
                self._early.setdefault(handle, []).append((topic, publisher, hub))
        elif kind == _MEMBER_LEFT:
            topic._on_member_left(handle)
            if handle in self._early:
                self._early[handle] = [one for one in self._early[handle] if one[0] is not topic]
        elif kind == _DROPPED:
            if handle in topic._present:
                peer = topic._present[handle].peer  # which may be closed already
            if peer is not None:
                topic._on_dropped(peer, count, bytes, hub)
        elif kind == _REFUSED and peer is not None:
            topic._call(topic.on_refused, peer, _errors.make(result, status=code, peer=id, endpoint=peer.address))

    def on_connected(self, peer: Any) -> None:
        for topic, publisher, hub in self._early.pop(peer._handle, ()):
            if not topic.closed:
                topic._on_member_joined(peer._handle, peer, publisher, hub)
        self.rights.on_connected(peer.node, peer.node._opened(), peer)

    def free(self) -> None:
        """The node is about to close: what has come can be read still, and holds nothing up."""
        self.closing = True
        for topic in self.all.values():
            topic._core.free_topic(topic._handle)

    def _left(self, topic: Any) -> None:
        del self.all[topic._handle]
        topic._on_left(_errors.make(2, "the node was closed") if self.closing else _errors.make(3, f"the topic {topic.name} was left"))

    def lost(self) -> None:
        """The node is over."""
        self.closing = True
        for topic in list(self.all.values()):
            self._left(topic)
