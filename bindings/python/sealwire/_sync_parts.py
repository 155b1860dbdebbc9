"""Part of the synchronous face: a stream or file that came with a message."""

import os
import pathlib
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union

from sealwire import _errors
from sealwire._received import EVERYTHING, MOST, STEP, Buffer, Progress, Received

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Part(Received):
    """A stream or file that came with a message; in `request.parts` and `reply.parts`.

    name, size, kind, type, received, left, digest, digest_algorithm   as of sealwire.Part

    Bytes flow as they are read; a sender waits for a reader who does not keep up. A part that is dropped, or that its handler
    never read, is stopped. One thread at a time reads it.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return f"<sealwire.sync.Part {self.kind} {self.name!r} {self.received} bytes{' ended' if self._over else ''}>"

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
            self._put_back(data)

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
            self._stop(code)

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

    def _leave(self, all: bool = False) -> None:
        with self._peer._changed:
            super()._leave(all)

    # ---- From the node, with the lock ----

    def _wake(self) -> None:
        self._peer._changed.notify_all()


def make_parts(peer: "Peer", infos: "List[Tuple[int, int, str, Optional[int], int, int]]") -> List[Part]:
    """The parts of a message that has just come."""
    parts = []
    for exchange, number, name, size, kind, type in infos:
        part = Part(peer, exchange, number, name, size, kind, type)
        peer._parts[exchange, number] = part
        parts.append(part)
    return parts
