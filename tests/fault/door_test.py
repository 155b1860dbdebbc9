"""Crowds at a node's doors: slow sockets, bad first messages, probes of foreign protocols, no descriptors.

SEALWIRE_TEST_SCALE is a percentage of the numbers of threats.md: 2,000 slow sockets beside 200 honest clients, 100,000 bad first
messages, 10,000 probes, 500 clients at 64 descriptors, 10,000 idle connections; by default all of the first and the fourth, a twentieth
of the second and third, a tenth of the last.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
MESSAGE_1 = 1280
BUDGET_US = 150  # of a bad first message: 100,000 in 60 s are then a quarter of a core


def scaled(number, usual=100):
    return max(number * int(os.environ.get("SEALWIRE_TEST_SCALE", usual)) // 100, 1)


def allow_descriptors(wanted):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return min(wanted, hard) - 100


class Server:
    def __init__(self, program, handshake_ms, descriptors=0, heartbeat_ms=0, ca_file=None):
        """With `ca_file` a wss listener, whose CA is written there."""
        self.program = program
        self.ca_file = [] if ca_file is None else [ca_file]
        self.process = subprocess.Popen([program, "serve", str(handshake_ms), str(descriptors), str(heartbeat_ms), *self.ca_file],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ticket = self.process.stdout.readline().strip()
        host, port = re.match(r"\w+://([\d.]+):(\d+)", self.ticket).groups()
        self.address = (host, int(port))

    def numbers(self, command=""):
        """Microseconds of processor time, pauses, resumptions, connections accepted, sessions."""
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return [int(number) for number in self.process.stdout.readline().split()]

    def ask(self, count):
        return subprocess.Popen([self.program, "ask", self.ticket, str(count), *self.ca_file], stdout=subprocess.PIPE, text=True)

    def idlers(self, count, heartbeat_ms=0):
        return subprocess.Popen([self.program, "idle", self.ticket, str(count), str(heartbeat_ms), *self.ca_file], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def resident(self):
        """Bytes."""
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def connect(self):
        one = socket.create_connection(self.address, timeout=PATIENCE_S)
        one.setblocking(False)
        return one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def secure(program, **options):
    """A server of wss."""
    with tempfile.TemporaryDirectory(prefix="sealwire-doors-") as folder, \
            Server(program, 5000, ca_file=os.path.join(folder, "ca.pem"), **options) as server:
        yield server


def answers(asking, count):
    """Faults of honest clients; the 99th percentile of their times."""
    good, _, p99 = asking.communicate(timeout=PATIENCE_S)[0].split()
    return ([] if int(good) == count else [f"{good} of {count} honest clients came in"]), float(p99)


class Crowd:
    """Sockets of strangers, and what becomes of them."""

    def __init__(self):
        self.all = {}
        self.poll = select.poll()
        self.came = 0  # bytes that the server sent

    def add(self, one):
        self.all[one.fileno()] = one
        self.poll.register(one.fileno(), select.POLLIN)

    def drop(self, descriptor):
        self.poll.unregister(descriptor)
        self.all.pop(descriptor).close()

    def look(self, seconds):
        for descriptor, _ in self.poll.poll(max(seconds, 0) * 1000):
            try:
                data = self.all[descriptor].recv(4096)
            except OSError:
                data = b""  # reset
            self.came += len(data)
            if not data:
                self.drop(descriptor)

    def send(self, data):
        for descriptor, one in list(self.all.items()):
            try:
                one.send(data)
            except OSError:
                self.drop(descriptor)


def slow_sockets(program):
    count, honest = scaled(2000), scaled(200)
    count = min(count, allow_descriptors(2 * count + 500))  # of the server's, strangers get half
    with Server(program, 5000) as server:
        crowd = Crowd()
        for _ in range(count):
            crowd.add(server.connect())
        all_there = time.monotonic()
        asking = server.ask(honest)
        for second in range(1, 7):  # one byte a second each
            crowd.send(b"x")
            while crowd.all and time.monotonic() < all_there + second:
                crowd.look(all_there + second - time.monotonic())
        took = time.monotonic() - all_there
        faults, p99 = answers(asking, honest)
        yield from faults
        print(f"# {count} slow sockets, {honest} honest clients: p99 {p99 * 1000:.0f} ms, all closed after {took:.1f} s")
        if p99 >= 1:
            yield f"the 99th percentile of honest clients was {p99} s"
        if crowd.all:
            yield f"{len(crowd.all)} slow sockets were open after 6 s"
        if crowd.came:
            yield f"{crowd.came} bytes were sent to strangers"


def bad_first_messages(program):
    count = scaled(100_000, 5)
    allow_descriptors(2000)  # the server has no more: strangers that wait for their deadline get half of them
    with Server(program, 5000) as server:
        before = server.numbers()
        began = time.monotonic()
        for at in range(0, count, 200):
            batch = [server.connect() for _ in range(min(200, count - at))]
            for one in batch:
                one.send(os.urandom(MESSAGE_1))
            for one in batch:
                one.close()
        asking = server.ask(20)  # honest ones are not lost
        yield from answers(asking, 20)[0]
        while server.numbers()[3] < before[3] + count + 20:
            pass
        after = server.numbers()
        each = (after[0] - before[0]) / count
        share = each * 100_000 / 60e6 * 100
        print(f"# {count} bad first messages in {time.monotonic() - began:.1f} s: {each:.0f} us each, "
              f"{share:.1f} % of a core at 100,000 in 60 s")
        if each >= BUDGET_US and "SEALWIRE_SANITIZED" not in os.environ:
            yield f"a bad first message cost {each:.0f} us of the server's processor"


def probes():
    """What scanners say first."""
    host = b"Host: example.org\r\n\r\n"
    return [
        b"GET / HTTP/1.1\r\n" + host, b"POST /cgi-bin/luci HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd", b"OPTIONS * HTTP/1.1\r\n" + host,
        b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + host,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + os.urandom(193),
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + os.urandom(37), b"SSH-2.0-OpenSSH_9.6\r\n", b"EHLO example.org\r\n",
        b"USER anonymous\r\n", b"* OK IMAP4rev1\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
        b"RFB 003.008\n", b"*1\r\n$4\r\nPING\r\n", b"stats\r\n", b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id", b"\x05\x01\x00",
        b"\x13BitTorrent protocol" + bytes(48), b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL" + bytes(52),
    ]


def foreign_protocols(program):
    kinds, count = probes(), scaled(10_000, 5)
    assert len(kinds) == 20
    allow_descriptors(3000)
    with Server(program, 300) as server:
        crowd = Crowd()
        for at in range(0, count, 1000):
            for number in range(at, min(at + 1000, count)):
                one = server.connect()
                one.send(kinds[number % len(kinds)])
                crowd.add(one)
            end = time.monotonic() + PATIENCE_S
            while crowd.all and time.monotonic() < end:
                crowd.look(end - time.monotonic())
        print(f"# {count} probes of {len(kinds)} protocols: {crowd.came} bytes of answer")
        if crowd.came:
            yield f"{crowd.came} bytes were sent to probes"
        if crowd.all:
            yield f"{len(crowd.all)} probes were never closed"
        faults, _ = answers(server.ask(5), 5)
        yield from faults


def few_descriptors(program):
    count = scaled(500)
    allow_descriptors(count + 500)
    with Server(program, 5000, descriptors=64) as server:
        before, began = server.numbers(), time.monotonic()
        crowd = [server.connect() for _ in range(count)]
        asking = server.ask(10)  # each connection is kept
        faults, p99 = answers(asking, 10)
        yield from faults
        select.select([], [], [], max(began + 2 - time.monotonic(), 0))  # what is measured: nothing happens, at no cost
        after, took = server.numbers(), time.monotonic() - began
        share = (after[0] - before[0]) / 1e4 / took
        for one in crowd:
            one.close()
        print(f"# {count} clients at 64 descriptors, {after[3]} accepted: {share:.1f} % of a core, honest clients within {p99:.2f} s")
        if share >= 5 and "SEALWIRE_SANITIZED" not in os.environ:
            yield f"the server used {share:.1f} % of a core"
        if p99 >= 2:
            yield f"an honest client came in after {p99:.1f} s"


def few_descriptors_over_wss(program):
    """Strangers there are such of TLS before they are any of the node."""
    count = scaled(500)
    allow_descriptors(count + 500)
    with secure(program, descriptors=64) as server:
        crowd = [server.connect() for _ in range(count)]
        faults, p99 = answers(server.ask(10), 10)
        yield from faults
        print(f"# {count} clients at 64 descriptors over wss, {server.numbers()[3]} accepted: honest clients within {p99:.2f} s")
        if p99 >= 4:
            yield f"an honest client came in after {p99:.1f} s"
        for one in crowd:
            one.close()


def no_descriptors_over_wss(program):
    """A session there has three: that of the connection, and the pair between TLS and the WebSocket."""
    with secure(program, descriptors=64) as server:
        client = server.idlers(1)
        client.stdout.readline()
        server.numbers("h0")
        asking = server.ask(1)
        end = time.monotonic() + PATIENCE_S
        while server.numbers()[1] == 0 and time.monotonic() < end:
            pass
        _, paused, resumed, _, _ = server.numbers()
        if (paused, resumed) != (1, 0):
            yield f"without a descriptor accepting was paused {paused} times, and went on {resumed} times"
        server.numbers("f")
        yield from answers(asking, 1)[0]
        if server.numbers()[1:3] != [1, 1]:
            yield "with some it did not go on"
        server.numbers("h1")
        if int(server.ask(1).communicate(timeout=PATIENCE_S)[0].split()[0]) != 0:
            yield "a session came in without the pair"
        server.numbers("f")
        yield from answers(server.ask(5), 5)[0]
        client.stdin.close()
        if int(client.stdout.readline()):
            yield "a session that was up was harmed"
        client.wait(PATIENCE_S)
        client.stdout.close()


def idle_connections(program):
    """Heartbeats come as often as those of 10,000 connections do by default: so they cost as much."""
    count = scaled(10_000, 10)
    heartbeat_ms = max(15_000 * count // 10_000, 1_500)
    allow_descriptors(count + 500)
    with Server(program, 20_000, heartbeat_ms=heartbeat_ms) as server:
        clients = [server.idlers(16, heartbeat_ms)]
        clients[0].stdout.readline()
        before, began = server.resident(), time.monotonic()
        clients += [server.idlers(count // 2, heartbeat_ms) for _ in range(2)]
        connected = sum(int(client.stdout.readline()) for client in clients[1:])
        took = time.monotonic() - began
        each = (server.resident() - before) / count
        used, began = server.numbers()[0], time.monotonic()
        select.select([], [], [], 3 * heartbeat_ms / 1000)  # what is measured: nothing happens but heartbeats
        share = (server.numbers()[0] - used) / 1e4 / (time.monotonic() - began)
        for client in clients:
            client.stdin.close()
        harmed = sum(int(client.stdout.readline()) for client in clients)
        for client in clients:
            client.wait(PATIENCE_S)
            client.stdout.close()
        print(f"# {connected} idle connections accepted in {took:.1f} s, {each / 1024:.2f} KB each; heartbeats of {heartbeat_ms} ms: "
              f"{share:.1f} % of a core, {harmed} harmed")
        if connected != count // 2 * 2 or harmed:
            yield f"{connected} of {count} connected, {harmed} were suspended or closed"
        if "SEALWIRE_SANITIZED" in os.environ:
            return
        if took >= 20:
            yield f"that took {took:.1f} s"
        if each > 8 * 1024:
            yield f"a connection takes {each:.0f} bytes"
        if share >= 10:
            yield f"heartbeats took {share:.1f} % of a core"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    program = parser.parse_args().program
    return tap.run({
        "slow sockets are closed at the handshake's deadline, and honest clients come in beside them": lambda: slow_sockets(program),
        "bad first messages cost next to nothing": lambda: bad_first_messages(program),
        "probes of foreign protocols get not one byte": lambda: foreign_protocols(program),
        "500 clients do not use up 64 descriptors: strangers give way, and honest clients come in": lambda: few_descriptors(program),
        "nor do they over wss": lambda: few_descriptors_over_wss(program),
        "without descriptors a wss listener pauses, and goes on": lambda: no_descriptors_over_wss(program),
        "idle connections are cheap to take, to keep and to watch": lambda: idle_connections(program),
    })


if __name__ == "__main__":
    sys.exit(main())
