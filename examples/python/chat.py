"""Chat: who is in a room, which is a topic, hears what is said there; all meet at a hub, and nobody is connected to another.

    chat.py                              a hub and three who talk, in one program
    chat.py hub [ADDRESS]                a hub; prints its ticket
    chat.py TICKET NAME ROOM [SECRET]    what is typed is said; talks with the programs in C and Node.js, too. With the room's secret, at
                                         least 12 bytes, the hub reads nothing, and each line has the id that it is signed by

Messages are "hello NAME", which each who is there answers by "here ITS-NAME: NAME", "say NAME: WORDS" and "bye NAME".
"""

import asyncio
import sys
from typing import Optional

import sealwire


class Person:
    """Somebody who is at the hub."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def arrive(self, ticket: str) -> None:
        hub = sealwire.Ticket.parse(ticket).id  # that is trusted to pass on messages
        self.node = sealwire.Node(network="chat", hubs=[hub], on_link=self.on_link).open()
        self.peer = await self.node.connect(ticket)

    def on_link(self, peer: sealwire.Peer, link: sealwire.Link) -> None:
        if link.state == "suspended":
            print("the hub is out of reach", file=sys.stderr)
        elif link.state == "resumed":
            print("the hub is back", file=sys.stderr)

    async def depart(self) -> None:
        report = await self.node.close()
        if report and report.not_sent + report.outcome_unknown > 0:
            sys.exit(f"{report.not_sent + report.outcome_unknown} of what was said may not have come")


class Room:
    def __init__(self, who: Person, name: str) -> None:
        self.who, self.name = who, name
        self.told = asyncio.Semaphore(0)

    async def enter(self, passphrase: Optional[str] = None) -> None:
        secret = sealwire.topic_secret_from_passphrase(passphrase, self.name) if passphrase else None
        self.topic = await self.who.node.join(self.name, secret=secret)  # all who are there hear what is said from now on
        print(f"[{self.who.name}, {self.name}] you are here", flush=True)
        self.task = asyncio.ensure_future(self.hear(proved=secret is not None))
        await self.put("hello")

    async def put(self, what: str, words: Optional[str] = None) -> None:
        await self.topic.publish(f"{what} {self.who.name}" + ("" if words is None else f": {words}"))

    async def hear(self, proved: bool) -> None:
        async for message in self.topic:
            kind, _, rest = message.body.decode(errors="replace").partition(" ")
            by = f"{message.publisher[:8]} " if proved else ""
            if kind == "say":
                self.tell(by + rest)
            elif kind == "hello":
                self.tell(f"{by}{rest} has come")
                await self.put("here", rest)
            elif kind == "here" and rest.endswith(f": {self.who.name}"):
                self.tell(f"{by}{rest[:-len(self.who.name) - 2]} is here")
            elif kind == "bye":
                self.tell(f"{by}{rest} has gone")

    def tell(self, words: str) -> None:
        print(f"[{self.who.name}, {self.name}] {words}", flush=True)
        self.told.release()

    async def leave(self) -> None:
        await self.put("bye")
        await self.topic.leave()


async def everybody() -> None:
    async with sealwire.Node(network="chat", allow="anyone", hub=True) as hub:
        ticket = (await hub.listen("tcp://127.0.0.1:0")).ticket
        ada, bob, eve = people = Person("Ada"), Person("Bob"), Person("Eve")
        for person in people:
            await person.arrive(ticket)
        tea, his_tea, music, her_music = Room(ada, "tea"), Room(bob, "tea"), Room(bob, "music"), Room(eve, "music")
        for one, other in (tea, his_tea), (music, her_music):
            await one.enter()
            await other.enter()
            await one.told.acquire()  # that the other has come
            await other.told.acquire()  # that this one is here
        for speaker, words, listener in (tea, "hello", his_tea), (his_tea, "hi Ada", tea), (music, "a song?", her_music):
            await speaker.put("say", words)
            await listener.told.acquire()
        for room, listener in (tea, his_tea), (music, her_music):
            await room.leave()
            await listener.told.acquire()
        for person in people:
            await person.depart()


async def serve(address: str) -> None:
    async with sealwire.Node(network="chat", allow="anyone", hub=True) as hub:
        print((await hub.listen(address)).ticket, flush=True)
        await asyncio.Event().wait()  # until it is interrupted


async def talk(ticket: str, name: str, room_name: str, secret: Optional[str] = None) -> None:
    person = Person(name)
    await person.arrive(ticket)
    room = Room(person, room_name)
    await room.enter(secret)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        if person.peer.closed:
            sys.exit(f"the hub has gone: {person.peer.reason}")
        await room.put("say", line.rstrip("\n"))
    await room.leave()
    await person.depart()


def wrong(words: object) -> None:
    print(words, "usage: chat.py | chat.py hub [ADDRESS] | chat.py TICKET NAME ROOM [SECRET]", sep="\n", file=sys.stderr)
    sys.exit(2)


words = sys.argv[1:]
try:
    if len(words) in (3, 4):
        asyncio.run(talk(*words))
    elif len(words) > 2 or words and words[0] != "hub":
        wrong("these are not its arguments")
    elif words:
        asyncio.run(serve(*words[1:] or ["tcp://127.0.0.1:0"]))
    else:
        asyncio.run(everybody())
except sealwire.ArgumentError as error:
    wrong(error)
except sealwire.Error as error:
    sys.exit(str(error))
