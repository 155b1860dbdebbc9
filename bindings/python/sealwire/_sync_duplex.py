"""Duplex of the synchronous face: the one stream each way of a peer of the channel shs1."""

from typing import TYPE_CHECKING, Any

from sealwire._received import Buffer
from sealwire._sync_parts import Part
from sealwire._sync_streams import Stream

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Duplex:
    """`peer.stream` of a peer of the channel shs1; as sealwire.Duplex. One thread at a time reads it, and one writes."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self, peer: "Peer", exchange: int, out_number: int, in_number: int) -> None:
        self.outgoing = Stream()
        self.outgoing._used = True
        self.outgoing._attach(peer, exchange, out_number)
        self.incoming = Part(peer, exchange, in_number, "", None, 0, 0)
        peer._parts[exchange, in_number] = self.incoming

    def __repr__(self) -> str:
        return f"<sealwire.sync.Duplex {self.incoming.received} bytes received, {self.outgoing.sent} sent>"

    @property
    def at_end(self) -> bool:
        """All that the peer sent was read."""
        return self.incoming.at_end

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes as soon as there are some; b"" at the end. Without `n`: all of them, up to the end."""
        return self.incoming.read(n)

    def readexactly(self, n: int) -> bytes:
        """Just `n` bytes; EOFError when it ends before."""
        return self.incoming.readexactly(n)

    def unread(self, data: Buffer) -> None:
        """Puts bytes back, to be read next."""
        self.incoming.unread(data)

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

    def cancel(self) -> None:
        """Breaks the connection off: to the peer, its bytes are truncated."""
        self.outgoing.cancel()

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
