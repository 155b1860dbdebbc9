"""Stream and File: what a message or reply carries, from a source of any kind or written by the program; Answer."""

import asyncio
import hashlib
import inspect
import logging
import os
import pathlib
from typing import (TYPE_CHECKING, Any, AsyncIterable, AsyncIterator, Callable, Iterable, List, NamedTuple, Optional,
                    Sequence, Tuple, Union)

from sealwire import _errors, _native
from sealwire._parts import Part
from sealwire._received import STEP, Buffer, Progress

if TYPE_CHECKING:
    from sealwire._messages import BodyLike
    from sealwire._peer import Peer

logger = logging.getLogger("sealwire")

_PIECE = 256 * 1024  # read from a source at once

# Bytes, an iterator of bytes, a binary file object or asyncio's reader, a path; a Part is an async iterator.
Source = Union[Buffer, AsyncIterable[Buffer], Iterable[Buffer], "os.PathLike[str]", Any]


class Stream:
    """Bytes to go with one message: `peer.request(route, body, parts=[Stream(source)])`.

    source    bytes, an iterator (async or plain) of bytes, a binary file object (read in a thread) or a path, whose file the
              library reads and hashes itself; None: the program writes it with `write` and `close`, as soon as its message
              was sent
    size      in bytes, where it is known: then just so many have to come
    progress  called with the bytes so far and in all, after each MiB
    """

    _kind = 0
    __slots__ = ("name", "size", "sent", "_source", "_file", "_peer", "_exchange", "_number", "_attached", "_room",
                 "_ended", "_error", "_failed", "_task", "_report", "_used", "_done", "_hash", "_progress", "_told", "__weakref__")

    def __init__(self, source: Optional[Source] = None, *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        if isinstance(source, str):
            raise _errors.ArgumentTypeError(1, "a str is no source: encode it, or wrap a path into pathlib.Path or sealwire.File")
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
        self._exchange = 0
        self._number = 0
        self._attached: "Optional[asyncio.Future[None]]" = None
        self._room: "Optional[asyncio.Future[None]]" = None
        self._done: "Optional[asyncio.Future[None]]" = None
        self._ended = False  # nothing more is written
        self._error: Optional[BaseException] = None
        self._failed = False  # by its source
        self._task: "Optional[asyncio.Task[None]]" = None
        self._report: Optional[Callable[[BaseException], None]] = None
        self._used = False

    def __repr__(self) -> str:
        return f"<sealwire.{type(self).__name__} {self.name!r} {self.sent} bytes{' ended' if self._ended else ''}>"

    # ---- Writing ----

    async def write(self, data: Buffer) -> None:
        """Sends bytes, waiting for room. Raises when the receiver wants no more, or the session has ended."""
        peer = await self._ready()
        view = memoryview(data).cast("B")
        for at in range(0, view.nbytes, _PIECE):
            piece = view[at:at + _PIECE]
            while True:
                taken = peer._part_write(self._exchange, self._number, piece, False, b"", 0)
                if taken:
                    if self._hash is not None:
                        self._hash.update(piece)
                    self._on_progress(self.sent + piece.nbytes)
                    break
                await self._wait(taken is None)
                if self._ended:
                    raise self._error or _errors.make(4, "the stream was closed")

    async def close(self, *, digest: bytes = b"", algorithm: int = 1) -> None:
        """The end of it; with `digest`, what all bytes hash to (algorithm 1: BLAKE2b-256; from 64 on your own). A file has its
        BLAKE2b-256 by itself."""
        if self._ended and self._error is None:
            return
        peer = await self._ready()
        if self.size is not None and self.sent != self.size:
            raise _errors.make(1, f"{self.sent} of {self.size} bytes were written")
        if self._hash is not None and not digest:
            digest, algorithm = self._hash.digest(), 1
        if peer._part_write(self._exchange, self._number, b"", True, digest, algorithm if digest else 0) is None:
            await self._wait(True)
        self._ended = True

    def cancel(self, code: int = 0) -> None:
        """Gives it up: the receiver is told that it is incomplete, with `code` (0, or 64 to 4,095)."""
        if self._done is not None and not self._done.done() and self._peer is not None:
            self._peer._part_cancel(self._exchange, self._number, code)
        if not self._ended:
            self._ended = True
            if self._error is None:
                self._error = _errors.make(4, "the stream was given up")
        self._wake()

    async def wait(self) -> None:
        """Waits until all of it was sent; raises what kept it from that."""
        if self._done is None:
            await self._ready()
        if self._done is not None:
            await asyncio.shield(self._done)
        if self._error is not None:
            raise self._error

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self.cancel()
        else:
            try:
                await self.close()
            except BaseException:
                self.cancel()
                raise

    async def _ready(self) -> "Peer":
        while self._peer is None and self._error is None:
            if self._attached is None:
                self._attached = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._attached)
        if self._error is not None:
            raise self._error
        if self._ended or self._peer is None:
            raise _errors.make(4, "the stream was closed")
        return self._peer

    async def _wait(self, over: bool) -> None:
        """For room, or for the reason of its end."""
        if over:
            if self._done is not None:
                await asyncio.shield(self._done)
            raise self._error or _errors.make(3, "the part is over")
        if self._room is None or self._room.done():
            self._room = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._room)

    def _wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def __del__(self) -> None:
        if getattr(self, "_peer", None) is not None and not self._ended:
            try:
                self.cancel()
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
        self._peer, self._exchange, self._number = peer, exchange, number
        self._done = asyncio.get_running_loop().create_future()
        peer._parts[exchange, number] = self
        if self._ended:  # given up before
            return peer._part_cancel(exchange, number, 0)
        if self._attached is not None and not self._attached.done():
            self._attached.set_result(None)
        if self._source is not None:
            self._task = asyncio.get_running_loop().create_task(self._pump() if self._file is None else self._follow())
            self._task.add_done_callback(_seen)

    def _give_up(self, error: BaseException) -> None:
        """Its message was not sent."""
        self._ended, self._error, self._source, self._file = True, error, None, None
        if self._attached is not None and not self._attached.done():
            self._attached.set_result(None)

    async def _follow(self) -> None:
        """The library sends the file; it fails as any source does."""
        assert self._done is not None
        try:
            await asyncio.shield(self._done)
            if isinstance(self._error, _errors.FileError):
                self._failed = True
                if self._report is not None:
                    self._report(self._error)
                else:
                    logger.error("the file %r could not be sent", self.name, exc_info=self._error)
        finally:
            self._report = None

    async def _pump(self) -> None:
        pieces = _pieces(self._source)
        self._source = None
        try:
            async for piece in pieces:
                await self.write(piece)
            await self.close()
        except asyncio.CancelledError:
            if self._error is None:
                self.cancel()
                raise
        except Exception as error:
            if self._error is not None:
                return  # it ended at the other side, of which wait() tells
            self._error, self._failed = error, True
            self.cancel()
            if self._report is not None:
                self._report(error)
            else:
                logger.error("the source of a part failed, which is cancelled at the peer", exc_info=error)
        finally:
            self._report = None
            await pieces.aclose()  # type: ignore[attr-defined]

    # ---- From the node ----

    def _on_data(self, data: bytes) -> None:
        """Only parts of the other side bring some."""

    def _on_writable(self) -> None:
        self._wake()

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
        if self._done is None or self._done.done():
            return
        self._done.set_result(None)
        self._ended = True
        if self._error is None:
            self._error = error
        self._wake()
        if error is not None and self._task is not None and not self._failed and self._file is None:
            self._task.cancel()


