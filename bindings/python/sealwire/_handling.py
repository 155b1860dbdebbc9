"""Handlers that go on as tasks: what a node makes of their results, their failures, and their requesters' cancels."""

import asyncio
import inspect
import sys
from typing import TYPE_CHECKING, Any, Awaitable, Optional, Set

from sealwire._messages import Request
from sealwire._replies import complete, leave

if TYPE_CHECKING:
    from sealwire._router import Router


def cancel(task: "asyncio.Task[Any]") -> None:
    """Ends the task of a handler. One that was cancelled before its first step runs no line of its own."""
    task.cancel()
    coroutine: Any = task.get_coro()
    if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        awaitable: Any = coroutine.cr_frame.f_locals.get("awaitable")
        if hasattr(awaitable, "close"):
            awaitable.close()


class Handling:
    """A part of Node; all is called by the native half."""

    _loop: Optional[asyncio.AbstractEventLoop]
    _router: "Router"
    _tasks: "Set[asyncio.Task[Any]]"

    def _spawn(self, request: Request, awaitable: "Awaitable[Any]") -> "Optional[asyncio.Task[Any]]":
        assert self._loop is not None
        if request.converses:
            request.peer._begin_talk(request.number)
        answer = self._answer(request, awaitable)
        if self._loop.get_task_factory() is not None:
            task = self._loop.create_task(answer)
        elif sys.version_info >= (3, 12):  # runs to its first suspension at once
            task = asyncio.Task(answer, loop=self._loop, name=request.route, eager_start=True)
        else:
            task = asyncio.Task(answer, loop=self._loop, name=request.route)
        return None if task.done() else task

    async def _answer(self, request: Request, awaitable: "Awaitable[Any]") -> None:
        try:
            result = await awaitable
            if not request._finish(result):
                await complete(request, result)
        except asyncio.CancelledError:
            request._stop()
            leave(request, True)
            if not request.cancelled:
                request._fail("")
                raise
        except Exception as error:
            self._router.failed(request, error)
        finally:
            self._end_talk(request)

    def _end_talk(self, request: Request) -> None:
        if request.converses:
            request.peer._end_talk(request.number)

    def _on_cancelled(self, request: Request, task: "Optional[asyncio.Task[Any]]") -> None:
        self._end_talk(request)
        if task is None:  # it was waited for
            return leave(request, True)
        self._tasks.add(task)  # until it has ended
        task.add_done_callback(self._tasks.discard)
        cancel(task)
        leave(request, True)
