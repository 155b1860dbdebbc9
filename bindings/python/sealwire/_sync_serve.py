"""What synchronous handlers stand in: their route, middleware, and what becomes of what they return."""

import logging
import threading
import weakref
from typing import Any, Callable, Optional, Sequence, Tuple

from sealwire import _errors
from sealwire._sync_peer import Peer, Request
from sealwire._sync_streams import Answer, prepared

logger = logging.getLogger("sealwire")
Next = Callable[[], Any]


class Route:
    """A route, its inbox, and what handles its messages."""

    __slots__ = ("name", "handler", "use", "number")

    def __init__(self, name: str, handler: Callable[[Request], Any], use: Tuple[Callable[[Request, Next], Any], ...]) -> None:
        self.name = name
        self.handler = handler
        self.use = use
        self.number = -1


def through(chain: Sequence[Callable[[Request, Next], Any]], handler: Callable[[Request], Any], request: Request) -> Any:
    """The middleware of `chain`, one inside the other, and within them the handler; the outermost's result is the answer."""
    if not chain:
        return handler(request)
    return chain[0](request, lambda: through(chain[1:], handler, request))


def complete(request: Request, result: Any) -> None:
    """Answers with what a handler returned."""
    if hasattr(result, "__next__"):
        reply_each(request, result)
        request._end(None)
    elif not isinstance(result, Answer):
        request._end(result)  # which stops the parts that were never read
    elif not request.wants_reply or request.answered:
        request._end(None)
    elif not result.parts:
        request._end(result.body)
    else:
        for part in request.parts:
            part._begin(False)  # the streams of the answer may be made of them
        streams = prepared(result.parts)
        sourced = [stream for stream in streams if stream._source is not None]
        if request._reply_now(result.body, streams, False):
            for stream in sourced:
                try:
                    stream.wait()
                except _errors.Error:
                    if stream._failed:
                        raise
    leave(request, False)


def reply_each(request: Request, results: Any) -> None:
    """Sends what a handler yields. It is closed when the requester wants no more."""
    only: Any = None  # of a requester that wants one reply
    count = 0
    try:
        for result in results:
            count += 1
            body, parts = result if isinstance(result, Answer) else (result, ())
            if not request.wants_reply:
                pass
            elif request.wants_many:
                request.more(body, parts)
            elif count == 1:
                only = (body, parts)
            else:
                raise _errors.StateError(4, "the handler yields several replies, and the requester wants one: it has to ask by "
                                            "request_many", peer=request.peer.id)
    finally:
        if hasattr(results, "close"):
            results.close()
    if only is not None and not request.answered:
        request.reply(*only)


def leave(request: Request, all: bool) -> None:
    """The handler has returned, or failed (`all`): what it did not read is stopped."""
    if request._has_parts:
        for part in request.parts:
            part._leave(all)


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """What the native half calls does not keep its node."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        there = reference()
        if there is not None:
            there(*arguments)

    return call


def nothing(*_: Any) -> Any:
    """Hooks of handlers that are tasks: here messages wait in inboxes, and threads take them."""


def make_error(result: int, code: int, text: str, peer: Optional[Peer], details: Optional[Tuple[bytes, int]]) -> _errors.Error:
    return _errors.make(result, status=code, text=text, peer=peer.id if peer else None, endpoint=peer.address if peer else None,
                        details=details)


def aside(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls what the program has written, which may wait for the node, in a thread of its own."""
    def run() -> None:
        try:
            function(*arguments)
        except Exception:
            logger.exception("%s failed", getattr(function, "__name__", "a function"))

    threading.Thread(target=run, name="sealwire aside", daemon=True).start()
