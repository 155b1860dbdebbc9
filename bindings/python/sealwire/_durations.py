"""Durations and numbers as C has them."""

import math
from typing import Optional

from sealwire import _errors

NEVER = math.inf
_SW_NEVER = 0xFFFFFFFF


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


def span(seconds: Optional[float]) -> int:
    """Of what may be switched off: None is the default, 0 or infinity none."""
    return _SW_NEVER if seconds == 0 else milliseconds(seconds)


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
