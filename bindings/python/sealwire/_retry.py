"""How often a request is made, as C has it. The core makes the attempts."""

import math
from typing import Optional, Tuple, Union

from sealwire import _errors
from sealwire._durations import NEVER, milliseconds

Backoff = Union[float, Tuple[float, float]]
Attempts = Optional[Tuple[int, int, int]]
_MOST = 5.0


def attempts_of(attempts: int, backoff: Backoff, parts: bool) -> Attempts:
    """(attempts, the longest first pause and the longest of all in milliseconds); None where it is made once."""
    if attempts == 1:
        return None
    if parts:
        raise _errors.argument("a request with parts is made once")
    if not isinstance(attempts, int) or not 1 <= attempts < 2**32:
        raise _errors.argument("attempts are a whole number from 1 on")
    try:
        first, most = backoff if isinstance(backoff, tuple) else (backoff, max(backoff, _MOST))
        good = 0 <= first <= most and first != math.inf
    except (TypeError, ValueError):
        good = False
    if not good:
        raise _errors.argument("backoff is a number of seconds, or a first and a longest one")
    return attempts, milliseconds(first or NEVER), milliseconds(min(most, 4e6) or None)
