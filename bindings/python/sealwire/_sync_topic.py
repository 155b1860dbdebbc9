"""Topic of the synchronous face: one join of a topic."""

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, NamedTuple, Optional

from sealwire import _errors, _native
from sealwire._log import fields, logger
from sealwire._messages import BodyLike
from sealwire._outcome import Outcome
from sealwire._topic_rules import Granted, TopicAsking, TopicRule, answer, call, failed
from sealwire._topics import Join, Published, Slow, Topics, options

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Member(NamedTuple):
    """A peer that has joined a topic; as sealwire.Member."""

    id: str
    peer: "Peer"
    publisher: bool
    hub: bool


@dataclass(frozen=True)
class Dropped:
    """Messages that this node published and a member does not get; as sealwire.Dropped."""

    peer: "Peer"
    count: int
    bytes: int
    hub: bool


class TopicMessage(Published):
    """What a peer has published; as sealwire.TopicMessage."""

    __slots__ = ()
    peer: "Peer"


def _serve(calls: Any, name: str) -> None:
    for function, arguments in iter(calls.get, None):
        try:
            function(*arguments)
        except Exception:
            logger.exception("%s of the topic %s failed", getattr(function, "__name__", "a function"), name, extra=fields())
        del function, arguments  # which know the node, and this thread waits


class Topic(Join):
    """One join of a topic: `with node.join("news") as topic`; as sealwire.Topic, for any number of threads. `for message in topic` reads in one
    thread or several, which share its messages."""

    __slots__ = ("_left", "_changed", "_calls")
    on_joined: Optional[Callable[[Member], Any]]
    on_left: Optional[Callable[[Member], Any]]
    on_dropped: Optional[Callable[[Dropped], Any]]
    on_refused: "Optional[Callable[[Peer, _errors.Error], Any]]"
    _member = Member
    _drop = Dropped

    def __init__(self, node: Any, core: _native.Core, name: str, options: Any, calls: Any, joining: Outcome) -> None:
        super().__init__(node, core, name, options, calls, joining)
        self._left = Outcome()
        self._changed = threading.Condition(node._mutex)  # under which its events are handled
        self._calls: Any = None  # of the thread that calls functions of the program, in their order

    def members(self) -> List[Member]:
        """Who has joined, as far as the node's events have told."""
        with self._changed:
            return super().members()

    def publish(self, body: BodyLike = b"", *, to: "Optional[Peer]" = None, filter: Optional[Callable[[Member], Any]] = None) -> int:
        """Publishes to all members, or to those that `to` and `filter` say; returns how many it is for. With slow "block" it waits for
        room."""
        members = self._publish(body, to, filter)
        if members is not None:
            return members
        while True:
            whom, chosen = self._whom(to), None if filter is None else self._chosen(filter)
            with self._changed:
                if self._leaving or self._reason is not None:
                    raise self._ended()
                members = self._core.publish(self._handle, body, whom, chosen)
                if members is not None:
                    return members
                self._changed.wait()

    def publish_nowait(self, body: BodyLike = b"", *, to: "Optional[Peer]" = None,
                       filter: Optional[Callable[[Member], Any]] = None) -> int:
        """The same at once; raises QueueFull where there is no room."""
        members = self._publish(body, to, filter)
        if members is None:
            raise _errors.make(8, "members of the topic are slow")
        return members

    # ---- Reading ----

    def __iter__(self) -> "Topic":
        return self

    def __next__(self) -> TopicMessage:
        with self._changed:
            while True:
                message: Optional[TopicMessage] = self._next()
                if message is not None:
                    return message
                if self._reason is not None:
                    raise StopIteration
                self._changed.wait()

    def batches(self, max: int = 256) -> Iterator[List[TopicMessage]]:
        """Lists of up to `max` messages, never empty. `max` is 1 or more."""
        if max < 1:
            raise _errors.argument("a batch has at least one message")
        while True:
            with self._changed:
                batch = self._take(max)
                while not batch:
                    if self._reason is not None:
                        return
                    self._changed.wait()
                    batch = self._take(max)
            yield batch

    # ---- The end ----

    def leave(self) -> None:
        """Leaves the topic, and waits until nothing comes any more. What has come can still be read."""
        with self._changed:
            self._begin_leave()
        self.wait_closed()

    def wait_closed(self, timeout: Optional[float] = None) -> None:
        """Waits until it was left, or its node closed, at most so long (seconds)."""
        self._left.wait(timeout)

    def __enter__(self) -> "Topic":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    # ---- From the node, with its lock ----

    def _wake(self) -> None:
        self._changed.notify_all()

    def _call(self, function: Any, *arguments: Any) -> None:
        if function is None:
            return
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls, self.name), name="sealwire topic", daemon=True).start()
        self._calls.put((function, arguments))

    def _on_left(self, reason: _errors.Error) -> None:
        super()._on_left(reason)
        if self._calls is not None:
            self._calls.put(None)
        self._left.set_result(None)


