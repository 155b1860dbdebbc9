"""Part: a stream or file of a message that was received, read as its bytes come."""

import asyncio
import os
import pathlib
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, List, Optional, Tuple, Union

from sealwire import _errors

if TYPE_CHECKING:
    from sealwire._peer import Peer

Buffer = Union[bytes, bytearray, memoryview]

Progress = Callable[[int, Optional[int]], None]  # bytes so far, and in all where that is known

KINDS = ("stream", "file")
STEP = 1024 * 1024  # bytes between two calls of a Progress
MOST = 1024 * 1024 * 1024
EVERYTHING = 2 ** 64 - 1
AHEAD = 256 * 1024  # bytes that may be here and not be read yet
SMALL = 4096  # pieces below are joined, so that many tiny ones take no more room than large ones


class Part:
    """A stream or file that came with a message; in `request.parts` and `reply.parts`.

    name      as its sender states it: data, not a path
    size      in bytes, or None when its sender does not know it
    kind      "stream" or "file"
    type      how it is encoded, a number as that of messages
    received  bytes that came so far; `left` are those that are still to come, or None
    digest    behind the end: what its sender says that all bytes hash to (`digest_algorithm` 1: BLAKE2b-256), or b""

    Bytes flow as they are read; a sender waits for a reader who does not keep up. A part that is dropped, or that its handler
    never read, is stopped.
    """

    __slots__ = ("name", "size", "kind", "type", "received", "digest", "digest_algorithm", "_peer", "_exchange",
                 "_number", "_chunks", "_offset", "_here", "_asked", "_waiter", "_over", "_error", "_begun", "_kept",
                 "_progress", "__weakref__")

    def __init__(self, peer: "Peer", exchange: int, number: int, name: str, size: Optional[int], kind: int,
                 type: int) -> None:
        self.name = name
        self.size = size
        self.kind = KINDS[kind] if kind < len(KINDS) else "stream"
        self.type = type
        self.received = 0
        self.digest: Optional[bytes] = None
        self.digest_algorithm = 0
        self._peer = peer
        self._exchange = exchange
        self._number = number
        self._chunks: Deque[bytes] = deque()
        self._offset = 0  # of the first one, where reading goes on
        self._here = 0
        self._asked = 0
        self._waiter: "Optional[asyncio.Future[None]]" = None
        self._over = False
        self._error: Optional[_errors.Error] = None
        self._begun = False
        self._kept = False
        self._progress: Optional[Progress] = None

    def __repr__(self) -> str:
        return f"<sealwire.Part {self.kind} {self.name!r} {self.received} bytes{' ended' if self._over else ''}>"

    @property
    def at_end(self) -> bool:
        """All of it was read, or it ended otherwise."""
        return self._over and not self._here

    @property
    def left(self) -> Optional[int]:
        return None if self.size is None else self.size - self.received

    # ---- Into files ----

    async def save(self, folder: "Union[str, os.PathLike[str]]", *, name: str = "", max_size: Optional[int] = MOST,
                   unchecked: bool = False, progress: Optional[Progress] = None) -> pathlib.Path:
        """Saves it as a file in `folder`, in place of reading it, and gives the file's path. The library writes it beside the
        event loop, under a temporary name. It gets its own only when length and BLAKE2b-256 are those that its sender states,
        and replaces nothing. Raises FileError, or TooBigError; then nothing of it is left.

        name       of the file; the part's, if none is given, where that is a name that a file can have on every system
        max_size   bytes that are taken at most, 1 GiB if none is said; None: any number. A larger part is refused before a
                   byte of it comes
        unchecked  also what comes without a BLAKE2b-256, such as a stream
        progress   called with the bytes so far and in all, after each MiB
        """
        most = EVERYTHING if max_size is None else max_size
        if most < 1:
            raise _errors.make(1, "max_size is below 1")
        if self._here or self._asked:
            raise _errors.make(4, "the part is read already")
        self._peer._part_save(self._exchange, self._number, self.name, self.size, os.fsencode(folder), name, most, unchecked,
                              STEP)
        self._begun, self._progress = True, progress
        try:
            while not self._over:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        except BaseException:
            await self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return pathlib.Path(os.fspath(folder)) / (name or self.name)

    async def copy_to(self, file: Any) -> int:
        """Writes all of it to a binary file object, in a thread, or to what has an async `write`, as asyncio's StreamWriter and
        Stream; gives the number of bytes. What it was given is not closed."""
        loop = asyncio.get_running_loop()
        drain = getattr(file, "drain", None)
        is_async = asyncio.iscoroutinefunction(file.write)
        count = 0
        async for piece in self:
            if is_async:
                await file.write(piece)
            elif drain is not None:
                file.write(piece)
                await drain()
            else:
                view = memoryview(piece)
                while view:
                    view = view[await loop.run_in_executor(None, file.write, view):]
            count += len(piece)
        return count

    # ---- Reading ----

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes as soon as there are some; b"" at the end. Without `n`: all of them, up to the end."""
        if n == 0:
            return b""
        if n < 0:
            whole = bytearray()
            while await self._some():
                whole += self._take(self._here)
            return bytes(whole)
        return self._take(n) if await self._some() else b""

    async def readexactly(self, n: int) -> bytes:
        """Just `n` bytes; asyncio.IncompleteReadError, with what there was, when it ends before."""
        if n < 0:
            raise _errors.argument("n is not negative")
        got = bytearray()
        try:
            while len(got) < n:
                if not await self._some():
                    raise asyncio.IncompleteReadError(bytes(got), n)
                got += self._take(n - len(got))
        except asyncio.CancelledError:
            self.unread(got)
            raise
        return bytes(got)

    def unread(self, data: Buffer) -> None:
        """Puts bytes back, to be read next."""
        if not data:
            return
        if self._offset:
            self._chunks[0] = self._chunks[0][self._offset:]
            self._offset = 0
        self._chunks.appendleft(bytes(data))
        self._here += len(self._chunks[0])

    def __aiter__(self) -> "Part":
        return self

    async def __anext__(self) -> bytes:
        if not await self._some():
            raise StopAsyncIteration
        return self._take(self._here)

    async def cancel(self, code: int = 0) -> None:
        """Wants no more of it: its sender is told, with `code` (0, or 64 to 4,095). What is here is dropped."""
        if not self._over:
            self._peer._part_cancel(self._exchange, self._number, code)
            self._lost(_errors.make(3, "this side wanted no more of the part", peer=self._peer.id))
        self._chunks.clear()
        self._here = self._offset = 0

    async def _some(self) -> bool:
        """Waits until something is here; False at the end."""
        self._ask()
        while not self._here:
            if self._over:
                if self._error is not None:
                    raise self._error
                return False
            if self._waiter is not None and not self._waiter.done():
                raise _errors.state("another task reads this part already")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return True

    def _take(self, n: int) -> bytes:
        """The first bytes that are here, at most one chunk."""
        chunk, at = self._chunks[0], self._offset
        if len(chunk) - at <= n:
            self._chunks.popleft()
            self._offset = 0
            out = chunk[at:] if at else chunk
        else:
            out = chunk[at:at + n]
            self._offset += n
        self._here -= len(out)
        return out

    def _ask(self) -> None:
        """Keeps as much coming as may be here."""
        room = AHEAD - self._here - self._asked
        if room < AHEAD // 2 or self._over:
            return
        self._begun = True
        self._asked += room
        self._peer._part_read(self._exchange, self._number, room)

    def _begin(self, kept: bool) -> None:
        """It may be read yet, though a reply is sent before; nothing flows by this. `kept`: even when its handler returns."""
        if not self._begun and not self._over:
            self._kept = kept
            self._peer._part_read(self._exchange, self._number, 0)

    def _leave(self, all: bool = False) -> None:
        """Its handler has returned; `all`: it has failed."""
        if not self._over and (all or not (self._begun or self._kept)):
            self.__del__()
            self._lost(_errors.make(3, "its handler has returned", peer=self._peer.id))

    def __del__(self) -> None:
        if getattr(self, "_over", True):
            return
        try:
            self._peer._part_cancel(self._exchange, self._number, 0)
        except _errors.Error:
            pass

    # ---- From the node ----

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_data(self, data: bytes) -> None:
        self._asked -= len(data)
        if self._over:
            return
        self.received += len(data)
        self._here += len(data)
        if self._chunks and len(self._chunks[-1]) < SMALL and len(self._chunks) > 1:
            self._chunks[-1] += data
        else:
            self._chunks.append(data)
        self._wake()

    def _on_writable(self) -> None:
        """Only streams of this side are told that."""

    def _on_progress(self, count: int) -> None:
        self.received = count
        if self._progress is not None:
            self._progress(count, self.size)

    def _on_done(self, result: int, code: int, digest: bytes, algorithm: int, count: int, detail: str) -> None:
        if self._over:
            return
        if result == 0:
            self.digest, self.digest_algorithm = digest, algorithm
            self.received = count
        self._lost(None if result == 0 else _errors.make(result, detail or "a part of the message ended", status=code,
                                                          peer=self._peer.id, endpoint=self._peer.address))

    def _lost(self, error: Optional[_errors.Error]) -> None:
        if not self._over:
            self._over, self._error = True, error
            self._wake()


def make_parts(peer: "Peer", infos: "List[Tuple[int, int, str, Optional[int], int, int]]") -> List[Part]:
    """The parts of a message that has just come."""
    parts = []
    for exchange, number, name, size, kind, type in infos:
        part = Part(peer, exchange, number, name, size, kind, type)
        peer._parts[exchange, number] = part
        parts.append(part)
    return parts
