"""Outcome: what a thread waits for, in the synchronous face; settled by the thread that carries a node's events, as futures are."""

import threading
from typing import Any, Callable, Optional


def settle(waiting: Any, value: Any) -> None:
    """Gives an Outcome or a future what it waits for, unless it has something already. None: nobody waits."""
    if waiting is not None and not waiting.done():
        waiting.set_result(value)


def fail(waiting: Any, error: BaseException) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_exception(error)


class Outcome:
    """A value or a failure to come, once. In place of asyncio's futures: the native half makes and settles both alike."""

    __slots__ = ("_once", "_settled", "_done", "_value", "_error", "_then")

    def __init__(self, *, loop: Any = None) -> None:
        self._once = threading.Lock()
        self._settled = threading.Lock()
        self._settled.acquire()
        self._done = False
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._then: Optional[Callable[[], None]] = None

    def done(self) -> bool:
        return self._done

    def set_result(self, value: Any) -> None:
        self._settle(value, None)

    def set_exception(self, error: BaseException) -> None:
        self._settle(None, error)

    def _settle(self, value: Any, error: Optional[BaseException]) -> None:
        if not self._once.acquire(False):
            return  # the first one counts
        self._value, self._error = value, error
        self._done = True
        self._settled.release()
        if self._then is not None:
            self._then()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Whether it was settled in time (seconds). Ctrl-C ends the wait."""
        if self._done:
            return True
        if not self._settled.acquire(timeout=-1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX)):
            return False
        self._settled.release()  # for others that wait
        return True

    def result(self) -> Any:
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value
