"""Session: what is known of a remote program and of what runs with it, in either face."""

import weakref
from typing import Any, Dict, Optional, Tuple

from sealwire import _errors, _native
from sealwire._durations import message_count, milliseconds
from sealwire._outcome import fail, settle
from sealwire._types import PeerStats, Pong, Receipt, Running

PART_DATA, PART_WRITABLE, PART_DONE, PART_PROGRESS, QUESTION, ANSWER = range(16, 22)  # of sw_event_type
_HANDLER_FAILED = 13
_STAGES = {False: 0, True: 1, "acknowledged": 1, "written": 2}  # of sw_receipt_stage


def stages(receipt: Receipt) -> int:
    """What the core is to tell of a message."""
    try:
        return _STAGES[receipt]
    except (KeyError, TypeError):
        raise _errors.argument(f'receipt is True, "acknowledged" or "written", not {receipt!r}') from None


class Session(_native.Peer):
    """The base of sealwire.Peer and sealwire.sync.Peer. How it is waited for is the face's."""

    __slots__ = ("node", "id", "address", "data", "dialled", "instead", "suite", "clock_difference", "channel", "stream", "closing", "suspended", "_reason",
                 "_receipts", "_pings", "_token", "_connected", "_parts", "_talks", "__weakref__")
    _ear: Any  # the face's class of what the other side of a conversation says
    _duplex: Any  # ... and of the streams of a peer that has no session

    def __init__(self, node: Any, core: _native.Core, handle: int, connected: Any) -> None:
        super().__init__(core, handle)
        self.node = node
        self.id = ""
        self.address = ""
        self.data = b""
        self.dialled = connected is not None
        self.instead: Any = None
        self.suite = 0
        self.clock_difference = 0.0
        self.channel = "sealwire"
        self.stream: Any = None
        self.closing = False
        self.suspended = False
        self._reason: Optional[_errors.Error] = None
        self._receipts: Dict[int, Any] = {}  # who waits, by number: futures or outcomes; likewise those below
        self._pings: Dict[int, Any] = {}
        self._token = 0
        self._connected = connected
        self._talks: Dict[int, Any] = {}  # conversations that run, by exchange
        self._parts: "weakref.WeakValueDictionary[Tuple[int, int], Any]" = weakref.WeakValueDictionary()

    def __repr__(self) -> str:
        kind = type(self).__module__.replace("._sync_peer", ".sync").replace("._peer", "")
        return f"<{kind}.Peer {self.id[:8]} {self.address}{' closed' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        return self._reason is not None

    @property
    def reason(self) -> Optional[_errors.Error]:
        """Why the session ended; None while it lasts, and when this side closed it in good order."""
        return self._reason if self._reason is not None and self._reason.code != "handle" else None

    @property
    def running(self) -> Running:
        """What runs with it now."""
        return Running(*self._running())

    def stats(self) -> PeerStats:
        """What it has done since it connected and has to do now, by name; until it is closed."""
        return self._stats()

    def move(self, address: str = "") -> None:
        """Lets the session go on over another connection, which is dialled now: to that address (`tcp://host:port`, without a key), which
        is where it is dialled from then on, or to where it was dialled before. Returns at once; what it has serves on until the other is up.
        `suspended` is True while it has none."""
        self._move(_errors.text(address, "address"))

    def pause(self) -> None:
        """Lets the messages of this peer wait, each charged to its window, so that in the end the peer waits. What belongs to
        exchanges that run goes on. Messages that this process has fetched already still come."""
        self._resume(0)

    def resume(self, messages: Optional[int] = None) -> None:
        """Lets that many more messages come, then it is paused again; None ends the pause."""
        self._resume(message_count(messages))

    def _begin_close(self, status: int, text: str, deadline: float) -> None:
        if not self.closed and not self.closing:
            try:
                self._close(status, text, milliseconds(deadline))
            except _errors.ClosedError:
                pass  # its last event is on the way
            self.closing = True

    def _drop(self) -> None:
        """It is not wanted, whatever it does."""
        try:
            self._close(0, "", 1)
        except _errors.Error:
            pass

    def _begin_talk(self, number: int) -> None:
        """What is asked in this exchange is kept from now on, for who listens."""
        if number not in self._talks:
            self._ear(self).begin(number)

    def _end_talk(self, number: int) -> None:
        ear = self._talks.get(number)
        if ear is not None:
            ear._on_done(None)

    # ---- From the node ----

    def _on_part(self, kind: int, fields: Tuple[Any, ...]) -> None:
        part = self._parts.get((fields[1], fields[2]))
        if part is None:
            return  # it was dropped, and stopped by that
        if kind == PART_DATA:
            part._on_data(fields[3])
        elif kind == PART_WRITABLE:
            part._on_writable()
        elif kind == PART_PROGRESS:
            part._on_progress(fields[3])
        else:
            self._parts.pop((fields[1], fields[2]), None)
            part._on_done(*fields[3:])

    def _on_talk(self, exchange: int, number: int, asks: Optional[int], result: int, code: int, text: str, message: Any,
                 kind: int) -> None:
        ear = self._talks.get(exchange)
        if kind == QUESTION:
            if ear is None or ear.over:  # a plain handler, which is about to answer, or nobody listens any more
                try:
                    self._question_status(exchange, number, _HANDLER_FAILED, "")
                except _errors.Error:
                    pass
                return
            message._ear, message._question = ear, number
            ear._on_reply(message)
            return
        waiting = ear.asked.get(number) if ear is not None else None
        if result != 0:
            fail(waiting, _errors.make(result, status=code, text=text, peer=self.id, endpoint=self.address))
        elif waiting is not None:
            message._ear, message._question = ear, asks
            settle(waiting, message)

    def _on_receipt(self, first: int, last: int, result: int) -> None:
        few = range(first, last + 1) if last - first < len(self._receipts) else \
            [number for number in list(self._receipts) if first <= number <= last]
        for number in few:
            if result == 0:
                settle(self._receipts.get(number), None)
            else:
                fail(self._receipts.get(number), _errors.make(result, peer=self.id, endpoint=self.address))

    def _on_pong(self, token: int, round_trip_us: int, clock_difference_ms: int) -> None:
        settle(self._pings.get(token), Pong(round_trip_us / 1e6, clock_difference_ms / 1e3))

    def _on_connected(self, address: str, data: bytes, suite: int, clock_difference_ms: int,
                      streams: Optional[Tuple[int, int, int]]) -> None:
        self.address, self.data, self.suite = address, data, suite
        if streams is not None:
            self.channel, self.stream = "shs1", self._duplex(self, *streams)
        self.clock_difference = clock_difference_ms / 1e3
        settle(self._connected, self)

    def _on_closed(self, reason: _errors.Error) -> None:
        """Everything that waits here learns it."""
        self._reason = reason
        if self.instead is not None:
            settle(self._connected, self.instead)
        for waiting in [*self._receipts.values(), *self._pings.values(), self._connected]:
            fail(waiting, _errors.of_call(3, "", self))
        for number in list(self._talks):
            self._end_talk(number)
        self.node._waits.lost(lambda: _errors.of_call(3, "", self), self)
        for part in list(self._parts.values()):
            part._lost(_errors.of_call(3, "", self))
