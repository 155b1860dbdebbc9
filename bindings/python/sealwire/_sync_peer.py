"""Peer of the synchronous face: whoever calls waits for the answer."""

import threading
from typing import TYPE_CHECKING, Any, Literal, Optional, Sequence, Set, Tuple, Union, overload
from uuid import UUID

from sealwire import _errors, _native, _rpc
from sealwire._carried import Metadata, extras
from sealwire._draft import RouteLike
from sealwire._durations import NEVER, milliseconds
from sealwire._messages import BodyLike
from sealwire._outcome import Outcome
from sealwire._retry import Attempts, Backoff, attempts_of
from sealwire._sending import give_up, heads
from sealwire._session import Session, stages
from sealwire._sync_duplex import Duplex
from sealwire._sync_messages import Reply, Request
from sealwire._sync_replies import Replies, Results
from sealwire._sync_streams import Stream, prepared
from sealwire._sync_talk import Conversation, Ear
from sealwire._sync_waits import Filter
from sealwire._types import Pong, Receipt

if TYPE_CHECKING:
    from sealwire.sync import Node


class Peer(Session):
    """A session with a remote program; as sealwire.Peer, for any number of threads, each of which waits for its own."""

    __slots__ = ("_closed", "_files", "_changed")
    node: "Node"
    instead: "Optional[Peer]"
    stream: Optional[Duplex]
    _ear = Ear
    _duplex = Duplex

    def __init__(self, node: "Node", core: _native.Core, handle: int, connected: Optional[Outcome]) -> None:
        super().__init__(node, core, handle, connected)
        self._closed = Outcome()
        # The node's lock: its events wait while it is held, so that nothing is missed between a call and the wait for its end.
        self._changed = threading.Condition(node._mutex)
        self._files: Set[Stream] = set()  # that the library sends

    # ---- Messages ----

    @overload
    def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
             metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None, uuid: Literal[False] = False) -> None: ...

    @overload
    def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
             metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None, uuid: Literal[True]) -> UUID: ...

    def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
             metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None, uuid: bool = False) -> Optional[UUID]:
        """Sends, waiting for room. With `receipt` it returns when the peer's handler has taken the message, or with "written" already
        when the last byte of its body was handed to the system; with `parts` when all of those that have a source were sent, and it
        raises what kept one from that. With `uuid` it returns the message's."""
        more = extras(metadata, trace)
        if not receipt and not parts and more is None and not uuid:
            if self._send(route, body, 0) is not False:
                return None
        wanted = stages(receipt)
        streams = prepared(parts)
        with_source = [stream for stream in streams if stream._source is not None]
        outcome = Outcome()
        try:
            with self._changed:
                while True:
                    sent = self._send_parts(route, body, wanted, heads(streams), more) if streams or more or uuid else \
                        self._send(route, body, wanted)
                    if sent is not False:
                        break
                    self._changed.wait()
                number: Any = sent
                if isinstance(sent, tuple):
                    exchange, numbers, number = sent
                    for stream, place in zip(streams, numbers):
                        stream._attach(self, exchange, place)
                if number is not None:
                    self._receipts[number] = outcome
        except BaseException as error:
            give_up(streams, error)
            raise
        try:
            for stream in with_source:
                stream.wait()
            if number is not None:
                outcome.result()
            return UUID(bytes=self._uuid(exchange, True, 0)) if uuid else None
        except BaseException:
            if any(not stream._over for stream in streams):
                self._cancel(exchange)
            raise
        finally:
            self._receipts.pop(number, None)

    def _start(self, route: RouteLike, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
               more: Tuple[Any, int, int, bool, Attempts], replies: Any) -> Tuple[Any, int]:
        """Opens an exchange, waiting for room: what its end settles, and its number."""
        streams = prepared(parts)
        limit = self.node.request_timeout if timeout is None else timeout
        end = None if limit == NEVER else self.node._clock() + limit
        left = milliseconds(timeout)
        try:
            with self._changed:
                while True:
                    opened = self._open(route, body, left, replies, heads(streams), *more)
                    if opened is not None:
                        break
                    if not self._changed.wait(None if end is None else max(end - self.node._clock(), 0)):
                        raise _errors.make(80, "the send queue had no room", peer=self.id, endpoint=self.address)
                    left = milliseconds(NEVER if end is None else max(end - self.node._clock(), 0.001))
                user, number, places = opened
                if replies is not None:
                    replies.begin(number)
                for stream, place in zip(streams, places):
                    stream._attach(self, number, place)
        except BaseException as error:
            give_up(streams, error)
            raise

        def failed(error: BaseException) -> None:
            if replies is not None:
                replies._on_done(error)
            else:
                user.set_exception(error)
            self._cancel(number)

        for stream in streams:
            stream._report = failed
            if stream._failed and stream._error is not None:  # already
                failed(stream._error)
        return user, number

    def request(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                total: Optional[float] = None, metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                idempotency_key: Optional[bytes] = None, attempts: int = 1, backoff: Backoff = 0.1) -> Reply:
        """Sends and waits for the answer. `timeout` in seconds; None is the node's default, NEVER none. Ctrl-C cancels the request at
        the peer. `parts`: streams and files to go with it, which go on when the reply has come before their end; what a source
        raises before is raised here. `total` is for all of the exchange, parts included. `attempts` and `backoff` as of
        sealwire.Peer."""
        made = attempts_of(attempts, backoff, bool(parts))
        started: Optional[Tuple[Any, int]] = None
        if not parts and total is None and not metadata and not trace and idempotency_key is None and made is None:
            started = self._request(route, body, milliseconds(timeout))
        if started is None:
            more = extras(metadata, trace, idempotency_key), 0, milliseconds(total), False, made
            started = self._start(route, body, timeout, parts, more, None)
        outcome, number = started
        try:
            reply: Any = outcome.result()
        except KeyboardInterrupt:
            self._cancel(number)
            raise
        one: Reply = reply.pop() if type(reply) is list else reply  # a list: one with parts
        return one

    def request_many(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                     between: Optional[float] = None, total: Optional[float] = None, metadata: Optional[Metadata] = None,
                     trace: Union[str, bytes, None] = None, idempotency_key: Optional[bytes] = None) -> Replies:
        """Asks for any number of replies: `for reply in peer.request_many(...)`. It is sent when the iteration begins; `timeout` counts
        from there and is for the first reply, `between` for each later one, `total` for all of them."""
        more = extras(metadata, trace, idempotency_key), milliseconds(between), milliseconds(total), False, None
        return Replies(self, route, body, timeout, parts, more)

    def converse(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                 between: Optional[float] = None, total: Optional[float] = None, metadata: Optional[Metadata] = None,
                 trace: Union[str, bytes, None] = None) -> Conversation:
        """A request in which both sides ask while it runs: `with peer.converse(...) as talk`. `timeout` is until the handler first says
        anything, `between` for each time after that."""
        more = extras(metadata, trace), milliseconds(between), milliseconds(total), True, None
        return Conversation(self, route, body, timeout, parts, more)

    def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """As `node.wait_for`, for messages of this peer alone; raises why its session ends, when it does."""
        return self.node._waits.wait(route, filter, timeout, self)

    # ---- Procedure calls ----

    def call(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Any:
        """Calls a function that the peer exposes and returns its result; as `call` of sealwire.Peer."""
        reply = self.request(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout)
        return reply.decode() if reply.has_body else None

    def call_many(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Results:
        """Calls a function with many results: `for result in peer.call_many(...)`; `timeout` is for the first."""
        return Results(self.request_many(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout))

    def notify(self, name: str, *arguments: Any, receipt: Receipt = False) -> None:
        """Calls a function of the peer without waiting for it, as `send` does; failures are told in its log alone."""
        self.send(_rpc.ROUTE, _rpc.body_of(name, arguments), receipt=receipt)

    def ping(self) -> Pong:
        """How long a message takes there and back, and how far the peer's clock is ahead, in seconds."""
        outcome = Outcome()
        with self._changed:
            token = self._token
            self._token += 1
            self._ping(token)
            self._pings[token] = outcome
        try:
            pong: Pong = outcome.result()
            return pong
        finally:
            self._pings.pop(token, None)

    # ---- The end ----

    def close(self, status: int = 0, text: str = "", *, deadline: float = 2.0) -> None:
        """Ends the session and waits for that; running exchanges may end until the deadline (seconds)."""
        self._begin_close(status, text, deadline)
        self.wait_closed()

    def wait_closed(self, timeout: Optional[float] = None) -> Optional[_errors.Error]:
        """Waits until the session is over, at most so long (seconds); returns `reason`."""
        self._closed.wait(timeout)
        return self.reason

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- From the node, with its lock ----

    def _on_writable(self) -> None:
        self._changed.notify_all()
        self.node._rooms.notify_all()

    def _on_closed(self, reason: _errors.Error) -> None:
        super()._on_closed(reason)
        self._closed.set_result(None)
        self._changed.notify_all()
        self.node._rooms.notify_all()
