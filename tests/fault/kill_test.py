#!/usr/bin/env python3
"""kill -9 of either side while a file is on its way: never half of it under its name, and the other side tells once.

    kill_test.py --tool SEALWIRE [--runs N] [--seed S]
"""

import argparse
import json
import os
import pathlib
import queue
import random
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
SIZE = 6_000_000


class Receiver:
    """`sealwire receive`, its events by name."""

    def __init__(self, tool, folder):
        self.process = subprocess.Popen([tool, "receive", "tcp://127.0.0.1:0", folder, "--anyone", "--lease", "0", "--json"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.ticket = json.loads(self.lines.get(timeout=PATIENCE_S))["ticket"]

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def end(self, kill):
        """What it printed since the ticket."""
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        rest = []
        while not self.lines.empty():
            rest.append(json.loads(self.lines.get()))
        return rest


def push(tool, ticket, path):
    return subprocess.Popen([tool, "push", ticket, path, "--lease", "0", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def run_for(process, seconds):
    """True when it ended by itself."""
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


class Kill:
    def __init__(self, tool, runs, lot, folder):
        self.tool, self.runs, self.lot, self.folder = tool, runs, lot, folder
        self.content = lot.randbytes(SIZE)
        self.long = 0.2  # of a transfer that nobody disturbs, seconds

    def source(self, name):
        path = self.folder / name
        path.write_bytes(self.content)
        return path

    def whole(self, path):
        return path.read_bytes() == self.content

    def killed_senders(self):
        inbox = self.folder / "from-killed"
        inbox.mkdir()
        receiver = Receiver(self.tool, inbox)
        for run in range(self.runs):
            path = self.source(f"file-{run}")
            process = push(self.tool, receiver.ticket, path)
            run_for(process, self.lot.uniform(0, self.long))
            process.kill()
            process.communicate(timeout=PATIENCE_S)
            path.unlink()
        told = [event for event in receiver.end(kill=False) if event["event"] in ("received", "failed")]
        names = [event["name"] for event in told]
        saved = {event["name"] for event in told if event["event"] == "received"}
        there = set(os.listdir(inbox))
        print(f"# {self.runs} senders killed: {len(saved)} files saved, {len(told) - len(saved)} failed")
        for name in sorted(set(names)):
            if names.count(name) > 1:
                yield f"{name} was told {names.count(name)} times"
        yield from (f"{name} is there, but was not told as received" for name in sorted(there - saved))
        yield from (f"{name} was told as received, but is not there" for name in sorted(saved - there))
        yield from (f"{name} is not whole" for name in sorted(there) if not self.whole(inbox / name))
        if not 0 < len(told) - len(saved):
            yield "no transfer was hit: the test shows nothing"

    def killed_receivers(self):
        count = {"pushed": 0, "error": 0}
        for run in range(self.runs):
            inbox = self.folder / f"killed-{run}"
            inbox.mkdir()
            path = self.source("file")
            receiver = Receiver(self.tool, inbox)
            process = push(self.tool, receiver.ticket, path)
            run_for(process, self.lot.uniform(0, self.long))
            receiver.end(kill=True)
            out, _ = process.communicate(timeout=PATIENCE_S)
            events = [json.loads(line)["event"] for line in out.splitlines()]
            if len(events) != 1 or events[0] not in count:
                yield f"run {run}: the sender told {events}"
                continue
            count[events[0]] += 1
            there = inbox / "file"
            if there.exists() and not self.whole(there):
                yield f"run {run}: half a file under its name"
            if events[0] == "pushed" and not there.exists():
                yield f"run {run}: told as saved, and not there"
            others = [name for name in os.listdir(inbox) if name != "file" and not name.startswith(".sealwire-")]
            yield from (f"run {run}: {name} was left" for name in others)
        print(f"# {self.runs} receivers killed: {count['pushed']} files saved, {count['error']} failed")
        if count["error"] == 0:
            yield "no transfer was hit: the test shows nothing"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options = parser.parse_args()
    print(f"# --seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="sealwire-kill-") as name:
        kill = Kill(options.tool, options.runs, random.Random(options.seed), pathlib.Path(name))
        return tap.run({
            "a sender that is killed leaves no half file, and the receiver tells each file once": kill.killed_senders,
            "a receiver that is killed leaves no half file under its name, and the sender tells once": kill.killed_receivers})


if __name__ == "__main__":
    sys.exit(main())
