"""Part: a stream or file of a message that was received, read as its bytes come."""

import asyncio
import os
import pathlib
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

from sealwire import _errors
from sealwire._received import EVERYTHING, MOST, STEP, Buffer, Progress, Received

if TYPE_CHECKING:
    from sealwire._peer import Peer


class Part(Received):
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

    __slots__ = ("_waiter", "__weakref__")

    def __init__(self, peer: "Peer", exchange: int, number: int, name: str, size: Optional[int], kind: int,
                 type: int) -> None:
        super().__init__(peer, exchange, number, name, size, kind, type)
        self._waiter: "Optional[asyncio.Future[None]]" = None

    def __repr__(self) -> str:
        return f"<sealwire.Part {self.kind} {self.name!r} {self.received} bytes{' ended' if self._over else ''}>"

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
        self._put_back(data)

    def __aiter__(self) -> "Part":
        return self

    async def __anext__(self) -> bytes:
        if not await self._some():
            raise StopAsyncIteration
        return self._take(self._here)

    async def cancel(self, code: int = 0) -> None:
        """Wants no more of it: its sender is told, with `code` (0, or 64 to 4,095). What is here is dropped."""
        self._stop(code)

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

    # ---- From the node ----

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_writable(self) -> None:
        """Only streams of this side are told that."""


def make_parts(peer: "Peer", infos: "List[Tuple[int, int, str, Optional[int], int, int]]") -> List[Part]:
    """The parts of a message that has just come."""
    parts = []
    for exchange, number, name, size, kind, type in infos:
        part = Part(peer, exchange, number, name, size, kind, type)
        peer._parts[exchange, number] = part
        parts.append(part)
    return parts
