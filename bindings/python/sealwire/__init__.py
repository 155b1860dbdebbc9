"""Encrypted requests, streams and topics between programs that know each other by public key."""

import atexit

from sealwire import _native
from sealwire._codecs import Encoded, encode
from sealwire._duplex import Duplex
from sealwire._draft import Draft, RouteLike
from sealwire._errors import (AccessError, ArgumentError, ArgumentTypeError, CancelledByPeer, ClosedError,
                              ConnectError, ConnectTimeout, DeadlineError, DeliveryError, Error, FileError, FileExists,
                              FileNotFound, ForkedError,
                              HandlerFailed, KeyFileError, NoRouteError, NotAllowedError, ProtocolError, QueueFull, RefusedError, ResourceError, SessionError,
                              StateError, Status, TlsError, TooBigError, TooManyError, UnsupportedError)
from sealwire._durations import NEVER
from sealwire._keys import Identity, Ticket, network_from_passphrase, network_new, topic_secret_new, topic_secret_from_passphrase
from sealwire._inbox import Messages
from sealwire._limits import ConnectionCounts, ConnectionLimits
from sealwire._listener import Listener
from sealwire._messages import BodyLike, Reply, Request
from sealwire._node import Node
from sealwire._parts import Part
from sealwire._peer import Peer
from sealwire._replies import Replies
from sealwire._rpc import BAD_CALL, NO_FUNCTION, Results
from sealwire._sending import Answer
from sealwire._streams import File, Stream
from sealwire._talk import Conversation, Said, Talk
from sealwire._tls import Tls
from sealwire._topic import Dropped, Member, Topic, TopicMessage
from sealwire._topic_rules import TopicAsking, TopicRule
from sealwire._topics import Slow
from sealwire._types import (Accept, Asking, CloseReport, Link, NodeStats, PeerStats, Pong, Reject, RouteStats, Running,
                             Undelivered)
from sealwire._web import Http, HttpAnswer, HttpRequest

__version__ = _native.version()
build_info = _native.build_info()

# Before the interpreter goes: no callback of ours comes later. Takes half a second at most.
atexit.register(_native.close_all)

__all__ = [
    "Accept", "AccessError", "Answer", "ArgumentError", "ArgumentTypeError", "Asking", "BAD_CALL", "BodyLike", "CancelledByPeer",
    "CloseReport", "ClosedError", "ConnectError", "ConnectTimeout", "ConnectionCounts", "ConnectionLimits", "Conversation", "DeadlineError", "DeliveryError", "Draft", "Dropped", "Duplex", "Encoded", "Error",
    "File", "FileError", "FileExists", "FileNotFound", "ForkedError", "HandlerFailed", "Http", "HttpAnswer", "HttpRequest", "Identity",
    "KeyFileError", "Link", "Listener", "Member", "Messages", "NEVER", "NO_FUNCTION", "NoRouteError", "Node", "NodeStats", "NotAllowedError", "Part", "Peer", "PeerStats", "Pong",
    "ProtocolError", "QueueFull", "RefusedError", "Reject", "Replies", "Reply", "Request", "ResourceError", "Results", "RouteLike", "RouteStats", "Running", "Said", "SessionError", "Slow",
    "StateError", "Status", "Stream", "Talk", "Ticket", "Tls", "TlsError", "TooBigError", "TooManyError", "Topic", "TopicAsking", "TopicMessage", "TopicRule", "Undelivered", "UnsupportedError", "__version__", "build_info",
    "encode", "network_from_passphrase", "network_new", "topic_secret_new", "topic_secret_from_passphrase",
]
