"""Topic: one join of a topic, in an asyncio program: what is published to it, who is there, and what comes from them."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, List, NamedTuple, Optional, Set, Union

from sealwire import _errors, _native
from sealwire._log import fields, logger
from sealwire._messages import BodyLike
from sealwire._outcome import settle
from sealwire._topic_rules import Granted, TopicAsking, TopicRule, answer, answer_later, call
from sealwire._topics import Join, Published, Slow, Topics, options

if TYPE_CHECKING:
    from sealwire._peer import Peer

_TURN = 256  # what one topic publishes before others have their turn


class Member(NamedTuple):
    """A peer that has joined a topic.

    publisher  it only publishes: nothing is delivered to it
    hub        it is a hub, and has joined for others that are not told of
    """

    id: str
    peer: "Peer"
    publisher: bool
    hub: bool


@dataclass(frozen=True)
class Dropped:
    """Messages that this node published and a member does not get.

    count  how many since the last of these
    bytes  of their bodies
    hub    the member is a hub, for others
    """

    peer: "Peer"
    count: int
    bytes: int
    hub: bool


class TopicMessage(Published):
    """What a peer has published.

    topic       the name of the topic
    peer        that has sent it
    publisher   id of who published it, proved: the peer's, or of a topic with a secret that of whoever has signed it, who need not be the peer
    body        bytes; `view` is a memoryview that copies nothing
    number      how many of this publisher stand before it; counted anew when the topic is joined or its session begins
    dropped     how many of them, directly before it, did not come as this node was too slow
    last_value  it was published before this node had joined, and is the last one that was
    passed_on   a hub has passed it on: `peer` is the hub, and without a secret so is `publisher`, as nobody proves who published it. `number`
                counts what the hub has sent, `dropped` what its publisher did
    """

    __slots__ = ()
    peer: "Peer"


class Topic(Join):
    """One join of a topic: `async with node.join("news") as topic`, or `topic = await node.join("news")` and `await topic.leave()`.

    `async for message in topic` reads messages as they come, `async for batch in topic.batches()` lists of them, which is faster.
    Several loops on one topic share its messages; leaving a loop leaves no topic. What no loop has taken waits, up to `credit_bytes` from
    each publisher, and then holds its publisher up. Loops end when the topic is left, behind what has come.

    name     of the topic
    joined   how many of the peers that were connected have agreed to the join; `refused` have not, `refusal` is why the last of them did
    closed   it was left, and nothing comes any more
    on_joined, on_left, on_dropped, on_refused  as given to `node.join`; they may be replaced
    """

    __slots__ = ("_left", "_readers", "_turn", "_waiting", "_room", "_given")
    on_joined: Optional[Callable[[Member], Any]]
    on_left: Optional[Callable[[Member], Any]]
    on_dropped: Optional[Callable[[Dropped], Any]]
    on_refused: "Optional[Callable[[Peer, _errors.Error], Any]]"
    _member = Member
    _drop = Dropped

    def __init__(self, node: Any, core: _native.Core, name: str, options: Any, calls: Any, joining: "asyncio.Future[Topic]") -> None:
        super().__init__(node, core, name, options, calls, joining)
        self._left: "asyncio.Future[None]" = joining.get_loop().create_future()
        self._readers: "Set[asyncio.Future[None]]" = set()
        self._turn = asyncio.Lock()  # of those who wait for room, in their order
        self._waiting = 0
        self._room: "Optional[asyncio.Future[None]]" = None
        self._given = 0

    def members(self) -> List[Member]:
        """Who has joined, as far as `on_joined` and `on_left` are told."""
        return super().members()

    async def publish(self, body: BodyLike = b"", *, to: "Optional[Peer]" = None,
                      filter: Optional[Callable[[Member], Any]] = None) -> int:
        """Publishes to all members, what `send` takes; returns how many it is for. `to` is one member alone; `filter`, a plain function of a
        Member, says who gets it. With slow "block" it waits for room, in the order of the calls. Raises ClosedError when the topic was left,
        and TooBigError beyond this node's `max_message_bytes`."""
        if self._waiting == 0:
            members = self._publish(body, to, filter)
            if members is not None:
                self._given += 1
                if self._given % _TURN == 0:
                    await asyncio.sleep(0)
                return members
        self._waiting += 1
        try:
            async with self._turn:
                while True:
                    members = self._publish(body, to, filter)
                    if members is not None:
                        return members
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
        finally:
            self._waiting -= 1

    def publish_nowait(self, body: BodyLike = b"", *, to: "Optional[Peer]" = None,
                       filter: Optional[Callable[[Member], Any]] = None) -> int:
        """The same at once; raises QueueFull where there is no room, or others wait for it."""
        members = None if self._waiting else self._publish(body, to, filter)
        if members is None:
            raise _errors.make(8, "members of the topic are slow")
        return members

    # ---- Reading ----

    def __aiter__(self) -> "Topic":
        return self

    async def __anext__(self) -> TopicMessage:
        while True:
            message: Optional[TopicMessage] = self._next()
            if message is not None:
                return message
            if self._reason is not None:
                raise StopAsyncIteration
            await self._come()

    async def batches(self, max: int = 256) -> "AsyncIterator[List[TopicMessage]]":
        """Lists of up to `max` messages, never empty. `max` is 1 or more."""
        if max < 1:
            raise _errors.argument("a batch has at least one message")
        while True:
            batch = self._take(max)
            if batch:
                yield batch
                await asyncio.sleep(0)
            elif self._reason is not None:
                return
            else:
                await self._come()

    async def _come(self) -> None:
        future: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        self._readers.add(future)
        try:
            await future
        finally:
            self._readers.discard(future)

    # ---- The end ----

    async def leave(self) -> None:
        """Leaves the topic, and waits until nothing comes any more. What has come can still be read."""
        self._begin_leave()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until it was left, or its node closed."""
        await asyncio.shield(self._left)

    async def __aenter__(self) -> "Topic":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    # ---- From the node ----

    def _wake(self) -> None:
        settle(self._room, None)
        for reader in self._readers:
            settle(reader, None)

    def _call(self, function: Any, *arguments: Any) -> None:
        if function is None:
            return
        try:
            result = function(*arguments)
            if asyncio.iscoroutine(result):
                self._node._background(result)
        except Exception:
            logger.exception("%s of the topic %s failed", getattr(function, "__name__", "a function"), self.name, extra=fields())

    def _on_left(self, reason: _errors.Error) -> None:
        super()._on_left(reason)
        settle(self._left, None)


class Joining(Coroutine[Any, Any, Topic]):
    """What `node.join` gives: to be awaited, or used in `async with`, whose end leaves the topic."""

    __slots__ = ("_coroutine", "_topic")

    def __init__(self, coroutine: Coroutine[Any, Any, Topic]) -> None:
        self._coroutine = coroutine
        self._topic: Optional[Topic] = None

    def __await__(self) -> Generator[Any, Any, Topic]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    async def __aenter__(self) -> Topic:
        self._topic = await self._coroutine
        return self._topic

    async def __aexit__(self, *_: object) -> None:
        if self._topic is not None:
            await self._topic.leave()


class Joins:
    """A part of Node."""

    _topics: Topics

    def join(self, name: str, *, slow: Slow = "drop_oldest", queue_bytes: int = 0, credit_bytes: int = 0, publish_only: bool = False,
             keep_last: bool = False, want_last: bool = False, secret: Optional[str] = None,
             on_joined: Optional[Callable[[Member], Any]] = None, on_left: Optional[Callable[[Member], Any]] = None,
             on_dropped: Optional[Callable[[Dropped], Any]] = None, on_refused: "Optional[Callable[[Peer, _errors.Error], Any]]" = None) -> Joining:
        """Joins a topic at all peers, those that connect later included: `async with node.join("news") as topic`, or `topic = await
        node.join("news")`, which returns when all that are connected have answered. What they publish from then on is not missed. A name has
        1 to 255 bytes; any number of joins may have one, and each gets every message, but none what its own node publishes.

        slow          what becomes of messages of this node for a member that does not keep up: "drop_oldest" or "drop_newest", "block": publish
                      waits, or "disconnect": its session ends with the code slow. Of several joins of a name the last one's counts, as with
                      the next
        queue_bytes   that may wait for the slowest member, with 64 for each message; default 4 MiB
        credit_bytes  that each publisher may have under way or waiting here, with 64 for each message; default 256 KiB, at least 128 KiB.
                      The largest of the joins of a name counts
        publish_only  nothing is delivered here
        keep_last     the last message to all that this node publishes is kept for those who join later
        want_last     what publishers have kept so comes first
        secret        of `topic_secret_new` or `topic_secret_from_passphrase`: only who joins with the same one reads what is published here,
                      and sees who has published it; the same name with another secret, or without one, is another topic
        on_joined     called with the Member when a peer has joined: at first, before this returns, for those that are there already
        on_left       called with the Member when it has left, or is gone
        on_dropped    called with a Dropped when messages that this node published do not reach a member
        on_refused    called with a Peer that came later and does not let this node join, and why
        They are plain functions, or async ones, which become tasks.
        """
        made = options(slow, queue_bytes, credit_bytes, publish_only, keep_last, want_last, secret)
        return Joining(self._join(name, made, (on_joined, on_left, on_dropped, on_refused)))

    async def _join(self, name: str, made: Any, calls: Any) -> Topic:
        core = self._opened()  # type: ignore[attr-defined]
        joining: "asyncio.Future[Topic]" = asyncio.get_running_loop().create_future()
        topic = Topic(self, core, name, made, calls, joining)
        try:
            return await joining
        except asyncio.CancelledError:
            topic._begin_leave()
            raise

    def set_topic_rules(self, rules: "Optional[Iterable[TopicRule]]", *, on_ask: "Optional[Callable[[TopicAsking], Union[Granted, Awaitable[Granted]]]]" = None) -> None:
        """Who may join this node's topics and publish to them: for each of the two rights the first TopicRule that fits decides, and where
        none fits it is denied; None: all is allowed, as at first. Names are those that this node has joined. A peer that may not join is told
        so: its join is `refused`, with NotAllowedError; of one that may not publish nothing is heard. Also for those who have joined already;
        who was refused tries again in the next session.

        on_ask  decides for rules with the verdict "ask": a function, plain or async, of a TopicAsking that returns True, False, or the rights that are given.
                It holds while that session lasts; the peer's join waits for it. Without a function what is asked is denied.
        """
        self._topics.rights.set(self._opened(), rules, on_ask, False)  # type: ignore[attr-defined]

    def _on_topic_asks(self, core: _native.Core, decide: Callable[[TopicAsking], Any], asking: TopicAsking) -> None:
        granted = call(decide, asking)
        if inspect.isawaitable(granted):
            self._background(answer_later(core, asking, granted))  # type: ignore[attr-defined]
        else:
            answer(core, asking, granted)

    async def leave_topic(self, name: str) -> None:
        """Ends all joins of a name, and waits for that. StateError: there is none."""
        core = self._opened()  # type: ignore[attr-defined]
        joins = self._topics.named(name)
        core.leave_topics(name)
        for topic in joins:
            topic._begin_leave()
        for topic in joins:
            await topic.wait_closed()