class Joins:
    """A part of Node."""

    _topics: Topics
    _mutex: Any

    def join(self, name: str, *, slow: Slow = "drop_oldest", queue_bytes: int = 0, credit_bytes: int = 0, publish_only: bool = False,
             keep_last: bool = False, want_last: bool = False, secret: Optional[str] = None,
             on_joined: Optional[Callable[[Member], Any]] = None, on_left: Optional[Callable[[Member], Any]] = None,
             on_dropped: Optional[Callable[[Dropped], Any]] = None, on_refused: "Optional[Callable[[Peer, _errors.Error], Any]]" = None) -> Topic:
        """Joins a topic at all peers, those that connect later included, and returns when all that are connected have answered; as `join` of
        sealwire.Node. The functions are called one after the other by a thread of the topic's own, which may wait."""
        made = options(slow, queue_bytes, credit_bytes, publish_only, keep_last, want_last, secret)
        joining = Outcome()
        with self._mutex:
            topic = Topic(self, self._opened(), name, made, (on_joined, on_left, on_dropped, on_refused), joining)  # type: ignore[attr-defined]
        try:
            joining.result()
        except KeyboardInterrupt:
            with self._mutex:
                topic._begin_leave()
            raise
        return topic

    def set_topic_rules(self, rules: "Optional[Iterable[TopicRule]]", *, on_ask: "Optional[Callable[[TopicAsking], Granted]]" = None) -> None:
        """Who may join this node's topics and publish to them: for each of the two rights the first TopicRule that fits decides, and where
        none fits it is denied; None: all is allowed, as at first. Names are those that this node has joined. A peer that may not join is told
        so: its join is `refused`, with NotAllowedError; of one that may not publish nothing is heard. Also for those who have joined already;
        who was refused tries again in the next session.

        on_ask  decides for rules with the verdict "ask": a function of a TopicAsking that returns True, False, or the rights that are given.
                It holds while that session lasts; the peer's join waits for it. Without a function what is asked is denied.
        """
        self._topics.rights.set(self._opened(), rules, on_ask, True)  # type: ignore[attr-defined]

    def _on_topic_asks(self, core: _native.Core, decide: Callable[[TopicAsking], Any], asking: TopicAsking) -> None:
        def run() -> None:
            answer(core, asking, call(decide, asking))

        try:
            threading.Thread(target=run, name="sealwire topic rights", daemon=True).start()
        except RuntimeError:  # there are too many threads
            failed(asking)
            answer(core, asking, False)

    def leave_topic(self, name: str) -> None:
        """Ends all joins of a name, and waits for that. StateError: there is none."""
        with self._mutex:
            joins = self._topics.named(name)
            self._opened().leave_topics(name)  # type: ignore[attr-defined]
            for topic in joins:
                topic._begin_leave()
        for topic in joins:
            topic.wait_closed()
