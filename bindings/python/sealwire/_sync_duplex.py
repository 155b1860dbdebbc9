"""Duplex of the synchronous face: the one stream each way of a peer of the channel shs1."""

from typing import Any

from sealwire._duplex import TwoWays
from sealwire._received import Buffer
from sealwire._sync_parts import Part
from sealwire._sync_streams import Stream


class Duplex(TwoWays):
    """`peer.stream` of a peer of the channel shs1; as sealwire.Duplex. One thread at a time reads it, and one writes."""

    __slots__ = ()
    incoming: Part
    outgoing: Stream
    _stream_class = Stream
    _part_class = Part
    _name = "sealwire.sync.Duplex"

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes as soon as there are some; b"" at the end. Without `n`: all of them, up to the end."""
        return self.incoming.read(n)

    def readexactly(self, n: int) -> bytes:
        """Just `n` bytes; EOFError when it ends before."""
        return self.incoming.readexactly(n)

    def __iter__(self) -> "Duplex":
        return self

    def __next__(self) -> bytes:
        return self.incoming.__next__()

    def write(self, data: Buffer) -> int:
        """Sends bytes, waiting for room. Raises when the connection has ended."""
        return self.outgoing.write(data)

    def close(self) -> None:
        """Ends what this side sends; the peer may go on sending."""
        self.outgoing.close()

    def wait(self) -> None:
        """Waits until all that was written has left, up to its end; raises what kept it from that."""
        self.outgoing.wait()

    def __enter__(self) -> "Duplex":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self.cancel()
        else:
            self.close()
