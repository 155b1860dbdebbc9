"""Request and Reply of the synchronous face."""

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Union

from sealwire import _errors
from sealwire._carried import Metadata, extras
from sealwire._messages import Answering, Asked, BodyLike
from sealwire._sending import give_up, heads
from sealwire._sync_parts import Part
from sealwire._sync_streams import Stream, prepared

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer
    from sealwire._sync_talk import Talk

GLANCE = 0.1  # seconds: how often a handler that waits for room looks whether anybody still wants its replies


class Reply(Answering):
    """The answer to a request; as sealwire.Reply."""

    __slots__ = ()
    peer: "Peer"
    parts: List[Part]


class Request(Asked):
    """A message or request from a peer, as handlers get it; as sealwire.Request."""

    __slots__ = ()
    peer: "Peer"
    route: str
    parts: List[Part]

    @property
    def cancelled(self) -> bool:
        """The requester does not wait any more."""
        return super().cancelled or (self.wants_reply and not self.answered and not self.peer._is_running(self.number))

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Waits until the requester does not wait any more, at most so long (seconds); whether that is so."""
        end = None if timeout is None else self.peer.node._clock() + timeout
        with self.peer._changed:
            while not self.cancelled and not self.answered and not self.peer.closed:
                left = GLANCE if end is None else min(GLANCE, end - self.peer.node._clock())
                if left <= 0:
                    break
                self.peer._changed.wait(left)
        return self.cancelled

    @property
    def talk(self) -> "Talk":
        """Both sides may ask while it is not answered."""
        from sealwire._sync_talk import Talk
        return Talk(self._ear())

    def reply(self, body: Optional[BodyLike] = None, parts: Sequence[Stream] = (), *, metadata: Optional[Metadata] = None,
              trace: Union[str, bytes, None] = None) -> None:
        """Answers now, in place of the handler's return value; None is a fast reply without a body. Streams and files in `parts` go on
        behind it."""
        self._begin_parts(bool(parts))
        if not parts and not metadata and not trace:
            super().reply(body)
            return self._answered()
        streams = prepared(parts)
        if self._reply_now(body, streams, False, extras(metadata, trace)) is None:
            give_up(streams, _errors.make(81, "the requester does not wait any more", peer=self.peer.id))
        self._answered()

    def _reply_now(self, body: Optional[BodyLike], streams: List[Stream], more: bool, extras: Any = None) -> Optional[bool]:
        """False: there is no room, of one of several; None: nobody waits for it."""
        try:
            with self.peer._changed:
                numbers = self._reply(b"" if body is None else body, more, heads(streams), extras)
                if isinstance(numbers, list):
                    for stream, number in zip(streams, numbers):
                        stream._attach(self.peer, self.number, number)
                    return True
                return numbers
        except BaseException as error:
            give_up(streams, error)
            raise

    def more(self, body: Optional[BodyLike], parts: Sequence[Stream] = ()) -> None:
        """One of several replies, to a requester that wants many; waits for room. `reply` or the handler's end is the end of them:
        `reply(None)` without one more. CancelledByPeer when the requester wants no more."""
        streams = prepared(parts)
        with self.peer._changed:
            while True:
                taken = self._reply_now(body, streams, True)
                if taken:
                    return
                if taken is None or self.cancelled:
                    error = _errors.make(81, "the requester does not wait any more", peer=self.peer.id)
                    give_up(streams, error)
                    raise error
                self.peer._changed.wait(GLANCE)
