"""Peer: one remote program, known by its key."""

import asyncio
from collections import deque
from typing import (TYPE_CHECKING, Any, Callable, Deque, List, Literal, Optional, Sequence, Tuple, TypeVar, Union, overload)
from uuid import UUID

from sealwire import _errors, _native, _rpc
from sealwire._carried import Metadata, extras
from sealwire._draft import RouteLike
from sealwire._duplex import Duplex
from sealwire._durations import NEVER, milliseconds
from sealwire._log import fields, logger
from sealwire._messages import BodyLike, Reply, Request
from sealwire._outcome import fail, settle
from sealwire._replies import Replies
from sealwire._retry import Attempts, Backoff, attempts_of
from sealwire._session import Session, stages
from sealwire._sending import give_up, heads
from sealwire._streams import Stream, attach, prepared
from sealwire._talk import Conversation, Ear
from sealwire._types import Pong, Receipt
from sealwire._waits import Filter

if TYPE_CHECKING:
    from sealwire._node import Node

T = TypeVar("T")


class Peer(Session):
    """A session with a remote program. Made by `node.connect`, or by the node when somebody connects.

    id        its public key, 52 characters; proved by the handshake
    address   where it was reached, or where it came from
    data      what its application sent along with the handshake
    dialled   True when this side connected
    instead   of one that was replaced: the session with the same peer that stands in its place, if it is this node's
    channel   "sealwire"; or "shs1": it has no session, and all that it has is
    stream    one stream each way, a Duplex; else None
    """

    __slots__ = ("_room", "_closed")
    node: "Node"
    instead: "Optional[Peer]"
    stream: Optional[Duplex]
    _ear = Ear
    _duplex = Duplex

    def __init__(self, node: "Node", core: _native.Core, handle: int, connected: "Optional[asyncio.Future[Peer]]") -> None:
        super().__init__(node, core, handle, connected)
        self._room: Deque[asyncio.Future[None]] = deque()
        self._closed: Optional[asyncio.Future[None]] = None

    # ---- Messages ----

    @overload
    async def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: Literal[False] = False) -> None: ...

    @overload
    async def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: Literal[True]) -> UUID: ...

    async def send(self, route: RouteLike, body: BodyLike = b"", *, receipt: Receipt = False, parts: Sequence[Stream] = (),
                   metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                   uuid: bool = False) -> Optional[UUID]:
        """Sends, waiting for room. With `receipt` it returns when the peer's handler has taken the message, or with "written" already
        when the last byte of its body was handed to the system, and it raises what became of it otherwise; with `parts`, streams and
        files, when all of those that have a source were sent: it raises what a source raises, and CancelledByPeer when the receiver
        stops one. With `uuid` it returns the message's, which its receiver sees too."""
        if parts or metadata or trace or uuid:
            return await self._send_with_parts(route, body, stages(receipt), parts, extras(metadata, trace), uuid)
        wanted = stages(receipt) if receipt else 0
        while True:
            number = self._send(route, body, wanted)
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

    async def _send_with_parts(self, route: RouteLike, body: BodyLike, wanted: int, parts: Sequence[Stream],
                               more: Any = None, uuid: bool = False) -> Optional[UUID]:
        streams = await prepared(parts)
        try:
            while True:
                sent = self._send_parts(route, body, wanted, heads(streams), more)
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

    async def request(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None,
                      parts: Sequence[Stream] = (), total: Optional[float] = None, metadata: Optional[Metadata] = None,
                      trace: Union[str, bytes, None] = None, idempotency_key: Optional[bytes] = None, attempts: int = 1,
                      backoff: Backoff = 0.1) -> Reply:
        """Sends and waits for the answer. `timeout` in seconds counts from here; None is the node's default, NEVER none.
        Cancelling the task that waits cancels the request at the peer. `parts`: streams and files to go with it, which go on
        when the reply has come before their end; what a source raises before is raised here. `total` is for all of the
        exchange, parts included. `metadata`, a mapping of texts, `trace`, a W3C traceparent, and the key of 16 bytes are carried.
        With `attempts` it is made again, under one key, so that its handler runs once: where `timeout` passes, which is for each,
        and where the peer refused it unrun for a limit; `total` is for all of them. `backoff`, in seconds, is the longest pause before
        the second, doubled for each, up to 5 s; or (first, longest)."""
        if parts or metadata or trace or idempotency_key or total is not None or attempts != 1:
            made = attempts_of(attempts, backoff, bool(parts))
            more = extras(metadata, trace, idempotency_key), 0, milliseconds(total), False, made
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

    async def _request_with_parts(self, route: RouteLike, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
                                  more: Tuple[Any, int, int, bool, Attempts]) -> Reply:
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
                logger.error("the source of a part failed behind the reply of %s", self.id, exc_info=error, extra=fields(self))
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

    def request_many(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None,
                     parts: Sequence[Stream] = (), between: Optional[float] = None, total: Optional[float] = None,
                     metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None,
                     idempotency_key: Optional[bytes] = None) -> Replies:
        """Asks for any number of replies: `async for reply in peer.request_many(...)`. It is sent when the iteration begins;
        `timeout` counts from there and is for the first reply, `between` for each later one, `total` for all of them."""
        more = extras(metadata, trace, idempotency_key), milliseconds(between), milliseconds(total), False, None
        return Replies(self, route, body, timeout, parts, more)

    def converse(self, route: RouteLike, body: BodyLike = b"", *, timeout: Optional[float] = None, parts: Sequence[Stream] = (),
                 between: Optional[float] = None, total: Optional[float] = None, metadata: Optional[Metadata] = None,
                 trace: Union[str, bytes, None] = None) -> Conversation:
        """A request in which both sides ask while it runs: `async with peer.converse(...) as talk`. `timeout` is until the
        handler first says anything, `between` for each time after that."""
        more = extras(metadata, trace), milliseconds(between), milliseconds(total), True, None
        return Conversation(self, route, body, timeout, parts, more)

    async def wait_for(self, route: str, filter: Optional[Filter] = None, timeout: Optional[float] = None) -> Request:
        """As `node.wait_for`, for messages of this peer alone; raises why its session ends, when it does."""
        if self.closed:
            raise _errors.of_call(3, "", self)
        return await self.node._waits.wait(route, filter, timeout, self)

    # ---- Procedure calls ----

    async def call(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> Any:
        """Calls a function that the peer exposes and returns its result. Status is what it raises, with `status` NO_FUNCTION where
        nothing of that name is exposed and BAD_CALL where the arguments do not fit. Needs the package msgpack."""
        return await _rpc.call(self, name, arguments, timeout)

    def call_many(self, name: str, *arguments: Any, timeout: Optional[float] = None) -> _rpc.Results:
        """Calls a function with many results: `async for result in peer.call_many(...)`; `timeout` is for the first."""
        return _rpc.Results(self.request_many(_rpc.ROUTE, _rpc.body_of(name, arguments), timeout=timeout))

    async def notify(self, name: str, *arguments: Any, receipt: Receipt = False) -> None:
        """Calls a function of the peer without waiting for it, as `send` does; failures are told in its log alone."""
        await self.send(_rpc.ROUTE, _rpc.body_of(name, arguments), receipt=receipt)

    async def _request_with_room(self, route: RouteLike, body: BodyLike,
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

    def _next_room(self) -> "asyncio.Future[None]":
        """Settled when there may be room again; fails when it is closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(future)
        return future

    async def _wait_for_room(self) -> None:
        await self._next_room()

    # ---- The end ----

    async def close(self, status: int = 0, text: str = "", *, deadline: float = 2.0) -> None:
        """Ends the session and waits for that; running exchanges may end until the deadline (seconds)."""
        self._begin_close(status, text, deadline)
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
            settle(future, None)

    def _on_closed(self, reason: _errors.Error) -> None:
        super()._on_closed(reason)
        while self._room:
            fail(self._room.popleft(), _errors.of_call(3, "", self))
        settle(self._closed, None)
