"""Peer: one remote program, known by its key."""

import asyncio
import math
import weakref
from collections import deque
from typing import (TYPE_CHECKING, Any, Callable, Deque, Dict, List, Literal, NamedTuple, Optional, Sequence, Tuple, TypeVar,
                    Union, overload)
from uuid import UUID

from sealwire import _errors, _native, _rpc
from sealwire._messages import BodyLike, Reply, Request
from sealwire._parts import Part
from sealwire._replies import Replies
from sealwire._retry import Backoff, insist, key_of, pauses
from sealwire._talk import Conversation, Ear, Metadata, Running, extras, on_talk
from sealwire._types import PeerStats
from sealwire._streams import Stream, attach, give_up, heads, logger, prepared
from sealwire._waits import Filter

if TYPE_CHECKING:
    from sealwire._node import Node

T = TypeVar("T")
NEVER = math.inf
_SW_NEVER = 0xFFFFFFFF
_PART_DATA, _PART_WRITABLE, _PART_PROGRESS, _QUESTION = 16, 17, 19, 20  # of sw_event_type


def milliseconds(seconds: Optional[float]) -> int:
    """None is the default (0 in C), infinity none at all; never rounded down to the default."""
    if seconds is None:
        return 0
    if seconds == NEVER:
        return _SW_NEVER
    if not isinstance(seconds, (int, float)):
        raise _errors.ArgumentTypeError(1, f"a duration is a number of seconds, not {type(seconds).__name__}")
    if not seconds >= 0:
        raise _errors.argument("a duration is not negative")
    return min(max(math.ceil(seconds * 1000), 1), _SW_NEVER - 1)


def message_count(messages: Optional[int]) -> int:
    """None is any number."""
    if messages is None:
        return 2**64 - 1
    if isinstance(messages, bool) or not isinstance(messages, int):
        raise _errors.ArgumentTypeError(1, f"a number of messages is an int, not {type(messages).__name__}")
    if not 0 <= messages < 2**64:
        raise _errors.argument("a number of messages is not negative")
    return messages


def limit(count: float) -> int:
    """0 is the default, infinity none at all."""
    if count == NEVER:
        return _SW_NEVER
    if not isinstance(count, (int, float)):
        raise _errors.ArgumentTypeError(1, f"a limit is a whole number, not {type(count).__name__}")
    if not 0 <= count < _SW_NEVER or count != int(count):
        raise _errors.argument("a limit is a whole number from 0 on, or NEVER")
    return int(count)


class Pong(NamedTuple):
    """Answer to a ping, in seconds."""

    round_trip: float
    clock_difference: float


