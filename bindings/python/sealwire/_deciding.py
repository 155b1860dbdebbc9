"""Deciding: what applications tell each other with the handshake, and who is let in."""

import inspect
from typing import Any, Awaitable, Dict, Optional, Union

from sealwire import _errors
from sealwire._duplex import CHANNEL_NAMES
from sealwire._log import fields, logger
from sealwire._outcome import fail
from sealwire._types import Accept, AcceptData, Asking, Decide, Decision, HelloData, Reject


def data_bytes(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise _errors.ArgumentTypeError(1, f"data are bytes, not {type(data).__name__}")
    return data


class Decisions:
    """A node's answers to those who ask, and what it tells those who are dialled, in either face."""

    def __init__(self, node: Any, decide: Optional[Decide], data: AcceptData) -> None:
        self._node = node
        self._decide = decide
        self._data = data if callable(data) else data_bytes(data)
        self.hellos: Dict[int, HelloData] = {}  # of dials that make them, by handle

    def on_proved(self, peer: Any) -> None:
        """The peer that was dialled: it is told what is for it."""

    def on_asks(self, handle: int, id: str, address: str, data: bytes, allowed: bool, channel: int) -> None:
        peer = self._node._add_peer(handle, None)
        peer.id, peer.address, peer.channel = id, address, CHANNEL_NAMES[channel]
        self._answer(peer, Asking(id, address, data, allowed, peer.channel))

    def _answer(self, peer: Any, asking: Asking) -> None:
        """Decides, now or later."""

    def _no_hello(self, peer: Any, error: Exception) -> None:
        if peer._connected is not None and not peer._connected.done():
            fail(peer._connected, error)
            peer._drop()

    def _decided(self, peer: Any, decision: Decision) -> None:
        try:
            if isinstance(decision, Reject):
                peer._reject(decision.status, decision.text)
            elif isinstance(decision, Accept):
                peer._accept(decision.data)
            elif decision is True and peer.channel != "sealwire":
                peer._accept(b"")
            elif decision is True and isinstance(self._data, bytes):
                peer._accept(self._data)
            else:
                if decision is not False:
                    logger.error("the decision about %s is not valid; it is refused: on_ask gives True, False, Accept or Reject", peer.id, extra=fields(peer, "rejected"))
                peer._reject(0, "")
        except (_errors.ArgumentError, _errors.TooBigError, _errors.UnsupportedError):
            logger.exception("the decision about %s is not valid; it is refused", peer.id, extra=fields(peer, "rejected"))
            peer._reject(0, "")
        except _errors.Error:
            pass  # it has gone meanwhile


class Deciding(Decisions):
    """With functions that are plain or async."""

    def on_proved(self, peer: Any) -> None:
        self._node._background(self._say_hello(peer))

    async def _say_hello(self, peer: Any) -> None:
        make = self.hellos.get(peer._handle)
        try:
            data = make(peer.id) if callable(make) else b""
            peer._hello(data_bytes(await data if inspect.isawaitable(data) else data))
        except Exception as error:
            self._no_hello(peer, error)

    def _answer(self, peer: Any, asking: Asking) -> None:
        decision: Union[Decision, Awaitable[Decision]] = False
        try:
            decision = True if asking.allowed else self._decide(asking) if self._decide is not None else False
        except Exception:
            logger.exception("the decision about %s failed; it is refused", peer.id, extra=fields(peer, "rejected"))
        if isinstance(decision, (bool, Accept, Reject)) and not (decision is True and callable(self._data) and asking.channel == "sealwire"):
            self._decided(peer, decision)
        else:
            self._node._background(self._await_decision(peer, asking, decision))

    async def _await_decision(self, peer: Any, asking: Asking, decision: "Union[Decision, Awaitable[Decision]]") -> None:
        decided: Decision = False
        try:
            made = await decision if inspect.isawaitable(decision) else decision
            if made is True and callable(self._data) and asking.channel == "sealwire":
                data = self._data(asking)
                made = Accept(data_bytes(await data if inspect.isawaitable(data) else data))
            decided = made
        except Exception:
            logger.exception("the decision about %s failed; it is refused", peer.id, extra=fields(peer, "rejected"))
        self._decided(peer, decided)
