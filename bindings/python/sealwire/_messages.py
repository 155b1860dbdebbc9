"""Request and Reply: what came from a peer."""

import json
from typing import TYPE_CHECKING, Any, Optional, Union

from sealwire import _native

if TYPE_CHECKING:
    from sealwire._peer import Peer

# What a body may be: bytes and other buffers as they are, str as UTF-8, dict, list, numbers and bool as JSON.
BodyLike = Union[bytes, bytearray, memoryview, str, dict, list, int, float, bool]  # type: ignore[type-arg]

TYPES = ("bytes", "utf8", "json", "messagepack", "cbor")


class _Readable(_native.Message):
    __slots__ = ()

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)

    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()

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


class Reply(_Readable):
    """The answer to a request. A fast reply, which has no body, has `has_body` False and an empty body."""

    __slots__ = ()
    peer: "Peer"


class Request(_Readable):
    """A message or request from a peer, as handlers get it.

    peer         who sent it; `peer.id` was proved by the handshake
    route        where it was sent to
    body         bytes; `view` is a memoryview that copies nothing
    timeout      seconds that the requester grants, or None
    wants_reply  False for messages that were only sent
    wants_many   the requester takes any number of replies
    cancelled    the requester does not wait any more
    """

    __slots__ = ()
    peer: "Peer"
    route: str

    def reply(self, body: Optional[BodyLike] = None) -> None:
        """Answers now, in place of the handler's return value; None is a fast reply without a body."""
        super().reply(body)

    async def more(self, body: BodyLike) -> None:
        """One of several replies, to a requester that wants many; waits for room. `reply` or the handler's end is the end of
        them: `reply(None)` without one more."""
        while not self._more(body):
            await self.peer._wait_for_room()

    def status(self, code: int, text: str = "") -> None:
        """Answers with a status of the application, 64 to 4,095; `raise Status(code, text)` does the same."""
        super().status(code, text)


def _to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


_native.set_classes(Request, Reply, _to_json)
