"""Stream and File of the synchronous face: what is sent with a message."""

import threading
from typing import TYPE_CHECKING, Any, Generator, List, Optional, Sequence

from sealwire import _errors
from sealwire._log import fields, logger
from sealwire._received import Buffer
from sealwire._sending import PIECE, FileMakers, Sending, checked, opened
from sealwire._sync_parts import Part

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Stream(Sending):
    """Bytes to go with one message: `peer.request(route, body, parts=[Stream(source)])`.

    source    bytes, an iterator of bytes, a binary file object, or a path, whose file the library reads and hashes itself; None: the
              program writes it with `write` and `close`, as soon as its message was sent. Sources are read in a thread of their own
    size      in bytes, where it is known: then just so many have to come
    progress  called with the bytes so far and in all, after each MiB, by whichever thread sends; it must not wait for the node
    """

    __slots__ = ("_over", "_attached")
    _peer: "Optional[Peer]"

    def _prepare(self) -> None:
        self._attached = threading.Event()
        self._over = False  # at its end, or given up

    # ---- Writing ----

    def write(self, data: Buffer) -> int:
        """Sends bytes, waiting for room, and gives their number. Raises when the receiver wants no more, or the session has ended."""
        peer = self._ready()
        view = memoryview(data).cast("B")
        for at in range(0, view.nbytes, PIECE):
            piece = view[at:at + PIECE]
            with peer._changed:
                while True:
                    if self._ended:
                        raise self._error or _errors.make(4, "the stream was closed")
                    taken = peer._part_write(self._exchange, self._number, piece, False, b"", 0)
                    if taken:
                        break
                    while taken is None and not self._over:
                        peer._changed.wait()
                    if taken is None:
                        raise self._error or _errors.make(3, "the part is over")
                    peer._changed.wait()
                self._wrote(piece)
        return view.nbytes

    def close(self, *, digest: bytes = b"", algorithm: int = 1) -> None:
        """The end of it; with `digest`, what all bytes hash to (algorithm 1: BLAKE2b-256; from 64 on your own). A file has its
        BLAKE2b-256 by itself."""
        if self._ended and self._error is None:
            return
        peer = self._ready()
        end = self._end_of_it(digest, algorithm)
        with peer._changed:
            if peer._part_write(self._exchange, self._number, b"", True, *end) is None:
                while not self._over:
                    peer._changed.wait()
                raise self._error or _errors.make(3, "the part is over")
            self._ended = True

    def cancel(self, code: int = 0) -> None:
        """Gives it up: the receiver is told that it is incomplete, with `code` (0, or 64 to 4,095)."""
        if self._peer is not None and not self._over:
            self._peer._part_cancel(self._exchange, self._number, code)
        self._refuse_more()
        if self._peer is not None:
            with self._peer._changed:
                self._peer._changed.notify_all()

    def wait(self) -> None:
        """Waits until all of it was sent; raises what kept it from that."""
        self._attached.wait()
        if self._peer is not None:
            with self._peer._changed:
                while not self._over:
                    self._peer._changed.wait()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self.cancel()
            return
        try:
            self.close()
        except BaseException:
            self.cancel()
            raise

    def _ready(self) -> "Peer":
        self._attached.wait()
        if self._error is not None:
            raise self._error
        if self._ended or self._peer is None:
            raise _errors.make(4, "the stream was closed")
        return self._peer

    # ---- Its message ----

    def _attach(self, peer: "Peer", exchange: int, number: int) -> None:
        """With the lock, in which its message was sent."""
        self._peer, self._exchange, self._number = peer, exchange, number
        peer._parts[exchange, number] = self
        self._attached.set()
        if self._ended:  # given up before
            return peer._part_cancel(exchange, number, 0)
        if self._file is not None:
            self._ended = True  # the library writes it
            peer._files.add(self)
        elif self._source is not None:
            threading.Thread(target=self._pump, name=f"sealwire source {self.name}", daemon=True).start()

    def _give_up(self, error: BaseException) -> None:
        super()._give_up(error)
        self._over = True
        self._attached.set()

    def _pump(self) -> None:
        pieces = _pieces(self._source)
        self._source = None
        try:
            for piece in pieces:
                self.write(piece)
            self.close()
        except BaseException as error:
            if self._error is not None:
                return  # it ended at the other side, of which wait() tells
            self._fail(error)
        finally:
            self._report = None
            pieces.close()

    def _fail(self, error: BaseException) -> None:
        self._error, self._failed = error, True
        report = self._report
        if self._file is None:
            self.cancel()
        if report is not None:
            report(error)
        else:
            logger.error("the source of a part failed, which is cancelled at the peer", exc_info=error,
                         extra=fields(self._peer, getattr(error, "code", None)))

    # ---- From the node, with the lock ----

    def _on_writable(self) -> None:
        if self._peer is not None:
            self._peer._changed.notify_all()

    def _lost(self, error: Optional[_errors.Error]) -> None:
        if self._over or self._peer is None:
            return
        self._over = self._ended = True
        self._peer._files.discard(self)
        if self._error is None:
            self._error = error
            if self._file is not None and isinstance(error, _errors.FileError):
                self._fail(error)
        self._peer._changed.notify_all()


class File(FileMakers, Stream):
    """A file to go with one message: a Stream that is named, and whose BLAKE2b-256 goes with its end; as sealwire.File."""

    __slots__ = ()


def _pieces(source: Any) -> "Generator[Any, None, None]":
    """What a source gives, in pieces that are not empty."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        if source:
            yield source
        return
    read = getattr(source, "read", None)
    if read is not None and not isinstance(source, Part):
        while True:
            piece = read(PIECE)
            if not piece:
                return
            yield piece
    elif hasattr(source, "__iter__"):
        for piece in source:
            if piece:
                yield piece
    else:
        raise _errors.ArgumentTypeError(1, f"{type(source).__name__} is no source of bytes")


def prepared(parts: Sequence[Stream]) -> List[Stream]:
    """Each is used for one message alone; their files are opened."""
    return opened(checked(parts, Stream))