class File(Stream):
    """A file to go with one message: a Stream that is named, and whose BLAKE2b-256 goes with its end. Of a path: its name is the
    last component, its size that of the file, which has to stay as it is meanwhile (else FileError); the receiver learns
    nothing else of the path."""

    _kind = 1
    __slots__ = ()

    def __init__(self, source: Union[Source, str, None], *, name: str = "", size: Optional[int] = None,
                 progress: Optional[Progress] = None) -> None:
        super().__init__(pathlib.Path(source) if isinstance(source, str) else source, name=name, size=size,
                         progress=progress)

    @classmethod
    def from_path(cls, path: "Union[str, os.PathLike[str]]", *, name: str = "",
                  progress: Optional[Progress] = None) -> "File":
        """A regular file, which the library opens when the message is sent, reads and hashes beside the event loop."""
        return cls(pathlib.Path(path), name=name, progress=progress)

    @classmethod
    def from_bytes(cls, data: Buffer, name: str, *, progress: Optional[Progress] = None) -> "File":
        return cls(data, name=name, progress=progress)

    @classmethod
    def from_stream(cls, source: Source, name: str, *, size: Optional[int] = None,
                    progress: Optional[Progress] = None) -> "File":
        """Of an iterator (async or plain), a binary file object, or a Part that is passed on."""
        return cls(source, name=name, size=size, progress=progress)


