"""Listener: where a node listens."""

import asyncio
from typing import Optional

from sealwire import _errors, _native
from sealwire._web import Http
from sealwire._limits import Doors
from sealwire._tls import Tls, native_tls


class Listener(Doors):
    """Where a node listens. `address` has the real port; `ticket` is what others connect to; `paused` is why it does not accept at the
    moment, mostly for want of file descriptors, or None."""

    __slots__ = ("_handle", "_ready", "_over", "address", "ticket", "_http")

    def __init__(self, handle: int, future: "asyncio.Future[Listener]", http: Optional[Http] = None) -> None:
        self._handle = handle
        self._http = http
        self._ready = future
        self._over: asyncio.Future[None] = future.get_loop().create_future()
        self.address = ""
        self.ticket = ""
        self.paused = None

    def set_tls(self, tls: Tls) -> None:
        """Other certificates, for connections from now on; those that are up stay. Files are read here: call it again when they have
        changed. Raises TlsError, and leaves the listener as it was, where they do not fit."""
        _native.listener_set_tls(self._handle, native_tls(tls) or {})

    async def close(self) -> None:
        """Stops listening; connections that are up stay."""
        if self._over.done():
            return
        try:
            _native.listener_close(self._handle)
        except _errors.ClosedError:
            pass
        await asyncio.shield(self._over)

    async def __aenter__(self) -> "Listener":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<sealwire.Listener {self.ticket}>"
