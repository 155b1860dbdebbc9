"""A request that is made again: several attempts under one idempotency key, so that its handler runs once."""

import asyncio
import os
import random
from typing import Awaitable, Callable, List, Optional, Set, Tuple, Union

from sealwire import _errors
from sealwire._messages import Reply

Backoff = Union[float, Tuple[float, float]]
_RETRIED = {"timeout", "limit", "not_sent"}  # it has not run, or its answer may still be waited for
_MOST = 5.0
_SLACK = 5.0  # that the core waits beyond all attempts: here it is decided when they end


def key_of(key: Optional[bytes]) -> bytes:
    return os.urandom(16) if key is None else key


def pauses(attempts: int, backoff: Backoff) -> List[float]:
    """The longest pause before each attempt but the first; the real one is anything from 0 to it."""
    first, most = backoff if isinstance(backoff, tuple) else (backoff, max(backoff, _MOST))
    if not isinstance(attempts, int) or attempts < 1:
        raise _errors.argument("attempts are a whole number from 1 on")
    if not 0 <= first <= most:
        raise _errors.argument("backoff is a number of seconds, or a first and a longest one")
    return [min(first * 2.0 ** min(attempt, 60), most) for attempt in range(attempts - 1)]


def granted(timeout: float, left: List[float]) -> float:
    """What the peer need not answer within: all that this attempt and those after it may take."""
    return timeout * (len(left) + 1) + sum(left) + _SLACK


def retried(error: BaseException) -> BaseException:
    """The error, where another attempt may end otherwise; else it is raised."""
    if not isinstance(error, _errors.Error) or error.code not in _RETRIED:
        raise error
    return error


def given_up(last: Optional[BaseException], longest: List[float]) -> BaseException:
    return last or _errors.make(80, f"{len(longest) + 1} attempts were made")


async def insist(ask: Callable[[float], Awaitable[Reply]], timeout: float, longest: List[float]) -> Reply:
    """`ask(left)` makes an attempt that the peer need not answer after so many seconds. One whose time is over goes on beside the
    next, as its answer is what that one waits for; all end with this."""
    running: "Set[asyncio.Future[Reply]]" = set()
    last: Optional[BaseException] = None

    async def hear(seconds: Optional[float]) -> Optional[Reply]:
        nonlocal running, last
        done, running = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            error = one.exception()
            if error is None:
                return one.result()
            last = retried(error)
        return None

    try:
        for attempt in range(len(longest) + 1):
            left = longest[attempt:]
            running.add(asyncio.ensure_future(ask(granted(timeout, left))))
            reply = await hear(None if timeout == float("inf") else timeout)
            if reply is not None:
                return reply
            if not left:
                break
            pause = random.uniform(0, left[0])
            if not running:
                await asyncio.sleep(pause)
                continue
            reply = await hear(pause)
            if reply is not None:
                return reply
        raise given_up(last, longest)
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
