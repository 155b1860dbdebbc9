"""Duplex: the one stream each way of a peer of the channel shs1."""

from typing import Any, Optional, Tuple

from sealwire import _errors
from sealwire._parts import Part
from sealwire._received import Buffer
from sealwire._streams import Stream

CHANNELS = {"sealwire": 0, "shs1": 1}  # of sw_channel
CHANNEL_NAMES = tuple(CHANNELS)


def channel_of(channel: str, network: Optional[Buffer]) -> Tuple[int, bytes]:
    """As the native half takes it."""
    if channel not in CHANNELS:
        raise _errors.argument(f'channel is "sealwire" or "shs1", not {channel!r}')
    return CHANNELS[channel], b"" if network is None else bytes(network)


class TwoWays:
    """The base of sealwire.Duplex and sealwire.sync.Duplex."""

    __slots__ = ("incoming", "outgoing")
    incoming: Any
    outgoing: Any
    _stream_class: Any
    _part_class: Any
    _name: str

    def __init__(self, peer: Any, exchange: int, out_number: int, in_number: int) -> None:
        self.outgoing = self._stream_class()
        self.outgoing._used = True
        self.outgoing._attach(peer, exchange, out_number)
        self.incoming = self._part_class(peer, exchange, in_number, "", None, 0, 0)
        peer._parts[exchange, in_number] = self.incoming

    def __repr__(self) -> str:
        return f"<{self._name} {self.incoming.received} bytes received, {self.outgoing.sent} sent>"

    @property
    def at_end(self) -> bool:
        """All that the peer sent was read."""
        return bool(self.incoming.at_end)

    def unread(self, data: Buffer) -> None:
        """Puts bytes back, to be read next."""
        self.incoming.unread(data)

    def cancel(self) -> None:
        """Breaks the connection off: to the peer, its bytes are truncated."""
        self.outgoing.cancel()


class Duplex(TwoWays):
    """`peer.stream` of a peer of the channel shs1: all that such a peer has.

    incoming  what the peer sends, a Part: `read`, `readexactly`, `unread`, `async for` and `at_end` are its
    outgoing  what this side sends, a Stream: `write`, `close`, `cancel` and `wait` are its

    Each direction ends by itself: reading gives b"" behind the peer's end, and raises when the bytes ended without one. Once both
    have ended the peer is closed.
    """

    __slots__ = ()
    incoming: Part
    outgoing: Stream
    _stream_class = Stream
    _part_class = Part
    _name = "sealwire.Duplex"

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes as soon as there are some; b"" at the end. Without `n`: all of them, up to the end."""
        return await self.incoming.read(n)

    async def readexactly(self, n: int) -> bytes:
        """Just `n` bytes; asyncio.IncompleteReadError, with what there was, when it ends before."""
        return await self.incoming.readexactly(n)

    def __aiter__(self) -> "Duplex":
        return self

    async def __anext__(self) -> bytes:
        return await self.incoming.__anext__()

    async def write(self, data: Buffer) -> None:
        """Sends bytes, waiting for room. Raises when the connection has ended."""
        await self.outgoing.write(data)

    async def close(self) -> None:
        """Ends what this side sends; the peer may go on sending."""
        await self.outgoing.close()

    async def wait(self) -> None:
        """Waits until all that was written has left, up to its end; raises what kept it from that."""
        await self.outgoing.wait()

    async def __aenter__(self) -> "Duplex":
        return self

    async def __aexit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self.cancel()
        else:
            await self.close()
