"""Http: what the port of ws:// and wss:// answers besides its WebSockets, and what the program answers there."""

import inspect
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from sealwire import _errors, _native
from sealwire._durations import milliseconds
from sealwire._log import logger

_HTTP_UPGRADE = 27
HeaderLike = Union[Mapping[str, str], Iterable[Tuple[str, str]]]


@dataclass(frozen=True)
class HttpRequest:
    """One request at a web listener. `path` is as it was sent, percent-encoded; names of headers are in small letters."""

    method: str
    path: str
    query: str
    headers: Tuple[Tuple[str, str], ...]
    body: bytes
    address: str
    secure: bool

    def header(self, name: str, default: str = "") -> str:
        """The first of that name."""
        return next((value for at, value in self.headers if at == name.lower()), default)


class HttpAnswer:
    """What a request gets: a status, a body (str is sent as UTF-8 text) and headers, as pairs or a mapping."""

    __slots__ = ("status", "body", "headers")

    def __init__(self, body: Union[bytes, str] = b"", *, status: int = 200, headers: HeaderLike = ()) -> None:
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if isinstance(body, str):
            body = body.encode()
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("Content-Type", "text/plain; charset=utf-8"))
        self.status = status
        self.body = body
        self.headers: List[Tuple[str, str]] = pairs


AnswerLike = Union[HttpAnswer, bytes, str, int, None]
OnRequest = Callable[[HttpRequest], Union[AnswerLike, Awaitable[AnswerLike]]]
OnUpgrade = Callable[[HttpRequest], Union[bool, AnswerLike, Awaitable[Union[bool, AnswerLike]]]]


class Http:
    """What a web listener answers: `await node.listen("ws://*:8080/chat", http=Http(health="/health", folder="site"))`.

    `health` and `metrics` are paths; `folder` holds files for GET and HEAD. `on_request` is called with each HttpRequest that these do not
    answer, and returns an HttpAnswer, bytes, a str, or a status; None is 404. `on_upgrade` is called for each WebSocket that is asked for,
    on whatever path, once its origin was checked, and returns True, or False (403) or an answer as above. Both are plain or async, in
    sealwire.sync plain and called in a thread that may wait. `origins` are those whose pages may have WebSockets, "*" all; by
    default those of the host that is asked. Times are in seconds; 0 is the default of sw_http_options in sealwire.h.
    """

    def __init__(self, *, health: str = "", metrics: str = "", folder: str = "", origins: Iterable[str] = (),
                 on_request: Optional[OnRequest] = None, on_upgrade: Optional[OnUpgrade] = None, max_head_bytes: int = 0,
                 max_body_bytes: int = 0, max_connections: int = 0, head_timeout: Optional[float] = None,
                 body_timeout: Optional[float] = None, answer_timeout: Optional[float] = None,
                 idle_timeout: Optional[float] = None) -> None:
        self.on_request = on_request
        self.on_upgrade = on_upgrade
        if isinstance(origins, str):
            raise _errors.argument("origins is a list of origins")
        self._options: Dict[str, Union[int, str]] = {
            "requests": int(on_request is not None), "upgrades": int(on_upgrade is not None),
            "health_path": _errors.text(health, "health"), "metrics_path": _errors.text(metrics, "metrics"),
            "folder": _errors.text(str(folder), "folder"), "origins": " ".join(origins),
            "max_head_bytes": _errors.whole(max_head_bytes, "max_head_bytes"),
            "max_body_bytes": _errors.whole(max_body_bytes, "max_body_bytes"),
            "max_connections": _errors.whole(max_connections, "max_connections"),
            "head_ms": milliseconds(head_timeout), "body_ms": milliseconds(body_timeout),
            "answer_ms": milliseconds(answer_timeout), "idle_ms": milliseconds(idle_timeout)}


def asked(kind: int, http: Optional[Http], method: str, path: str, query: str, address: str, body: bytes,
          headers: List[Tuple[str, str]], secure: bool) -> Tuple[HttpRequest, Optional[Callable[[HttpRequest], Any]]]:
    function = None if http is None else http.on_upgrade if kind == _HTTP_UPGRADE else http.on_request
    return HttpRequest(method, path, query, tuple(headers), body, address, secure), function


def give(listener: int, number: int, made: Any, upgrade: bool) -> None:
    """Whatever a function has returned, as an answer."""
    if made is None or isinstance(made, bool):
        made = HttpAnswer(status=101 if upgrade and made is True else 403 if upgrade else 404)
    elif isinstance(made, int):
        made = HttpAnswer(status=made)
    elif isinstance(made, (bytes, str)):
        made = HttpAnswer(made)
    elif not isinstance(made, HttpAnswer):
        raise _errors.ArgumentTypeError(1, f"an answer is an HttpAnswer, bytes, str, or a status, not {type(made).__name__}")
    try:
        _native.http_answer(listener, number, made.status, made.body, made.headers)
    except _errors.ClosedError:
        pass  # nobody waits for it any more


def answer(listener: int, number: int, upgrade: bool, function: Optional[Callable[[HttpRequest], Any]],
           request: HttpRequest) -> None:
    """With a plain function."""
    try:
        give(listener, number, None if function is None else function(request), upgrade)
    except Exception:
        logger.exception("the answer to %s %s failed", request.method, request.path)
        give(listener, number, 500, False)


async def answer_async(listener: int, number: int, upgrade: bool, function: Optional[Callable[[HttpRequest], Any]],
                       request: HttpRequest) -> None:
    try:
        made = None if function is None else function(request)
        give(listener, number, await made if inspect.isawaitable(made) else made, upgrade)
    except Exception:
        logger.exception("the answer to %s %s failed", request.method, request.path)
        give(listener, number, 500, False)
