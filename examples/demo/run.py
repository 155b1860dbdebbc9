#!/usr/bin/env python3
"""Runs the demo's peers against each other, each language as server and as client, and checks that each step happened.

    run.py --tool SEALWIRE [--c PROGRAM] [--python PYTHON] [--node NODE] [--pythonpath DIR] [--node-package DIR] [--tap]

Each peer is a process of its own with a key of its own. For each language that is given a server is started, over TCP,
over a unix socket and over a WebSocket; then a client of each language talks to it, and a stranger, whose key the server does not allow, is
refused. The exit status is 0 when every step of every pair was seen. With --tap the output is a list of test points.
"""

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
NETWORK = "demo of all pairs"
PATIENCE_S = 60  # for one line of a process; they come within milliseconds
PERSON = HERE / "person.json"

# What each role has to say, in this order: what each line begins with.
CLIENT_STEPS = ["connected", "sent", "requested", "fast reply", "deadline", "closed"]
SERVER_STEPS = ["connected", "received", "replied", "answered", "abandoned", "closed"]


class Missing(Exception):
    """A step that did not happen as it should."""


class Peer:
    """A process whose lines are shown with a prefix and can be waited for."""

    def __init__(self, show, language, role, command, environment):
        self.language, self.role, self.show = language, role, show
        self.lines = queue.Queue()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE, env={**os.environ, **environment}, encoding="utf-8")
        for read in (self._read, self._read_log):
            threading.Thread(target=read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.show(f"  {self.language:>7} {self.role:<8} {line.rstrip()}")
            self.lines.put(line.rstrip())
        self.lines.put(None)

    def _read_log(self):
        """What goes to standard error is shown and is no step."""
        for line in self.process.stderr:
            self.show(f"  {self.language:>7} {self.role:<8} (log) {line.rstrip()}")

    def expect(self, word):
        """The rest of the next line, which must begin with this word."""
        try:
            line = self.lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise Missing(f"{self.language} {self.role}: '{word}' did not come in {PATIENCE_S} s") from None
        if line is None:
            raise Missing(f"{self.language} {self.role} ended before '{word}', with status {self.process.wait()}")
        first, _, rest = line.partition(": ")
        if first != word:
            raise Missing(f"{self.language} {self.role}: '{word}' was to come, not '{line}'")
        return rest

    def end(self):
        """Waits for the end; nothing more may be said, and the status must be 0."""
        status = self.process.wait(PATIENCE_S)
        rest = self.lines.get(timeout=PATIENCE_S)
        if rest is not None:
            raise Missing(f"{self.language} {self.role} went on: {rest}")
        if status:
            raise Missing(f"{self.language} {self.role} ended with status {status}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Demo:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        self.points, self.failed = 0, 0
        self.peers = []
        self.lock = threading.Lock()
        python_path = os.pathsep.join(filter(None, [options.pythonpath, os.environ.get("PYTHONPATH")]))
        self.environment = {"PYTHONPATH": python_path, "SEALWIRE_PACKAGE": options.node_package or "",
                            "PYTHONIOENCODING": "utf-8"}
        self.commands = {}
        if options.c:
            self.commands["C"] = [options.c]
        if options.python:
            self.commands["Python"] = [options.python, str(HERE / "demo.py")]
        if options.node:
            self.commands["Node.js"] = [options.node, str(HERE / "demo.mjs")]

    def show(self, line):
        with self.lock:
            print(f"#{line}" if self.options.tap else line, flush=True)

    def point(self, fact, check, *arguments):
        self.points += 1
        problem = None
        try:
            check(*arguments)
        except (Missing, ValueError, OSError, subprocess.SubprocessError) as error:
            problem = f"{type(error).__name__}: {error}" if not isinstance(error, Missing) else str(error)
            self.failed += 1
        with self.lock:
            if self.options.tap:
                print(f"{'not ok' if problem else 'ok'} {self.points} - {fact}")
            if problem:
                print(f"# {problem}" if self.options.tap else f"  FAILED: {problem}")
                print(f"{fact}: {problem}", file=sys.stderr)
            sys.stdout.flush()
        return problem is None

    def new_key(self, name):
        path = self.folder / f"{name}.key"
        made = subprocess.run([self.options.tool, "keygen", str(path)], check=True, stdout=subprocess.PIPE, text=True)
        return str(path), made.stdout.strip()

    def start(self, language, role, *arguments):
        peer = Peer(self.show, language, role, [*self.commands[language], role, NETWORK, *arguments], self.environment)
        self.peers.append(peer)
        return peer

    def run(self):
        clients = {language: self.new_key(f"client-{language}") for language in self.commands}
        strangers = {language: self.new_key(f"stranger-{language}") for language in self.commands}
        for transport, address in (("TCP", "tcp://127.0.0.1:0"), ("a unix socket", "unix://{folder}/{language}.sock"),
                                   ("a WebSocket", "ws://127.0.0.1:0/demo")):
            for language in self.commands:
                self.serve(language, transport, address.format(folder=self.folder, language=language), clients, strangers)
        with self.lock:
            if self.options.tap:
                print(f"1..{self.points}")
            else:
                pairs = 3 * len(self.commands) ** 2
                print(f"{pairs} pairs of {', '.join(self.commands)}: {self.points - self.failed} of {self.points} checks passed")

    def serve(self, language, transport, address, clients, strangers):
        self.show(f"== A server in {language} over {transport}")
        key, server_id = self.new_key(f"server-{language}-{transport.split()[-1]}")
        server = self.start(language, "server", key, address, *(peer_id for _, peer_id in clients.values()))
        tickets = []

        def listens():
            tickets.append(server.expect("listening").split()[-1])
            if not tickets[0].endswith("#" + server_id):
                raise Missing(f"the ticket does not carry the server's id {server_id}")

        if not self.point(f"a server in {language} listens on {transport}", listens):
            return server.kill()
        for client, (client_key, client_id) in clients.items():
            self.show(f"== A client in {client} talks to the server in {language} over {transport}")
            self.point(f"{client} talks to {language} over {transport}", self.talk, server, server_id,
                       self.start(client, "client", client_key, tickets[0], str(PERSON)), client_id)
            self.show(f"== A stranger in {client}, whose key the server in {language} does not allow")
            self.point(f"{language} refuses a stranger in {client} over {transport}", self.refuse, server, strangers[client][1],
                       self.start(client, "stranger", strangers[client][0], tickets[0]))
        server.stop()
        self.point(f"the server in {language} stops in good order", self.stopped, server)
        return None

    @staticmethod
    def talk(server, server_id, client, client_id):
        said = {step: client.expect(step) for step in CLIENT_STEPS}
        heard = {step: server.expect(step) for step in SERVER_STEPS}
        client.end()
        if not said["connected"].endswith(server_id):
            raise Missing(f"the client was connected to another than {server_id}")
        if not heard["connected"].endswith(client_id):
            raise Missing(f"the server was connected to another than {client_id}")
        if "remember the milk" not in heard["received"]:
            raise Missing("the note was another")
        reply = json.loads(said["requested"].split("the reply is ", 1)[1])
        want = {"from": server.language, "you_sent": json.loads(PERSON.read_text(encoding="utf-8"))}
        if reply != want:
            raise Missing(f"the reply was to be {want}, not {reply}")
        if not said["fast reply"].endswith("without a body") or not said["deadline"].endswith("timeout"):
            raise Missing("the fast reply or the deadline was another")

    @staticmethod
    def refuse(server, stranger_id, stranger):
        if not stranger.expect("refused").startswith("not_allowed"):
            raise Missing("it was refused for another reason")
        if server.expect("refused") != f"{stranger_id} is not on the allow-list":
            raise Missing("the server refused another")
        stranger.end()

    @staticmethod
    def stopped(server):
        server.expect("stopped")
        server.end()

    def kill_all(self):
        for peer in self.peers:
            peer.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the sealwire command, which makes the keys")
    parser.add_argument("--c", help="the peer in C")
    parser.add_argument("--python", help="a Python interpreter")
    parser.add_argument("--node", help="a Node.js executable")
    parser.add_argument("--pythonpath", help="folder that has the Python package, when it is not installed")
    parser.add_argument("--node-package", help="folder of the npm package, when it is not installed")
    parser.add_argument("--tap", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealwire-demo-") as folder:
        demo = Demo(options, folder)
        if not demo.commands:
            parser.error("give at least one of --c, --python and --node")
        try:
            demo.run()
        finally:
            demo.kill_all()
    return 1 if demo.failed else 0


if __name__ == "__main__":
    sys.exit(main())
