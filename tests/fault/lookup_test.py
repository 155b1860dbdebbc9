#!/usr/bin/env python3
"""A name lookup that never ends holds up neither the close of a node nor the end of a process, in any language.

    lookup_test.py --program C_PROGRAM [--preload LIBRARY] [--node NODE --node-package FOLDER] [--python PYTHON --pythonpath FOLDER]
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

SOON_S = 5  # what hangs does so for ever: this leaves room for a busy machine

NODE_START = """
import { readSync } from 'node:fs'
import { Node } from 'sealwire'
const node = await Node.open()
const other = await Node.open()
node.connect('tcp://name:1#' + other.id, { timeout: 500 }).catch(() => {})
readSync(Number(process.env.SEALWIRE_TEST_ASKED_FD), Buffer.alloc(1))
console.log('asked')
"""
NODE_ENDS = {
    "process.exit()": "process.exit(0)",
    "its natural end once the connect has timed out, with the node open": "",
    "its natural end after node.close(100)": "await node.close(100)\nawait other.close(100)\nconsole.log('closed')",
}
PYTHON_START = """
import asyncio, os, sys
import sealwire

async def main():
    node = sealwire.Node(network="lookup").open()
    ticket = "tcp://name:1#" + sealwire.Identity.generate().id
    connecting = asyncio.ensure_future(node.connect(ticket))
    await asyncio.sleep(0)
    os.read(int(os.environ["SEALWIRE_TEST_ASKED_FD"]), 1)
    print("asked", flush=True)
"""
PYTHON_ENDS = {
    "sys.exit() with the node open": "    sys.exit(0)",
    "the interpreter's end with the node open": "",
    "the interpreter's end after node.close(0.1)":
        "    await node.close(0.1)\n    await asyncio.gather(connecting, return_exceptions=True)\n    print('closed')",
}


class Process:
    """Runs to its end or until it was clear that it hangs; its output, and the time from `asked` to its end."""

    def __init__(self, command, **environment):
        read, write = os.pipe()
        self.asked = None
        self.lines = []
        environment = {**os.environ, "SEALWIRE_TEST_LOOKUP_FD": str(write), "SEALWIRE_TEST_ASKED_FD": str(read), **environment}
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True, pass_fds=(read, write), env=environment)
        os.close(read)
        os.close(write)
        watchdog = threading.Timer(60, child.kill)
        watchdog.start()
        for line in child.stdout:
            self.lines.append(line.rstrip())
            if line == "asked\n":
                self.asked = time.monotonic()
                watchdog.cancel()
                watchdog = threading.Timer(SOON_S, child.kill)
                watchdog.start()
        self.status = child.wait()
        watchdog.cancel()
        self.took = time.monotonic() - (self.asked or 0)

    def complaints(self):
        if self.asked is None:
            return ["the resolver was not asked", *self.lines]
        if self.status < 0:
            return [f"ended by signal {-self.status} after {self.took:.2f} s", *self.lines]
        if self.status:
            return [f"ended with status {self.status}", *self.lines]
        print(f"# ended {self.took:.3f} s after the lookup had begun")
        return []


def closes(program):
    process = Process([program, "close"])
    found = process.complaints()
    match = re.search(r"closed after ([\d.]+) s, (\d+) not sent", "\n".join(process.lines))
    if not match:
        return found + ["it did not say how it closed", *process.lines]
    if float(match.group(1)) > SOON_S / 2:
        found.append(f"closing with a deadline of 0.1 s took {match.group(1)} s")
    if match.group(2) != "1":
        found.append(f"{match.group(2)} messages are reported as not sent, not 1")
    return found


def in_node(options, folder, name, end):
    script = pathlib.Path(folder) / "program.mjs"
    script.write_text(NODE_START + end)
    process = Process([options.node, str(script)], LD_PRELOAD=options.preload)
    found = process.complaints()
    if "close" in name and "closed" not in process.lines:
        found.append("node.close() was never through")
    return found


def in_python(options, folder, name, end):
    script = pathlib.Path(folder) / "program.py"
    script.write_text(f"{PYTHON_START}{end}\n\nasyncio.run(main())\n")
    process = Process([options.python, "-W", "ignore::ResourceWarning", str(script)], LD_PRELOAD=options.preload,
                      PYTHONPATH=options.pythonpath)
    found = process.complaints()
    if "close" in name and "closed" not in process.lines:
        found.append("node.close() was never through")
    return found


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "preload", "node", "node-package", "python", "pythonpath"):
        parser.add_argument("--" + name)
    options = parser.parse_args()
    checks = {
        "C: sw_node_close(100 ms) returns, and its report tells what was not sent": lambda: closes(options.program),
        "C: return from main with the node open": lambda: Process([options.program, "exit"]).complaints(),
    }
    with tempfile.TemporaryDirectory(prefix="sealwire-lookup-") as folder:
        if options.node:
            modules = pathlib.Path(folder) / "node_modules"
            modules.mkdir()
            (modules / "sealwire").symlink_to(options.node_package)
            for name, end in NODE_ENDS.items():
                checks[f"Node.js: {name}"] = lambda name=name, end=end: in_node(options, folder, name, end)
        if options.python:
            for name, end in PYTHON_ENDS.items():
                checks[f"Python: {name}"] = lambda name=name, end=end: in_python(options, folder, name, end)
        return tap.run(checks)


if __name__ == "__main__":
    sys.exit(main())
