"""Many replies to one request: the iterator at the requester, and the handler that yields them."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, List, Optional, Sequence, Tuple

from sealwire import _errors, _native
from sealwire._draft import RouteLike
from sealwire._durations import milliseconds
from sealwire._messages import BodyLike, Reply, Request
from sealwire._sending import Answer, answer_of, give_up, heads
from sealwire._streams import Stream, attach, finished, prepared

if TYPE_CHECKING:
    from sealwire._peer import Peer

_TURN = 32  # replies that a handler which never waits may send before others have their turn


class Queue:
    """What came and was not iterated over yet. The exchange holds it, and the iterator, but it knows neither."""

    __slots__ = ("replies", "waiter", "over", "error")

    def __init__(self) -> None:
        self.replies: Deque[Reply] = deque()
        self.waiter: "Optional[asyncio.Future[None]]" = None
        self.over = False
        self.error: Optional[BaseException] = None

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def next(self) -> Optional[Reply]:
        """The next that came; None at the end, or raises why it ended."""
        while not self.replies:
            if self.over:
                error, self.error = self.error, None
                if error is not None:
                    raise error
                return None
            if self.waiter is not None and not self.waiter.done():
                raise _errors.state("another task waits for the next reply already")
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        reply = self.replies.popleft()
        reply._taken()
        return reply

    # From the native half.
    def _on_reply(self, reply: Reply) -> None:
        if self.over:
            return  # nobody iterates any more
        self.replies.append(reply)
        self._wake()

    def _on_done(self, error: Optional[BaseException]) -> None:
        if not self.over:
            self.over, self.error = True, error
            self._wake()


class Deadlines:
    """How long a request that runs is still waited for, in either face."""

    __slots__ = ()
    _peer: Any
    _number: Optional[int]

    def set_deadlines(self, *, next: Optional[float] = None, between: Optional[float] = None,
                      total: Optional[float] = None) -> None:
        """How long it still waits, in seconds from now on: to the next reply, from each later one to the next, and to the end.
        None is as it was, NEVER none."""
        self._deadlines(next, between, total, 0)

    def pause(self) -> None:
        """No time passes for its deadlines until `resume()`."""
        self._deadlines(None, None, None, 1)

    def resume(self) -> None:
        self._deadlines(None, None, None, 2)

    def _deadlines(self, next: Optional[float], between: Optional[float], total: Optional[float], clock: int) -> None:
        if self._number is None:
            raise _errors.StateError(4, "it has not begun: iterate over it first", peer=self._peer.id)
        self._peer._set_deadlines(self._number, milliseconds(next), milliseconds(between), milliseconds(total), clock)

    @property
    def running(self) -> bool:
        """It was sent and has not ended."""
        return self._number is not None and self._peer._is_running(self._number)


class Replies(Deadlines):
    """The replies to one request, as they come: `async for reply in peer.request_many(...)`.

    Leaving the loop, cancelling the task that waits, `aclose()`, or dropping the iterator cancels the exchange at the peer. A
    failure is raised behind the replies that came before it. What is not iterated over is not sent for long: the peer waits.
    """

    __slots__ = ("_peer", "_route", "_body", "_timeout", "_parts", "_more", "_queue", "_number")

    def __init__(self, peer: "Peer", route: RouteLike, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
                 more: Tuple[Any, int, int, bool, None] = (None, 0, 0, False, None)) -> None:
        self._peer = peer
        self._route = route
        self._body = body
        self._timeout = timeout
        self._parts = parts
        self._more = more  # extras, between_ms, total_ms, converse
        self._queue: Optional[Queue] = None
        self._number: Optional[int] = None

    def __aiter__(self) -> "Replies":
        return self

    async def __anext__(self) -> Reply:
        queue = self._queue
        if queue is None:
            queue = await self._start()
        try:
            reply = await queue.next()
        except asyncio.CancelledError:
            self._end()
            raise
        if reply is None:
            raise StopAsyncIteration
        return reply

    def _queue_for(self) -> Queue:
        return Queue()

    def _begun(self, number: int) -> None:
        """The exchange is open."""

    async def _start(self) -> Queue:
        queue = self._queue = self._queue_for()
        streams: List[Stream] = []

        def start(left: int) -> "Optional[Tuple[Any, int, List[int]]]":
            opened: "Optional[Tuple[Any, int, List[int]]]" = self._peer._open(self._route, self._body, left, queue, heads(streams),
                                                                              *self._more)
            return opened

        try:
            streams = await prepared(self._parts) if self._parts else []
            opened = start(milliseconds(self._timeout))
            if opened is None:
                opened = await self._peer._with_room(self._timeout, start)
        except BaseException as error:
            queue.over = True
            give_up(streams, error)
            raise
        _, self._number, numbers = opened
        self._begun(self._number)
        attach(streams, self._peer, self._number, numbers)
        peer, number = self._peer, self._number

        def failed(error: BaseException) -> None:
            if queue.over:
                return
            queue._on_done(error)
            peer._cancel(number)

        for stream in streams:
            stream._report = failed
        if queue.over:  # closed by another task meanwhile
            peer._cancel(number)
        return queue

    def _end(self) -> None:
        queue = self._queue
        if queue is None:
            queue = self._queue = self._queue_for()
        if not queue.over and self._number is not None:
            try:
                self._peer._cancel(self._number)
            except _errors.Error:
                pass
        queue.over = True
        queue.error = None
        queue.replies.clear()
        queue._wake()

    async def aclose(self) -> None:
        """Wants no more replies. Nothing is left of it at the peer."""
        self._end()

    async def __aenter__(self) -> "Replies":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end()

    def __del__(self) -> None:
        queue = getattr(self, "_queue", None)
        if queue is not None and not queue.over:
            self._end()


async def complete(request: Request, result: Any) -> None:
    """Sees to what is not one plain answer: several replies, streams and files on either side."""
    if hasattr(result, "__anext__") or hasattr(result, "__next__"):
        await _reply_each(request, result)
        request._end(None)
    elif not isinstance(result, Answer):
        request._end(result)  # which stops the parts that were never read
    elif not request.wants_reply or request.answered:
        request._end(None)
    elif not result.parts:
        request._end(result.body)
    else:
        request._begin_parts(False)  # the streams of the answer may be made of them
        body, parts = answer_of(result)
        streams = await prepared(parts)
        request._reply_now(body, streams, False)
        await finished(streams)
        request._end(None)
    leave(request)


def too_many(request: Any) -> _errors.StateError:
    return _errors.StateError(4, "the handler yields several replies, and the requester wants one: it has to ask by request_many",
                              peer=request.peer.id)


def leave(request: Any, all: bool = False) -> None:
    """The handler has returned, or failed: what it did not read is stopped."""
    if request._has_parts:
        for part in request.parts:
            part._leave(all)


async def _reply_each(request: Request, results: Any) -> None:
    """Sends what a handler yields. It is closed when the requester wants no more."""
    is_async = hasattr(results, "__anext__")
    only: Any = None  # of a requester that wants one reply
    count = 0
    try:
        while True:
            try:
                result = await results.__anext__() if is_async else next(results)
            except (StopAsyncIteration, StopIteration):
                break
            count += 1
            if not request.wants_reply:
                pass
            elif request.wants_many:
                await request.more(*answer_of(result))
            elif count == 1:
                only = result
            else:
                raise too_many(request)
            if request.cancelled:
                return
            if count % _TURN == 0:
                await asyncio.sleep(0)
    finally:
        if is_async:
            await results.aclose()
        else:
            results.close()
    if count and request.wants_reply and not request.wants_many and not request.answered:
        request.reply(*answer_of(only))
