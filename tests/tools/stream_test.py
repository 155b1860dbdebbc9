#!/usr/bin/env python3
"""sealwire stream: standard input and output over the Secret Handshake, between two of them."""

import base64
import pathlib
import re
import subprocess
import tempfile
import unittest

import command
from command import PATIENCE_S, TOOL, run

NETWORK = bytes(range(32)).hex()


class Waiting:
    """`sealwire stream --listen`, whose standard input stays open until finish()."""

    def __init__(self, *words, address="tcp://127.0.0.1:0"):
        self.process = subprocess.Popen([TOOL, "stream", address, "--listen", "--shs-network", NETWORK, *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ticket = re.fullmatch(r"Listening: (\S+)\n", self.process.stderr.readline().decode()).group(1)

    def finish(self, data=b""):
        out, err = self.process.communicate(data, timeout=PATIENCE_S)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class StreamTest(unittest.TestCase):
    def test_what_is_read_at_one_end_is_written_at_the_other(self):
        data = "".join(f"line {i}\n" for i in range(50_000))
        with Waiting("--anyone") as waiting, tempfile.TemporaryFile() as source:
            source.write(data.encode())
            source.seek(0)
            near = subprocess.Popen([TOOL, "stream", waiting.ticket, "--shs-network", NETWORK], stdin=source, stdout=subprocess.PIPE)
            status, out, _ = waiting.finish()
            self.assertEqual((status, out.decode()), (0, data))
            self.assertEqual(near.communicate(timeout=PATIENCE_S), (b"", None))
            self.assertEqual(near.returncode, 0)

    def test_both_talk_at_once(self):
        with Waiting("--anyone") as waiting:
            near = subprocess.Popen([TOOL, "stream", waiting.ticket, "--shs-network", NETWORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            near.stdin.write(b"from there")
            near.stdin.flush()
            self.assertEqual(waiting.process.stdout.read(10), b"from there")
            near.stdin.close()
            status, out, _ = waiting.finish(b"from here")
            self.assertEqual((status, out), (0, b""))
            with near.stdout as rest:
                self.assertEqual(rest.read(), b"from here")
            self.assertEqual(near.wait(PATIENCE_S), 0)

    def test_an_address_of_secure_scuttlebutt_leads_there(self):
        with Waiting("--anyone") as waiting:
            address, id = re.fullmatch(r"tcp://([^#]+)#(\w+)", waiting.ticket).groups()
            key = base64.b64encode(base64.b32decode(id.upper() + "====")).decode()
            near = subprocess.Popen([TOOL, "stream", f"net:{address}~shs:{key}", "--shs-network", NETWORK], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE)
            self.assertEqual(waiting.finish(b"hello")[0], 0)
            self.assertEqual(near.communicate(timeout=PATIENCE_S), (b"hello", None))
        wrong = run("stream", "net:127.0.0.1:1~shs:AAAA", "--shs-network", NETWORK)
        self.assertEqual(wrong.status, 2)
        self.assertIn("base64", wrong.err)

    def test_who_is_not_on_the_list_is_refused(self):
        with Waiting("--allow", another_id()) as waiting:
            near = run("stream", waiting.ticket, "--shs-network", NETWORK, stdin="x")
            self.assertEqual(near.status, 4)
            self.assertIn("allow", near.err)

    def test_another_network_is_not_reached(self):
        with Waiting("--anyone") as waiting:
            near = run("stream", waiting.ticket, "--shs-network", "00" * 32, stdin="x")
            self.assertEqual(near.status, 3)

    def test_a_wrong_command_line_is_explained(self):
        for words in (["tcp://127.0.0.1:1#x"], ["x", "--shs-network", "12"], ["x", "--shs-network", "zz" * 32],
                      ["tcp://127.0.0.1:0", "--listen", "--shs-network", NETWORK]):
            self.assertEqual(run("stream", *words).status, 2, words)


def another_id():
    """That nobody here holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "other.key"
        assert run("keygen", path).status == 0
        return run("id", path).out.strip()


if __name__ == "__main__":
    command.main()