class Peer(_native.Peer):
    """A session with a remote program. Made by `node.connect`, or by the node when somebody connects.

    id        its public key, 52 characters; proved by the handshake
    address   where it was reached, or where it came from
    data      what its application sent along with the handshake
    dialled   True when this side connected
    """

    __slots__ = ("node", "id", "address", "data", "dialled", "suite", "clock_difference", "closing", "_reason",
                 "_room", "_receipts", "_pings", "_token", "_connected", "_closed", "_parts", "_talks", "__weakref__")

    def __init__(self, node: "Node", core: _native.Core, handle: int, connected: "Optional[asyncio.Future[Peer]]") -> None:
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
        self._room: Deque[asyncio.Future[None]] = deque()
        self._receipts: Dict[int, asyncio.Future[None]] = {}
        self._pings: Dict[int, asyncio.Future[Pong]] = {}
        self._token = 0
        self._connected = connected
        self._closed: Optional[asyncio.Future[None]] = None
        self._talks: Dict[int, Ear] = {}  # conversations that run, by exchange
        self._parts: weakref.WeakValueDictionary[Tuple[int, int], Union[Part, Stream]] = weakref.WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<sealwire.Peer {self.id[:8]} {self.address}{' closed' if self.closed else ''}>"

    # ---- Messages ----

    @overload
    async def send(self, route: str, body: BodyLike = b"", *, receipt: bool = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: Literal[False] = False) -> None: ...

    @overload
    async def send(self, route: str, body: BodyLike = b"", *, receipt: bool = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: Literal[True]) -> UUID: ...

    async def send(self, route: str, body: BodyLike = b"", *, receipt: bool = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: bool = False) -> Optional[UUID]:
        """Sends, waiting for room. With `receipt` it returns when the peer's handler has taken the message; with `parts`,
        streams and files, when all of those that have a source were sent: it raises what a source raises, and
        CancelledByPeer when the receiver stops one. With `uuid` it returns the message's, which its receiver sees too."""
        if parts or metadata or trace or uuid:
            return await self._send_with_parts(route, body, receipt, parts, extras(metadata, trace), uuid)
        while True:
            number = self._send(route, body, receipt)
            if number is not False:
                break
            await self._wait_for_room()
        if number is not None:
            await self._receipt(number)
        return None

    async def _receipt(self, number: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._receipts[number] = future
        try:
            await future
        finally:
            self._receipts.pop(number, None)

    async def _send_with_parts(self, route: str, body: BodyLike, receipt: bool, parts: Sequence[Stream],
                               more: Any = None, uuid: bool = False) -> Optional[UUID]:
        streams = await prepared(parts)
        try:
            while True:
                sent = self._send_parts(route, body, receipt, heads(streams), more)
                if sent is not False:
                    break
                await self._wait_for_room()
        except BaseException as error:
            give_up(streams, error)
            raise
        assert isinstance(sent, tuple)
        exchange, numbers, receipt_number = sent
        own = UUID(bytes=self._uuid(exchange, True, 0)) if uuid else None
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        attach(streams, self, exchange, numbers)
        for stream in streams:
            stream._report = lambda error: None if failed.done() else failed.set_exception(error)
        try:
            for stream in streams:
                if stream._task is not None and stream._done is not None:
                    await asyncio.wait({stream._done, failed}, return_when=asyncio.FIRST_COMPLETED)
                    if failed.done():
                        failed.result()
            for stream in streams:
                if stream._task is not None and stream._error is not None:
                    raise stream._error
            if receipt_number is not None:
                await self._receipt(receipt_number)
            return own
        except BaseException:
            if any(not stream._ended for stream in streams):
                self._cancel(exchange)
            raise
        finally:
            if not failed.cancel():
                failed.exception()  # seen: it is raised here, or another one is

    async def request(self, route: str, body: BodyLike = b"", *, timeout: Optional[float] = None,
                      parts: Sequence[Stream] = (), total: Optional[float] = None, metadata: Optional[Metadata] = None,
                      trace: Union[str, bytes, None] = None, idempotency_key: Optional[bytes] = None, attempts: int = 1,
                      backoff: Backoff = 0.1) -> Reply:
        """Sends and waits for the answer. `timeout` in seconds counts from here; None is the node's default, NEVER none.
        Cancelling the task that waits cancels the request at the peer. `parts`: streams and files to go with it, which go on
        when the reply has come before their end; what a source raises before is raised here. `total` is for all of the
        exchange, parts included. `metadata`, a mapping of texts, `trace`, a W3C traceparent, and the key of 16 bytes are carried.
        With `attempts` it is made again, under one key, so that its handler runs once: where `timeout` passes, which is for each,
        and where it was refused for a limit or not sent. `backoff`, in seconds, is the longest pause before the second, doubled
        for each, up to 5 s; or (first, longest)."""
        if attempts != 1:
            if parts:
                raise _errors.argument("a request with parts is made once")
            key = key_of(idempotency_key)
            limit = self.node.request_timeout if timeout is None else timeout
            milliseconds(limit)  # a duration?
            return await insist(lambda left: self.request(route, body, timeout=left, total=total, metadata=metadata, trace=trace,
                                                          idempotency_key=key), limit, pauses(attempts, backoff))
        if parts or metadata or trace or idempotency_key or total is not None:
            more = extras(metadata, trace, idempotency_key), 0, milliseconds(total), False
            return await self._request_with_parts(route, body, timeout, parts, more)
        started = self._request(route, body, 0 if timeout is None else milliseconds(timeout))
        if started is None:
            started = await self._request_with_room(route, body, timeout)
        future, number = started
        try:
            reply: Any = await future
            one: Reply = reply.pop() if type(reply) is list else reply  # a list: one with parts
            return one
        except asyncio.CancelledError:
            self._cancel(number)
            raise

    async def _request_with_parts(self, route: str, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
                                  more: Tuple[Any, int, int, bool]) -> Reply:
        streams = await prepared(parts)

        def start(left: int) -> "Optional[Tuple[asyncio.Future[Reply], int, List[int]]]":
            return self._open(route, body, left, None, heads(streams), *more)

        try:
            started = start(milliseconds(timeout))
            if started is None:
                started = await self._with_room(timeout, start)
        except BaseException as error:
            give_up(streams, error)
            raise
        future, exchange, numbers = started
        attach(streams, self, exchange, numbers)

        def failed(error: BaseException) -> None:
            if future.done():
                logger.error("the source of a part failed behind the reply of %s", self.id, exc_info=error)
            else:
                future.set_exception(error)
                self._cancel(exchange)

        for stream in streams:
            stream._report = failed
        try:
            reply: Any = await future
            one: Reply = reply.pop() if type(reply) is list else reply
            return one
        except asyncio.CancelledError:
            self._cancel(exchange)
            raise
        except _errors.Error:
            for stream in streams:  # what a file of this side failed of comes before what its handler made of that
                if isinstance(stream._error, _errors.FileError):
                    raise stream._error from None
            raise

    def request_many(self, route: str, body: BodyLike = b"", *, timeout: Optional[float] = None,
                     parts: Sequence[Stream] = (), between: Optional[float] = None, total: Optional[float] = None,
                     metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                     idempotency_key: Optional[bytes] = None) -> Replies:
        """Asks for any number of replies: `async for reply in peer.request_many(...)`. It is sent when the iteration begins;
        `timeout` counts from there and is for the first reply, `between` for each later one, `total` for all of them."""
        more = extras(metadata, trace, idempotency_key), milliseconds(between), milliseconds(total), False
        return Replies(self, route, body, timeout, parts, more)

    def converse(self, route: str, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                 between: Optional[float] = None, total: Optional[float] = None, metadata: Optional[Metadata] = None,
                 trace: Union[str, bytes, None] = None) -> Conversation:
        """A request in which both sides ask while it runs: `async with peer.converse(...) as talk`. `timeout` is until the
        handler first says anything, `between` for each time after that."""
        more = extras(metadata, trace), milliseconds(between), milliseconds(total), True
        return Conversation(self, route, body, timeout, parts, more)

    async def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """As `node.wait_for`, for messages of this peer alone; raises why its session ends, when it does."""
        if self.closed:
            raise _errors.of_call(3, "", self)
        return await self.node._waits.wait(route, filter, timeout, self)

    @property
    def running(self) -> Running:
        """What runs with it now."""
        return Running(*self._running())

    def stats(self) -> PeerStats:
        """What it has done since it connected and has to do now, by name; until it is closed."""
        return self._stats()

    # ---- Procedure calls ----

    async def call(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Any:
        """Calls a function that the peer exposes and returns its result. Status is what it raises, with `status` NO_FUNCTION where
        nothing of that name is exposed and BAD_CALL where the arguments do not fit. Needs the package msgpack."""
        return await _rpc.call(self, name, arguments, timeout)

    def call_many(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> _rpc.Results:
        """Calls a function with many results: `async for result in peer.call_many(...)`; `timeout` is for the first."""
        return _rpc.Results(self.request_many(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout))

    async def notify(self, name: str, *arguments: Any, receipt: bool = False) -> None:
        """Calls a function of the peer without waiting for it, as `send` does; failures are told in its log alone."""
        await self.send(_rpc.ROUTE, _rpc.body_of(name, arguments), receipt=receipt)

    async def _request_with_room(self, route: str, body: BodyLike,
                                 timeout: Optional[float]) -> "Tuple[asyncio.Future[Reply], int]":
        return await self._with_room(timeout, lambda left: self._request(route, body, left))

    async def _with_room(self, timeout: Optional[float], start: "Callable[[int], Optional[T]]") -> T:
        """Tries again whenever there is room, with the milliseconds that are left, until it is no longer None."""
        loop = asyncio.get_running_loop()
        limit = self.node.request_timeout if timeout is None else timeout
        end = loop.time() + limit
        while True:
            left = end - loop.time()
            try:
                await asyncio.wait_for(self._wait_for_room(), None if limit == NEVER else max(left, 0))
            except asyncio.TimeoutError:
                raise _errors.make(80, "the send queue had no room", peer=self.id, endpoint=self.address) from None
            started = start(milliseconds(max(end - loop.time(), 0.001)))
            if started is not None:
                return started

    async def ping(self) -> Pong:
        """How long a message takes there and back, and how far the peer's clock is ahead, in seconds."""
        token = self._token
        self._token += 1
        self._ping(token)
        future: asyncio.Future[Pong] = asyncio.get_running_loop().create_future()
        self._pings[token] = future
        try:
            return await future
        finally:
            self._pings.pop(token, None)

    def pause(self) -> None:
        """Lets the messages of this peer wait, each charged to its window, so that in the end the peer waits. What belongs to
        exchanges that run goes on. Messages that this process has fetched already still come."""
        self._resume(0)

    def resume(self, messages: Optional[int] = None) -> None:
        """Lets that many more messages come, then it is paused again; None ends the pause."""
        self._resume(message_count(messages))

    async def _wait_for_room(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(future)
        await future

    # ---- The end ----

    @property
    def closed(self) -> bool:
        return self._reason is not None or (self._closed is not None and self._closed.done())

    @property
    def reason(self) -> Optional[_errors.Error]:
        """Why the session ended; None while it lasts, and when this side closed it in good order."""
        return self._reason if self._reason is not None and self._reason.code != "handle" else None

    async def close(self, status: int = 0, text: str = "", *, deadline: float = 2.0) -> None:
        """Ends the session and waits for that; running exchanges may end until the deadline (seconds)."""
        if not self.closed and not self.closing:
            try:
                self._close(status, text, milliseconds(deadline))
            except _errors.ClosedError:
                pass  # its last event is on the way
            self.closing = True
        await self.wait_closed()

    async def wait_closed(self) -> "Optional[_errors.Error]":
        """Waits until the session is over; returns `reason`."""
        if not self.closed:
            if self._closed is None:
                self._closed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._closed)
        return self.reason

    async def __aenter__(self) -> "Peer":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---- From the node ----

    def _on_writable(self) -> None:
        waiting, self._room = self._room, deque()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _on_part(self, kind: int, fields: Tuple[Any, ...]) -> None:
        part = self._parts.get((fields[1], fields[2]))
        if part is None:
            return  # it was dropped, and stopped by that
        if kind == _PART_DATA:
            part._on_data(fields[3])
        elif kind == _PART_WRITABLE:
            part._on_writable()
        elif kind == _PART_PROGRESS:
            part._on_progress(fields[3])
        else:
            del self._parts[fields[1], fields[2]]
            part._on_done(*fields[3:])

    def _on_talk(self, exchange: int, number: int, asks: Optional[int], result: int, code: int, text: str, message: Any,
                 kind: int) -> None:
        on_talk(self, kind == _QUESTION, exchange, number, asks, result, code, text, message)

    def _on_receipt(self, first: int, last: int, result: int) -> None:
        few = range(first, last + 1) if last - first < len(self._receipts) else \
            [number for number in self._receipts if first <= number <= last]
        for number in few:
            future = self._receipts.get(number)
            if future is None or future.done():
                continue
            if result == 0:
                future.set_result(None)
            else:
                future.set_exception(_errors.make(result, peer=self.id, endpoint=self.address))

    def _on_pong(self, token: int, round_trip_us: int, clock_difference_ms: int) -> None:
        future = self._pings.get(token)
        if future is not None and not future.done():
            future.set_result(Pong(round_trip_us / 1e6, clock_difference_ms / 1e3))

    def _on_connected(self, address: str, data: bytes, suite: int, clock_difference_ms: int) -> None:
        self.address = address
        self.data = data
        self.suite = suite
        self.clock_difference = clock_difference_ms / 1e3
        if self._connected is not None and not self._connected.done():
            self._connected.set_result(self)

    def _on_closed(self, reason: _errors.Error) -> None:
        """Everything that waits here learns it."""
        self._reason = reason
        waiting: List[asyncio.Future[Any]] = [*self._room, *self._receipts.values(), *self._pings.values()]
        self._room.clear()
        if self._connected is not None:
            waiting.append(self._connected)
        for future in waiting:
            if not future.done():
                future.set_exception(_errors.of_call(3, "", self))
        self.node._waits.lost(lambda: _errors.of_call(3, "", self), self)
        for part in list(self._parts.values()):
            part._lost(_errors.of_call(3, "", self))
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
