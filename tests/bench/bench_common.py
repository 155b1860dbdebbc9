"""What the Python programs of the benchmark share: the arguments, message layout and JSON lines of common.h."""

import argparse
import json
import os
import resource
import struct
import sys
import time


def parse(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("--workload", required=True)
    parser.add_argument("--address")
    parser.add_argument("--state")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--outstanding", type=int, default=256)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--asyncio", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--package")
    options = parser.parse_args()
    if options.workload[:2] not in ("W1", "W2", "W3") and (options.role, options.workload) != ("client", "W5"):
        parser.error("this program knows W1, W2 and W3, and the client's side of W5")
    if options.size < 16:
        parser.error("a message has at least 16 bytes")
    if options.role == "client" and not options.address:
        parser.error("a client needs --address")
    options.kind = int(options.workload[1])
    if options.kind == 1:
        options.outstanding = 1
    return options


def make_message(size, number, last=False):
    return struct.pack("<QQ", int(last), number).ljust(size, b"\x5a")


def is_last(message):
    return message[0] != 0


def number_of(message):
    return int.from_bytes(message[8:16], "little")


class Pace:
    """Says when the client has sent enough; reads the clock once in 64 messages."""

    def __init__(self, options):
        self.options = options
        self.stride = 1 if options.kind == 1 or options.size >= 65536 else 64
        self.start = time.perf_counter()

    def more(self, sent):
        if self.options.count:
            return sent < self.options.count
        return sent % self.stride != 0 or time.perf_counter() - self.start < self.options.seconds


def emit(**line):
    print(json.dumps(line), flush=True)


def emit_ready(address):
    emit(role="server", ready=True, address=address, pid=os.getpid())


def emit_client(options, sent, lost, elapsed=0.0, latencies=()):
    line = {"role": "client", "workload": options.workload, "sent": sent, "lost": lost}
    if options.kind == 2:
        line["requests_per_s"] = round(sent / elapsed, 1)
    if options.kind == 1:
        ordered = sorted(latencies[len(latencies) // 10:])
        line["p50_us"] = round(ordered[len(ordered) // 2] * 1e6, 3)
        line["p99_us"] = round(ordered[len(ordered) * 99 // 100] * 1e6, 3)
    emit(**line)


def emit_server(options, received, announced, elapsed):
    line = {"role": "server", "workload": options.workload, "received": received, "announced": announced}
    if options.kind == 3 and elapsed:
        line["messages_per_s"] = round(received / elapsed, 1)
        line["bytes_per_s"] = round(received / elapsed * options.size, 1)
    emit(**line)


def wait_end_of_input():
    sys.stdin.buffer.read()


class Tally:
    """The server's counts."""

    def __init__(self, options):
        self.options, self.received, self.announced, self.first = options, 0, 0, None

    def add(self, message):
        """Counts a message; True for the closing one."""
        if self.first is None:
            self.first = time.perf_counter()
        if is_last(message):
            self.announced = number_of(message)
            return True
        self.received += 1
        return False

    def emit_deliveries(self):
        """W5, at the subscriber. `cpu_us`: what this process has used for each message, at start too."""
        elapsed = time.perf_counter() - self.first
        usage = resource.getrusage(resource.RUSAGE_SELF)
        emit(role="client", workload=self.options.workload, sent=self.announced, lost=self.announced - self.received,
             deliveries_per_s=round(self.received / elapsed, 1),
             cpu_us=round((usage.ru_utime + usage.ru_stime) * 1e6 / max(self.received, 1), 4))

    def emit(self):
        emit_server(self.options, self.received, self.announced, time.perf_counter() - self.first)
        wait_end_of_input()


class Requests:
    """The client's side of W1 and W2: which request comes next, and whether each reply came once."""

    def __init__(self, options):
        self.options, self.sent, self.received, self.number_sum, self.latencies = options, 0, 0, 0, []
        self.pace = Pace(options)
        self.last = self.pace.start

    def next(self):
        number = self.sent
        self.sent += 1
        self.number_sum += number
        return make_message(self.options.size, number)

    def take(self, reply):
        """Counts a reply; True where it is to be followed by another request."""
        self.received += 1
        self.number_sum -= number_of(reply)
        if self.options.kind == 1:
            now = time.perf_counter()
            self.latencies.append(now - self.last)
            self.last = now
        return self.pace.more(self.sent)

    def first_requests(self):
        return min(self.options.outstanding, self.options.count or self.options.outstanding)

    def emit(self, elapsed):
        lost = self.sent - self.received + (self.number_sum != 0)
        emit_client(self.options, self.sent, lost, elapsed, self.latencies)
