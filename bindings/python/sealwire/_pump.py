"""Pump: the task that carries a node's events into its event loop."""

import asyncio
import socket
import weakref
from typing import TYPE_CHECKING, Optional

from sealwire import _errors, _native

if TYPE_CHECKING:
    from sealwire._node import Node


class Pump:
    """Waits for the loop thread's wake-ups. Knows the node weakly, so that a node that was dropped can go."""

    __slots__ = ("receiver", "sender", "node", "orphan", "task")

    def __init__(self, node: "Node") -> None:
        self.receiver, self.sender = socket.socketpair()
        self.receiver.setblocking(False)
        self.sender.setblocking(False)
        self.node = weakref.ref(node)
        self.orphan: Optional[_native.Core] = None
        self.task: Optional[asyncio.Task[None]] = None

    def core(self) -> Optional[_native.Core]:
        node = self.node()
        return self.orphan if node is None else node._core

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        forked = False
        try:
            while True:
                core = self.core()
                if core is None or core.over:
                    return
                busy = core.drain()
                del core  # held while draining only
                if busy:
                    await asyncio.sleep(0)
                else:
                    await loop.sock_recv(self.receiver, 256)
        except _errors.ForkedError:
            forked = True  # the parent's loop thread may have held any lock
        finally:
            node = self.node()
            if node is not None:
                node._stopped()
            core = self.core()
            if core is not None and not forked:
                core.silence()  # the number of a closed socket may be somebody else's soon
            self.receiver.close()
            self.sender.close()
