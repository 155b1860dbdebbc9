"""Pipes that the program carries, in an asyncio program: whatever it can read and write takes the place of a transport."""

import asyncio
import inspect
from typing import Any, Dict, Optional

from sealwire import _errors, _native
from sealwire._deciding import Deciding, data_bytes
from sealwire._duplex import channel_of
from sealwire._durations import limit, milliseconds
from sealwire._listener import Listener
from sealwire._log import logger
from sealwire._outcome import fail, settle
from sealwire._peer import Peer
from sealwire._received import Buffer
from sealwire._types import HelloData

PIPE_OUTPUT, PIPE_ROOM, PIPE_CLOSED = range(23, 26)  # of sw_event_type
BLOCK = 64 * 1024
WORDS = 1000  # of a failure, for the other side's detail: the library takes 1,024 bytes


def words(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.encode("utf-8", "replace")[:WORDS].decode("utf-8", "ignore")


class Carrying:
    """What a node has of a pipe, in either face."""

    address: str
    handle: int
    accepted: Any  # of one that was accepted: who waits for its peer
    finished: bool  # all was written, and the writer closed

    def start(self, handle: int) -> None:
        """Begins to read and to write."""

    def on_output(self) -> None:
        """There is something to take."""

    def on_room(self) -> None:
        """There is room again for what was refused."""

    def on_over(self, rest: bytes) -> None:
        """It is over; the rest is still to be written."""

    def give_up(self) -> None:
        """Nobody waits any more for who was to come by it."""
        try:
            _native.pipe_fail(self.handle, "nobody waits for it any more")
        except _errors.Error:
            pass

    def _failed(self, error: BaseException) -> None:
        try:
            _native.pipe_fail(self.handle, words(error))
        except _errors.Error:
            pass

    def _ended(self) -> None:
        try:
            _native.pipe_end(self.handle)
        except _errors.Error:
            pass

    def _take(self) -> Optional[bytes]:
        try:
            return _native.pipe_take(self.handle, BLOCK)
        except _errors.Error:  # it is over, which is about to be told
            return b""


class Pipes:
    """The pipes of a node, in either face."""

    def __init__(self) -> None:
        self.all: Dict[int, Carrying] = {}

    def add(self, handle: int, carried: Carrying) -> None:
        self.all[handle] = carried
        carried.start(handle)

    def on_event(self, kind: int, handle: int, *fields: Any) -> None:
        carried = self.all.get(handle)
        if carried is None:
            return
        if kind == PIPE_OUTPUT:
            carried.on_output()
        elif kind == PIPE_ROOM:
            carried.on_room()
        else:
            self._over(handle, *fields)

    def on_connected(self, handle: int, peer: Any) -> None:
        carried = self.all.get(handle)
        if carried is not None:
            settle(carried.accepted, peer)

    def _over(self, handle: int, rest: bytes, result: int, detail: str) -> None:
        carried = self.all.pop(handle)
        fail(carried.accepted, _errors.make(result or 2, detail or "the pipe was closed", endpoint=carried.address))
        carried.on_over(rest)

    def lost(self) -> None:
        """The node is over, or was dropped."""
        for handle in list(self.all):
            self._over(handle, b"", 2, "the node was closed")


class Carried(Carrying):
    """A pipe between a node and a reader and a writer, by two tasks."""

    def __init__(self, reader: Any, writer: Any, address: str) -> None:
        if not callable(getattr(reader, "read", None)) or not callable(getattr(writer, "write", None)):
            raise _errors.ArgumentTypeError(1, "a reader has read(n), a writer has write(bytes), as those of asyncio")
        self.address = address
        self.accepted: "Optional[asyncio.Future[Peer]]" = None
        self.finished = False
        self._reader = reader
        self._writer = writer
        self._output = asyncio.Event()
        self._room = asyncio.Event()
        self._rest: Optional[bytes] = None  # once it is over
        self._tasks: "list[asyncio.Task[None]]" = []

    def start(self, handle: int) -> None:
        loop = asyncio.get_running_loop()
        self.handle = handle
        self._tasks = [loop.create_task(self._write()), loop.create_task(self._read())]

    def on_output(self) -> None:
        self._output.set()

    def on_room(self) -> None:
        self._room.set()

    def on_over(self, rest: bytes) -> None:
        self._rest = rest
        self._output.set()
        try:
            self._tasks[1].cancel()
        except RuntimeError:
            pass  # their event loop is closed

    async def wait_finished(self) -> None:
        await asyncio.wait(self._tasks[:1])

    async def _read(self) -> None:
        try:
            while True:
                data = self._reader.read(BLOCK)
                data = await data if inspect.isawaitable(data) else data
                if not data:
                    return self._ended()
                self._room.clear()
                while not _native.pipe_give(self.handle, data):
                    await self._room.wait()
                    self._room.clear()
        except _errors.StateError:
            pass  # it is over
        except Exception as error:
            self._failed(error)

    async def _write(self) -> None:
        try:
            while self._rest is None:
                self._output.clear()
                data = self._take()
                if data:
                    await self._put(data)
                    continue
                if data is None and getattr(self._writer, "can_write_eof", bool)():
                    self._writer.write_eof()
                    return
                await self._output.wait()
            if self._rest:
                await self._put(self._rest)
        except asyncio.CancelledError:  # its event loop ends
            self._failed(RuntimeError("the event loop has ended"))
            self._rest = self._rest or b""
            raise
        except Exception as error:
            if self._rest is None:
                self._failed(error)
            else:
                logger.info("the last bytes of a pipe could not be written: %s", words(error))
        finally:
            if self._rest is None:
                await self._wait_over()
            self._close()
            self.finished = True

    async def _wait_over(self) -> None:
        while self._rest is None:
            self._output.clear()
            await self._output.wait()

    async def _put(self, data: bytes) -> None:
        written = self._writer.write(data)
        if inspect.isawaitable(written):
            await written
        drain = getattr(self._writer, "drain", None)
        if drain is not None:
            await drain()

    def _close(self) -> None:
        try:
            close = getattr(self._writer, "close", None)
            if close is not None:
                close()
        except Exception as error:
            logger.info("the writer of a pipe could not be closed: %s", words(error))


class Piping:
    """A part of Node."""

    _pipes: Pipes
    _deciding: Deciding

    async def connect_pipe(self, id: str, reader: Any, writer: Any, *, address: str = "", buffer_bytes: int = 0,
                           timeout: Optional[float] = None, data: HelloData = b"", channel: str = "sealwire",
                           shs_network: Optional[Buffer] = None) -> Peer:
        """Connects over whatever `reader` and `writer` lead to, at whose other end the node of that id accepts (`accept_pipe`): a pair of
        asyncio streams, or objects with `read(n)`, plain or async, which gives nothing at the end, and `write(bytes)`, plain or
        async. They belong to the pipe from then on, which closes the writer at its end. `address` shows where it leads, for people; so
        many bytes wait in each direction (256 KiB by default). All else as of `connect`."""
        core, loop = self._opened(), asyncio.get_running_loop()  # type: ignore[attr-defined]
        id = _errors.text(id, "an id")
        carried = Carried(reader, writer, _errors.text(address, "address"))
        future: asyncio.Future[Peer] = loop.create_future()
        pipe, handle = _native.connect_pipe(core, id, carried.address, limit(buffer_bytes), milliseconds(timeout),
                                            None if callable(data) else data_bytes(data), channel_of(channel, shs_network))
        peer: Peer = self._add_peer(handle, future)  # type: ignore[attr-defined]
        peer.id = id
        if callable(data):
            self._deciding.hellos[handle] = data
        self._pipes.add(pipe, carried)
        try:
            return await future
        except asyncio.CancelledError:
            peer._drop()
            raise
        finally:
            self._deciding.hellos.pop(handle, None)

    async def accept_pipe(self, reader: Any, writer: Any, *, address: str = "", buffer_bytes: int = 0,
                          listener: Optional[Listener] = None, channel: str = "sealwire",
                          shs_network: Optional[Buffer] = None) -> Peer:
        """Waits for who connects at the other end of such a pipe, and is let in as by a listener: its Peer, which `on_peer` and
        `arrivals` get too. Raises why nobody came: NotAllowedError, HandshakeError, ... With `listener` the limits and the
        channel of that hold, without one `channel` and `shs_network` are as of `listen`. What cancels the wait ends the pipe."""
        core, loop = self._opened(), asyncio.get_running_loop()  # type: ignore[attr-defined]
        carried = Carried(reader, writer, _errors.text(address, "address"))
        pipe = _native.accept_pipe(core, carried.address, limit(buffer_bytes), 0 if listener is None else listener._handle,
                                   channel_of(channel, shs_network))
        carried.accepted = loop.create_future()
        self._pipes.add(pipe, carried)
        try:
            return await carried.accepted
        except asyncio.CancelledError:
            carried.give_up()
            raise
