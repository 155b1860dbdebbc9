"""Deciding: what applications tell each other with the handshake, and who is let in."""

import inspect
import logging
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Optional, Union

from sealwire import _errors
from sealwire._peer import Peer
from sealwire._types import Accept, AcceptData, Asking, Decide, Decision, Reject

if TYPE_CHECKING:
    from sealwire._node import Node

logger = logging.getLogger("sealwire")


def data_bytes(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise _errors.ArgumentTypeError(1, f"data are bytes, not {type(data).__name__}")
    return data


class Deciding:
    """A node's answers to those who ask, and what it tells those who are dialled."""

    def __init__(self, node: "Node", decide: Optional[Decide], data: AcceptData) -> None:
        self._node = node
        self._decide = decide
        self._data = data if callable(data) else data_bytes(data)
        self.hellos: Dict[int, Callable[[str], Union[bytes, Awaitable[bytes]]]] = {}  # of dials, by handle

    def on_proved(self, peer: Peer) -> None:
        self._node._background(self._say_hello(peer))

    async def _say_hello(self, peer: Peer) -> None:
        make = self.hellos.get(peer._handle)
        try:
            data = make(peer.id) if make is not None else b""
            peer._hello(data_bytes(await data if inspect.isawaitable(data) else data))
        except Exception as error:
            if peer._connected is not None and not peer._connected.done():
                peer._connected.set_exception(error)
                try:
                    peer._close(0, "", 1)
                except _errors.Error:
                    pass

    def on_asks(self, handle: int, id: str, address: str, data: bytes, allowed: bool) -> None:
        core = self._node._opened()
        peer = Peer(self._node, core, handle, None)
        peer.id, peer.address = id, address
        core.add_peer(handle, peer)
        asking = Asking(id, address, data, allowed)
        decision: Union[Decision, Awaitable[Decision]] = False
        try:
            decision = True if allowed else self._decide(asking) if self._decide is not None else False
        except Exception:
            logger.exception("the decision about %s failed; it is refused", id)
        if isinstance(decision, (bool, Accept, Reject)) and not (decision is True and callable(self._data)):
            self._decided(peer, decision)
        else:
            self._node._background(self._await_decision(peer, asking, decision))

    async def _await_decision(self, peer: Peer, asking: Asking, decision: "Union[Decision, Awaitable[Decision]]") -> None:
        decided: Decision = False
        try:
            made = await decision if inspect.isawaitable(decision) else decision
            if made is True and callable(self._data):
                data = self._data(asking)
                made = Accept(data_bytes(await data if inspect.isawaitable(data) else data))
            decided = made
        except Exception:
            logger.exception("the decision about %s failed; it is refused", peer.id)
        self._decided(peer, decided)

    def _decided(self, peer: Peer, decision: Decision) -> None:
        try:
            if isinstance(decision, Reject):
                peer._reject(decision.status, decision.text)
            elif isinstance(decision, Accept):
                peer._accept(decision.data)
            elif decision is True and isinstance(self._data, bytes):
                peer._accept(self._data)
            else:
                peer._reject(0, "")
        except (_errors.ArgumentError, _errors.TooBigError):
            logger.exception("the decision about %s is not valid; it is refused", peer.id)
            peer._reject(0, "")
        except _errors.Error:
            pass  # it has gone meanwhile
