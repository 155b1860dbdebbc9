"""Runs the sealwire command for tests: to its end, or as a listener whose lines are waited for."""

import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

PATIENCE_S = 60
TOOL = os.environ.get("SEALWIRE_TOOL", "")

# What whoever runs the tests ignores, as nohup does, the command would ignore as well.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        """The objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words, stdin=""):
    done = subprocess.run([TOOL, *map(str, words)], input=stdin, text=True, encoding="utf-8", timeout=PATIENCE_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Result(done)


def run_without(descriptor, *words, stdin=subprocess.DEVNULL):
    """To its end, with standard input (0) or output (1) closed."""
    shell = ["/bin/sh", "-c", f'exec "$@" {"<" if descriptor == 0 else ">"}&-', "sh", TOOL]
    done = subprocess.run([*shell, *map(str, words)], text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE_S)
    return Result(done)


class Running:
    """A command with --json, stopped at the end of a with block; its events come by expect()."""

    def __init__(self, *words, stdin=subprocess.DEVNULL):
        self.process = subprocess.Popen([TOOL, *map(str, words), "--json"], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, encoding="utf-8")
        self.events = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put({"event": "the end of the output"})

    def expect(self, kind):
        """The next event of this kind; others before it are passed over."""
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            if event["event"] == kind:
                return event
            if event["event"] == "the end of the output":
                raise AssertionError(f"'{kind}' did not come: {self.process.stderr.read()}")

    def rest(self):
        """Those that are still to be taken; after wait() all."""
        events = []
        while not self.events.empty():
            events.append(self.events.get())
        return events

    def stop(self):
        """SIGTERM, and the status it ends with."""
        self.process.terminate()
        return self.wait()

    def wait(self):
        """The status it ends with."""
        status = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        if self.process.stdin:
            self.process.stdin.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


class Listener(Running):
    """`sealwire listen --json`, or another that listens."""

    def __init__(self, *words, address="tcp://127.0.0.1:0", command="listen"):
        super().__init__(command, address, *words)
        listening = self.expect("listening")
        self.ticket, self.address, self.id = listening["ticket"], listening["address"], listening["id"]


class ToolCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="sealwire-tool-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def new_key(self, name="me.key"):
        """A key file and its id."""
        path = self.folder / name
        made = run("keygen", path)
        self.assertEqual(made.status, 0, made.err)
        return path, made.out.strip()

    def fails(self, result, status, *words):
        """It failed with this status and said these words, with what to do."""
        self.assertEqual(result.status, status, f"{result.out}\n{result.err}")
        for word in words:
            self.assertIn(word, result.err)
        self.assertIn("what to do: ", result.err)


class TapResult(unittest.TestResult):
    """Prints a test point for each test; its docstring or name is the fact."""

    def _point(self, test, complaint=None, remark=""):
        fact = test.shortDescription() or test.id().split(".")[-1][len("test_"):].replace("_", " ")
        print(f"{'not ok' if complaint else 'ok'} {self.testsRun} - {fact}{remark}")
        for line in (complaint or "").splitlines():
            print(f"# {line}")
            print(line, file=sys.stderr)
        sys.stdout.flush()

    def addSuccess(self, test):
        self._point(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._point(test, self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._point(test, self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:  # no success is told of its test then
            self._point(test, self._exc_info_to_string(err, test), f" {subtest._subDescription()}")

    def addSkip(self, test, reason):
        self._point(test, remark=f" # SKIP {reason}")


def main(module="__main__"):
    """Runs the tests of a module and prints TAP."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    result = TapResult()
    suite.run(result)
    print(f"1..{result.testsRun}")
    sys.exit(0 if result.wasSuccessful() else 1)
