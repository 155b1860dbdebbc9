"""Decisions about who may connect, and reports."""

from typing import NamedTuple, Tuple


class Reject(NamedTuple):
    """A decision of `allow`: no, with the application's code (64 to 4,095) and words for the other side."""

    status: int
    text: str = ""


class Asking(NamedTuple):
    """Who asks to connect: the proved key, the address it comes from, and its application's data."""

    id: str
    address: str
    data: bytes


class Undelivered(NamedTuple):
    """What could not be delivered to one peer when the node closed."""

    peer: str
    not_sent: int
    outcome_unknown: int
    exchanges: int


class CloseReport(NamedTuple):
    """What was left when the node closed."""

    deadline_passed: bool
    not_sent: int
    outcome_unknown: int
    exchanges: int
    events_held: int
    callback_blocked: bool
    blocking_route: str
    peers: Tuple[Undelivered, ...]
