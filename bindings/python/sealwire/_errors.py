"""The exceptions: one class per family of codes, each also a builtin where one fits."""

import asyncio
import sys
from typing import Any, Dict, Optional, Tuple, Type

from sealwire import _native
from sealwire._codecs import Encoded


class Error(Exception):
    """What every failure of this package is.

    code      stable name, such as "no_answer"; the same in C and Node.js
    result    its number
    detail    particulars of this failure, or ""
    hint      what to do about it
    peer      id of the peer that it is about, or None
    endpoint  address that it is about, or None
    """

    code: str
    result: int
    detail: str
    hint: str
    peer: Optional[str]
    endpoint: Optional[str]
    _hint = ""  # in place of the library's, where that speaks of what Python has not

    def __init__(self, result: int, detail: str = "", *, peer: Optional[str] = None,
                 endpoint: Optional[str] = None) -> None:
        self.result = result
        self.code = _native.result_name(result)
        self.detail = detail
        self.hint = self._hint or _native.result_hint(result)
        self.peer = peer
        self.endpoint = endpoint
        super().__init__(self._message())

    def _message(self) -> str:
        text = _native.result_text(self.result)
        if self.detail:
            text += f": {self.detail}"
        if self.endpoint:
            text += f" ({self.endpoint})"
        return f"{text}. {self.hint}" if self.hint else text


# The builtin and asyncio's own, which were two before Python 3.11.
if sys.version_info >= (3, 11):
    class _TimeoutBase(TimeoutError):
        pass
else:
    class _TimeoutBase(asyncio.TimeoutError, TimeoutError):
        pass


class ArgumentError(Error, ValueError):
    """An argument, address, key or network text cannot be read."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that does not fit."""


class StateError(Error, RuntimeError):
    """The call does not fit: the object is over, closing, or not as far yet."""


class ClosedError(StateError):
    """The node or peer was closed by this side."""


class ForkedError(StateError):
    """This process is the child of a fork, and the node belongs to the parent."""


class QueueFull(Error):
    """`send_nowait` found no room in the peer's send queue, or `publish_nowait` a member of the topic that is slow; nothing was
    taken."""

    _hint = "Nothing was taken. Use send() or publish(), which wait for room, or try again later."


class TooManyError(Error):
    """There are as many already as may be, of pings in a second or of parts in a message."""


class ResourceError(Error, OSError):
    """The operating system refused: address in use, out of descriptors or memory, or else."""


class AccessError(Error, PermissionError):
    """The operating system does not permit it."""


class KeyFileError(Error, OSError):
    """A key file is missing, exists already, is malformed, or is readable by others than its owner."""


class FileError(Error, OSError):
    """A file could not be sent or saved: it is missing, no regular file, changed meanwhile, exists already, has no name that
    can be used here, the disk is full or failed, or its bytes are not those that their sender hashed."""


class FileNotFound(FileError, FileNotFoundError):
    """There is no such file, or no such folder to save into."""


class FileExists(FileError, FileExistsError):
    """A file of this name is there already; nothing is ever replaced."""


class ConnectError(Error, ConnectionError):
    """The peer could not be reached, or did not prove its key."""


class RefusedError(ConnectError, ConnectionRefusedError):
    """Nothing listens there."""


class ConnectTimeout(ConnectError, _TimeoutBase):
    """Connecting was not finished in time."""


class TlsError(ConnectError):
    """TLS did not come about: `code` says what is wrong with which certificate, or what else."""


class NotAllowedError(ConnectError, PermissionError):
    """The peer does not allow this key, or its application refused; then `status` and `text` say why."""

    status: int = 0
    text: str = ""


class SessionError(Error, ConnectionError):
    """The connection to the peer has ended. `status` and `text` are the peer's words, if it closed with any."""

    status: int = 0
    text: str = ""


class ProtocolError(SessionError):
    """The peer broke the protocol or a limit."""


class DeadlineError(Error, _TimeoutBase):
    """The deadline passed before the reply came."""


class CancelledByPeer(Error):
    """The other side cancelled the exchange or a part, or the message was dropped by a cancel. `status` is the code that its
    application gave, or 0."""

    status: int = 0


class TooBigError(Error, ValueError):
    """The message is larger than the receiver takes."""


class NoRouteError(Error, LookupError):
    """The peer has no handler for the route."""


class UnsupportedError(Error):
    """The peer cannot do this."""


class DeliveryError(Error, ConnectionError):
    """The message was not sent, or nobody can tell what became of it (`code` says which)."""


class HandlerFailed(Error):
    """The peer's handler failed; its log has the reason."""


class Status(Error):
    """A status of the application: raise it in a handler, catch it where the request was made.

    status   the application's code, 64 to 4,095
    text     its words, at most 1,024 bytes of UTF-8
    details  what programs want to know besides, or None: anything that can be a body, as `encode` or JSON have it; with the text
             at most 4,096 bytes. ValueError where what came is not what its type says
    """

    def __init__(self, status: int, text: str = "", details: Any = None, *, peer: Optional[str] = None) -> None:
        if status != 0 and not 64 <= status <= 4095:
            raise ArgumentError(1, "an application's status is 64 to 4095")
        self.status = status
        self.text = text
        self._details = details
        super().__init__(_STATUS, f"{status} {text}".rstrip(), peer=peer)

    @property
    def details(self) -> Any:
        return self._details.decode() if isinstance(self._details, Encoded) else self._details

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Status, (self.status, self.text, self._details))


