"""The example chat in its three languages talks in one room.

    chat_test.py --c PROGRAM [--pythonpath DIR --python PYTHON] [--node NODE --node-package DIR]
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
LONG = "a" + "ü" * 3000


def commands(options, folder):
    out = {"C": [options.c]}
    if options.python:
        out["Python"] = [options.python, str(ROOT / "examples" / "python" / "chat.py")]
    if options.node:
        shutil.copytree(options.node_package, folder / "node_modules" / "sealwire")
        shutil.copy(ROOT / "examples" / "node" / "chat.mjs", folder)
        out["Node.js"] = [options.node, str(folder / "chat.mjs")]
    return out


class Program:
    def __init__(self, command, *words, environment):
        self.process = subprocess.Popen([*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
                                        env={**os.environ, **environment})
        self.alarm = threading.Timer(PATIENCE_S, self.process.kill)
        self.alarm.start()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def type(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def leave(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S)

    def end(self):
        self.alarm.cancel()
        self.process.kill()
        self.process.wait()


def talk(server, one, other, environment):
    programs = []

    def start(command, *words):
        programs.append(Program(command, *words, environment=environment))
        return programs[-1]

    try:
        ticket = start(server, "serve").line()
        heard = []
        ada = start(one, ticket, "Ada", "tea")
        heard.append(ada.line())
        bob = start(other, ticket, "Bob", "tea")
        heard.append(bob.line())
        ada.type("hello, Grüße")
        heard.append(bob.line())
        bob.type("hi Ada")
        heard.append(ada.line())
        ada.type(LONG)
        heard.append(bob.line())
        wanted = ["Ada joins tea: 1 there", "Bob joins tea: 2 there", "Bob hears in tea: Ada: hello, Grüße",
                  "Ada hears in tea: Bob: hi Ada", "Bob hears in tea: Ada: " + LONG]
        if heard != wanted:
            yield f"said {heard} in place of {wanted}"
        for name, program in (("Ada", ada), ("Bob", bob)):
            if program.leave() != 0:
                yield f"{name} ended with status {program.process.returncode}"
    finally:
        for program in programs:
            program.end()


def does_not_listen(command, environment):
    for address in ("nonsense", "unix:///no/such/folder/socket"):
        run = subprocess.run([*command, "serve", address], env={**os.environ, **environment}, capture_output=True, timeout=PATIENCE_S)
        if run.returncode <= 0 or run.stdout or not run.stderr:
            yield f"{address}: status {run.returncode}, said {run.stdout}, and of the failure {run.stderr}"


def main():
    parser = argparse.ArgumentParser()
    for name in ("--c", "--pythonpath", "--python", "--node", "--node-package"):
        parser.add_argument(name)
    options = parser.parse_args()
    environment = {"PYTHONPATH": options.pythonpath or "", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        all_of_them = commands(options, pathlib.Path(folder))
        names = list(all_of_them)
        tests = {}
        for place, server in enumerate(names):
            one, other = names[(place + 1) % len(names)], names[(place + 2) % len(names)]
            tests[f"chat: {one} and {other} at a server in {server}"] = \
                lambda s=server, a=one, b=other: talk(all_of_them[s], all_of_them[a], all_of_them[b], environment)
        for name, command in all_of_them.items():
            tests[f"chat: a server in {name} that cannot listen says so and ends"] = \
                lambda c=command: does_not_listen(c, environment)
        return tap.run(tests)


sys.exit(main())
