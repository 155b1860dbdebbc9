"""Received: what is known of a part that came, and the rules of its bytes, in either face."""

from collections import deque
from typing import Any, Callable, Deque, Optional, Union

from sealwire import _errors

Buffer = Union[bytes, bytearray, memoryview]

Progress = Callable[[int, Optional[int]], None]  # bytes so far, and in all where that is known

KINDS = ("stream", "file")
STEP = 1024 * 1024  # bytes between two calls of a Progress
MOST = 1024 * 1024 * 1024
EVERYTHING = 2 ** 64 - 1
AHEAD = 256 * 1024  # bytes that may be here and not be read yet
SMALL = 4096  # pieces below are joined, so that many tiny ones take no more room than large ones


class Received:
    """A part of the peer's. How its bytes are waited for is the face's: see `_wake`."""

    __slots__ = ("name", "size", "kind", "type", "received", "digest", "digest_algorithm", "_peer", "_exchange", "_number",
                 "_chunks", "_offset", "_here", "_asked", "_over", "_error", "_begun", "_kept", "_progress")

    def __init__(self, peer: Any, exchange: int, number: int, name: str, size: Optional[int], kind: int, type: int) -> None:
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

    @property
    def at_end(self) -> bool:
        """All of it was read, or it ended otherwise."""
        return self._over and not self._here

    @property
    def left(self) -> Optional[int]:
        return None if self.size is None else self.size - self.received

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

    def _put_back(self, data: Buffer) -> None:
        if self._offset:
            self._chunks[0] = self._chunks[0][self._offset:]
            self._offset = 0
        self._chunks.appendleft(bytes(data))
        self._here += len(self._chunks[0])

    def _ask(self) -> None:
        """Keeps as much coming as may be here."""
        room = AHEAD - self._here - self._asked
        if room < AHEAD // 2 or self._over:
            return
        self._begun = True
        self._asked += room
        self._peer._part_read(self._exchange, self._number, room)

    def _stop(self, code: int) -> None:
        if not self._over:
            self._peer._part_cancel(self._exchange, self._number, code)
            self._lost(_errors.make(3, "this side wanted no more of the part", peer=self._peer.id))
        self._chunks.clear()
        self._here = self._offset = 0

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
        """Tells who waits that something has changed."""

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
