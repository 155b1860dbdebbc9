"""Part of the synchronous face: a stream or file that came with a message."""

import os
import pathlib
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, List, Optional, Tuple, Union

from sealwire import _errors
from sealwire._parts import AHEAD, EVERYTHING, KINDS, MOST, SMALL, STEP, Buffer, Progress

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Part:
    """A stream or file that came with a message; in `request.parts` and `reply.parts`.

    name, size, kind, type, received, left, digest, digest_algorithm   as of sealwire.Part

    Bytes flow as they are read; a sender waits for a reader who does not keep up. A part that is dropped, or that its handler
    never read, is stopped. One thread at a time reads it.
    """

    __slots__ = ("name", "size", "kind", "type", "received", "digest", "digest_algorithm", "_peer", "_exchange", "_number",
                 "_chunks", "_offset", "_here", "_asked", "_over", "_error", "_begun", "_kept", "_progress", "__weakref__")

    def __init__(self, peer: "Peer", exchange: int, number: int, name: str, size: Optional[int], kind: int, type: int) -> None:
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
        self._over = False
        self._error: Optional[_errors.Error] = None
        self._begun = False
        self._kept = False
        self._progress: Optional[Progress] = None

    def __repr__(self) -> str:
        return f"<sealwire.sync.Part {self.kind} {self.name!r} {self.received} bytes{' ended' if self._over else ''}>"

    @property
    def at_end(self) -> bool:
        """All of it was read, or it ended otherwise."""
        return self._over and not self._here

    @property
    def left(self) -> Optional[int]:
        return None if self.size is None else self.size - self.received

    # ---- Reading ----

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes as soon as there are some; b"" at the end. Without `n`: all of them, up to the end."""
        if n == 0:
            return b""
        with self._peer._changed:
            if n > 0:
                return self._take(n) if self._some() else b""
            whole = bytearray()
            while self._some():
                whole += self._take(self._here)
            return bytes(whole)

    def readexactly(self, n: int) -> bytes:
        """Just `n` bytes; EOFError when it ends before, and what there was can be read again."""
        if n < 0:
            raise _errors.argument("n is not negative")
        got = bytearray()
        with self._peer._changed:
            try:
                while len(got) < n:
                    if not self._some():
                        raise EOFError(f"{len(got)} of {n} bytes came")
                    got += self._take(n - len(got))
            except BaseException:
                self.unread(got)
                raise
        return bytes(got)

    def unread(self, data: Buffer) -> None:
        """Puts bytes back, to be read next."""
        if not data:
            return
        with self._peer._changed:
            if self._offset:
                self._chunks[0] = self._chunks[0][self._offset:]
                self._offset = 0
            self._chunks.appendleft(bytes(data))
            self._here += len(self._chunks[0])

    def __iter__(self) -> "Part":
        return self

    def __next__(self) -> bytes:
        with self._peer._changed:
            if not self._some():
                raise StopIteration
            return self._take(self._here)

    def copy_to(self, file: Any) -> int:
        """Writes all of it to a binary file object, or to what has a `write` of bytes, as Stream; gives the number of bytes."""
        count = 0
        for piece in self:
            view = memoryview(piece)
            while view:
                written = file.write(view)
                view = view[len(view) if written is None else written:]
            count += len(piece)
        return count

    def save(self, folder: "Union[str, os.PathLike[str]]", *, name: str = "", max_size: Optional[int] = MOST,
             unchecked: bool = False, progress: Optional[Progress] = None) -> pathlib.Path:
        """Saves it as a file in `folder`, in place of reading it, and gives the file's path; as `save` of sealwire.Part."""
        most = EVERYTHING if max_size is None else max_size
        if most < 1:
            raise _errors.make(1, "max_size is below 1")
        with self._peer._changed:
            if self._here or self._asked:
                raise _errors.state("bytes of this part were read already")
            self._begun, self._progress = True, progress
            self._peer._part_save(self._exchange, self._number, self.name, self.size, os.fsencode(folder), name, most, unchecked,
                                  STEP if progress is not None else 0)
            try:
                while not self._over:
                    self._peer._changed.wait()
            except BaseException:
                self.cancel()
                raise
        if self._error is not None:
            raise self._error
        return pathlib.Path(os.fspath(folder)) / (name or self.name)

    def cancel(self, code: int = 0) -> None:
        """Wants no more of it: its sender is told, with `code` (0, or 64 to 4,095). What is here is dropped."""
        with self._peer._changed:
            if not self._over:
                self._peer._part_cancel(self._exchange, self._number, code)
                self._lost(_errors.make(3, "this side wanted no more of the part", peer=self._peer.id))
            self._chunks.clear()
            self._here = self._offset = 0

    def _some(self) -> bool:
        """With the lock: waits until something is here; False at the end."""
        self._ask()
        while not self._here:
            if self._over:
                if self._error is not None:
                    raise self._error
                return False
            self._peer._changed.wait()
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

    def _leave(self, all: bool) -> None:
        """Its handler has returned; `all`: it has failed."""
        if not self._over and (all or not (self._begun or self._kept)):
            self.__del__()
            with self._peer._changed:
                self._lost(_errors.make(3, "its handler has returned", peer=self._peer.id))

    def __del__(self) -> None:
        if getattr(self, "_over", True):
            return
        try:
            self._peer._part_cancel(self._exchange, self._number, 0)
        except _errors.Error:
            pass

    # ---- From the node, with the lock ----

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
        self._peer._changed.notify_all()

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
            self._peer._changed.notify_all()


def make_parts(peer: "Peer", infos: "List[Tuple[int, int, str, Optional[int], int, int]]") -> List[Part]:
    """The parts of a message that has just come."""
    parts = []
    for exchange, number, name, size, kind, type in infos:
        part = Part(peer, exchange, number, name, size, kind, type)
        peer._parts[exchange, number] = part
        parts.append(part)
    return parts
