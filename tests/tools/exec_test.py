#!/usr/bin/env python3
"""sealwire listen --exec: a program answers each request."""

import concurrent.futures
import os
import pathlib
import subprocess

import command
from command import TOOL, Listener, ToolCase, run


def is_gone(pid):
    """Ended: not there, or a zombie that its new parent has not waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Exec(ToolCase):
    def answered(self, cmd, *words, options=()):
        with Listener("--anyone", "--exec", cmd, *options) as listener:
            return run("request", listener.ticket, *words)

    def test_the_body_is_its_input_and_what_it_prints_the_answer(self):
        result = self.answered("tr a-z A-Z", "shout", "hello")
        self.assertEqual((result.status, result.out), (0, "HELLO"), result.err)

    def test_it_knows_route_peer_and_type(self):
        path, peer_id = self.new_key()
        result = self.answered('printf "%s %s %s" "$SEALWIRE_ROUTE" "$SEALWIRE_PEER" "$SEALWIRE_TYPE"', "a route", "{}", "--type", "json",
                               "--key", path)
        self.assertEqual(result.out, f"a route {peer_id} json", result.err)

    def test_its_exit_status_is_the_answers(self):
        result = self.answered("echo no; exit 3", "fail", "--json")
        self.assertEqual(result.status, 7)
        self.assertEqual([one.get("code", one.get("status")) for one in result.json()], [67], result.out)

    def test_one_that_prints_too_much_is_ended(self):
        result = self.answered("yes", "much", options=("--exec-output", "100000"))
        self.assertEqual(result.status, 7)
        self.assertIn("handler failed", result.err)

    def test_one_that_prints_what_it_may_and_reads_nothing_answers(self):
        path = os.path.join(self.folder, "body")
        pathlib.Path(path).write_bytes(b"x" * 1_000_000)
        with Listener("--anyone", "--exec", "head -c 100000 /dev/zero | tr '\\0' y", "--exec-output", "100000") as listener:
            done = subprocess.run([TOOL, "request", listener.ticket, "ignored", "-"], stdin=open(path, "rb"), capture_output=True,
                                  timeout=command.PATIENCE_S)
            self.assertEqual(done.stdout.rstrip(b"\n"), b"y" * 100_000, done.stderr)

    def test_only_so_many_run_at_once(self):
        lock = os.path.join(self.folder, "lock")
        alone = f"if mkdir {lock}; then cat {self.folder}/x 2>&-; rmdir {lock}; echo alone; else echo overlap; fi"
        with Listener("--anyone", "--exec", alone, "--exec-at-once", "1") as listener, \
                concurrent.futures.ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda _: run("request", listener.ticket, "x").out.strip(), range(6)))
            self.assertEqual(results, ["alone"] * 6)

    def test_it_is_killed_at_the_requesters_deadline_and_with_the_listener(self):
        path = pathlib.Path(self.folder, "pid")
        os.mkfifo(path)
        with Listener("--anyone", "--exec", f"echo $$ > {path}; sleep 1000 & wait") as listener:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                asked = pool.submit(run, "request", listener.ticket, "slow", "--timeout", "1")
                pid = int(path.read_text())
                self.assertIn(asked.result().status, (6, 7))  # the deadline, or handler_failed: both ends keep the same one
                while not is_gone(pid):
                    os.sched_yield()
                asked = pool.submit(run, "request", listener.ticket, "slow")
                pid = int(path.read_text())
                self.assertEqual(listener.stop(), 0)
                self.assertNotEqual(asked.result().status, 0)
                self.assertTrue(is_gone(pid))

    def test_what_excludes_another_is_said(self):
        self.assertEqual(run("listen", "tcp://127.0.0.1:0", "--anyone", "--echo", "--exec", "cat").status, 2)


if __name__ == "__main__":
    command.main()
