"""Pipes that the program carries, without an event loop: a thread reads and another one writes."""

import os
import select
import socket
import threading
from typing import Any, Callable, Optional

from sealwire import _errors, _native
from sealwire._log import logger
from sealwire._outcome import Outcome
from sealwire._pipes import BLOCK, Carrying, words


def _reading(reader: Any) -> "Callable[[int], Optional[bytes]]":
    for name in ("recv", "read1", "read"):  # read of buffered files waits for all that it is asked for
        method: Any = getattr(reader, name, None)
        if callable(method):
            read: "Callable[[int], Optional[bytes]]" = method
            return read
    raise _errors.ArgumentTypeError(1, "a reader is a socket, a binary file, or an object with read(n)")


class _Patience:
    """Waits for bytes of a descriptor, or to be told that none are wanted any more."""

    def __init__(self, descriptor: int) -> None:
        self._there, self._back = os.pipe()
        self._mutex = threading.Lock()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll.register(self._there, select.POLLIN)

    def wait(self) -> bool:
        return all(descriptor != self._there for descriptor, _ in self._poll.poll())

    def stop(self) -> None:
        with self._mutex:
            if self._back >= 0:
                os.write(self._back, b"x")

    def close(self) -> None:
        with self._mutex:
            os.close(self._there)
            os.close(self._back)
            self._back = -1


def _patience(reader: Any) -> Optional[_Patience]:
    try:
        descriptor = reader.fileno()
        return _Patience(descriptor) if isinstance(descriptor, int) else None
    except (AttributeError, OSError):
        return None  # a read that waits goes on until the other end says something


def _writing(writer: Any) -> Callable[[bytes], None]:
    sendall, write, flush = (getattr(writer, name, None) for name in ("sendall", "write", "flush"))
    if callable(sendall):
        send: Callable[[bytes], None] = sendall
        return send
    if not callable(write):
        raise _errors.ArgumentTypeError(1, "a writer is a socket, a binary file, or an object with write(bytes)")

    def put(data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = write(view)
            view = view[len(view) if written is None else written:]  # files without a buffer may take less
        if callable(flush):
            flush()

    return put


class Carried(Carrying):
    """A pipe between a node and a reader and a writer."""

    def __init__(self, reader: Any, writer: Any, address: str) -> None:
        self.address = address
        self.accepted: Optional[Outcome] = None
        self.finished = False
        self._reader = reader
        self._writer = writer
        self._read = _reading(reader)
        self._put = _writing(writer)
        self._patience: Optional[_Patience] = None
        self._changed = threading.Condition()
        self._output = True
        self._room = False
        self._rest: Optional[bytes] = None  # once it is over
        self._threads = [threading.Thread(target=each, name="sealwire pipe", daemon=True) for each in (self._run_write, self._run_read)]

    def start(self, handle: int) -> None:
        self.handle = handle
        self._patience = _patience(self._reader)
        for thread in self._threads:
            thread.start()

    def on_output(self) -> None:
        with self._changed:
            self._output = True
            self._changed.notify_all()

    def on_room(self) -> None:
        with self._changed:
            self._room = True
            self._changed.notify_all()

    def on_over(self, rest: bytes) -> None:
        with self._changed:
            self._rest = rest
            self._changed.notify_all()
        if self._patience is not None:
            self._patience.stop()

    def wait_finished(self, timeout: float) -> None:
        self._threads[0].join(timeout)

    def _run_read(self) -> None:
        try:
            while self._patience is None or self._patience.wait():
                data = self._read(BLOCK)
                if not data:
                    self._ended()
                    break
                if not self._give(data):
                    break
        except Exception as error:
            if self._rest is None:
                self._failed(error)
        if self._patience is not None:
            self._patience.close()
        if self._reader is not self._writer:
            self._close(self._reader)

    def _give(self, data: bytes) -> bool:
        while True:
            with self._changed:
                if self._rest is not None:
                    return False
                self._room = False
            try:
                if _native.pipe_give(self.handle, data):
                    return True
            except _errors.StateError:
                return False  # it is over
            with self._changed:
                while not self._room and self._rest is None:
                    self._changed.wait()

    def _run_write(self) -> None:
        try:
            ended = False
            while self._wait_output():
                data = self._take()
                while data:
                    self._put(data)
                    data = self._take()
                if data is None and not ended:
                    ended = True
                    self._end_writer()
            if self._rest:
                self._put(self._rest)
        except Exception as error:
            if self._rest is None:
                self._failed(error)
                while self._wait_output():
                    pass
            else:
                logger.info("the last bytes of a pipe could not be written: %s", words(error))
        finally:
            self._close(self._writer)
            self.finished = True

    def _wait_output(self) -> bool:
        with self._changed:
            while not self._output and self._rest is None:
                self._changed.wait()
            self._output = False
            return self._rest is None

    def _end_writer(self) -> None:
        if isinstance(self._writer, socket.socket):
            self._writer.shutdown(socket.SHUT_WR)
        elif self._writer is not self._reader:
            self._close(self._writer)

    def _close(self, what: Any) -> None:
        try:
            if isinstance(what, socket.socket):
                try:
                    what.shutdown(socket.SHUT_RDWR)  # who reads it is woken, which close alone does not
                except OSError:
                    pass
            close = getattr(what, "close", None)
            if close is not None:
                close()
        except Exception as error:
            logger.info("the end of a pipe could not be closed: %s", words(error))