_STATUS = 89

# Which class stands for which code; a test checks that it names every code of the library.
CLASSES: Dict[str, Type[Error]] = {
    "argument": ArgumentError, "address": ArgumentError, "key": ArgumentError,
    "handle": ClosedError, "closed": ClosedError, "state": StateError, "thread": StateError, "fork": ForkedError,
    "again": QueueFull, "too_many": TooManyError,
    "no_memory": ResourceError, "system": ResourceError, "in_use": ResourceError, "descriptors": ResourceError,
    "permission": AccessError, "key_file": KeyFileError,
    "not_found": FileNotFound, "file_exists": FileExists, "file_type": FileError, "file_name": FileError,
    "no_space": FileError, "io": FileError, "file_changed": FileError, "digest": FileError,
    "name": ConnectError, "unreachable": ConnectError, "no_answer": ConnectError, "handshake": ConnectError,
    "self": ConnectError, "ws_upgrade": ConnectError, "ws_refused": ConnectError, "ws_protocol": ProtocolError,
    "refused": RefusedError, "connect_timeout": ConnectTimeout, "handshake_timeout": ConnectTimeout,
    "not_allowed": NotAllowedError, "rejected": NotAllowedError,
    "peer_lost": SessionError, "truncated": SessionError, "peer_closed": SessionError, "replaced": SessionError,
    "silent": SessionError, "lease": SessionError, "slow": SessionError,
    "closing": SessionError,
    "protocol": ProtocolError, "flow": ProtocolError, "limit": ProtocolError, "record": ProtocolError,
    "timeout": DeadlineError, "cancelled": CancelledByPeer, "too_big": TooBigError, "no_route": NoRouteError,
    "unsupported": UnsupportedError, "not_sent": DeliveryError, "outcome_unknown": DeliveryError,
    "handler_failed": HandlerFailed, "status": Status,
    "tls_config": TlsError, "tls_handshake": TlsError, "tls_plain": TlsError, "tls_version": TlsError, "tls_expired": TlsError,
    "tls_not_yet": TlsError, "tls_host": TlsError, "tls_address": TlsError, "tls_self_signed": TlsError,
    "tls_unknown_ca": TlsError, "tls_not_ca": TlsError, "tls_usage": TlsError, "tls_weak": TlsError, "tls_revoked": TlsError,
    "tls_client_certificate": TlsError, "tls_refused": TlsError,
}


def make(result: int, detail: str = "", *, status: int = 0, text: str = "", peer: Optional[str] = None,
         endpoint: Optional[str] = None, details: Optional[Tuple[bytes, int]] = None) -> Error:
    """The exception for a result of the library; `status`, `text` and `details` (with their type) are the peer's words."""
    cls = CLASSES.get(_native.result_name(result), Error)
    if cls is Status:
        return Status(status if 64 <= status <= 4095 else 0, text, None if details is None else Encoded(*details), peer=peer)
    if text and not detail:
        detail = f"{status} {text}" if status >= 64 else text
    error = cls(result, detail, peer=peer, endpoint=endpoint)
    if isinstance(error, CancelledByPeer):
        error.status = status if status >= 64 else 0
    if isinstance(error, (NotAllowedError, SessionError)):
        error.status, error.text = status, text
    return error


def of_call(result: int, detail: str, peer: Any) -> Error:
    """The exception for a failed call; a peer that is over tells why it is."""
    reason = getattr(peer, "_reason", None)
    if reason is not None and _native.result_name(result) in ("handle", "closed"):
        return make(reason.result, reason.detail, status=getattr(reason, "status", 0),
                    text=getattr(reason, "text", ""), peer=reason.peer, endpoint=reason.endpoint)
    return make(result, detail, peer=getattr(peer, "id", None), endpoint=getattr(peer, "address", None))


def argument(detail: str) -> ArgumentError:
    """A value that the package itself refuses."""
    return ArgumentError(1, detail)


def state(detail: str) -> StateError:
    """A call that the package itself refuses at this time."""
    return StateError(4, detail)


def of_argument(error: BaseException) -> BaseException:
    """What Python says of an argument as an exception of this package; any other exception stays what it is."""
    if isinstance(error, Error) or not isinstance(error, (TypeError, ValueError, OverflowError)):
        return error
    mistake = (ArgumentTypeError if isinstance(error, TypeError) else ArgumentError)(1, str(error))
    mistake.__cause__ = error
    return mistake


def text(value: Any, name: str) -> str:
    """`value`, which the core takes as UTF-8."""
    if not isinstance(value, str):
        raise ArgumentTypeError(1, f"{name} is a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argument(f"{name}: {error}") from None
    return value


def whole(value: Any, name: str) -> int:
    """`value`, which the core takes as an unsigned number."""
    if not isinstance(value, int):
        raise ArgumentTypeError(1, f"{name} is an int, not {type(value).__name__}")
    if not 0 <= value < 1 << 64:
        raise argument(f"{name} is a whole number from 0 on")
    return value


def truth(value: Any, name: str) -> bool:
    """`value`, which says yes or no: nothing else is taken for either."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(1, f"{name} is a bool, not {type(value).__name__}")
    return value


_native.set_error(of_call, of_argument)
