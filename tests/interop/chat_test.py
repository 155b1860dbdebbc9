"""The example chat in its three languages talks in one room, at a hub of each.

    chat_test.py --c PROGRAM [--pythonpath DIR --python PYTHON] [--node NODE --node-package DIR]
"""

import argparse
import os
import pathlib
import re
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
SECRET = "correct horse battery"


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
    def __init__(self, command, *words, environment, stderr=None):
        self.process = subprocess.Popen([*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
                                        encoding="utf-8", env={**os.environ, **environment})
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


def told(name, words, secret):
    """The line by which somebody in the room is told that, with an id where there is a secret."""
    return re.compile(f"\\[{name}, tea\\] " + (r"(?P<id>[a-z2-7]{8}) " if secret else "") + re.escape(words))


def talk(hub, one, other, secret, environment):
    programs = []

    def start(command, *words):
        programs.append(Program(command, *words, environment=environment))
        return programs[-1]

    try:
        ticket = start(hub, "hub").line()
        ids = {"Ada": set(), "Bob": set()}

        def hears(program, name, speaker, words):
            line = program.line()
            match = told(name, speaker + words, secret).fullmatch(line)
            if not match:
                yield f"{name} was told '{line}' in place of '{speaker}{words}'"
            elif secret:
                ids[speaker].add(match["id"])

        ada = start(one, ticket, "Ada", "tea", *secret)
        if (line := ada.line()) != "[Ada, tea] you are here":
            yield f"Ada was told '{line}' at first"
        bob = start(other, ticket, "Bob", "tea", *secret)
        if (line := bob.line()) != "[Bob, tea] you are here":
            yield f"Bob was told '{line}' at first"
        yield from hears(ada, "Ada", "Bob", " has come")
        yield from hears(bob, "Bob", "Ada", " is here")
        for words in "hello, Grüße", "", LONG:
            ada.type(words)
            yield from hears(bob, "Bob", "Ada", ": " + words)
        bob.type("hi Ada")
        yield from hears(ada, "Ada", "Bob", ": hi Ada")
        if ada.leave() != 0:
            yield f"Ada ended with status {ada.process.returncode}"
        yield from hears(bob, "Bob", "Ada", " has gone")
        if bob.leave() != 0:
            yield f"Bob ended with status {bob.process.returncode}"
        if secret and (len(ids["Ada"]), len(ids["Bob"]), len(ids["Ada"] | ids["Bob"])) != (1, 1, 2):
            yield f"each has one id, not {ids}"
    finally:
        for program in programs:
            program.end()


def hub_is_killed(hub, command, environment):
    programs = [Program(hub, "hub", environment=environment)]
    try:
        ticket = programs[0].line()
        for name in "Ada", "Bob":
            programs.append(Program(command, ticket, name, "tea", environment=environment, stderr=subprocess.PIPE))
            programs[-1].line()  # that it is there
        ada = programs[1]
        ada.line()  # that the other is
        programs[0].process.kill()
        if "out of reach" not in (line := ada.process.stderr.readline()):
            yield f"of a hub that was killed it said '{line}'"
        ada.type("hello")
        if (status := ada.leave()) <= 0:
            yield f"it ended with status {status} though nobody heard what was said"
        if "may not have come" not in (rest := ada.process.stderr.read()):
            yield f"of what was not heard it said '{rest}'"
    finally:
        for program in programs:
            program.end()


def does_not_listen(command, environment):
    for address in ("nonsense", "unix:///no/such/folder/socket"):
        run = subprocess.run([*command, "hub", address], env={**os.environ, **environment}, capture_output=True, timeout=PATIENCE_S)
        if run.returncode <= 0 or run.stdout or not run.stderr:
            yield f"{address}: status {run.returncode}, said {run.stdout}, and of the failure {run.stderr}"


def wrong_arguments(hub, command, environment):
    def run(*words):
        return subprocess.run([*command, *words], env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE_S)

    at = Program(hub, "hub", environment=environment)
    try:
        ticket = at.line()
        for words in ([ticket, "Ada", ""], [ticket, "Ada", "tea", "short"], [ticket, "Ada", "tea", SECRET, "more"], [ticket, "Ada"],
                      [ticket + "x", "Ada", "tea"], ["nonsense", "Ada", "tea"], ["nonsense", "Ada"], ["help"], ["hub", "nonsense"]):
            done = run(*words)
            lines = done.stderr.splitlines()
            if done.returncode != 2 or done.stdout or len(lines) != 2 or not lines[0] or not lines[1].startswith("usage: chat"):
                yield f"{words}: status {done.returncode}, said {done.stdout!r}, and of what is wrong {done.stderr!r}"
    finally:
        at.end()
    done = run(ticket, "Ada", "tea")  # which nobody listens to any more
    if done.returncode != 1 or done.stdout or len(done.stderr.splitlines()) != 1:
        yield f"without a hub: status {done.returncode}, said {done.stdout!r}, and of what is wrong {done.stderr!r}"


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
        for place, hub in enumerate(names):
            one, other = names[(place + 1) % len(names)], names[(place + 2) % len(names)]
            for secret in (), (SECRET,):
                tests[f"chat: {one} and {other} at a hub in {hub}{', with a secret' if secret else ''}"] = \
                    lambda h=hub, a=one, b=other, s=secret: talk(all_of_them[h], all_of_them[a], all_of_them[b], s, environment)
            tests[f"chat: {hub} tells that its hub was killed"] = \
                lambda c=all_of_them[hub], h=all_of_them[names[0]]: hub_is_killed(h, c, environment)
        for name, command in all_of_them.items():
            tests[f"chat: a hub in {name} that cannot listen says so and ends"] = \
                lambda c=command: does_not_listen(c, environment)
            tests[f"chat: {name} says in a line what is wrong with its arguments, and how to call it"] = \
                lambda c=command: wrong_arguments(all_of_them[names[0]], c, environment)
        return tap.run(tests)


sys.exit(main())
