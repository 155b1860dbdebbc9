"""A request that is made again, in the synchronous face; as _retry.py."""

import random
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from sealwire import _errors
from sealwire._durations import NEVER
from sealwire._outcome import Outcome
from sealwire._retry import given_up, granted, retried
from sealwire._sync_messages import Reply


class Attempts:
    """Those that run, each beside the next: the answer to one is what all wait for."""

    def __init__(self) -> None:
        self.running: Dict[int, Outcome] = {}
        self.last: Optional[BaseException] = None
        self._settled = threading.Event()

    def add(self, outcome: Outcome, number: int) -> None:
        self.running[number] = outcome
        outcome._then = self._settled.set

    def hear(self, seconds: Optional[float]) -> Any:
        """What settles one of them within so many seconds, if it is no failure that another attempt may mend; else None."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            done = [number for number, outcome in self.running.items() if outcome.done()]
            if done:
                break
            if not self._settled.wait(None if end is None else max(end - time.monotonic(), 0)):
                return None
            self._settled.clear()
        for number in done:
            outcome = self.running.pop(number)
            if outcome._error is None:
                return outcome.result()
            self.last = retried(outcome._error)
        return None


def insist(begin: Callable[[float], Tuple[Outcome, int]], cancel: Callable[[int], None], timeout: float,
           longest: List[float]) -> Reply:
    """`begin(left)` makes an attempt that the peer need not answer after so many seconds: what it settles, and its number."""
    attempts = Attempts()
    try:
        for attempt in range(len(longest) + 1):
            left = longest[attempt:]
            try:
                attempts.add(*begin(granted(timeout, left)))
            except _errors.Error as error:
                attempts.last = retried(error)
            waits: List[Optional[float]] = [None if timeout == NEVER else timeout] if attempts.running else []
            if left:
                waits.append(random.uniform(0, left[0]))
            for seconds in waits:
                answer = attempts.hear(seconds)
                if answer is not None:
                    reply: Reply = answer.pop() if type(answer) is list else answer
                    return reply
        raise given_up(attempts.last, longest)
    finally:
        for number in attempts.running:
            try:
                cancel(number)
            except _errors.Error:
                pass
