"""Runs the two programs of a peer once, with deadlines, and checks what they report."""

import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

from peers import PEERS, WORKLOADS

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_WARM_CONNECTIONS = 16  # common.h: kWarmConnections


class RunFailed(Exception):
    pass


class Program:
    """One role of a peer, in a process of its own: lines of JSON come out, its standard input says when to end.

    The kernel ends it when we die, and by SIGALRM a little after the deadline should we hang.
    """

    def __init__(self, command, folder, deadline, cpu):
        def in_child():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.alarm(max(1, int(deadline - time.monotonic()) + 10))
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.command, self.deadline, self.pending = command, deadline, b""
        self.errors = open(pathlib.Path(folder, command[-1] + ".stderr"), "w+b")
        self.process = subprocess.Popen(command[:-1], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, preexec_fn=in_child)

    def fail(self, what):
        self.errors.seek(0)
        text = self.errors.read()[-2000:].decode(errors="replace")
        raise RunFailed(f"{' '.join(self.command[:-1])}: {what}\n{text}".strip())

    def line(self):
        output = self.process.stdout.fileno()
        while b"\n" not in self.pending:
            if not select.select([output], [], [], max(0, self.deadline - time.monotonic()))[0]:
                self.fail("no answer in time")
            data = os.read(output, 65536)
            if not data:
                self.fail("ended early")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError:
            self.fail(f"not JSON: {line[:200]!r}")

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        try:
            code = self.process.wait(max(0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.fail("does not end")
        if code != 0:
            self.fail(f"ended with {code}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close() if not self.process.stdin.closed else None
        self.process.stdout.close()
        self.errors.close()


def memory_of(pid):
    """Bytes resident (rss and pss) and the number of descriptors of a process."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith(("Rss:", "Pss:")):
                found[line[:3].lower()] = int(line.split()[1]) * 1024
    return found["rss"], found["pss"], len(os.listdir(f"/proc/{pid}/fd"))


def growth_per_connection(server_pid, client, connections):
    """W6: the client opens a few connections, waits, opens the others, waits; the server is measured at both waits."""
    if client.line().get("connections") != _WARM_CONNECTIONS:
        client.fail("did not open the first connections")
    before = memory_of(server_pid)
    client.go_on()
    if client.line().get("connections") != _WARM_CONNECTIONS + connections:
        client.fail("did not open all connections")
    after = memory_of(server_pid)
    client.go_on()
    rss, pss, descriptors = (b - a for a, b in zip(before, after))
    if descriptors < connections:
        client.fail(f"the server has {descriptors} more descriptors after {connections} more connections")
    return {"rss_per_connection": rss / connections, "pss_per_connection": pss / connections}


def check(peer, workload, client, server, figures):
    """Counts must agree on both sides and figures be possible ones."""
    problems = []
    if client.get("sent", 0) <= 0 or client.get("lost") != 0:
        problems.append("requests were lost or none was sent")
    if server.get("received") != server.get("announced") or server.get("received", 0) < client.get("sent", 0):
        problems.append("the server did not receive what was sent")
    value = figures.get(WORKLOADS[workload].figure)
    if not isinstance(value, (int, float)) or not (value >= 0 if workload == "W6" else 0 < value < 1e12):
        problems.append(f"impossible figure {value}")
    if workload in ("W1", "W1f") and not 1 <= figures["p50_us"] <= figures["p99_us"] < 1e6:
        problems.append("impossible percentiles")
    if problems:
        raise RunFailed(f"{peer} {workload}: {'; '.join(problems)}\n  client {client}\n  server {server}")


def run_once(peer, workload, build, seconds=2.0, count=0, connections=1000, extra=(), timeout=60.0):
    """Runs one workload over one peer; the figures of both programs, checked. Raises RunFailed."""
    what = WORKLOADS[workload]
    deadline = time.monotonic() + seconds + timeout
    cpu = max(os.sched_getaffinity(0)) if what.one_core else None
    with tempfile.TemporaryDirectory(prefix="sealwire-bench-") as folder:
        arguments = ["--workload", what.argument, "--size", str(what.size), "--state", folder,
                     "--seconds", str(seconds), "--count", str(count), *extra]
        if workload == "W6":
            arguments += ["--connections", str(connections)]
        if workload == "W5-join":
            arguments += ["--connections", "4"]
        if workload == "W5x1000":
            arguments += ["--connections", "1000"]

        def start(role, *more):
            return Program([*PEERS[peer].command(build, workload, role), *arguments, *more, role], folder, deadline, cpu)

        with start("server") as server:
            ready = server.line()
            if not ready.get("ready"):
                server.fail(f"not ready: {ready}")
            with start("client", "--address", ready["address"]) as client:
                figures = growth_per_connection(ready["pid"], client, connections) if workload == "W6" else {}
                client_line, server_line = client.line(), server.line()
                client.end()
                server.end()
    figures.update({"client": client_line, "server": server_line, "run": figures}[what.source])
    check(peer, workload, client_line, server_line, figures)
    return {name: value for name, value in figures.items() if name not in ("role", "workload")}
