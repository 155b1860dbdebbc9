"""Conversations in the synchronous face: threads ask, and answer."""

from typing import TYPE_CHECKING, Any, Dict, Optional, Union

from sealwire._carried import Metadata, extras
from sealwire._messages import BodyLike
from sealwire._outcome import Outcome
from sealwire._sync_messages import GLANCE, Reply
from sealwire._sync_replies import Queue, Replies
from sealwire._talk import Hearing, Turn

if TYPE_CHECKING:
    from sealwire._sync_peer import Peer


class Ear(Hearing, Queue):
    __slots__ = ("peer", "number", "asked")
    peer: "Peer"
    asked: Dict[int, Outcome]

    def ask(self, body: BodyLike, metadata: Optional[Metadata], trace: Union[str, bytes, None]) -> "Said":
        more = extras(metadata, trace)
        with self.peer._changed:
            while True:
                question = self.peer._ask(self.number, body, more)
                if question is not False:
                    break
                self.peer._changed.wait(GLANCE)
            outcome = self._asking(question)
        return self.answer_to(question, outcome)

    def _asking(self, question: int) -> Outcome:
        """With the lock, in which it was asked."""
        outcome = self.asked[question] = Outcome()
        return outcome

    def answer_to(self, question: int, outcome: Outcome) -> "Said":
        try:
            said: Said = outcome.result()
            return said
        finally:
            self.asked.pop(question, None)


class Said(Turn, Reply):  # type: ignore[misc]
    """A question of the other side, or its answer to one of ours, which may ask in turn (`asks`)."""

    __slots__ = ("_ear", "_question")
    peer: "Peer"
    _ear: Ear

    def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None) -> "Said":
        """Answers it by a question, and waits for the answer to that."""
        with self.peer._changed:
            back = self._ask_back(body, metadata, trace)
            outcome = self._ear._asking(back)
        return self._ear.answer_to(back, outcome)


class Conversation(Replies):
    """A request in which both sides may ask: `with peer.converse(...) as talk`.

    `for said in talk` gives what the other side says: its questions (`said.asks`), to be answered, and its replies, until it has said
    all. `talk.ask(...)` asks it, at any time meanwhile and from any thread.
    """

    __slots__ = ("_ear",)

    def _queue_for(self) -> Queue:
        self._ear = Ear(self._peer)
        return self._ear

    def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None) -> Said:
        """Asks the handler and waits for its answer. A status raises; the end of the exchange raises CancelledByPeer."""
        if self._queue is None:
            self._start()
        return self._ear.ask(body, metadata, trace)

    def __enter__(self) -> "Conversation":
        if self._queue is None:
            self._start()
        return self

    def __iter__(self) -> "Conversation":
        return self


class Talk:
    """The handler's side: `request.talk.ask(...)`, and `for said in request.talk` for the requester's questions."""

    __slots__ = ("_ear",)

    def __init__(self, ear: Ear) -> None:
        self._ear = ear

    def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None, trace: Union[str, bytes, None] = None) -> Said:
        """Asks the requester and waits for its answer."""
        return self._ear.ask(body, metadata, trace)

    def __iter__(self) -> "Talk":
        return self

    def __next__(self) -> Said:
        said: Any = self._ear.next()
        if said is None:
            raise StopIteration
        return said  # type: ignore[no-any-return]
