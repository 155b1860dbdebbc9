"""Request and Reply: what came from a peer."""

import json
import uuid
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Union

from sealwire import _errors, _native, _streams
from sealwire._carried import Metadata, extras
from sealwire._codecs import TYPES, Encoded, decode
from sealwire._sending import checked, give_up, heads, opened
from sealwire._streams import Stream

if TYPE_CHECKING:
    from sealwire._parts import Part
    from sealwire._peer import Peer
    from sealwire._talk import Talk

# What a body may be: bytes and other buffers as they are, str as UTF-8, dict, list, numbers and bool as JSON, and what
# `encode` gives.
BodyLike = Union[bytes, bytearray, memoryview, str, dict, list, int, float, bool, Encoded]  # type: ignore[type-arg]


class Readable:
    """What has a body of some type."""

    __slots__ = ()
    if TYPE_CHECKING:
        @property
        def body(self) -> bytes: ...

        @property
        def view(self) -> memoryview: ...

        @property
        def type(self) -> int: ...

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)

    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()

    def decode(self) -> Any:
        """The body by its `kind`: bytes, a str, or the value that JSON, MessagePack or CBOR say; ValueError when it is none. The
        latter two need the packages msgpack and cbor2."""
        return decode(self.body, self.type)

    @property
    def kind(self) -> str:
        """How the sender encoded the body: bytes, utf8, json, messagepack or cbor."""
        return TYPES[self.type] if self.type < len(TYPES) else "bytes"

    def __bytes__(self) -> bytes:
        return self.body

    def __len__(self) -> int:
        with self.view as view:
            return view.nbytes

    def __bool__(self) -> bool:
        return True


class _Readable(Readable, _native.Message):
    __slots__ = ()

    @property
    def asks(self) -> bool:
        """It is a question in a conversation, and not answered yet."""
        return False

    @property
    def trace(self) -> Optional[str]:
        """The W3C traceparent that came with it, or None."""
        trace = self._trace
        return None if trace is None else f"00-{trace[:16].hex()}-{trace[16:24].hex()}-{trace[24:].hex()}"

    @property
    def uuid(self) -> "uuid.UUID":
        """The same at both ends; to be asked for while its session lasts."""
        return uuid.UUID(bytes=self.peer._uuid(self.number, False, self._place))


class Answering(_Readable):
    """A reply, in either face."""

    __slots__ = ()

    @property
    def request_uuid(self) -> "uuid.UUID":
        """Of the request that this answers: what its handler sees as `request.uuid`."""
        return uuid.UUID(bytes=self.peer._uuid(self.number, True, 0))


class Reply(Answering):
    """The answer to a request. A fast reply, which has no body, has `has_body` False and an empty body. `parts` are the
    streams and files that come with it; they may be read on when the request is long over."""

    __slots__ = ()
    peer: "Peer"
    parts: "List[Part]"


class Asked(_Readable):
    """A message or request, in either face."""

    __slots__ = ()

    def _ear(self) -> Any:
        ear = self.peer._talks.get(self.number)
        if ear is None:
            raise _errors.StateError(4, "the requester does not converse, or the exchange is over", peer=self.peer.id)
        return ear

    def _begin_parts(self, kept: bool) -> None:
        """They may be read yet, though a reply is sent before."""
        if self._has_parts and not self.answered:
            for part in self.parts:
                part._begin(kept)

    def _answered(self) -> None:
        if self.converses:
            self.peer._end_talk(self.number)

    def reply_uuid(self, place: int = 0) -> "uuid.UUID":
        """Of the reply to it, the first or a later one; questions of this side count, too. The requester sees it as `reply.uuid`."""
        return uuid.UUID(bytes=self.peer._uuid(self.number, True, place))

    def status(self, code: int, text: str = "", details: Optional[BodyLike] = None) -> None:
        """Answers with a status of the application, 64 to 4,095; `raise Status(code, text, details)` does the same."""
        super().status(code, text, details)
        self._answered()


class Request(Asked):
    """A message or request from a peer, as handlers get it.

    peer         who sent it; `peer.id` was proved by the handshake
    route        where it was sent to
    body         bytes; `view` is a memoryview that copies nothing
    timeout      seconds that the requester grants, or None
    parts        streams and files that come with it; those that it never reads are stopped when the handler returns
    wants_reply  False for messages that were only sent
    wants_many   the requester takes any number of replies
    cancelled    the requester does not wait any more
    converses    it may be asked: `await request.talk.ask(...)`
    metadata     dict of str
    idempotency_key  16 bytes, or None
    """

    __slots__ = ()
    peer: "Peer"
    route: str
    parts: "List[Part]"

    @property
    def talk(self) -> "Talk":
        """Both sides may ask while it is not answered; for handlers that are coroutines or yield."""
        from sealwire._talk import Talk
        return Talk(self._ear())

    def reply(self, body: Optional[BodyLike] = None, parts: Sequence[Stream] = (), *,
              metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None) -> None:
        """Answers now, in place of the handler's return value; None is a fast reply without a body. Streams and files in
        `parts` go on behind it."""
        self._begin_parts(bool(parts))
        if parts or metadata or trace:
            self._reply_now(body, opened(checked(parts, Stream)), False, extras(metadata, trace))
        else:
            super().reply(body)
        self._answered()

    def _reply_now(self, body: Optional[BodyLike], streams: List[Stream], more: bool, extras: Any = None) -> bool:
        """False: there is no room, of one of several."""
        try:
            numbers = self._reply(b"" if body is None else body, more, heads(streams), extras)
            if numbers is False:
                return False
            if numbers is None:
                raise _errors.make(81, "the requester does not wait any more", peer=self.peer.id)
        except _errors.CancelledByPeer as error:
            give_up(streams, error)
            return True
        except BaseException as error:
            give_up(streams, error)
            raise
        assert isinstance(numbers, list)
        _streams.attach(streams, self.peer, self.number, numbers)
        return True

    async def more(self, body: Optional[BodyLike], parts: Sequence[Stream] = ()) -> None:
        """One of several replies, to a requester that wants many; waits for room. `reply` or the handler's end is the end of
        them: `reply(None)` without one more."""
        streams = await _streams.prepared(parts) if parts else []
        while not self._reply_now(body, streams, True):
            await self.peer._wait_for_room()
