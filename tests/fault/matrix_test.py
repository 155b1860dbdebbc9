#!/usr/bin/env python3
"""Real sockets with faults between: every request ends exactly once, what was acknowledged was delivered, nothing hangs.

Once with sessions that end with their connection, and once with sessions that survive it: of those nothing may fail.

    matrix_test.py --program PROGRAM --parts-program PROGRAM [--seeds N] [--first SEED] [--only WORDS] [--share K/N]
    matrix_test.py --program PROGRAM --parts-program PROGRAM --stopped SECONDS

The second: all cells of a process that is stopped, for so long and at once, with the heartbeats that a node has by default.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402
from proxy import Proxy  # noqa: E402

TRANSPORTS = ("tcp", "tls", "unix", "ws", "wss")
FAULTS = ("slice", "delay", "cut", "reset", "corrupt", "half-open", "stop", "kill")
SURVIVED = ("cut", "reset", "corrupt", "half-open", "stop", "kill")  # also with sessions that survive, but for kill
SILENT = ("half-open", "stop")  # heartbeats alone find it
HEARTBEAT_MS = "2000" if "SEALWIRE_SANITIZED" in os.environ else "500"
LEASE_MS = {"kill": "1500"}
BREAKS = 2  # of a session that survives
HARMLESS = ("slice", "delay")
KINDS = ("request", "receipt", "many", "stream", "file")
LONG = ("many", "stream", "file")  # what parts_program.c does
HARMLESS_COUNT = {"request": 60, "receipt": 60, "many": 30, "stream": 8, "file": 4}
FILE_SIZE = 70_000
patience_s = 60  # nothing may take longer
# How a session that was harmed may end, as each side sees it; a reset shows as peer_lost or, where all was read, truncated.
ENDS = {
    "cut": {"truncated", "peer_lost"},
    "reset": {"truncated", "peer_lost"},
    "kill": {"truncated", "peer_lost"},
    "corrupt": {"record", "truncated", "peer_lost"},
    "half-open": {"silent", "truncated", "peer_lost"},
    "stop": {"silent", "truncated", "peer_lost"},
}
OUTCOMES = {"ok", "not_sent", "outcome_unknown"}


class Program:
    """One end, and the lines that it has printed."""

    def __init__(self, environment, *command):
        self.child = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, errors="replace")
        self.lines = []
        self.changed = threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.child.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def wait_for(self, start, count=1):
        with self.changed:
            self.changed.wait_for(lambda: self.over or len(self._starting(start)) >= count, patience_s)
            found = self._starting(start)
        if len(found) < count:
            raise RuntimeError(f"no line {start!r} came but {self.lines}")
        return found[0][len(start):].strip()

    def _starting(self, start):
        return [line for line in self.lines if line.startswith(start)]

    def say(self, text):
        self.child.stdin.write(text)
        self.child.stdin.flush()

    def finish(self):
        """The exit status, or None when it had to be killed."""
        try:
            self.child.stdin.close()
            return self.child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None
        finally:
            self.thread.join()
            self.child.stdout.close()

    def rows(self, word):
        return [line.split()[1:] for line in self.lines if line.split(" ")[0] == word]


class Cell:
    """One run: transport x fault, survived or not, x kind of message x seed."""

    def __init__(self, programs, folder, transport, fault, survives, kind, seed, stopped=0):
        self.stopped = stopped
        self.transport, self.fault, self.survives, self.kind, self.seed = transport, fault, survives, kind, seed
        self.nothing_fails = fault in HARMLESS or (survives and fault != "kill")
        self.breaks = BREAKS if self.nothing_fails and fault != "stop" else 1
        self.environment = {"HEARTBEAT_MS": HEARTBEAT_MS} if fault in SILENT else {}
        if survives:
            self.environment["LEASE_MS"] = LEASE_MS.get(fault, "50000")
        if stopped:
            self.environment = {**self.environment, "HEARTBEAT_MS": "15000", "PATIENCE_S": str(patience_s - 30)}
            self.environment.update({"LEASE_MS": str(1000 * patience_s)} if survives else {})
        self.rng = random.Random(f"{transport} {fault} {survives} {kind} {seed}")
        self.program = programs[kind in LONG]
        self.path = f"{folder}/{transport}-{fault}-{survives:d}-{kind}-{seed}"
        self.complaints = []
        self.to_server = self.to_client = ()  # further arguments
        if kind in LONG:
            self.saved = pathlib.Path(f"{self.path}.saved")
            self.source = pathlib.Path(f"{self.path}.source")
            self.content = self.rng.randbytes(self.rng.randrange(FILE_SIZE))
            self.to_server, self.to_client = (str(self.saved),), (str(self.source),)

    def expect(self, good, words):
        if not good:
            self.complaints.append(words)

    def place(self):
        """Where the fault strikes: a direction, and how many bytes after the start."""
        there, back = {"request": (60_000, 60_000), "receipt": (60_000, 600), "many": (3_000, 30_000),
                       "stream": (200_000, 200_000), "file": (400_000, 400)}[self.kind]
        if self.fault in ("kill", "stop") or self.rng.random() < 0.5:
            return 0, self.rng.randrange(there)
        return 1, self.rng.randrange(back)

    def on_fire(self):
        """Before the fault shows."""
        if self.fault in HARMLESS:  # begins with the first byte, maybe before this test knows that the client runs
            return
        self.resumed_before = len(self.client.rows("resumed"))
        if self.fault in ("kill", "stop"):
            self.server.child.send_signal(signal.SIGKILL if self.fault == "kill" else signal.SIGSTOP)

    def run(self):
        url = {"tcp": "tcp://127.0.0.1:0", "tls": "tls://127.0.0.1:0",
               "ws": "ws://127.0.0.1:0/matrix", "wss": "wss://127.0.0.1:0/matrix"}.get(self.transport, f"unix://{self.path}.server")
        if self.kind in LONG:
            self.saved.mkdir()
            self.source.write_bytes(self.content)
        self.server = Program(self.environment, self.program, "server", url, *self.to_server)
        proxy = self.client = None
        start = time.monotonic()
        try:
            address, peer = self.server.wait_for("ticket").split("#")
            rest = address.split("://")[1]
            upstream = rest if self.transport == "unix" else ("127.0.0.1", int(rest.split("/")[0].rsplit(":", 1)[1]))
            self.places = [self.place() for _ in range(self.breaks)]
            proxy = Proxy(self.transport, self.path + ".proxy", upstream, self.fault, self.places, self.rng, self.on_fire)
            count = HARMLESS_COUNT[self.kind] if self.fault in HARMLESS else 1_000_000
            self.client = Program(self.environment, self.program, "client", f"{proxy.address}#{peer}", self.kind, str(count),
                                  str(self.seed), *self.to_client)
            self.client.wait_for("connected")
            proxy.arm()
            self.client.say("go\n")
            self.see_through(proxy)
            self.client.wait_for("sum")
        except (RuntimeError, OSError) as error:
            self.complaints.append(str(error))
        finally:
            self.server.child.send_signal(signal.SIGCONT)
            client_status = self.client.finish() if self.client else None
            if proxy:
                proxy.stop()
            if client_status == 0 and self.fault != "kill":
                self.server.wait_for("closed")  # else it would end by itself what it has not seen to be over
            server_status = self.server.finish()
        if not self.complaints:
            self.quiet = proxy.quiet
            self.expect(proxy.error is None, f"the proxy failed: {proxy.error}")
            self.expect(proxy.fired == (1 if self.fault in HARMLESS else self.breaks), f"the fault happened {proxy.fired} times")
            self.expect(client_status == 0, f"the client ended with {client_status}")
            self.expect(server_status == (-9 if self.fault == "kill" else 0), f"the server ended with {server_status}")
            self.judge()
        self.took = time.monotonic() - start
        if self.complaints:
            self.complaints.insert(0, f"{self.transport} {self.fault} {self.kind} --first {self.seed}, places {self.places}:")
            self.complaints += [f"  client: {line}" for line in self.client.lines[-12:]] if self.client else []
            self.complaints += [f"  server: {line}" for line in self.server.lines[-4:]]
        return self

    def see_through(self, proxy):
        """What a silent fault or a session that survives needs from outside."""
        if self.fault in HARMLESS:
            return
        if self.fault == "stop":
            proxy.wait_fired(1, patience_s)
            until = time.monotonic() + self.stopped
            self.client.wait_for("suspended" if self.survives else "closed")
            select.select([], [], [], max(until - time.monotonic(), 0))
            self.server.child.send_signal(signal.SIGCONT)
        if self.nothing_fails:
            proxy.wait_fired(self.breaks, patience_s)
            self.client.wait_for("resumed", self.resumed_before + 1)
            self.client.say("enough\n")

    def judge(self):
        issued, not_once, wrong, through = re.match(
            r"(\d+) issued, (\d+) not ended once, (\d+) wrong, (\w+)", " ".join(self.client.rows("sum")[0])).groups()
        self.expect((not_once, wrong, through) == ("0", "0", "through"), f"of {issued}: {not_once} not ended once, {wrong} wrong, {through}")
        self.results = {name: int(count) for name, count in self.client.rows("result")}
        self.expect(set(self.results) <= ({"ok"} if self.nothing_fails else OUTCOMES), f"messages ended as {self.results}")
        took = [int(row[0]) for row in self.server.rows("took")]
        self.expect(took == list(range(len(took))), "the server did not get the messages in order, each once")
        if self.kind == "receipt":
            last = max((int(row[1]) for row in self.client.rows("acknowledged")), default=-1)
            self.expect(last < len(took), f"message {last} was acknowledged and {len(took)} were delivered")
        else:
            self.expect(self.results.get("ok", 0) <= len(took), "more answers than requests")
        if self.kind in LONG:
            self.judge_long(took)
        self.client_end = [row[0] for row in self.client.rows("closed")]
        self.server_end = [row[0] for row in self.server.rows("closed")]
        if self.nothing_fails:
            self.expect(len(took) == int(issued), f"{len(took)} of {issued} arrived")
            self.expect(self.fault not in HARMLESS or len(took) == HARMLESS_COUNT[self.kind], f"{len(took)} arrived")
            self.expect(self.server_end == ["peer_closed"], f"the server's session ended as {self.server_end}")
            return
        ends = self.client_end + self.server_end
        possible = {"lease"} if self.survives else ENDS[self.fault]
        self.expect(len(self.client_end) == 1 and set(ends) <= possible, f"the sessions ended as {ends}")
        self.expect(len(self.server_end) == (self.fault != "kill"), f"the server's session ended {len(self.server_end)} times")
        if self.fault == "corrupt":
            harmed = self.client_end if self.places[0][0] == 1 else self.server_end
            # Where a length was changed its reader waits until the proxy goes, which is a reset when that had bytes unread; and a
            # WebSocket that is closed for a bad frame may break before that is read.
            broke = {"peer_lost"} if self.quiet or self.transport.startswith("ws") else set()
            self.expect(set(harmed) <= {"record", "truncated"} | broke, f"who got the corrupted byte saw {harmed}")

    def judge_long(self, took):
        """Exchanges that take a while: at the server each is over once, and so is its part; files are whole or not there."""
        if self.fault != "kill":
            over = sorted(int(row[0]) for row in self.server.rows("over"))
            self.expect(over == took, f"of {len(took)} exchanges {len(over)} are over at the server")
        parts = {int(row[0]): row[1] for row in self.server.rows("part")}
        self.expect(len(parts) == len(self.server.rows("part")), "a part has ended twice at the server")
        if self.fault != "kill":
            self.expect(self.kind == "many" or sorted(parts) == took, f"of {len(took)} parts {len(parts)} ended at the server")
        if self.kind != "file":
            return
        for path in self.saved.iterdir():
            hidden = path.name.startswith(".sealwire-")
            self.expect(not hidden or self.fault == "kill", f"{path.name} was left")
            self.expect(hidden or path.read_bytes() == self.content, f"{path.name} is not whole")
        saved = {path.name for path in self.saved.iterdir()}
        for row in self.client.rows("ok"):
            self.expect(f"f{row[0]}" in saved, f"file {row[0]} was told as saved and is not there")
        for index, result in parts.items():
            self.expect((result == "ok") == (f"f{index}" in saved), f"file {index}: {result}, which the folder belies")


def name_of(transport, fault, survives, kind):
    return f"{transport}, {fault}{' survived' if survives and fault != 'kill' else ' and lease' if survives else ''}, {kind}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--parts-program", required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--stopped", type=int, default=0)
    parser.add_argument("--only", default="", help="words that the name of a cell must have")
    parser.add_argument("--share", default="0/1", help="K/N: every Nth cell from number K on")
    options = parser.parse_args()
    if options.stopped:
        global patience_s
        patience_s, options.seeds, options.only = 2 * options.stopped + 120, 1, "stop"
    done = collections.defaultdict(list)
    keys = [(t, f, s, k) for t in TRANSPORTS for s in (False, True) for f in (SURVIVED if s else FAULTS) for k in KINDS]
    keys = [key for key in keys if all(word in name_of(*key) for word in options.only.split())]
    first, step = map(int, options.share.split("/"))
    keys = keys[first::step]
    if not keys:
        parser.error("no cell has such a name")
    with tempfile.TemporaryDirectory(prefix="sealwire-fault-") as folder:
        cells = [Cell((options.program, options.parts_program), folder, *key, options.first + i, options.stopped)
                 for i in range(options.seeds) for key in keys]
        with concurrent.futures.ThreadPoolExecutor(len(cells) if options.stopped else 2 * os.cpu_count()) as pool:  # many of them wait for a while
            for cell in pool.map(Cell.run, cells):
                done[name_of(cell.transport, cell.fault, cell.survives, cell.kind)].append(cell)

    def point(runs):
        results = collections.Counter()
        for cell in runs:
            results.update(getattr(cell, "results", {}))
        ends = [f"{'/'.join(c.client_end)}|{'/'.join(c.server_end)}" for c in runs if not c.complaints]
        print(f"# {dict(results)}, ends client|server {ends}, longest {max(c.took for c in runs):.2f} s")
        return [complaint for cell in runs for complaint in cell.complaints]

    checks = {f"{name}: each ends once and what is acknowledged was delivered": lambda runs=runs: point(runs)
              for name, runs in done.items()}
    corrupted = [cell for runs in done.values() for cell in runs if cell.fault == "corrupt" and not cell.survives]
    if corrupted:
        checks["a corrupted record was recognised as such at least once"] = lambda: (
            [] if any("record" in c.client_end + c.server_end for c in corrupted if not c.complaints)
            else ["no session ended with `record`"])
    return tap.run(checks)


if __name__ == "__main__":
    sys.exit(main())
