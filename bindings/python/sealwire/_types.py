"""Decisions about who may connect, reports and counters."""

from typing import Awaitable, Callable, Dict, Literal, NamedTuple, Optional, Tuple, TypedDict, Union

from sealwire._errors import Error


class Reject(NamedTuple):
    """A decision of `allow`: no, with the application's code (64 to 4,095) and words for the other side."""

    status: int
    text: str = ""


class Accept(NamedTuple):
    """A decision of `allow`: yes, with data for the other application, which gets them as `peer.data`."""

    data: bytes = b""


class Asking(NamedTuple):
    """Who asks to connect: the proved key, the address it comes from, its application's data, whether it is let in anyway, and by
    which channel it comes ("sealwire" or "shs1", where neither side gives data)."""

    id: str
    address: str
    data: bytes
    allowed: bool = False
    channel: str = "sealwire"


Decision = Union[bool, Accept, Reject]
Decide = Callable[[Asking], Union[Decision, Awaitable[Decision]]]
# What the other application is told with the handshake: bytes, or a function, plain or async, that makes them just in time: of who
# is let in, or of the id that the peer which is dialled has proved.
AcceptData = Union[bytes, Callable[[Asking], Union[bytes, Awaitable[bytes]]]]
HelloData = Union[bytes, Callable[[str], Union[bytes, Awaitable[bytes]]]]


# What a message is waited for: nothing, or how far it has come; True is "acknowledged".
Receipt = Union[bool, Literal["acknowledged", "written"]]


class Link(NamedTuple):
    """What has become of the connection that carries a session, or is to, for `on_link`.

    state      "suspended": it broke, and the session waits for another; "connecting": an address that `connect` has found is tried, or
               the peer is dialled again; "resumed": the session goes on, or has moved
    reason     of suspended how it was lost, of connecting why there is none yet, of resumed why it could not `move` and goes on where it was: an
               Error; of a first attempt and else None
    address    of the connection that is lost, dialled or found
    attempt    of connecting which one this is, from 1: of `connect` among the addresses of its host, else since it was lost; of resumed
               how many it took, 0 where the peer dialled
    suspended  of resumed for how many seconds nothing was carried
    """

    state: str
    reason: Optional[Error]
    address: str
    attempt: int
    suspended: float


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
    blocking_route: str  # of a handler that had not answered at the deadline, or ""
    peers: Tuple[Undelivered, ...]


class Pong(NamedTuple):
    """Answer to a ping, in seconds."""

    round_trip: float
    clock_difference: float


class Running(NamedTuple):
    """What runs with a peer: requests of this side, those of the peer that are not answered, questions of this side, and the
    bytes that wait to be sent or to be received by it."""

    requests: int
    serving: int
    questions: int
    queued_bytes: int


class PeerStats(TypedDict):
    """What a peer has done since it connected, and what it has to do now."""

    sessions: int  #: that were up
    resumed: int  #: how often sessions went on over another connection
    messages_sent: int  #: one-way, requests, replies, questions, answers
    messages_received: int
    body_bytes_sent: int  #: of those messages, without their parts
    body_bytes_received: int
    part_bytes_sent: int  #: of streams and files
    part_bytes_received: int
    requests_sent: int  #: among the messages
    requests_received: int
    replies_sent: int
    replies_received: int
    records_sent: int  #: encrypted units of the connection
    records_received: int
    wire_bytes_sent: int  #: all that went over the transport
    wire_bytes_received: int
    refused_no_route: int  #: messages of the peer without a handler,
    refused_too_big: int  #: ... larger than max_message_bytes,
    refused_closing: int  #: ... that came while this side closed,
    refused_other: int  #: ... that need what this release does not know
    late_frames: int  #: of exchanges that were over at this side
    cancelled: int  #: of messages_sent: dropped before they left, by a cancel or the end of their exchange
    not_sent: int  #: ... by the end of their session,
    outcome_unknown: int  #: ... or nobody can tell
    exchanges_cut: int  #: that ran when their session ended
    connected: int  #: now: sessions that are up
    queued_bytes: int  #: that wait to be sent, or to be received by the peer
    untaken_bytes: int  #: of messages of the peer that handlers have not taken
    requests_running: int
    serving: int  #: requests of the peer that are not answered
    questions: int
    round_trip: Optional[float]  #: of the last ping, in seconds; None before one was answered


class RouteStats(TypedDict):
    """What has come to a route, and what was sent to one of the peers'."""

    messages_received: int
    requests_received: int  #: among them
    body_bytes_received: int
    messages_sent: int  #: one-way and requests, without replies and questions
    requests_sent: int
    body_bytes_sent: int


class NodeStats(PeerStats):
    """The sums over all peers, with those that have gone; of round trips the longest."""

    events_waiting: int  #: to be fetched
    events_held: int
    accepted: int  #: connections that came in, strangers among them
    refused_by_address: int  #: ... that were closed at once
    refused_by_limit: int  #: peers that were told that there are too many
    refused_busy: int  #: handshakes beyond those at once
    topic_dropped: int  #: messages of topics that a member did not get, counted for each
    topic_passed_on: int  #: ... that this node, as a hub, has passed on: once, for however many peers
    routes: Dict[str, RouteStats]  #: "" is the handler of all that have no other, and what was sent to more routes than are counted apart
