"""Decisions about who may connect, and reports."""

from typing import Awaitable, Callable, NamedTuple, Tuple, Union


class Reject(NamedTuple):
    """A decision of `allow`: no, with the application's code (64 to 4,095) and words for the other side."""

    status: int
    text: str = ""


class Accept(NamedTuple):
    """A decision of `allow`: yes, with data for the other application, which gets them as `peer.data`."""

    data: bytes = b""


class Asking(NamedTuple):
    """Who asks to connect: the proved key, the address it comes from, its application's data, and whether it is let in anyway."""

    id: str
    address: str
    data: bytes
    allowed: bool = False


Decision = Union[bool, Accept, Reject]
Decide = Callable[[Asking], Union[Decision, Awaitable[Decision]]]
# What the other application is told with the handshake: bytes, or a function, plain or async, that makes them just in time: of who
# is let in, or of the id that the peer which is dialled has proved.
AcceptData = Union[bytes, Callable[[Asking], Union[bytes, Awaitable[bytes]]]]
HelloData = Union[bytes, Callable[[str], Union[bytes, Awaitable[bytes]]]]


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
