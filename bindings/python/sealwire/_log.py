"""Log: the records of the package, and those of the library, with what they are about as fields."""

import logging
from typing import Any, Dict, Optional

from sealwire import _native

logger = logging.getLogger("sealwire")
# What the core logs: not printed where nobody has configured logging, unlike failures of handlers.
core_logger = logging.getLogger("sealwire.core")
core_logger.addHandler(logging.NullHandler())

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


def native_level() -> int:
    """From which level on the core's log is wanted."""
    level = core_logger.getEffectiveLevel()
    return next((i for i, one in enumerate(_LEVELS) if level <= one), len(_LEVELS))


def fields(peer: Any = None, code: Optional[str] = None, route: str = "") -> Dict[str, Any]:
    """The `extra` of a record, the same in all of them: the short form of the peer's id, its address, the name of the failure's
    result (None: there is none), and the route; "" is for what is not known."""
    id = getattr(peer, "id", "")[:8]
    return {"peer": id, "address": getattr(peer, "address", ""), "code": code, "route": route}


def log_line(level: int, result: int, text: str, peer: str, address: str, route: str) -> None:
    """A line of the core."""
    where = " ".join(part for part in (peer, address) if part)
    about = {"peer": peer, "address": address, "code": _native.result_name(result) if result else None, "route": route}
    core_logger.log(_LEVELS[min(level, 3)], "%s%s", text, f" ({where})" if where else "", extra=about)
