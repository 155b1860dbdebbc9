"""Sending: what both faces know of a stream or file that goes with a message; Answer."""

import hashlib
import os
import pathlib
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union

from sealwire import _errors, _native
from sealwire._received import STEP, Buffer, Progress

if TYPE_CHECKING:
    from sealwire._messages import BodyLike

PIECE = 256 * 1024  # read from a source at once
# Bytes, an iterator of bytes (in asyncio also an async one), a binary file object (there also asyncio's reader), a path; a Part is
# an iterator.
Source = Union[Buffer, Iterable[Buffer], "os.PathLike[str]", Any]
SendingT = TypeVar("SendingT", bound="Sending")
FileT = TypeVar("FileT", bound="FileMakers")


class Sending:
    """The base of the faces' Stream."""

    _kind = 0
    __slots__ = ("name", "size", "sent", "_source", "_file", "_peer", "_exchange", "_number", "_ended", "_error", "_failed", "_used",
                 "_report", "_hash", "_progress", "_told", "__weakref__")

    def __init__(self, source: Optional[Source] = None, *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        if isinstance(source, str):
            raise _errors.ArgumentTypeError(1, "a str is no source: encode it, or wrap a path into pathlib.Path or File")
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
        self._peer: Any = None
        self._exchange = self._number = 0
        self._ended = False  # nothing more is written
        self._error: Optional[BaseException] = None
        self._failed = False  # by its source
        self._report: Optional[Callable[[BaseException], None]] = None
        self._used = False
        self._prepare()

    def _prepare(self) -> None:
        """What the face needs."""

    def __repr__(self) -> str:
        kind = "sealwire.sync" if "_sync_" in type(self).__module__ else "sealwire"
        return f"<{kind}.{type(self).__name__} {self.name!r} {self.sent} bytes{' ended' if self._ended else ''}>"

    # ---- Writing ----

    def _end_of_it(self, digest: bytes, algorithm: int) -> Tuple[bytes, int]:
        """What goes with its end, where that is allowed."""
        if self.size is not None and self.sent != self.size:
            raise _errors.make(1, f"{self.sent} of {self.size} bytes were written")
        if self._hash is not None and not digest:
            return self._hash.digest(), 1
        return digest, algorithm if digest else 0

    def _wrote(self, piece: Any) -> None:
        if self._hash is not None:
            self._hash.update(piece)
        self._on_progress(self.sent + piece.nbytes)

    def _refuse_more(self) -> None:
        """It was given up."""
        if not self._ended:
            self._ended = True
            if self._error is None:
                self._error = _errors.make(4, "the stream was given up")

    def __del__(self) -> None:
        if getattr(self, "_peer", None) is not None and not self._ended:
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

    def _give_up(self, error: BaseException) -> None:
        """Its message was not sent."""
        self._ended, self._error, self._source, self._file = True, error, None, None

    # ---- From the node ----

    def _on_data(self, data: bytes) -> None:
        """Only parts of the other side bring some."""

    def _on_progress(self, count: int) -> None:
        self.sent = count
        if self._progress is not None and count - self._told >= STEP:
            self._told = count
            self._progress(count, self.size)

    def _on_done(self, result: int, code: int, digest: bytes, algorithm: int, count: int, detail: str) -> None:
        if result == 0:
            self.sent = count
        self._lost(None if result == 0 else _errors.make(result, detail or "a part of the message ended", status=code,
                                                          peer=self._peer.id, endpoint=self._peer.address))

    def _lost(self, error: Optional[_errors.Error]) -> None:
        """It has ended, in order without an error."""


class FileMakers(Sending):
    """What the faces' File is besides a Stream: it is named, and its BLAKE2b-256 goes with its end."""

    _kind = 1
    __slots__ = ()

    def __init__(self, source: Union[Source, str, None], *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        super().__init__(pathlib.Path(source) if isinstance(source, str) else source, name=name, size=size, progress=progress)

    @classmethod
    def from_path(cls: Type[FileT], path: "Union[str, os.PathLike[str]]", *, name: str = "",
                  progress: Optional[Progress] = None) -> FileT:
        """A regular file, which the library opens when the message is sent, reads and hashes on threads of its own."""
        return cls(pathlib.Path(path), name=name, progress=progress)

    @classmethod
    def from_bytes(cls: Type[FileT], data: Buffer, name: str, *, progress: Optional[Progress] = None) -> FileT:
        return cls(data, name=name, progress=progress)

    @classmethod
    def from_stream(cls: Type[FileT], source: Source, name: str, *, size: Optional[int] = None,
                    progress: Optional[Progress] = None) -> FileT:
        """Of an iterator (in asyncio also an async one), a binary file object, or a Part that is passed on."""
        return cls(source, name=name, size=size, progress=progress)


class Answer(NamedTuple):
    """What a handler returns, or yields, to answer with streams and files."""

    body: "Optional[BodyLike]" = b""
    parts: Sequence[Sending] = ()


def answer_of(result: Any) -> Tuple[Any, Any]:
    """Body and parts of what a handler has returned or yielded."""
    return result if isinstance(result, Answer) else (result, ())


def checked(parts: Sequence[SendingT], kind: Type[SendingT]) -> List[SendingT]:
    """Each is used for one message alone."""
    streams = list(parts)
    for stream in streams:
        if not isinstance(stream, kind):
            raise _errors.ArgumentTypeError(1, f"parts are {kind.__module__.split('._')[0]}.Stream and File of this face")
        if stream._used:
            raise _errors.state("this stream was sent already")
    for stream in streams:
        stream._used = True
    return streams


def opened(streams: Sequence[SendingT]) -> List[SendingT]:
    """Those, with the files that paths name opened; none is left to be sent where one fails."""
    try:
        for stream in streams:
            stream._open()
    except BaseException as error:
        give_up(streams, error)
        raise
    return list(streams)


def heads(streams: Sequence[Sending]) -> "List[Tuple[str, int, Optional[int], Any]]":
    return [(stream.name, stream._kind, stream.size, stream._file) for stream in streams]


def give_up(streams: Sequence[Sending], error: BaseException) -> None:
    for stream in streams:
        stream._give_up(error)
