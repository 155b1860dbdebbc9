"""Procedure calls: functions that are exposed by name over the route `rpc`, and how a peer's are called (docs/RPC.md)."""

import functools
import inspect
from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, Iterator, Mapping, NamedTuple, Optional

from sealwire._codecs import Encoded, encode
from sealwire._errors import Status
from sealwire._messages import Request
from sealwire._replies import Replies

if TYPE_CHECKING:
    from sealwire._peer import Peer

ROUTE = "rpc"
NO_FUNCTION = 4095  # status: nothing of that name is exposed
BAD_CALL = 4094  # status: the call cannot be read, or its arguments do not fit


class _Function(NamedTuple):
    call: Callable[..., Any]
    with_request: bool


class Exposed:
    """The table of what peers may call. A call looks its name up here and nowhere else."""

    def __init__(self) -> None:
        self._functions: Dict[str, _Function] = {}

    def add(self, name: str, target: Any, with_request: bool) -> None:
        found = dict(_named(name, target))
        if not found:
            raise TypeError(f"{name!r} has no functions of its own: a {type(target).__name__}")
        self._functions.update((one, _Function(call, with_request)) for one, call in found.items())

    def _each(self, results: Any, kind: str) -> Any:
        return _each(results, kind)

    def remove(self, name: str) -> None:
        for one in [one for one in self._functions if one == name or one.startswith(name + ".")]:
            del self._functions[one]

    def serve(self, request: Request) -> Any:
        """The handler of the route: what it returns is the answer."""
        kind = request.kind
        try:
            call = request.decode() if kind in ("json", "messagepack", "cbor") else None
        except ValueError:
            call = None
        if not (isinstance(call, list) and len(call) == 2 and isinstance(call[0], str) and isinstance(call[1], list)):
            raise Status(BAD_CALL, "a call is [name, [arguments]] in MessagePack, CBOR or JSON")
        name, arguments = call
        function = self._functions.get(name)
        if function is None:
            raise Status(NO_FUNCTION, f"no function {name[:200]} is exposed")
        if function.with_request:
            arguments.insert(0, request)
        try:
            result = function.call(*arguments)
        except Status as status:
            raise _told(status, kind) from None
        except TypeError:
            if not _fits(function.call, arguments):
                raise Status(BAD_CALL, f"{name} takes other arguments") from None
            raise
        if inspect.isawaitable(result):
            return _later(result, kind)
        if hasattr(result, "__anext__") or hasattr(result, "__next__"):
            if request.wants_reply and not request.wants_many:
                if inspect.isgenerator(result):
                    result.close()
                raise Status(BAD_CALL, f"{name} has many results: ask for many")
            return self._each(result, kind)
        return None if result is None else encode(result, kind)


def _named(name: str, target: Any) -> "Iterator[tuple[str, Callable[..., Any]]]":
    """The functions of `target` with their whole names: those of a dict, and those that an object or its own class holds. What a
    class inherits, and what begins with an underscore, is not exposed."""
    if not isinstance(name, str) or not all(name.split(".")):
        raise ValueError(f"{name!r} is no name: words with dots between them")
    if isinstance(target, Mapping):
        for key, one in target.items():
            yield from _named(f"{name}.{key}", one)
    elif inspect.isclass(target) or inspect.ismodule(target):
        raise TypeError(f"{name!r} is a {type(target).__name__}: expose an object or a dict of functions")
    elif inspect.isroutine(target) or isinstance(target, functools.partial):
        yield name, target
    else:
        own: Dict[str, Any] = {key: one for key, one in vars(type(target)).items()
                               if inspect.isfunction(one) or isinstance(one, (staticmethod, classmethod))}
        own.update((key, one) for key, one in getattr(target, "__dict__", {}).items() if inspect.isroutine(one))
        for key in own:
            if not key.startswith("_"):
                yield f"{name}.{key}", getattr(target, key)


def _fits(function: Callable[..., Any], arguments: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it has no signature
        pass
    return True


def _told(status: Status, kind: str) -> Status:
    """Its details are said as the call was."""
    details = status._details
    if details is None or isinstance(details, Encoded):
        return status
    return Status(status.status, status.text, encode(details, kind))


async def _later(awaitable: "Awaitable[Any]", kind: str) -> Optional[Encoded]:
    try:
        result = await awaitable
    except Status as status:
        raise _told(status, kind) from None
    return None if result is None else encode(result, kind)


async def _each(results: Any, kind: str) -> AsyncIterator[Encoded]:
    try:
        if hasattr(results, "__anext__"):
            async for one in results:
                yield encode(one, kind)
        else:
            for one in results:
                yield encode(one, kind)
    except Status as status:
        raise _told(status, kind) from None
    finally:
        if hasattr(results, "aclose"):
            await results.aclose()
        elif hasattr(results, "close"):
            results.close()


class Results:
    """What a function that was called by `call_many` gives, one after the other. Leaving the loop ends it at the peer."""

    __slots__ = ("_replies",)

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def __aiter__(self) -> "Results":
        return self

    async def __anext__(self) -> Any:
        return (await self._replies.__anext__()).decode()

    async def aclose(self) -> None:
        """Wants no more of them."""
        await self._replies.aclose()


async def call(peer: "Peer", name: str, arguments: Any, timeout: Optional[float]) -> Any:
    reply = await peer.request(ROUTE, body_of(name, arguments), timeout=timeout)
    return reply.decode() if reply.has_body else None


def body_of(name: str, arguments: Any) -> Encoded:
    return encode([name, list(arguments)], "messagepack")
