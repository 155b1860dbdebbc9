"""Messages: those to one route, iterated over in place of a handler."""

import asyncio
from typing import TYPE_CHECKING, AsyncIterator, List

from sealwire import _errors, _native
from sealwire._messages import Request

if TYPE_CHECKING:
    from sealwire._node import Node


class Messages:
    """The messages to one route, as they come: `async for request in messages`, or `async for batch in
    messages.batches()`, which is faster. A message counts as taken when the iterator hands it out."""

    def __init__(self, node: "Node", core: _native.Core, route: str) -> None:
        self._node = node
        self._core = core
        self._route = route
        self._number = core.add_handler(route, None)
        self._closed = False
        self._ready: List[Request] = []  # the next is the last
        node._waits.iterated[self._number] = self

    async def batches(self, max: int = 256) -> "AsyncIterator[List[Request]]":
        """Lists of up to `max` requests, never empty."""
        while True:
            batch, self._ready = self._ready[::-1] or self._core.take(self._number, max), []
            if batch:
                yield batch
                await asyncio.sleep(0)
                continue
            if self._closed or self._core.over:
                return
            await self._core.wait(self._number)

    def __aiter__(self) -> "Messages":
        return self

    async def __anext__(self) -> Request:
        while not self._ready:
            self._ready = self._core.take(self._number, 16)[::-1]
            if self._ready:
                break
            if self._closed or self._core.over:
                raise StopAsyncIteration
            await self._core.wait(self._number)
        return self._ready.pop()

    def close(self) -> None:
        """Stops taking; later messages to the route are answered no_route."""
        if self._closed:
            return
        self._closed = True
        self._node._waits.iterated.pop(self._number, None)
        if not self._core.over:
            try:
                _native.unroute(self._core, self._route)
            except _errors.StateError:
                pass
        self._core.close_inbox(self._number)

    def put_back(self, request: Request) -> None:
        self._ready.append(request)  # it is the oldest

    def __enter__(self) -> "Messages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
