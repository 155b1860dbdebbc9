"""Many replies to one request, in the synchronous face."""

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Optional, Sequence, Tuple

from sealwire import _errors
from sealwire._draft import RouteLike
from sealwire._messages import BodyLike
from sealwire._replies import Deadlines
from sealwire._sync_messages import Reply
from sealwire._sync_streams import Stream

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Queue:
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

    def begin(self, number: int) -> None:
        """The exchange is open; with the node's lock."""

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


class Replies(Deadlines):
    """The replies to one request, as they come: `for reply in peer.request_many(...)`.

    `close()`, the end of its `with` block, or dropping it cancels the exchange at the peer. A failure is raised behind the replies that
    came before it. What is not iterated over is not sent for long: the peer waits.
    """

    __slots__ = ("_peer", "_arguments", "_queue", "_number")

    def __init__(self, peer: "Peer", route: RouteLike, body: BodyLike, timeout: Optional[float], parts: Sequence[Stream],
                 more: Tuple[Any, int, int, bool, None]) -> None:
        self._peer = peer
        self._arguments = route, body, timeout, parts, more
        self._queue: Optional[Queue] = None
        self._number: Optional[int] = None

    def __iter__(self) -> "Replies":
        return self

    def __next__(self) -> Reply:
        queue = self._queue or self._start()
        try:
            reply = queue.next()
        except KeyboardInterrupt:
            self.close()
            raise
        if reply is None:
            raise StopIteration
        return reply

    def _queue_for(self) -> Queue:
        return Queue()

    def _start(self) -> Queue:
        queue = self._queue = self._queue_for()
        try:
            _, self._number = self._peer._start(*self._arguments, queue)
        except BaseException:
            queue.over = True
            raise
        return queue

    def close(self) -> None:
        """Wants no more replies. Nothing is left of it at the peer."""
        if self._queue is None:
            self._queue = self._queue_for()
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


class Results:
    """What a function that was called by `call_many` gives, one after the other. `close()`, the end of its `with` block, or dropping it
    ends it at the peer."""

    __slots__ = ("_replies",)

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def __iter__(self) -> "Results":
        return self

    def __next__(self) -> Any:
        return next(self._replies).decode()

    def close(self) -> None:
        """Wants no more of them."""
        self._replies.close()

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
