#!/usr/bin/env python3
"""sealwire sub, pub and listen when connections break: what they tell, and how sub comes back to a peer that was started anew."""

import os
import select
import signal
import socket
import subprocess
import threading

import command
from command import PATIENCE_S, TOOL, Listener, Running, ToolCase


LEASE = ("--lease", "8", "--connect-timeout", "600")  # long enough for a loaded machine to resume within it, and to be told that it cannot


class Line:
    """Passes bytes on between a unix socket and another, until it is cut."""

    def __init__(self, path, target):
        self.path, self.target, self.ends = str(path), str(target), []
        self.lock = threading.Lock()
        self.open()

    def open(self):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def close(self):
        """Nobody is let in any more; what is connected stays."""
        os.unlink(self.path)
        self.server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.server.close()

    def cut(self):
        with self.lock:
            for end in self.ends:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:  # it has ended
                    pass
            self.ends.clear()

    def _accept(self, server):
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            self.join(near)

    def join(self, near):
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.target)
        except OSError:
            near.close()
            far.close()
            return
        with self.lock:
            self.ends += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Reconnect(ToolCase):
    def setUp(self):
        super().setUp()
        self.key, self.peer_id = self.new_key()
        self.socket = self.folder / "pub"
        self.ticket = f"unix://{self.socket}#{self.peer_id}"

    def publisher(self, *who, path=None, key=None):
        pub = Running("pub", "news", "--listen", f"unix://{path or self.socket}", *(who or ("--anyone",)), "--key", key or self.key,
                      stdin=subprocess.PIPE)
        self.addCleanup(self.end, pub)
        pub.expect("listening")
        return pub

    @staticmethod
    def end(running):
        if running.process.poll() is None:
            running.process.kill()
        running.wait()

    @staticmethod
    def say(pub, text):
        pub.process.stdin.write(text)
        pub.process.stdin.flush()

    @staticmethod
    def expect_loss(sub):
        """A dial that another way to its peer has made needless may be told as closed before."""
        while "it is dialled again" not in sub.expect("closed")["text"]:
            pass

    @staticmethod
    def kinds_until(sub, last):
        """Of the events up to the next of this kind."""
        kinds = []
        while last not in kinds:
            kinds.append(sub.events.get(timeout=PATIENCE_S)["event"])
        return kinds

    def another(self, name="another"):
        """A publisher with a key of its own, and its ticket."""
        key, peer_id = self.new_key(name + ".key")
        path = self.folder / name
        return self.publisher(path=path, key=key), f"unix://{path}#{peer_id}"

    def line(self, name="line"):
        line = Line(self.folder / name, self.socket)
        self.addCleanup(lambda: line.server.close())
        self.addCleanup(line.cut)
        return line, f"unix://{line.path}#{self.peer_id}"

    def test_a_connection_that_breaks_and_comes_back_is_told_at_both_ends(self):
        pub = self.publisher()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", ticket) as sub:
            self.say(pub, "one\n")
            self.assertEqual(sub.expect("message")["body"], "one")
            line.cut()
            for end in (sub, pub):
                self.assertIn("its session waits", end.expect("suspended")["text"])
                self.assertIn("nothing was lost", end.expect("resumed")["text"])
            self.say(pub, "two\n")
            self.assertEqual(sub.expect("message")["body"], "two")

    def test_so_it_is_by_listen(self):
        with Listener("--anyone", "--key", self.key, address=f"unix://{self.socket}") as listener:
            line, ticket = self.line()
            with Running("sub", "news", "--connect", ticket) as sub:
                sub.expect("connected")
                listener.expect("connected")
                line.cut()
                listener.expect("suspended")
                self.assertIn("nothing was lost", listener.expect("resumed")["text"])

    def test_in_words_it_is_told_on_standard_error_without_being_asked_for(self):
        first = self.publisher()
        line, ticket = self.line()
        sub = subprocess.Popen([TOOL, "sub", "news", "--connect", ticket, "--count", "3"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        self.addCleanup(sub.kill)
        name = self.peer_id[:8]
        self.say(first, "one\n")
        self.assertEqual(sub.stdout.readline(), "one\n")
        line.cut()
        self.assertIn(f"{name} is out of reach", sub.stderr.readline())
        self.assertIn(f"{name} is back", sub.stderr.readline())
        self.say(first, "two\n")
        self.assertEqual(sub.stdout.readline(), "two\n")
        self.end(first)
        self.assertIn(f"{name} is out of reach", sub.stderr.readline())
        second = self.publisher()
        self.say(second, "three\n")
        out, err = sub.communicate(timeout=PATIENCE_S)
        self.assertEqual((out, sub.returncode), ("three\n", 0), err)
        self.assertRegex(err, f"{name} .*what is published meanwhile does not come; it is dialled again\n{name} connected anew to")

    def started_anew_thrice(self, sub, pub):
        """Each time behind a message that comes. Returns the publisher that runs in the end."""
        for body in ("one", "two", "three"):
            self.say(pub, body + "\n")
            self.assertEqual(sub.expect("message")["body"], body)
            self.end(pub)
            pub = self.publisher()
            self.expect_loss(sub)
            self.assertIn("connected anew", sub.expect("connected")["text"])
        return pub

    def test_a_publisher_that_was_started_anew_is_dialled_again_and_joined(self):
        pub = self.publisher()
        with Running("sub", "news", "--connect", self.ticket) as sub:
            pub = self.started_anew_thrice(sub, pub)
            pub.process.stdin.close()
            self.assertEqual((pub.process.wait(PATIENCE_S), sub.wait()), (0, 0))

    def test_two_ways_to_one_peer_are_dialled_again_as_one(self):
        pub = self.publisher()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", self.ticket, "--connect", ticket) as sub:
            pub = self.started_anew_thrice(sub, pub)
            pub.process.stdin.close()
            self.assertEqual((pub.process.wait(PATIENCE_S), sub.wait()), (0, 0))

    def two_ways(self):
        pairs = [self.line("one"), self.line("other")]
        return [line for line, _ in pairs], [word for _, ticket in pairs for word in ("--connect", ticket)]

    def lost_by_two_ways(self, sub, lines, old):
        """Another publisher takes the place of the old one, and has said that it does not know the session. Who dials the lines then
        is taken by the servers that are returned."""
        servers, pub = self.another_in_its_place(lines, old)
        ready, _, _ = select.select(servers, [], [], PATIENCE_S)
        lines[0].join(ready[0].accept()[0])
        self.expect_loss(sub)
        return servers, pub

    def back_by_one_of_two_ways(self, sub, lines, old):
        """The same, and both ways have dialled it, but only the first got an answer to its HELLO. What the other has dialled, which the
        library turns away from 2 s later, is returned besides."""
        servers, pub = self.lost_by_two_ways(sub, lines, old)
        near, far = servers[1].accept()[0], socket.socket(socket.AF_UNIX)
        for end in (near, far):
            self.addCleanup(end.close)
            end.settimeout(PATIENCE_S)
        far.connect(lines[1].target)
        for source, sink in ((near, far), (far, near), (near, far)):
            sink.sendall(source.recv(65536))
        lines[0].join(servers[0].accept()[0])
        self.assertIn("connected anew", sub.expect("connected")["text"])
        return pub, near

    def test_a_peer_that_closes_while_another_way_to_it_is_dialled_has_closed(self):
        for words, status in ((), 0), (("--count", "10"), 5):
            with self.subTest(words):
                pub = self.publisher()
                lines, ways = self.two_ways()
                with Running("sub", "news", *ways, *words) as sub:
                    sub.expect("joined")
                    pub, _ = self.back_by_one_of_two_ways(sub, lines, pub)
                    pub.process.stdin.close()
                    if status:
                        self.assertEqual(sub.expect("error")["error"], "peer_closed")
                    self.assertEqual(sub.wait(), status)
                self.end(pub)
                for line in lines:
                    line.close()

    def test_what_is_dialled_ends_with_a_peer_that_has_closed_and_is_not_told_of(self):
        pub, (another, another_ticket) = self.publisher(), self.another()
        lines, ways = self.two_ways()
        with Running("sub", "news", *ways, "--connect", another_ticket) as sub:
            sub.expect("joined")
            pub, dialled = self.back_by_one_of_two_ways(sub, lines, pub)
            pub.process.stdin.close()
            self.assertIn("in good order", sub.expect("closed")["text"])
            while dialled.recv(65536):
                pass
            self.say(another, "two\n")
            self.assertNotIn("closed", self.kinds_until(sub, "message"))

    def test_what_becomes_of_dials_behind_an_interrupt_is_not_told(self):
        pub, (another, another_ticket), (slow, slow_ticket) = self.publisher(), self.another(), self.another("slow")
        lines, ways = self.two_ways()
        with Running("sub", "news", *ways, "--connect", another_ticket, "--connect", slow_ticket) as sub:
            sub.expect("joined")
            servers, _ = self.lost_by_two_ways(sub, lines, pub)
            fails, succeeds = [server.accept()[0] for server in servers]
            slow.process.send_signal(signal.SIGSTOP)  # its end is waited for
            sub.process.send_signal(signal.SIGINT)
            another.expect("closed")
            fails.close()
            lines[1].join(succeeds)
            self.assertEqual(sub.wait(), 0)
            self.assertFalse({"given_up", "connected"}.intersection(event["event"] for event in sub.rest()))

    def test_who_is_not_there_is_told_of_before_anything_is_published_or_joined(self):
        for _ in range(10):
            nobody = f"unix://{self.folder}/none#{self.peer_id}"
            done = command.run("pub", "news", "hello", "--wait", "0", "--connect", nobody)
            self.assertEqual((done.status, done.out), (3, ""), done.err)
            self.assertNotIn("Published", done.err)
            done = command.run("sub", "news", "--json", "--connect", nobody)
            self.assertEqual((done.status, [event["event"] for event in done.json()]), (3, ["closed", "error"]))

    def test_while_it_cannot_be_reached_or_does_not_answer_it_is_dialled_again_and_again(self):
        pub = self.publisher()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", ticket) as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            pub = self.shut_out_after_resumption(sub, line, pub)
            self.assertIn("nothing is listening there", sub.expect("closed")["text"])
            target, line.target = line.target, str(self.folder / "nobody")
            line.open()
            while "gave no answer" not in sub.expect("closed")["text"]:  # before it was open there was nobody
                pass
            line.target = target
            self.assertIn("connected anew", sub.expect("connected")["text"])
            self.say(pub, "two\n")
            self.assertEqual(sub.expect("message")["body"], "two")

    def test_that_ends_with_the_lease(self):
        pub = self.publisher()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", ticket, *LEASE) as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            self.shut_out_after_resumption(sub, line, pub)
            line.server = self.server(line.path)  # the dial that it takes ends with the lease as well
            error = sub.expect("error")
            self.assertEqual((error["error"], error["exit"], sub.wait()), ("lease", 5, 5))

    def test_of_several_the_others_go_on(self):
        pub, (another, another_ticket) = self.publisher(), self.another()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", ticket, "--connect", ticket, "--connect", another_ticket, *LEASE) as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            self.shut_out_after_resumption(sub, line, pub)
            given_up = sub.expect("given_up")
            self.assertEqual(given_up["peer"], self.peer_id)
            self.assertIn("is not dialled any more: the session could not be resumed", given_up["text"])
            self.say(another, "two\n")
            self.assertNotIn("given_up", self.kinds_until(sub, "message"))  # of two ways, but once
            another.process.stdin.close()
            error = sub.expect("error")
            self.assertEqual((error["error"], error["exit"], sub.wait()), ("lease", 5, 5))

    @staticmethod
    def server(path):
        server = socket.socket(socket.AF_UNIX)
        server.settimeout(PATIENCE_S)
        server.bind(path)
        server.listen()
        return server

    def another_in_its_place(self, lines, old):
        """Another publisher takes the place of the old one. Who dials a line then is taken by the server of it that is returned."""
        second = self.folder / "second"
        for line in lines:
            line.close()
            line.server, line.target = self.server(line.path), str(second)
        pub = self.publisher(path=second)  # before the lease begins, which may be short
        self.end(old)
        return [line.server for line in lines], pub

    def shut_out_after_resumption(self, sub, line, old):
        """The same, but nobody is let in once it has said that it does not know the session."""
        (server,), pub = self.another_in_its_place([line], old)
        near, _ = server.accept()
        line.close()
        line.join(near)
        self.expect_loss(sub)
        return pub

    def test_who_is_not_let_in_any_more_when_it_is_dialled_anew_ends_with_that(self):
        _, other = self.new_key("other.key")
        pub = self.publisher()
        line, ticket = self.line()
        with Running("sub", "news", "--connect", ticket) as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            self.shut_out_after_resumption(sub, line, pub)
            self.assertIn("nothing is listening there", sub.expect("closed")["text"])  # to a dial of its own, with no session
            line.target = str(self.folder / "third")
            self.publisher("--allow", other, path=line.target)
            line.open()
            error = sub.expect("error")
            self.assertEqual((error["error"], error["exit"], sub.wait()), ("not_allowed", 4, 4))
            self.assertEqual(error["text"], "the peer does not allow this key")
            self.assertIn("No --key was given, so that this program has a new key with each run", error["hint"])

    def test_whose_session_is_not_taken_up_as_it_is_not_let_in_any_more_ends_with_that(self):
        _, other = self.new_key("other.key")
        pub = self.publisher()
        with Running("sub", "news", "--connect", self.ticket) as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            self.end(pub)
            self.publisher("--allow", other)
            error = sub.expect("error")
            self.assertEqual((error["error"], error["exit"], sub.wait()), ("not_allowed", 4, 4))

    def test_without_a_lease_nothing_is_dialled_again(self):
        pub = self.publisher()
        with Running("sub", "news", "--connect", self.ticket, "--lease", "0") as sub:
            self.say(pub, "one\n")
            sub.expect("message")
            self.end(pub)
            self.publisher()
            self.assertEqual((sub.expect("error")["exit"], sub.wait()), (5, 5))


if __name__ == "__main__":
    command.main()
