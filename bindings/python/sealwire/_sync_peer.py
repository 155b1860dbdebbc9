"""Peer and the messages of the synchronous face: whoever calls waits for the answer."""

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from sealwire import _errors, _native, _rpc
from sealwire._messages import BodyLike, _Readable
from sealwire._outcome import Outcome
from sealwire._peer import NEVER, Pong, milliseconds
from sealwire._sync_parts import Part
from sealwire._sync_streams import Stream, give_up, heads, prepared
from sealwire._talk import Metadata, Running, extras

if TYPE_CHECKING:
    from sealwire.sync import Node

_PART_DATA, _PART_WRITABLE, _PART_PROGRESS = 16, 17, 19  # of sw_event_type
_GLANCE = 0.1  # seconds: how often a handler that waits for room looks whether anybody still wants its replies


class Reply(_Readable):
    """The answer to a request; as sealwire.Reply."""

    __slots__ = ()
    peer: "Peer"
    parts: List[Part]


class Request(_Readable):
    """A message or request from a peer, as handlers get it; as sealwire.Request, but it has no `talk`."""

    __slots__ = ()
    peer: "Peer"
    route: str
    parts: List[Part]

    @property
    def cancelled(self) -> bool:
        """The requester does not wait any more."""
        return super().cancelled or (self.wants_reply and not self.answered and not self.peer._is_running(self.number))

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Waits until the requester does not wait any more, at most so long (seconds); whether that is so."""
        end = None if timeout is None else self.peer.node._clock() + timeout
        with self.peer._changed:
            while not self.cancelled and not self.answered and not self.peer.closed:
                left = _GLANCE if end is None else min(_GLANCE, end - self.peer.node._clock())
                if left <= 0:
                    break
                self.peer._changed.wait(left)
        return self.cancelled

    def reply(self, body: Optional[BodyLike] = None, parts: Sequence[Stream] = (), *, metadata: Optional[Metadata] = None,
              trace: Union[str, bytes, None] = None) -> None:
        """Answers now, in place of the handler's return value; None is a fast reply without a body. Streams and files in `parts` go on
        behind it."""
        if self._has_parts and not self.answered:
            for part in self.parts:
                part._begin(bool(parts))
        if not parts and not metadata and not trace:
            return super().reply(body)
        streams = prepared(parts)
        if self._reply_now(body, streams, False, extras(metadata, trace)) is None:
            give_up(streams, _errors.make(81, "the requester does not wait any more", peer=self.peer.id))

    def _reply_now(self, body: Optional[BodyLike], streams: List[Stream], more: bool, extras: Any = None) -> Optional[bool]:
        """False: there is no room, of one of several; None: nobody waits for it."""
        try:
            with self.peer._changed:
                numbers = self._reply(b"" if body is None else body, more, heads(streams), extras)
                if isinstance(numbers, list):
                    for stream, number in zip(streams, numbers):
                        stream._attach(self.peer, self.number, number)
                    return True
                return numbers
        except BaseException as error:
            give_up(streams, error)
            raise

    def more(self, body: Optional[BodyLike], parts: Sequence[Stream] = ()) -> None:
        """One of several replies, to a requester that wants many; waits for room. `reply` or the handler's end is the end of them:
        `reply(None)` without one more. CancelledByPeer when the requester wants no more."""
        streams = prepared(parts)
        with self.peer._changed:
            while True:
                taken = self._reply_now(body, streams, True)
                if taken:
                    return
                if taken is None or self.cancelled:
                    error = _errors.make(81, "the requester does not wait any more", peer=self.peer.id)
                    give_up(streams, error)
                    raise error
                self.peer._changed.wait(_GLANCE)

    def status(self, code: int, text: str = "", details: Optional[BodyLike] = None) -> None:
        """Answers with a status of the application, 64 to 4,095; `raise Status(code, text, details)` does the same."""
        super().status(code, text, details)


class _Queue:
    """What came and was not iterated over yet. The exchange holds it, and the iterator, but it knows neither."""

    __slots__ = ("changed", "replies", "over", "error")

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.replies: Deque[Reply] = deque()
        self.over = False
        self.error: Optional[BaseException] = None

    def next(self) -> Optional[Reply]:
        """The next that came; None at the end, or raises why it ended."""
        with self.changed:
            while not self.replies:
                if self.over:
                    error, self.error = self.error, None
                    if error is not None:
                        raise error
                    return None
                self.changed.wait()
            reply = self.replies.popleft()
        reply._taken()
        return reply

    # From the native half.
    def _on_reply(self, reply: Reply) -> None:
        with self.changed:
            if not self.over:
                self.replies.append(reply)
                self.changed.notify_all()

    def _on_done(self, error: Optional[BaseException]) -> None:
        with self.changed:
            if not self.over:
                self.over, self.error = True, error
                self.changed.notify_all()


class Replies:
    """The replies to one request, as they come: `for reply in peer.request_many(...)`.

    `close()`, the end of its `with` block, or dropping it cancels the exchange at the peer. A failure is raised behind the replies that
    came before it. What is not iterated over is not sent for long: the peer waits.
    """

    __slots__ = ("_peer", "_arguments", "_queue", "_number")

    def __init__(self, peer: "Peer", route: str, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
                 more: Tuple[Any, int, int]) -> None:
        self._peer = peer
        self._arguments = route, body, timeout, parts, more
        self._queue: Optional[_Queue] = None
        self._number: Optional[int] = None

    def __iter__(self) -> "Replies":
        return self

    def __next__(self) -> Reply:
        if self._queue is None:
            self._queue = _Queue()
            try:
                _, self._number = self._peer._start(*self._arguments, self._queue)
            except BaseException:
                self._queue.over = True
                raise
        try:
            reply = self._queue.next()
        except KeyboardInterrupt:
            self.close()
            raise
        if reply is None:
            raise StopIteration
        return reply

    @property
    def running(self) -> bool:
        """It was sent and has not ended."""
        return self._number is not None and self._peer._is_running(self._number)

    def set_deadlines(self, *, next: Optional[float] = None, between: Optional[float] = None,
                      total: Optional[float] = None) -> None:
        """How long it still waits, in seconds from now on: to the next reply, from each later one to the next, and to the end.
        None is as it was, NEVER none."""
        if self._number is None:
            raise _errors.StateError(4, "it has not begun: iterate over it first", peer=self._peer.id)
        self._peer._set_deadlines(self._number, milliseconds(next), milliseconds(between), milliseconds(total), 0)

    def close(self) -> None:
        """Wants no more replies. Nothing is left of it at the peer."""
        if self._queue is None:
            self._queue = _Queue()
        queue = self._queue
        with queue.changed:
            running = not queue.over
            queue.over, queue.error = True, None
            queue.replies.clear()
            queue.changed.notify_all()
        if running and self._number is not None:
            try:
                self._peer._cancel(self._number)
            except _errors.Error:
                pass

    def __enter__(self) -> "Replies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_queue", None) is not None:
            self.close()


class Peer(_native.Peer):
    """A session with a remote program; as sealwire.Peer, for any number of threads, each of which waits for its own."""

    __slots__ = ("node", "id", "address", "data", "dialled", "suite", "clock_difference", "closing", "_reason", "_receipts", "_pings",
                 "_token", "_connected", "_closed", "_parts", "_files", "_talks", "_changed", "__weakref__")

    def __init__(self, node: "Node", core: _native.Core, handle: int, connected: Optional[Outcome]) -> None:
        super().__init__(core, handle)
        self.node = node
        self.id = ""
        self.address = ""
        self.data = b""
        self.dialled = connected is not None
        self.suite = 0
        self.clock_difference = 0.0
        self.closing = False
        self._reason: Optional[_errors.Error] = None
        self._receipts: Dict[int, Outcome] = {}
        self._pings: Dict[int, Outcome] = {}
        self._token = 0
        self._connected = connected
        self._closed = Outcome()
        # The node's lock: its events wait while it is held, so that nothing is missed between a call and the wait for its end.
        self._changed = threading.Condition(node._mutex)
        self._parts: "weakref.WeakValueDictionary[Tuple[int, int], Union[Part, Stream]]" = weakref.WeakValueDictionary()
        self._files: "set[Stream]" = set()  # that the library sends
        self._talks: Dict[int, Any] = {}

    def __repr__(self) -> str:
        return f"<sealwire.sync.Peer {self.id[:8]} {self.address}{' closed' if self.closed else ''}>"

    # ---- Messages ----

    def send(self, route: str, body: BodyLike = b"", *, receipt: bool = False, parts: Sequence[Stream] = (),
             metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None) -> None:
        """Sends, waiting for room. With `receipt` it returns when the peer's handler has taken the message; with `parts` when all of
        those that have a source were sent, and it raises what kept one from that."""
        more = extras(metadata, trace)
        if not receipt and not parts and more is None:
            if self._send(route, body, False) is not False:
                return
        streams = prepared(parts)
        with_source = [stream for stream in streams if stream._source is not None]
        outcome = Outcome()
        try:
            with self._changed:
                while True:
                    sent = self._send_parts(route, body, receipt, heads(streams), more) if streams or more else \
                        self._send(route, body, receipt)
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
        except BaseException:
            if any(not stream._over for stream in streams):
                self._cancel(exchange)
            raise
        finally:
            self._receipts.pop(number, None)

    def _start(self, route: str, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream], more: Tuple[Any, int, int],
               replies: Any) -> Tuple[Any, int]:
        """Opens an exchange, waiting for room: what its end settles, and its number."""
        streams = prepared(parts)
        limit = self.node.request_timeout if timeout is None else timeout
        end = None if limit == NEVER else self.node._clock() + limit
        left = milliseconds(timeout)
        try:
            with self._changed:
                while True:
                    opened = self._open(route, body, left, replies, heads(streams), *more, False)
                    if opened is not None:
                        break
                    if not self._changed.wait(None if end is None else max(end - self.node._clock(), 0)):
                        raise _errors.make(80, "the send queue had no room", peer=self.id, endpoint=self.address)
                    left = milliseconds(NEVER if end is None else max(end - self.node._clock(), 0.001))
                user, number, places = opened
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

    def request(self, route: str, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                total: Optional[float] = None, metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                idempotency_key: Optional[bytes] = None) -> Reply:
        """Sends and waits for the answer. `timeout` in seconds; None is the node's default, NEVER none. Ctrl-C cancels the request at
        the peer. `parts`: streams and files to go with it, which go on when the reply has come before their end; what a source
        raises before is raised here. `total` is for all of the exchange, parts included."""
        started: Optional[Tuple[Any, int]] = None
        if not parts and total is None and not metadata and not trace and idempotency_key is None:
            started = self._request(route, body, milliseconds(timeout))
        if started is None:
            more = extras(metadata, trace, idempotency_key), 0, milliseconds(total)
            started = self._start(route, body, timeout, parts, more, None)
        outcome, number = started
        try:
            reply: Any = outcome.result()
        except KeyboardInterrupt:
            self._cancel(number)
            raise
        one: Reply = reply.pop() if type(reply) is list else reply  # a list: one with parts
        return one

    def request_many(self, route: str, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                     between: Optional[float] = None, total: Optional[float] = None, metadata: Optional[Metadata] = None,
                     trace: Union[str, bytes, None] = None, idempotency_key: Optional[bytes] = None) -> Replies:
        """Asks for any number of replies: `for reply in peer.request_many(...)`. It is sent when the iteration begins; `timeout` counts
        from there and is for the first reply, `between` for each later one, `total` for all of them."""
        more = extras(metadata, trace, idempotency_key), milliseconds(between), milliseconds(total)
        return Replies(self, route, body, timeout, parts, more)

    @property
    def running(self) -> Running:
        """What runs with it now."""
        return Running(*self._running())

    # ---- Procedure calls ----

    def call(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Any:
        """Calls a function that the peer exposes and returns its result; as `call` of sealwire.Peer."""
        reply = self.request(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout)
        return reply.decode() if reply.has_body else None

    def call_many(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Iterator[Any]:
        """Calls a function with many results: `for result in peer.call_many(...)`; `timeout` is for the first."""
        with self.request_many(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout) as replies:
            for reply in replies:
                yield reply.decode()

    def notify(self, name: str, *arguments: Any, receipt: bool = False) -> None:
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

    @property
    def closed(self) -> bool:
        return self._reason is not None

    @property
    def reason(self) -> Optional[_errors.Error]:
        """Why the session ended; None while it lasts, and when this side closed it in good order."""
        return self._reason if self._reason is not None and self._reason.code != "closed" else None

    def close(self, status: int = 0, text: str = "", *, deadline: float = 2.0) -> None:
        """Ends the session and waits for that; running exchanges may end until the deadline (seconds)."""
        if not self.closed and not self.closing:
            try:
                self._close(status, text, milliseconds(deadline))
            except _errors.ClosedError:
                pass  # its last event is on the way
            self.closing = True
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

    def _on_part(self, kind: int, fields: Tuple[Any, ...]) -> None:
        part = self._parts.get((fields[1], fields[2]))
        if part is None:
            return  # it was dropped, and stopped by that
        if kind == _PART_DATA:
            if isinstance(part, Part):
                part._on_data(fields[3])
        elif kind == _PART_WRITABLE:
            self._changed.notify_all()
        elif kind == _PART_PROGRESS:
            part._on_progress(fields[3])
        else:
            self._parts.pop((fields[1], fields[2]), None)
            part._on_done(*fields[3:])

    def _on_receipt(self, first: int, last: int, result: int) -> None:
        for number in [number for number in self._receipts if first <= number <= last]:
            outcome = self._receipts.get(number)
            if outcome is None:
                continue
            if result == 0:
                outcome.set_result(None)
            else:
                outcome.set_exception(_errors.make(result, peer=self.id, endpoint=self.address))

    def _on_pong(self, token: int, round_trip_us: int, clock_difference_ms: int) -> None:
        outcome = self._pings.get(token)
        if outcome is not None:
            outcome.set_result(Pong(round_trip_us / 1e6, clock_difference_ms / 1e3))

    def _on_connected(self, address: str, data: bytes, suite: int, clock_difference_ms: int) -> None:
        self.address, self.data, self.suite = address, data, suite
        self.clock_difference = clock_difference_ms / 1e3
        if self._connected is not None:
            self._connected.set_result(self)

    def _on_closed(self, reason: _errors.Error) -> None:
        """Everything that waits here learns it."""
        self._reason = reason
        waiting = [*self._receipts.values(), *self._pings.values()]
        if self._connected is not None:
            waiting.append(self._connected)
        for outcome in waiting:
            outcome.set_exception(_errors.of_call(3, "", self))
        for part in list(self._parts.values()):
            part._lost(_errors.of_call(3, "", self))
        self._closed.set_result(None)
        self._changed.notify_all()
