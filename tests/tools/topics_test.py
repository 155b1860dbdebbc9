#!/usr/bin/env python3
"""sealwire pub and sub: topics between processes."""

import base64
import concurrent.futures
import json
import os
import pty
import signal
import subprocess
import time

import command
from command import PATIENCE_S, TOOL, Listener, Running, ToolCase, run, run_without

HERE = ("--listen", "tcp://127.0.0.1:0", "--anyone")


class Subscriber(Listener):
    """`sealwire sub --json` that others connect to."""

    def __init__(self, topic, *words):
        super().__init__(*HERE, *words, command="sub", address=topic)


class Publisher(Listener):
    """`sealwire pub --json` that others connect to, and then waits for standard input."""

    def __init__(self, topic, *words, source=None):
        Running.__init__(self, "pub", topic, *HERE, *words, stdin=source or subprocess.PIPE)
        self.ticket = self.expect("listening")["ticket"]

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()


class Plain:
    """`sealwire sub` without --json, whose output is bytes that nobody reads before finish(); when it listens it has joined."""

    def __init__(self, *words):
        self.process = subprocess.Popen([TOOL, "sub", *map(str, words), "--verbose"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        if "--listen" in words:
            self.ticket = self.told("Listening: ").split()[-1]

    def told(self, words):
        """The line of standard error that has these words; others before it are passed over."""
        for line in self.process.stderr:
            if words in line.decode():
                return line.decode()
        raise AssertionError(f"'{words}' was not told")

    def finish(self):
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def publish(*words, source=subprocess.DEVNULL, piped=b""):
    """`sealwire pub` to its end, with a file or bytes for its standard input."""
    given = {"input": piped} if piped else {"stdin": source}
    done = subprocess.run([TOOL, "pub", *map(str, words)], **given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return command.Result(done)


def fill(descriptor):
    """Writes to a pipe what it takes, and closes it: whoever else writes has to wait."""
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        try:
            while os.write(descriptor, b"\n" * size):
                pass
        except BlockingIOError:
            pass
    os.set_blocking(descriptor, True)
    os.close(descriptor)


class Topics(ToolCase):
    def lines(self, count, size):
        """A file of so many lines."""
        path = self.folder / "lines"
        path.write_bytes(b"".join(b"%*d\n" % (size - 1, number) for number in range(count)))
        return path

    def test_each_message_of_the_command_line_comes(self):
        key, key_id = self.new_key()
        with Subscriber("weather", "--count", 3) as sub:
            pub = run("pub", "weather", "rain", "", "Schnee, öfter", "--connect", sub.ticket, "--key", key, "--json")
            self.assertEqual(pub.status, 0, pub.err)
            published = pub.json()[-1]
            self.assertEqual((published["event"], published["topic"], published["messages"], published["bytes"], published["dropped"],
                              published["not_delivered"]), ("published", "weather", 3, 18, 0, 0))
            member = sub.expect("member_joined")
            self.assertEqual((member["topic"], member["peer"], member["publisher"]), ("weather", key_id, True))
            for number, body in enumerate(("rain", "", "Schnee, öfter")):
                message = sub.expect("message")
                self.assertEqual((message["topic"], message["peer"], message["number"], message["dropped"], message["last"],
                                  message["type"], message["body"]), ("weather", key_id, number, 0, False, "text", body))
            sub.expect("stopped")
            self.assertEqual(sub.wait(), 0)

    def test_a_message_may_begin_with_an_at_sign_or_a_minus(self):
        with Plain("weather", *HERE, "--count", 3) as sub:
            self.assertEqual(publish("weather", "--connect", sub.ticket, "@@home", "@@@", "--", "-5").status, 0)
            self.assertEqual(sub.finish()[1], b"@home\n@@\n-5\n")

    def test_lines_of_standard_input_come_one_by_one_as_they_are_read(self):
        with Publisher("news") as pub, Running("sub", "news", "--connect", pub.ticket) as sub:
            for line in ("one", "", "three"):
                pub.say(line + "\n")
                self.assertEqual(sub.expect("message")["body"], line)
            pub.say("without an end")
            pub.process.stdin.close()
            self.assertEqual(sub.expect("message")["body"], "without an end")
            self.assertEqual((pub.expect("published")["messages"], pub.wait(), sub.wait()), (4, 0, 0))

    def test_a_pipe_of_lines_loses_nothing_to_slow_readers(self):
        path = self.lines(6000, 1000)  # more than waits anywhere
        with open(path, "rb") as source, Publisher("feed", "--wait", 2, source=source) as pub:
            with Plain("feed", "--connect", pub.ticket) as first, Plain("feed", "--connect", pub.ticket) as second:
                with concurrent.futures.ThreadPoolExecutor() as pool:  # each waits for the other, as the publisher does for both
                    finished = list(pool.map(Plain.finish, (first, second)))
                for status, out, err in finished:
                    self.assertEqual((status, out == path.read_bytes()), (0, True), err)
                self.assertEqual((pub.expect("published")["messages"], pub.wait()), (6000, 0))

    def test_members_that_take_nothing_are_waited_for_so_long(self):
        path = self.lines(6000, 1000)
        with Plain("feed", *HERE) as slow, open(path, "rb") as source:
            self.fails(publish("feed", "--connect", slow.ticket, "--timeout", "0.3", source=source), 6, "did not reach a member", "--slow")

    def test_an_interrupt_ends_a_subscriber_whose_output_nobody_reads(self):
        with Plain("feed", *HERE) as slow, open(self.lines(6000, 1000), "rb") as source:
            pub = Running("pub", "feed", "--connect", slow.ticket, stdin=source)
            self.assertEqual(slow.process.stdout.read(1), b" ")  # it is under way
            slow.process.send_signal(signal.SIGINT)
            self.assertEqual(slow.process.wait(PATIENCE_S), 0)
            self.assertEqual((pub.expect("error")["exit"], pub.wait()), (5, 5))

    def test_an_interrupted_publisher_tells_what_members_that_take_nothing_did_not_get(self):
        with Plain("feed", *HERE) as slow:
            pub = Running("pub", "feed", "--connect", slow.ticket, "--slow", "drop-oldest", stdin=subprocess.PIPE)
            pub.process.stdin.write(self.lines(6000, 1000).read_text())
            pub.process.stdin.flush()
            pub.expect("dropped")
            pub.process.send_signal(signal.SIGTERM)
            self.assertEqual(pub.expect("error")["error"], "interrupted")
            self.assertGreater(pub.expect("published")["not_delivered"], 0)
            self.assertEqual((pub.wait(), [event for event in pub.rest() if event["event"] == "error"]), (130, []))

    def test_a_publisher_that_is_interrupted_while_it_tells_something_ends(self):
        reading, writing = os.pipe()
        with open(reading, encoding="utf-8") as told:
            pub = subprocess.Popen([TOOL, "pub", "news", *HERE, "--json"], stdin=subprocess.PIPE, stdout=writing)
            ticket = next(line["ticket"] for line in map(json.loads, told) if line["event"] == "listening")
            fill(writing)
            with Plain("news", "--connect", ticket) as sub:
                sub.told("Joined news")
                pub.send_signal(signal.SIGTERM)
                os.read(reading, 1 << 20)
                self.assertEqual(pub.wait(PATIENCE_S), 130)
            pub.stdin.close()

    def test_what_the_last_member_leaves_behind_is_counted_as_a_failure(self):
        path = self.lines(12_000, 1000)
        with open(path, "rb") as source, Publisher("feed", source=source) as pub:
            with Plain("feed", "--connect", pub.ticket) as first:
                self.assertEqual(first.process.stdout.read(1), b" ")  # it is under way
                first.process.send_signal(signal.SIGTERM)
                status, out, err = first.finish()
                self.assertEqual(status, 0, err)
            second = run("sub", "feed", "--connect", pub.ticket)
            self.assertEqual(second.status, 0, second.err)
            before = int(second.out.splitlines()[0])  # the messages before it
            published = pub.expect("published")
            lost = before - out.count(b"\n")
            self.assertEqual(published["messages"], 12_000)
            # Of what was under way there, 256 KiB at most, the publisher does not know whether it was taken.
            self.assertAlmostEqual(published["not_delivered"], lost, delta=256)
            self.assertEqual(pub.wait(), 5 if published["not_delivered"] else 0)

    def test_who_comes_before_that_is_told_does_not_change_it(self):
        reading, writing = os.pipe()
        lines = self.lines(6000, 1000).read_bytes()
        with open(reading, encoding="utf-8") as told, concurrent.futures.ThreadPoolExecutor() as pool:
            pub = subprocess.Popen([TOOL, "pub", "feed", *HERE, "--json", "--slow", "drop-oldest"], stdin=subprocess.PIPE, stdout=writing)
            events = map(json.loads, filter(str.strip, told))
            ticket = next(event["ticket"] for event in events if event["event"] == "listening")
            with Plain("feed", "--connect", ticket) as first:
                given = pool.submit(pub.stdin.write, lines)
                next(event for event in events if event["event"] == "dropped")  # it is full
                fill(writing)  # whatever is told from here on has to wait
                first.process.send_signal(signal.SIGTERM)
                self.assertEqual(first.process.wait(PATIENCE_S), 0)
            with Plain("feed", "--connect", ticket) as second:
                second.told("Joined feed")
                published = pool.submit(lambda: [event for event in events if event["event"] == "published"][0])
                given.result()
                pub.stdin.close()
                self.assertEqual(second.finish()[0], 0)
            self.assertGreater(published.result()["not_delivered"], 0)
            self.assertEqual(pub.wait(PATIENCE_S), 5)

    def test_what_all_leave_behind_at_the_end_is_counted_as_a_failure(self):
        with Publisher("feed", "--wait", 2) as pub:
            with Plain("feed", "--connect", pub.ticket) as first, Plain("feed", "--connect", pub.ticket) as second:
                pub.say(self.lines(3000, 1000).read_text())
                pub.process.stdin.close()
                for sub in (first, second):
                    self.assertEqual(sub.process.stdout.read(1), b" ")  # it is under way
                for sub in (first, second):
                    sub.process.send_signal(signal.SIGTERM)
                    sub.process.wait(PATIENCE_S)
                self.assertGreater(pub.expect("published")["not_delivered"], 0)
                self.assertEqual(pub.wait(), 5)

    def test_so_it_does_where_lines_of_json_are_not_read(self):
        with open(self.lines(6000, 1000), "rb") as source, open(self.folder / "errors", "wb") as errors:
            sub = subprocess.Popen([TOOL, "sub", "feed", *HERE, "--json"], stdout=subprocess.PIPE, stderr=errors)
            ticket = next(line["ticket"] for line in map(json.loads, sub.stdout) if line["event"] == "listening")
            pub = Running("pub", "feed", "--connect", ticket, stdin=source)
            for line in sub.stdout:
                if json.loads(line)["event"] == "message":
                    break
            sub.send_signal(signal.SIGINT)
            self.assertEqual(sub.wait(PATIENCE_S), 0)
            sub.stdout.close()
            self.assertEqual((pub.expect("error")["exit"], pub.wait()), (5, 5))

    def test_what_has_come_before_an_interrupt_is_printed(self):
        path = self.folder / "numbers"
        path.write_bytes(b"".join(b"%d\n" % number for number in range(100_000)))
        with open(path, "rb") as source, open(self.folder / "out", "wb+") as out:
            sub = subprocess.Popen([TOOL, "sub", "feed", *HERE], stdout=out, stderr=subprocess.PIPE, text=True)
            ticket = sub.stderr.readline().split()[-1]
            self.assertEqual(publish("feed", "--connect", ticket, source=source).status, 0)
            sub.send_signal(signal.SIGINT)
            self.assertEqual((sub.communicate(timeout=PATIENCE_S)[1], sub.returncode), ("", 0))
            out.seek(0)
            self.assertEqual(out.read() == path.read_bytes(), True)

    def test_who_is_slow_loses_the_oldest_or_the_newest_and_both_are_told(self):
        for policy in ("drop-oldest", "drop-newest"):
            with self.subTest(policy=policy), open(self.lines(12_000, 1000), "rb") as source:
                with Publisher("feed", "--slow", policy, source=source) as pub, Plain("feed", "--connect", pub.ticket) as slow:
                    pub.expect("dropped")
                    status, out, err = slow.finish()
                    dropped = sum(int(line.split()[0]) for line in err.splitlines() if line.endswith("did not come"))
                    came = [int(line) for line in out.splitlines()]
                    self.assertEqual((status, came), (0, sorted(set(came))))
                    behind = 11_999 - came[-1]  # of which nothing tells a subscriber
                    self.assertEqual(len(came) + dropped + behind, 12_000)
                    self.assertEqual((pub.expect("published")["dropped"], pub.wait()), (12_000 - len(came), 0))
                    self.assertTrue(behind == 0 or policy == "drop-newest")

    def assert_all_told(self, told, rest):
        """Of messages of 999 bytes: events "dropped" say as many as "published" does. Returns all of these events."""
        told = told + [event for event in rest if event["event"] == "dropped"]
        dropped = next(event["dropped"] for event in rest if event["event"] == "published")
        self.assertEqual((sum(event["messages"] for event in told), sum(event["bytes"] for event in told)), (dropped, 999 * dropped))
        return told

    def test_what_is_dropped_is_told_once_a_second_at_most_and_all_of_it(self):
        began = time.monotonic()
        with open(self.lines(12_000, 1000), "rb") as source:
            with Publisher("feed", "--slow", "drop-newest", source=source) as pub, Plain("feed", "--connect", pub.ticket) as slow:
                told = [pub.expect("dropped")]  # at once
                self.assertEqual(slow.finish()[0], 0)
                self.assertEqual(pub.wait(), 0)
                told = self.assert_all_told(told, pub.rest())
        self.assertLess(len(told), 3 + time.monotonic() - began)

    def test_it_is_told_while_nothing_else_is_published(self):
        with Publisher("feed", "--slow", "drop-newest") as pub, Plain("feed", "--connect", pub.ticket) as slow:
            told = []
            for _ in range(2):
                pub.say(self.lines(12_000, 1000).read_text())
                told.append(pub.expect("dropped"))  # while the input is open
            pub.process.stdin.close()
            self.assertEqual((slow.finish()[0], pub.wait()), (0, 0))
            self.assert_all_told(told, pub.rest())

    def test_so_it_is_while_members_take_what_is_left(self):
        with Publisher("feed", "--slow", "drop-newest") as pub, Plain("feed", "--connect", pub.ticket) as slow:
            pub.say(self.lines(12_000, 1000).read_text())
            told = [pub.expect("dropped")]
            pub.say(self.lines(12_000, 1000).read_text())
            pub.process.stdin.close()
            told.append(pub.expect("dropped"))  # before the other reads on
            self.assertEqual((slow.finish()[0], pub.wait()), (0, 0))
            self.assert_all_told(told, pub.rest())

    def test_who_is_slow_is_cut_off_where_that_is_wanted(self):
        with open(self.lines(12_000, 1000), "rb") as source:
            with Publisher("feed", "--slow", "disconnect", source=source) as pub, Plain("feed", "--connect", pub.ticket) as slow:
                self.assertIn("keep up", pub.expect("closed")["text"])
                status, _, err = slow.finish()
                self.assertEqual(status, 5)
                self.assertIn("keep up", err)

    def test_bytes_that_are_no_text_survive(self):
        blob = bytes(range(256)) * 3000
        path = self.folder / "blob"
        path.write_bytes(blob)
        with open(path, "rb") as source, Plain("blobs", *HERE, "--count", 2, "--raw") as sub:
            self.assertEqual(publish("blobs", "-", f"@{path}", "--connect", sub.ticket, source=source).status, 0)
            status, out, _ = sub.finish()
            self.assertEqual((status, out == blob + blob), (0, True))
        with Subscriber("blobs") as sub:
            self.assertEqual(publish("blobs", f"@{path}", "--connect", sub.ticket).status, 0)
            message = sub.expect("message")
            self.assertEqual((message["type"], base64.b64decode(message["body_base64"]) == blob), ("bytes", True))

    def test_messages_with_newlines_end_with_a_zero_byte(self):
        pieces = b"one\nline\0\0\xff\xfe\0last\n"
        with Plain("null", *HERE, "--null", "--count", 4) as sub:
            self.assertEqual(publish("null", "--null", "--connect", sub.ticket, piped=pieces).status, 0)
            self.assertEqual(sub.finish()[:2], (0, pieces + b"\0"))

    def test_several_topics_of_several_publishers(self):
        key, key_id = self.new_key()
        with Publisher("b") as far, Plain("a", "b", *HERE, "--connect", far.ticket, "--count", 3) as sub:
            self.assertEqual(publish("a", "1", "2", "--connect", sub.ticket, "--key", key).status, 0)
            sub.told(f"{key_id[:8]} has joined a, to publish")
            sub.told(f"{key_id[:8]} has left a")
            far.say("3\n")
            status, out, err = sub.finish()
            name = key_id[:8]
            self.assertEqual((status, out.decode().splitlines()[:2]), (0, [f"a {name}: 1", f"a {name}: 2"]), err)
            self.assertRegex(out.decode().splitlines()[2], r"^b \w{8}: 3$")
            far.process.stdin.close()
            self.assertEqual(far.wait(), 0)

    def test_the_last_value_is_kept_for_who_comes_later(self):
        with Publisher("temperature", "21", "22", "--keep") as pub:
            run("sub", "temperature", "--connect", pub.ticket, "--last", "--count", "1")  # maybe before it was published
            later = run("sub", "temperature", "--connect", pub.ticket, "--last", "--count", "1", "--json")
            self.assertEqual(later.status, 0, later.err)
            message = [event for event in later.json() if event["event"] == "message"][-1]
            self.assertEqual((message["body"], message["last"]), ("22", True))
            pub.process.send_signal(signal.SIGINT)
            self.assertEqual((pub.expect("published")["messages"], pub.wait()), (2, 0))

    def test_messages_for_nobody_are_a_failure_unless_they_are_allowed(self):
        with Subscriber("another") as sub:
            nobody = run("pub", "news", "x", "--connect", sub.ticket)
            self.fails(nobody, 1, "nobody has joined news", "--wait")
            (error,) = [event for event in run("pub", "news", "x", "--connect", sub.ticket, "--json").json() if event["event"] == "error"]
            self.assertEqual((error["error"], error["exit"]), ("no_members", 1))
            self.assertEqual(run("pub", "news", "x", "--connect", sub.ticket, "--wait", 0).status, 0)
            for words in (("--connect", sub.ticket, "--wait", 1), HERE):
                late = run("pub", "news", "x", *words, "--timeout", "0.1")
                self.fails(late, 6, "0 of 1 have joined news", "sealwire sub", "--timeout", "--wait")
                self.assertNotIn("handler", late.err)

    def test_a_publisher_that_listens_waits_when_all_have_left(self):
        with Publisher("news") as pub:
            with Running("sub", "news", "--connect", pub.ticket, "--count", 1) as sub:
                pub.say("one\n")
                self.assertEqual((sub.expect("message")["body"], sub.wait()), ("one", 0))
            pub.expect("member_left")
            pub.say("two\nthree\n")
            pub.process.stdin.close()
            later = run("sub", "news", "--connect", pub.ticket)
            self.assertEqual((later.status, later.out), (0, "two\nthree\n"), later.err)
            self.assertEqual((pub.expect("published")["messages"], pub.wait()), (3, 0))

    def test_a_subscriber_that_is_killed_is_a_failure_of_what_it_did_not_get(self):
        with Subscriber("news") as sub:
            pub = Running("pub", "news", "--connect", sub.ticket, "--lease", "0.2", stdin=subprocess.PIPE)
            pub.process.stdin.write("one\n")
            pub.process.stdin.flush()
            sub.expect("message")
            sub.process.kill()
            sub.process.wait(PATIENCE_S)
            pub.process.stdin.write("two\n")
            pub.process.stdin.close()
            self.assertEqual(pub.expect("error")["exit"], 5)
            self.assertEqual(pub.process.wait(PATIENCE_S), 5)

    def test_who_closes_before_another_answers_was_reached(self):
        with Subscriber("news") as first, Publisher("news") as later:
            later.process.send_signal(signal.SIGSTOP)
            self.addCleanup(later.process.send_signal, signal.SIGCONT)
            with Running("sub", "news", "--connect", first.ticket, "--connect", later.ticket) as sub:
                sub.expect("connected")
                self.assertEqual(first.stop(), 0)
                sub.expect("closed")
                later.process.send_signal(signal.SIGCONT)
                later.say("one\n")
                self.assertEqual(sub.expect("message")["body"], "one")
                later.process.stdin.close()
                self.assertEqual((later.wait(), sub.wait()), (0, 0))

    def test_two_ways_to_one_peer_are_one(self):
        for order in (0, 1):
            with Plain("news", *HERE, "--listen", f"unix://{self.folder}/way{order}", "--count", 1) as sub:
                ways = [sub.ticket, sub.told("Listening: ").split()[-1]]
                done = publish("news", "once", "--connect", ways[order], "--connect", ways[1 - order])
                self.assertEqual(done.status, 0, done.err)
                self.assertEqual(sub.finish()[:2], (0, b"once\n"))

    def test_what_is_ignored_at_the_start_does_not_interrupt(self):
        ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        sub = subprocess.Popen([TOOL, "sub", "news", *HERE, "--json", "--count", "1"], stdout=subprocess.PIPE, preexec_fn=ignore)
        ticket = next(line["ticket"] for line in map(json.loads, sub.stdout) if line["event"] == "listening")
        sub.send_signal(signal.SIGHUP)
        self.assertEqual(publish("news", "heard", "--connect", ticket).status, 0)
        out, _ = sub.communicate(timeout=PATIENCE_S)
        self.assertEqual(sub.returncode, 0)
        self.assertIn(b'"body":"heard"', out.replace(b": ", b":"))

    def test_a_publisher_goes_on_when_nobody_reads_what_it_tells(self):
        with Plain("news", *HERE, "--count", 2) as sub:
            pub = subprocess.Popen([TOOL, "pub", "news", "--json", "--connect", sub.ticket], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            pub.stdout.close()
            pub.communicate(b"one\ntwo\n", timeout=PATIENCE_S)
            self.assertEqual((sub.finish()[:2], pub.returncode), ((0, b"one\ntwo\n"), 0))
        with Plain("news", *HERE, "--count", 2) as sub:
            pub = subprocess.Popen([TOOL, "pub", "news", "--verbose", "--connect", sub.ticket], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            pub.stderr.close()
            pub.communicate(b"one\ntwo\n", timeout=PATIENCE_S)
            self.assertEqual((sub.finish()[:2], pub.returncode), ((0, b"one\ntwo\n"), 0))

    def test_a_publisher_that_is_killed_is_told_as_lost(self):
        with Publisher("news") as pub, Running("sub", "news", "--connect", pub.ticket, "--lease", "0.2") as sub:
            pub.say("one\n")
            sub.expect("message")
            pub.process.kill()
            self.assertEqual((sub.expect("error")["exit"], sub.wait()), (5, 5))

    def test_a_reader_that_has_gone_ends_the_subscriber_in_good_order(self):
        with Publisher("news") as pub, Plain("news", "--connect", pub.ticket) as sub:
            sub.process.stdout.close()
            pub.say("one\n")
            self.assertIn("good order", pub.expect("closed")["text"])
            self.assertEqual(sub.process.wait(PATIENCE_S), 0)
            self.assertNotIn("could not be written", sub.process.stderr.read().decode())

    def test_so_it_does_when_that_shows_at_a_line_that_is_no_message(self):
        sub = subprocess.Popen([TOOL, "sub", "news", *HERE, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ticket = next(line["ticket"] for line in map(json.loads, sub.stdout) if line["event"] == "listening")
        sub.stdout.close()
        run("ping", ticket, "--count", "1")
        self.assertEqual((sub.wait(PATIENCE_S), sub.stderr.read()), (0, ""))
        sub.stderr.close()

    def test_an_output_that_cannot_be_written_is_a_failure(self):
        for words in ((), ("--json",)):
            with self.subTest(words=words), Publisher("news") as pub, open("/dev/full", "wb") as full:
                sub = subprocess.Popen([TOOL, "sub", "news", "--connect", pub.ticket, *words], stdout=full, stderr=subprocess.PIPE, text=True)
                pub.say("one\n")
                self.assertIn("could not be written: No space left", sub.communicate(timeout=PATIENCE_S)[1])
                self.assertEqual(sub.returncode, 1)

    def test_standard_descriptors_that_are_closed_are_failures_and_no_other_file_of_the_program(self):
        with Publisher("news") as pub:
            pub.say("one\n")
            sub = run_without(1, "sub", "news", "--connect", pub.ticket)
            self.assertEqual(sub.status, 1)
            self.assertIn("could not be written", sub.err)
        with Subscriber("news") as sub:
            self.fails(run_without(0, "pub", "news", "--connect", sub.ticket), 1, "standard input")

    def test_what_is_published_cannot_steer_the_terminal(self):
        with Publisher("news") as pub:
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(TOOL, [TOOL, "sub", "news", "--connect", pub.ticket, "--count", "1"])
            pub.say("\x1b[2Jgone\n")
            shown = b""
            try:
                while piece := os.read(terminal, 65536):
                    shown += piece
            except OSError:  # its end
                pass
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
            self.assertEqual(shown, b" [2Jgone\r\n")

    def test_messages_that_are_too_large_are_named(self):
        with Subscriber("news") as sub:
            large = b"fits\n" + b"x" * (16 * 1024 * 1024 + 1) + b"\n"
            self.fails(publish("news", "--connect", sub.ticket, piped=large), 7, "message 2", "at most 16 MiB", "Nothing behind it")
            self.assertEqual(sub.expect("message")["body"], "fits")

    def test_both_are_interrupted_in_good_order(self):
        with Subscriber("news") as sub:
            self.assertEqual(sub.stop(), 0)
        for words, status in ((("sub", "news", "--count", "1"), 130), (("pub", "news"), 130), (("pub", "news", "x"), 130)):
            with self.subTest(words=words), Running(*words, *HERE, stdin=subprocess.PIPE) as waits:
                waits.expect("listening")
                waits.process.send_signal(signal.SIGINT)
                error = waits.expect("error")
                self.assertEqual((error["error"], error["exit"]), ("interrupted", 130))
                self.assertEqual(waits.process.wait(PATIENCE_S), status)

    def new_secret(self, name="topic.secret"):
        path = self.folder / name
        self.assertEqual(run("secret", path).status, 0)
        return path

    def test_with_the_secret_what_is_published_is_read_and_signed_by_its_publisher(self):
        secret = self.new_secret()
        key, key_id = self.new_key()
        with Subscriber("news", "--secret-file", secret, "--count", 3) as sub:
            self.assertEqual(publish("news", "one", "", "three", "--secret-file", secret, "--connect", sub.ticket, "--key", key).status, 0)
            for number, body in enumerate(("one", "", "three")):
                message = sub.expect("message")
                self.assertEqual((message["topic"], message["peer"], message["number"], message["dropped"], message["type"], message["body"]),
                                 ("news", key_id, number, 0, "text", body))
            self.assertEqual(sub.wait(), 0)
        with Plain("news", *HERE, "--secret-file", secret, "--from", "--count", 1) as sub:
            self.assertEqual(publish("news", "one", "--secret-file", secret, "--connect", sub.ticket, "--key", key).status, 0)
            self.assertEqual(sub.finish()[:2], (0, f"news {key_id[:8]}: one\n".encode()))

    def test_a_secret_may_have_white_space_around_it_and_an_editors_mark(self):
        secret = self.new_secret()
        edited = self.new_secret("edited.secret")
        edited.write_bytes(b"\xef\xbb\xbf \r\n" + secret.read_bytes().strip() + b"\t\r\n\r\n")
        with Plain("news", *HERE, "--secret-file", edited, "--count", 1) as sub:
            self.assertEqual(publish("news", "one", "--secret-file", secret, "--connect", sub.ticket).status, 0)
            self.assertEqual(sub.finish()[:2], (0, b"one\n"))

    def test_one_secret_is_for_all_topics_of_a_subscriber(self):
        secret = self.new_secret()
        with Plain("a", "b", *HERE, "--secret-file", secret, "--count", 2) as sub:
            for topic in ("a", "b"):
                self.assertEqual(publish(topic, topic, "--secret-file", secret, "--connect", sub.ticket).status, 0)
            out = sub.finish()[1]
            self.assertEqual([line.split(b": ")[1] for line in out.splitlines()], [b"a", b"b"])

    def test_the_last_message_of_a_topic_with_a_secret_is_kept(self):
        secret = self.new_secret()
        with Publisher("news", "--secret-file", secret, "--keep") as pub, Running("sub", "news", "--secret-file", secret,
                                                                                  "--connect", pub.ticket) as first:
            first.expect("joined")
            pub.say("old\nnew\n")
            self.assertEqual([first.expect("message")["body"] for _ in range(2)], ["old", "new"])
            late = run("sub", "news", "--secret-file", secret, "--connect", pub.ticket, "--last", "--count", "1", "--json")
            message = next(event for event in late.json() if event["event"] == "message")
            self.assertEqual((late.status, message["body"], message["last"]), (0, "new", True))

    def test_without_the_secret_or_with_another_nothing_is_read(self):
        secret, other = self.new_secret(), self.new_secret("other.secret")
        with Publisher("news", "--secret-file", secret) as pub:
            with Running("sub", "news", "--secret-file", secret, "--connect", pub.ticket) as reads, \
                    Running("sub", "news", "--connect", pub.ticket) as bare, \
                    Running("sub", "news", "--secret-file", other, "--connect", pub.ticket) as foreign:
                for sub in (reads, bare, foreign):
                    sub.expect("joined")
                pub.say("one\n")
                self.assertEqual(reads.expect("message")["body"], "one")
                pub.process.stdin.close()
                self.assertEqual(pub.wait(), 0)
                for sub in (bare, foreign):
                    self.assertEqual(sub.wait(), 0)
                    events = list(sub.events.queue)
                    self.assertFalse([event for event in events if event["event"] == "message"], events)
        for words in ((), ("--secret-file", other)):
            with Subscriber("news", "--secret-file", secret) as sub:
                self.fails(run("pub", "news", "x", "--connect", sub.ticket, *words), 1, "nobody has joined news")

    def test_a_secret_that_cannot_be_used_names_the_option_and_the_file(self):
        secret = self.new_secret()
        where = ("--connect", f"unix://{self.folder}/none#" + self.new_key()[1])
        text = secret.read_text().strip()
        changed = text[:20] + ("a" if text[20] != "a" else "b") + text[21:]
        for name, content, why in (("typing", changed, "has a typing error"), ("short", text[:-1], "58 characters after swtopic1, this one 57"),
                                   ("capital", text.replace(text[8:], text[8:].upper()), "a-z and 2-7 only"),
                                   ("network", run("network", "new").out, "starts with swtopic1"), ("nothing", "", "starts with swtopic1")):
            path = self.folder / name
            path.write_text(content)
            path.chmod(0o600)
            for words in (("sub", "news"), ("pub", "news", "x")):
                with self.subTest(name=name, words=words):
                    result = run(*words, *where, "--secret-file", path)
                    self.fails(result, 8, f"--secret-file {path}: ", why)
                    self.assertNotIn(text[8:-1], result.err)
        missing = self.folder / "missing"
        large = self.folder / "large"
        large.write_text(" " * 4097)
        for words in (("sub", "news"), ("pub", "news", "x")):
            with self.subTest(words=words):
                self.fails(run(*words, *where, "--secret-file", missing), 8, f"--secret-file: the file {missing} cannot be read: No such file")
                self.fails(run(*words, *where, "--secret-file", large), 8, f"--secret-file: the file {large} has more than 4096 bytes")
                for mode in (0o644, 0o640, 0o602):
                    secret.chmod(mode)
                    self.fails(run(*words, *where, "--secret-file", secret), 8, f"--secret-file: the file {secret} has mode {mode:04o}",
                               f"chmod 600 {secret}")
                secret.chmod(0o600)
                self.fails(run(*words, *where, "--secret-file", secret), 3, "nothing is listening")

    def test_the_largest_message_has_room_for_what_the_secret_takes(self):
        secret = self.new_secret()
        most = 16 * 1024 * 1024 - 178
        with Plain("news", *HERE, "--secret-file", secret, "--raw", "--count", 1) as sub:
            words = ("news", "--secret-file", secret, "--connect", sub.ticket)
            self.fails(publish(*words, "--null", piped=b"x" * (most + 1)), 7, "less 178 bytes")
            self.assertEqual(publish(*words, "--null", piped=b"x" * most).status, 0)
            self.assertEqual(sub.finish()[1] == b"x" * most, True)

    def test_who_is_not_allowed_is_refused(self):
        _, other = self.new_key()
        with Listener("--listen", "tcp://127.0.0.1:0", "--allow", other, command="sub", address="news") as sub:
            self.fails(run("pub", "news", "x", "--connect", sub.ticket), 4, "does not allow this key")

    def test_a_wrong_command_line_is_explained(self):
        somewhere = "tcp://127.0.0.1:1#" + "a" * 52
        for words in (("sub",), ("pub",), ("sub", "a"), ("pub", "a", "x"), ("sub", "a", "a", *HERE), ("sub", "", *HERE),
                      ("sub", "a", "--listen", "tcp://127.0.0.1:0"), ("sub", "a", *HERE, "--raw", "--null"), ("sub", "x" * 256, *HERE),
                      ("pub", "a", "x", "--slow", "never", *HERE), ("pub", "a", "x", "--type", "none", *HERE),
                      ("pub", "a", "@/nonexistent", *HERE), ("sub", "a", "--anyone", "--connect", somewhere),
                      ("pub", "a", "x", "--connect", somewhere, "--max-connections", "3")):
            self.fails(run(*words), 2)
        self.fails(run("pub", "a", "x", "--wait", "-1", *HERE), 2, "from 0 to")
        self.fails(run("pub", "a", "-5", *HERE), 2, "write -- before")
        for words in (("sub", "a"), ("pub", "a", "x")):
            self.assertIn(run(*words, "--connect", somewhere).status, (3, 8))


if __name__ == "__main__":
    command.main()
