"""Stream and File: what a message or reply carries, from a source of any kind or written by the program."""

import asyncio
import inspect
import os
from typing import TYPE_CHECKING, Any, AsyncIterator, List, Optional, Sequence

from sealwire import _errors
from sealwire._log import fields, logger
from sealwire._outcome import settle
from sealwire._parts import Part
from sealwire._received import Buffer
from sealwire._sending import PIECE, Answer, FileMakers, Sending, checked, give_up

if TYPE_CHECKING:
    from sealwire._peer import Peer

__all__ = ["Answer", "File", "Stream"]


class Stream(Sending):
    """Bytes to go with one message: `peer.request(route, body, parts=[Stream(source)])`.

    source    bytes, an iterator (async or plain) of bytes, a binary file object (read in a thread) or a path, whose file the
              library reads and hashes itself; None: the program writes it with `write` and `close`, as soon as its message
              was sent
    size      in bytes, where it is known: then just so many have to come
    progress  called with the bytes so far and in all, after each MiB
    """

    __slots__ = ("_attached", "_room", "_task", "_done")
    _peer: "Optional[Peer]"

    def _prepare(self) -> None:
        self._attached: "Optional[asyncio.Future[None]]" = None
        self._room: "Optional[asyncio.Future[None]]" = None
        self._done: "Optional[asyncio.Future[None]]" = None
        self._task: "Optional[asyncio.Task[None]]" = None

    # ---- Writing ----

    async def write(self, data: Buffer) -> None:
        """Sends bytes, waiting for room. Raises when the receiver wants no more, or the session has ended."""
        peer = await self._ready()
        view = memoryview(data).cast("B")
        for at in range(0, view.nbytes, PIECE):
            piece = view[at:at + PIECE]
            while True:
                taken = peer._part_write(self._exchange, self._number, piece, False, b"", 0)
                if taken:
                    self._wrote(piece)
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
        if peer._part_write(self._exchange, self._number, b"", True, *self._end_of_it(digest, algorithm)) is None:
            await self._wait(True)
        self._ended = True

    def cancel(self, code: int = 0) -> None:
        """Gives it up: the receiver is told that it is incomplete, with `code` (0, or 64 to 4,095)."""
        if self._done is not None and not self._done.done() and self._peer is not None:
            self._peer._part_cancel(self._exchange, self._number, code)
        self._refuse_more()
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
        settle(self._room, None)

    # ---- Its message ----

    def _attach(self, peer: "Peer", exchange: int, number: int) -> None:
        self._peer, self._exchange, self._number = peer, exchange, number
        self._done = asyncio.get_running_loop().create_future()
        peer._parts[exchange, number] = self
        if self._ended:  # given up before
            return peer._part_cancel(exchange, number, 0)
        settle(self._attached, None)
        if self._source is not None:
            self._task = asyncio.get_running_loop().create_task(self._pump() if self._file is None else self._follow())
            self._task.add_done_callback(_seen)
            peer.node._tasks.add(self._task)  # asyncio keeps no task that waits, and nobody else may know this one
            self._task.add_done_callback(peer.node._tasks.discard)

    def _give_up(self, error: BaseException) -> None:
        super()._give_up(error)
        settle(self._attached, None)

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
                    logger.error("the file %r could not be sent", self.name, exc_info=self._error,
                                 extra=fields(self._peer, self._error.code))
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
                logger.error("the source of a part failed, which is cancelled at the peer", exc_info=error,
                             extra=fields(self._peer, getattr(error, "code", None)))
        finally:
            self._report = None
            await pieces.aclose()  # type: ignore[attr-defined]

    # ---- From the node ----

    def _on_writable(self) -> None:
        self._wake()

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


class File(FileMakers, Stream):
    """A file to go with one message: a Stream that is named, and whose BLAKE2b-256 goes with its end. Of a path: its name is the
    last component, its size that of the file, which has to stay as it is meanwhile (else FileError); the receiver learns
    nothing else of the path."""

    __slots__ = ()


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
            piece = await read(PIECE) if is_async else await loop.run_in_executor(None, read, PIECE)
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


async def prepared(parts: Sequence[Stream]) -> List[Stream]:
    """Each is used for one message alone; their files are opened in a thread."""
    streams = checked(parts, Stream)
    try:
        for stream in streams:
            if isinstance(stream._source, os.PathLike):
                await asyncio.get_running_loop().run_in_executor(None, stream._open)
    except BaseException as error:
        give_up(streams, error)
        raise
    return streams


def attach(streams: List[Stream], peer: "Peer", exchange: int, numbers: List[int]) -> None:
    for stream, number in zip(streams, numbers):
        stream._attach(peer, exchange, number)


async def finished(streams: List[Stream]) -> None:
    """Waits until those that have a source are over; raises what failed in a source."""
    for stream in streams:
        if stream._task is not None and stream._done is not None:
            await asyncio.shield(stream._done)
            await asyncio.wait([stream._task])
            if stream._failed and stream._error is not None:
                raise stream._error
