"""Who may join a node's topics and publish to them: rules, and what a function of the application decides."""

import inspect
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, Iterable, List, Literal, NamedTuple, Optional, Sequence, Tuple, Union

from sealwire import _errors, _native
from sealwire._log import fields, logger

if TYPE_CHECKING:
    from sealwire._peer import Peer

Right = Literal["join", "publish"]
Verdict = Literal["deny", "allow", "ask"]
_RIGHTS = {"join": 1, "publish": 2}  # of sw_topic_right
_VERDICTS = ("deny", "allow", "ask")  # of sw_verdict


class TopicRule(NamedTuple):
    """Who may join a topic, that is get what this node publishes, and who may publish to it, that is be heard here."""

    pattern: str  #: of names: `*` stands for any bytes but "/", also none, `**` for any, a backslash takes the sense from what is behind it
    peer: Optional[str] = None  #: its id; None: each
    rights: Sequence[Right] = ("join", "publish")  #: that the rule speaks of
    verdict: Verdict = "allow"  #: "deny", "allow", or "ask": the function that came with the rules decides


class TopicAsking(NamedTuple):
    """What a rule with "ask" leaves to the application."""

    peer: "Peer"  #: of either face
    topic: str
    rights: Tuple[Right, ...]  #: that it is about: those which the peer has got need no answer


#: True: all that is asked for, False: nothing, or the rights that are given.
Granted = Union[bool, Iterable[Right]]


def _bits(rights: Any) -> int:
    given = list(rights) if hasattr(rights, "__iter__") and not isinstance(rights, str) else [rights]
    if isinstance(rights, str) or any(right not in list(_RIGHTS) for right in given):
        raise _errors.argument(f"rights are a sequence of {' and '.join(_RIGHTS)}, not {rights!r}")
    return sum(bit for right, bit in _RIGHTS.items() if right in given)


def _native_rule(rule: Any) -> Tuple[str, Optional[str], int, int]:
    if not isinstance(rule, TopicRule):
        raise _errors.ArgumentTypeError(1, f"a rule is a TopicRule, not {type(rule).__name__}")
    pattern, peer, rights, verdict = rule
    if verdict not in _VERDICTS:
        raise _errors.argument(f"verdict is none of {', '.join(_VERDICTS)}")
    return _errors.text(pattern, "a pattern"), None if peer is None else _errors.text(peer, "the id of a peer"), _bits(rights), _VERDICTS.index(verdict)


class TopicRights:
    """What a node is asked about its topics, in either face."""

    def __init__(self) -> None:
        self.decide: Optional[Callable[[TopicAsking], Any]] = None
        self._warned = False  # that rules ask and nobody decides
        self._early: Dict[int, List[Tuple[str, int]]] = {}  # about peers whose connection is told of next, by their handles

    def set(self, core: _native.Core, rules: Optional[Iterable[Any]], ask: Optional[Callable[[TopicAsking], Any]], plain: bool) -> None:
        if ask is not None and (not callable(ask) or plain and inspect.iscoroutinefunction(ask)):
            raise _errors.ArgumentTypeError(1, "on_ask is a plain function of a TopicAsking" if plain else "on_ask is a function of a TopicAsking")
        if isinstance(rules, (str, dict, TopicRule)):
            raise _errors.ArgumentTypeError(1, f"rules are a list of TopicRule, not {type(rules).__name__}")
        made = None if rules is None else [_native_rule(rule) for rule in rules]
        before, self.decide = self.decide, ask  # the first question may come at once
        try:
            core.set_topic_rules(made)
        except BaseException:
            self.decide = before
            raise
        self._warned = False

    def on_asks(self, node: Any, core: _native.Core, handle: int, rights: int, name: str) -> None:
        peer = core.get_peer(handle)
        if peer is None or not peer.suite:
            self._early.setdefault(handle, []).append((name, rights))
            return
        asking = TopicAsking(peer, name, tuple(right for right, bit in _RIGHTS.items() if rights & bit))  # type: ignore[misc]
        if self.decide is None:
            if not self._warned:
                self._warned = True
                logger.warning("a rule asks about %s and the topic %r, but there is no on_ask: it is denied, and so are others", peer.id, name,
                               extra=fields(peer))
            answer(core, asking, False)
        else:
            node._on_topic_asks(core, self.decide, asking)

    def on_connected(self, node: Any, core: _native.Core, peer: Any) -> None:
        for name, rights in self._early.pop(peer._handle, ()):
            self.on_asks(node, core, peer._handle, rights, name)

    def on_closed(self, handle: int) -> None:
        self._early.pop(handle, None)


def failed(asking: TopicAsking) -> None:
    """Within `except`."""
    logger.exception("the decision about %s and the topic %r failed; it is denied", asking.peer.id, asking.topic, extra=fields(asking.peer))


def answer(core: _native.Core, asking: TopicAsking, granted: Granted) -> None:
    try:
        if isinstance(granted, str) or not isinstance(granted, (bool, Iterable)):
            raise _errors.ArgumentTypeError(1, f"on_ask gives True, False or rights, not {granted!r}")
        given: Any = asking.rights if granted is True else () if granted is False else granted
        rights = _bits(given) & _bits(asking.rights)
    except Exception:
        failed(asking)
        rights = 0
    try:
        core.decide_topic(asking.topic, asking.peer._handle, rights)
    except _errors.Error:
        pass  # it has gone meanwhile, or the topic was left


async def answer_later(core: _native.Core, asking: TopicAsking, granted: "Awaitable[Granted]") -> None:
    decided: Granted = False
    try:
        decided = await granted
    except Exception:
        failed(asking)
    finally:  # also where it was cancelled
        answer(core, asking, decided)


def call(decide: Callable[[TopicAsking], Any], asking: TopicAsking) -> Any:
    try:
        return decide(asking)
    except Exception:
        failed(asking)
        return False