class Answer(NamedTuple):
    """What a handler returns, or yields, to answer with streams and files."""

    body: "Optional[BodyLike]" = b""
    parts: Sequence[Stream] = ()


def _seen(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()


async def _pieces(source: Any) -> AsyncIterator[Buffer]:
    """What a source gives, in pieces that are not empty."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        if source:
            yield source
        return
    read = getattr(source, "read", None)
    if read is not None and not isinstance(source, Part):
        loop = asyncio.get_running_loop()
        is_async = inspect.iscoroutinefunction(read)
        while True:
            piece = await read(_PIECE) if is_async else await loop.run_in_executor(None, read, _PIECE)
            if not piece:
                return
            yield piece
    elif hasattr(source, "__aiter__"):
        iterator = source.__aiter__()
        try:
            async for piece in iterator:
                if piece:
                    yield piece
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
    elif hasattr(source, "__iter__"):
        for piece in source:
            if piece:
                yield piece
                await asyncio.sleep(0)
    else:
        raise _errors.ArgumentTypeError(1, f"{type(source).__name__} is no source of bytes")


def checked(parts: Sequence[Stream]) -> List[Stream]:
    """Each is used for one message alone."""
    streams = list(parts)
    for stream in streams:
        if not isinstance(stream, Stream):
            raise _errors.ArgumentTypeError(1, "parts are sealwire.Stream and sealwire.File")
        if stream._used:
            raise _errors.state("this stream was sent already")
    for stream in streams:
        stream._used = True
    return streams


async def prepared(parts: Sequence[Stream]) -> List[Stream]:
    """The same, with their files opened in a thread."""
    streams = checked(parts)
    try:
        for stream in streams:
            if isinstance(stream._source, os.PathLike):
                await asyncio.get_running_loop().run_in_executor(None, stream._open)
    except BaseException as error:
        give_up(streams, error)
        raise
    return streams


def heads(streams: List[Stream]) -> "List[Tuple[str, int, Optional[int], Any]]":
    return [(stream.name, stream._kind, stream.size, stream._file) for stream in streams]


def attach(streams: List[Stream], peer: "Peer", exchange: int, numbers: List[int]) -> None:
    for stream, number in zip(streams, numbers):
        stream._attach(peer, exchange, number)


def give_up(streams: List[Stream], error: BaseException) -> None:
    for stream in streams:
        stream._give_up(error)


async def finished(streams: List[Stream]) -> None:
    """Waits until those that have a source are over; raises what failed in a source."""
    for stream in streams:
        if stream._task is not None and stream._done is not None:
            await asyncio.shield(stream._done)
            await asyncio.wait([stream._task])
            if stream._failed and stream._error is not None:
                raise stream._error
