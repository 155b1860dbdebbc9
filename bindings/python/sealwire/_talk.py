"""Conversations: exchanges in which both sides ask while they run."""

import asyncio
from typing import TYPE_CHECKING, Any, Dict, Optional, Union

from sealwire import _errors, _native
from sealwire._carried import Metadata, extras
from sealwire._codecs import Encoded, to_json
from sealwire._messages import BodyLike, Reply, Request
from sealwire._replies import Queue, Replies
from sealwire._sending import Answer
from sealwire._topic import TopicMessage

if TYPE_CHECKING:
    from sealwire._peer import Peer


class Hearing:
    """What the other side of a conversation says, and who waits for which answer. In `peer._talks` until the exchange is over. The
    part of an Ear that is the same in either face, before its queue."""

    __slots__ = ()
    peer: Any
    number: int
    asked: Any

    def __init__(self, peer: Any) -> None:
        super().__init__()
        self.peer = peer
        self.number = 0  # type: ignore[misc]  # a slot of the face's class
        self.asked = {}

    def begin(self, number: int) -> None:
        self.number = number  # type: ignore[misc]  # likewise
        self.peer._talks[number] = self

    def _on_done(self, error: Optional[BaseException]) -> None:
        self.peer._talks.pop(self.number, None)
        super()._on_done(error)  # type: ignore[misc]  # of the queue behind it


class Ear(Hearing, Queue):
    __slots__ = ("peer", "number", "asked")
    peer: "Peer"
    asked: "Dict[int, asyncio.Future[Said]]"

    async def ask(self, body: BodyLike, metadata: Optional[Metadata], trace: Union[str, bytes, None]) -> "Said":
        more = extras(metadata, trace)
        while True:
            question = self.peer._ask(self.number, body, more)
            if question is not False:
                break
            await self.peer._wait_for_room()
        return await self.answer_to(question)

    async def answer_to(self, question: int) -> "Said":
        future: "asyncio.Future[Said]" = asyncio.get_running_loop().create_future()
        self.asked[question] = future
        try:
            return await future
        finally:
            self.asked.pop(question, None)


class Turn:
    """What a question of the other side, or its answer to one of ours, may be used for in either face."""

    __slots__ = ()
    peer: Any
    number: int
    _ear: Any
    _question: Optional[int]

    @property
    def asks(self) -> bool:
        """It is a question, and not answered yet."""
        return self._question is not None

    def _take(self) -> int:
        if self._question is None:
            raise _errors.StateError(4, "this asks nothing, or was answered already", peer=self.peer.id)
        question, self._question = self._question, None  # type: ignore[misc]  # a slot of the face's class
        return question

    def answer(self, body: Optional[BodyLike] = None, *, metadata: Optional[Metadata] = None,
               trace: Union[str, bytes, None] = None) -> None:
        """Answers it; None is an answer without a body."""
        question = self._take()
        if body is None:
            self.peer._question_status(self.number, question, 0, "")
        else:
            self.peer._answer(self.number, question, body, extras(metadata, trace), False)

    def status(self, code: int, text: str = "") -> None:
        """Answers it with a status of the application, 64 to 4,095: the other side's `ask` raises it."""
        self.peer._question_status(self.number, self._take(), code, text)

    def _ask_back(self, body: BodyLike, metadata: Optional[Metadata], trace: Union[str, bytes, None]) -> int:
        back = self.peer._answer(self.number, self._take(), body, extras(metadata, trace), True)
        assert back is not None
        return int(back)


class Said(Turn, Reply):  # type: ignore[misc]
    """A question of the other side, or its answer to one of ours, which may ask in turn (`asks`)."""

    __slots__ = ("_ear", "_question")
    peer: "Peer"
    _ear: Ear

    async def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None,
                  trace: Union[str, bytes, None] = None) -> "Said":
        """Answers it by a question, and waits for the answer to that."""
        return await self._ear.answer_to(self._ask_back(body, metadata, trace))


class Conversation(Replies):
    """A request in which both sides may ask: `async with peer.converse(...) as talk`.

    `async for said in talk` gives what the other side says: its questions (`said.asks`), to be answered, and its replies, until
    it has said all. `await talk.ask(...)` asks it, at any time meanwhile and from any task.
    """

    __slots__ = ("_ear",)

    def _queue_for(self) -> Queue:
        self._ear = Ear(self._peer)
        return self._ear

    def _begun(self, number: int) -> None:
        self._ear.begin(number)

    async def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None,
                  trace: Union[str, bytes, None] = None) -> Said:
        """Asks the handler and waits for its answer. A status raises; the end of the exchange raises CancelledByPeer."""
        if self._queue is None:
            await self._start()
        return await self._ear.ask(body, metadata, trace)

    async def __aenter__(self) -> "Conversation":
        if self._queue is None:
            await self._start()
        return self

    def __aiter__(self) -> "Conversation":
        return self


class Talk:
    """The handler's side: `await request.talk.ask(...)`, and `async for said in request.talk` for the requester's questions."""

    __slots__ = ("_ear",)

    def __init__(self, ear: Ear) -> None:
        self._ear = ear

    async def ask(self, body: BodyLike, *, metadata: Optional[Metadata] = None,
                  trace: Union[str, bytes, None] = None) -> Said:
        """Asks the requester and waits for its answer."""
        return await self._ear.ask(body, metadata, trace)

    def __aiter__(self) -> "Talk":
        return self

    async def __anext__(self) -> Said:
        said: Any = await self._ear.next()
        if said is None:
            raise StopAsyncIteration
        return said  # type: ignore[no-any-return]


_native.set_classes(Request, Reply, Answer, to_json, Encoded, Said, TopicMessage)
