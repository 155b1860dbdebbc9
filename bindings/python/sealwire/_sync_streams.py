"""Stream and File of the synchronous face: what is sent with a message."""

import hashlib
import logging
import os
import pathlib
import threading
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from sealwire import _errors, _native
from sealwire._received import STEP, Buffer, Progress
from sealwire._sync_parts import Part

if TYPE_CHECKING:
    from sealwire._messages import BodyLike
    from sealwire._sync_peer import Peer

logger = logging.getLogger("sealwire")
_PIECE = 256 * 1024  # read from a source at once

# Bytes, an iterator of bytes (a Part is one), a binary file object, or a path.
Source = Union[Buffer, Iterable[Buffer], "os.PathLike[str]", Any]


class Stream:
    """Bytes to go with one message: `peer.request(route, body, parts=[Stream(source)])`.

    source    bytes, an iterator of bytes, a binary file object, or a path, whose file the library reads and hashes itself; None: the
              program writes it with `write` and `close`, as soon as its message was sent. Sources are read in a thread of their own
    size      in bytes, where it is known: then just so many have to come
    progress  called with the bytes so far and in all, after each MiB, by whichever thread sends; it must not wait for the node
    """

    _kind = 0
    __slots__ = ("name", "size", "sent", "_source", "_file", "_peer", "_exchange", "_number", "_ended", "_over", "_error", "_failed",
                 "_used", "_hash", "_progress", "_told", "_report", "_attached", "__weakref__")

    def __init__(self, source: Optional[Source] = None, *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        if isinstance(source, str):
            raise _errors.ArgumentTypeError(1, "a str is no source: encode it, or wrap a path into pathlib.Path or sealwire.sync.File")
        if isinstance(source, (bytes, bytearray, memoryview)) and size is None:
            size = memoryview(source).nbytes
        if isinstance(source, os.PathLike) and not name:
            name = pathlib.Path(source).name
        self.name = name
        self.size = size
        self.sent = 0  # bytes that were taken of it
        self._source = source
        self._file: Any = None  # of a path, once it was opened
        self._hash = hashlib.blake2b(digest_size=32) if self._kind else None
        self._progress = progress
        self._told = 0
        self._peer: "Optional[Peer]" = None
        self._exchange = self._number = 0
        self._attached = threading.Event()
        self._ended = False  # nothing more is written
        self._over = False  # at its end, or given up
        self._error: Optional[BaseException] = None
        self._failed = False  # by its source
        self._report: Optional[Callable[[BaseException], None]] = None
        self._used = False

    def __repr__(self) -> str:
        return f"<sealwire.sync.{type(self).__name__} {self.name!r} {self.sent} bytes{' ended' if self._ended else ''}>"

    # ---- Writing ----

    def write(self, data: Buffer) -> int:
        """Sends bytes, waiting for room, and gives their number. Raises when the receiver wants no more, or the session has ended."""
        peer = self._ready()
        view = memoryview(data).cast("B")
        for at in range(0, view.nbytes, _PIECE):
            piece = view[at:at + _PIECE]
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
                if self._hash is not None:
                    self._hash.update(piece)
                self._on_progress(self.sent + piece.nbytes)
        return view.nbytes

    def close(self, *, digest: bytes = b"", algorithm: int = 1) -> None:
        """The end of it; with `digest`, what all bytes hash to (algorithm 1: BLAKE2b-256; from 64 on your own). A file has its
        BLAKE2b-256 by itself."""
        if self._ended and self._error is None:
            return
        peer = self._ready()
        if self.size is not None and self.sent != self.size:
            raise _errors.make(1, f"{self.sent} of {self.size} bytes were written")
        if self._hash is not None and not digest:
            digest, algorithm = self._hash.digest(), 1
        with peer._changed:
            if peer._part_write(self._exchange, self._number, b"", True, digest, algorithm if digest else 0) is None:
                while not self._over:
                    peer._changed.wait()
                raise self._error or _errors.make(3, "the part is over")
            self._ended = True

    def cancel(self, code: int = 0) -> None:
        """Gives it up: the receiver is told that it is incomplete, with `code` (0, or 64 to 4,095)."""
        if self._peer is not None and not self._over:
            self._peer._part_cancel(self._exchange, self._number, code)
        if not self._ended:
            self._ended = True
            if self._error is None:
                self._error = _errors.make(4, "the stream was given up")
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

    def __del__(self) -> None:
        if getattr(self, "_peer", None) is not None and not self._ended and self._peer is not None:
            try:
                self._peer._part_cancel(self._exchange, self._number, 0)
            except _errors.Error:
                pass

    # ---- Its message ----

    def _open(self) -> None:
        """Opens the file that a path names."""
        if isinstance(self._source, os.PathLike) and self._file is None:
            file, size = _native.Peer._file_open(os.fsencode(self._source), self.name, STEP)
            if self.size not in (None, size):
                raise _errors.make(1, f"the file has {size} bytes, not {self.size}")
            self._file, self.size = file, size

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
        """Its message was not sent."""
        self._ended, self._over, self._error, self._source, self._file = True, True, error, None, None
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
            logger.error("the source of a part failed, which is cancelled at the peer", exc_info=error)

    # ---- From the node, with the lock ----

    def _on_progress(self, count: int) -> None:
        self.sent = count
        if self._progress is not None and count - self._told >= STEP:
            self._told = count
            self._progress(count, self.size)

    def _on_done(self, result: int, code: int, digest: bytes, algorithm: int, count: int, detail: str) -> None:
        peer = self._peer
        assert peer is not None
        if result == 0:
            self.sent = count
        self._lost(None if result == 0 else _errors.make(result, detail or "a part of the message ended", status=code,
                                                          peer=peer.id, endpoint=peer.address))

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


class File(Stream):
    """A file to go with one message: a Stream that is named, and whose BLAKE2b-256 goes with its end; as sealwire.File."""

    _kind = 1
    __slots__ = ()

    def __init__(self, source: Union[Source, str, None], *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        super().__init__(pathlib.Path(source) if isinstance(source, str) else source, name=name, size=size, progress=progress)

    @classmethod
    def from_path(cls, path: "Union[str, os.PathLike[str]]", *, name: str = "", progress: Optional[Progress] = None) -> "File":
        """A regular file, which the library opens when the message is sent, reads and hashes on threads of its own."""
        return cls(pathlib.Path(path), name=name, progress=progress)

    @classmethod
    def from_bytes(cls, data: Buffer, name: str, *, progress: Optional[Progress] = None) -> "File":
        return cls(data, name=name, progress=progress)

    @classmethod
    def from_stream(cls, source: Source, name: str, *, size: Optional[int] = None,
                    progress: Optional[Progress] = None) -> "File":
        """Of an iterator, a binary file object, or a Part that is passed on."""
        return cls(source, name=name, size=size, progress=progress)


class Answer(NamedTuple):
    """What a handler returns, or yields, to answer with streams and files."""

    body: "Optional[BodyLike]" = b""
    parts: Sequence[Stream] = ()


def _pieces(source: Any) -> "Generator[Any, None, None]":
    """What a source gives, in pieces that are not empty."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        if source:
            yield source
        return
    read = getattr(source, "read", None)
    if read is not None and not isinstance(source, Part):
        while True:
            piece = read(_PIECE)
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
    streams = list(parts)
    for stream in streams:
        if not isinstance(stream, Stream):
            raise _errors.ArgumentTypeError(1, "parts are sealwire.sync.Stream and sealwire.sync.File")
        if stream._used:
            raise _errors.state("this stream was sent already")
    for stream in streams:
        stream._used = True
    try:
        for stream in streams:
            stream._open()
    except BaseException as error:
        give_up(streams, error)
        raise
    return streams


def heads(streams: List[Stream]) -> "List[Tuple[str, int, Optional[int], Any]]":
    return [(stream.name, stream._kind, stream.size, stream._file) for stream in streams]


def give_up(streams: List[Stream], error: BaseException) -> None:
    for stream in streams:
        stream._give_up(error)
