#!/usr/bin/env python3
"""sealwire push and receive: files between two processes."""

import os
import pty

import command
from command import TOOL, Listener, ToolCase, run


class Receiver(Listener):
    def __init__(self, folder, *words):
        super().__init__(folder, "--anyone", *words, command="receive")


class Files(ToolCase):
    def setUp(self):
        super().setUp()
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()

    def make(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_files_are_pushed_and_saved(self):
        large = os.urandom(3_000_000)
        one, two, three = self.make("one", b"1"), self.make("two words", large), self.make("empty", b"")
        with Receiver(self.inbox) as receiver:
            pushed = run("push", receiver.ticket, one, two, three, "--json")
            self.assertEqual(pushed.status, 0, pushed.err)
            self.assertEqual([(event["event"], event["name"], event["bytes"]) for event in pushed.json()],
                             [("pushed", "one", 1), ("pushed", "two words", 3_000_000), ("pushed", "empty", 0)])
            for name, size in (("one", 1), ("two words", 3_000_000), ("empty", 0)):
                received = receiver.expect("received")
                self.assertEqual((received["name"], received["bytes"], received["path"]),
                                 (name, size, str(self.inbox / name)))
            self.assertEqual(receiver.stop(), 0)
        self.assertEqual(sorted(os.listdir(self.inbox)), ["empty", "one", "two words"])
        self.assertEqual((self.inbox / "two words").read_bytes(), large)

    def test_what_is_there_is_not_replaced(self):
        (self.inbox / "one").write_bytes(b"old")
        with Receiver(self.inbox) as receiver:
            self.fails(run("push", receiver.ticket, self.make("one", b"new")), 7, "a file of this name exists already")
            self.assertEqual(receiver.expect("failed")["error"], "file_exists")
        self.assertEqual((self.inbox / "one").read_bytes(), b"old")

    def test_files_beyond_the_limit_are_refused(self):
        with Receiver(self.inbox, "--max-megabytes", 1) as receiver:
            self.fails(run("push", receiver.ticket, self.make("big", bytes(1_100_000))), 7, "larger")
            self.assertEqual(receiver.expect("failed")["error"], "too_big")
        self.assertEqual(os.listdir(self.inbox), [])

    def test_what_is_no_file_is_not_sent_and_the_others_are(self):
        with Receiver(self.inbox) as receiver:
            self.fails(run("push", receiver.ticket, "/dev/null", self.make("one", b"1")), 1, "it is a device")
            self.fails(run("push", receiver.ticket, self.folder / "missing"), 1, "no such file")
            self.assertEqual(receiver.expect("received")["name"], "one")

    def test_a_folder_that_is_missing_is_told_to_both(self):
        with Receiver(self.inbox / "missing") as receiver:
            self.fails(run("push", receiver.ticket, self.make("one", b"1")), 7, "no such file or folder")
            self.assertEqual(receiver.expect("failed")["error"], "not_found")

    def test_a_request_without_a_file_is_refused(self):
        with Receiver(self.inbox) as receiver:
            self.fails(run("request", receiver.ticket, "push", "x"), 7, "no file came with it")

    def test_a_bar_is_shown_on_a_terminal_only(self):
        path = self.make("long", bytes(4_000_000))
        with Receiver(self.inbox) as receiver:
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(TOOL, [TOOL, "push", receiver.ticket, str(path)])
            shown = b""
            try:
                while piece := os.read(terminal, 65536):
                    shown += piece
            except OSError:  # its end
                pass
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
            self.assertRegex(shown.decode(), r"long \[=*\s*\] +\d+ % of 4\.0 MB")
            self.assertIn(b"has saved long, 4000000 bytes", shown)
            (self.inbox / "long").unlink()
            self.assertNotIn("%", run("push", receiver.ticket, path).err)


if __name__ == "__main__":
    command.main()
