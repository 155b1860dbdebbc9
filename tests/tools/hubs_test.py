#!/usr/bin/env python3
"""sealwire hub: what is published goes from one client to others, over one hub or several, with none of them connected to another."""

import os
import shutil
import subprocess
import threading

import command
from command import Running, ToolCase, run


class Hub(Running):
    """`sealwire hub --json` on a unix socket, with a key of its own that is there before it is started."""

    def __init__(self, ticket, key, *words):
        super().__init__("hub", "--listen", ticket.partition("#")[0], "--key", key, *(words or ("--anyone",)))
        self.ticket = self.expect("listening")["ticket"]


class Publisher(Running):
    """`sealwire pub --json` that publishes line by line."""

    def __init__(self, *words):
        super().__init__("pub", *words, stdin=subprocess.PIPE)

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def finish(self):
        """What it says in the end, and its status."""
        self.process.stdin.close()
        return self.expect("published"), self.wait()


class Hubs(ToolCase):
    def place(self, name="hub"):
        """Where a hub is to be, and its key."""
        key, peer_id = self.new_key(name + ".key")
        return f"unix://{self.folder / name}#{peer_id}", key

    def start(self, running):
        self.addCleanup(self.end, running)
        return running

    @staticmethod
    def end(running):
        if running.process.poll() is None:
            running.process.kill()
        if not running.process.stdout.closed:
            running.wait()

    def hub(self, *words):
        return self.start(Hub(*self.place(), *words))

    def subscriber(self, *words):
        """That is joined."""
        sub = self.start(Running("sub", *words))
        sub.expect("joined")
        return sub

    def logs_about(self, running, peer, error, words):
        """The texts of its log up to one about that peer, with these words."""
        texts = []
        while not texts or words not in texts[-1]:
            log = running.expect("log")
            texts.append(log["text"])
        self.assertEqual((log["error"], log["peer"]), (error, peer[:8]))
        return texts

    @staticmethod
    def id_of(ticket):
        return ticket.partition("#")[2]

    def assert_comes(self, sub, body, peer, passed_on=True):
        message = sub.expect("message")
        self.assertEqual((message["body"], message["peer"], message["passed_on"], message["dropped"]), (body, peer, passed_on, 0))

    def test_what_is_published_at_a_hub_comes_to_all_others_there(self):
        hub = self.hub()
        subs = [self.subscriber("news", "--via", hub.ticket) for _ in range(2)]
        other = self.subscriber("weather", "--via", hub.ticket, "--count", "1")
        done = run("pub", "news", "one", "two", "--via", hub.ticket, "--json")
        self.assertEqual(done.status, 0, done.err)
        published = done.json()[-1]
        self.assertEqual((published["messages"], published["dropped"], published["not_delivered"]), (2, 0, 0))
        for sub in subs:
            for body in ("one", "two"):
                self.assert_comes(sub, body, self.id_of(hub.ticket))
        self.assertEqual(run("pub", "weather", "rain", "--via", hub.ticket).status, 0)
        self.assert_comes(other, "rain", self.id_of(hub.ticket))
        self.assertEqual(hub.stop(), 0)
        hub.expect("stopped")

    def test_who_comes_and_goes_is_told(self):
        hub = self.hub()
        key, peer_id = self.new_key()
        with Running("sub", "news", "--via", hub.ticket, "--key", key):
            self.assertEqual(hub.expect("connected")["peer"], peer_id)
        self.assertEqual(hub.expect("closed")["peer"], peer_id)

    def test_that_a_session_of_who_was_killed_has_ended_is_told_when_its_key_is_there_again(self):
        hub = self.hub("--anyone", "--lease", "0.3")
        key, peer_id = self.new_key()
        self.end(self.subscriber("news", "--via", hub.ticket, "--key", key))
        self.assertEqual(hub.expect("suspended")["peer"], peer_id)
        sub = self.subscriber("news", "--via", hub.ticket, "--key", key)
        closed = hub.expect("closed")
        self.assertEqual((closed["peer"], closed["text"]), (peer_id, "the session could not be resumed"))
        self.assertEqual(sub.stop(), 0)
        self.assertIn("good order", hub.expect("closed")["text"])

    def test_programs_with_one_key_may_meet_at_a_hub(self):
        hub = self.hub()
        key, _ = self.new_key()
        sub = self.subscriber("news", "--via", hub.ticket, "--key", key)
        self.assertEqual(run("pub", "news", "one", "--via", hub.ticket, "--key", key).status, 0)
        self.assert_comes(sub, "one", self.id_of(hub.ticket))

    def test_a_publisher_waits_until_somebody_listens_behind_the_hub(self):
        hub = self.hub()
        done = run("pub", "news", "one", "--via", hub.ticket, "--timeout", "0.2")
        self.fails(done, 6, "0 of 1 have joined news")
        pub = self.start(Publisher("news", "one", "--via", hub.ticket))
        self.assertEqual(pub.expect("joined")["peers"], 1)
        sub = self.start(Running("sub", "news", "--via", hub.ticket))
        self.assert_comes(sub, "one", self.id_of(hub.ticket))
        published, status = pub.finish()
        self.assertEqual((published["messages"], status), (1, 0))

    def test_with_from_it_is_told_by_whom_it_came(self):
        hub = self.hub()
        plain = self.words_of("sub", "news", "--from", "--via", hub.ticket, "--count", "1", "--verbose")
        while not plain.stderr.readline().startswith("Joined news"):
            self.assertIsNone(plain.poll())
        self.assertEqual(run("pub", "news", "one", "--via", hub.ticket).status, 0)
        out, err = plain.communicate(timeout=command.PATIENCE_S)
        self.assertEqual((out, plain.returncode), (f"news via {self.id_of(hub.ticket)[:8]}: one\n", 0), err)

    def secret(self):
        path = self.folder / "secret"
        self.assertEqual(run("secret", path).status, 0)
        return path

    def test_with_a_secret_it_is_proved_who_has_published_it(self):
        hub, secret = self.hub(), self.secret()
        key, peer_id = self.new_key()
        sub = self.subscriber("news", "--via", hub.ticket, "--secret-file", secret)
        foreign = self.subscriber("news", "--via", hub.ticket)
        self.assertEqual(run("pub", "news", "sealed", "--via", hub.ticket, "--secret-file", secret, "--key", key).status, 0)
        self.assert_comes(sub, "sealed", peer_id)
        self.assertEqual(run("pub", "news", "open", "--via", hub.ticket).status, 0)
        self.assert_comes(foreign, "open", self.id_of(hub.ticket))  # and nothing of what has a secret before it

    def two_hubs(self):
        """The one dials the other, which names it by its id alone; both know that they are connected."""
        (first, first_key), (second, second_key) = self.place("first"), self.place("second")
        one = self.start(Hub(first, first_key, "--anyone", "--hub", self.id_of(second)))
        other = self.start(Hub(second, second_key, "--anyone", "--hub", first))
        self.assertEqual(one.expect("connected")["peer"], self.id_of(second))
        self.assertEqual(other.expect("connected")["peer"], self.id_of(first))
        return one, other

    def test_two_hubs_are_one(self):
        one, other = self.two_hubs()
        subs = [self.subscriber("news", "--via", hub.ticket) for hub in (one, other)]
        for hub in (one, other):
            key, peer_id = self.new_key(hub.ticket[-8:])
            self.assertEqual(run("pub", "news", "one", "--via", hub.ticket, "--key", key).status, 0)
            for sub, at in zip(subs, (one, other)):
                self.assert_comes(sub, "one", self.id_of(at.ticket))

    def test_who_is_at_both_of_two_hubs_gets_all_once(self):
        one, other = self.two_hubs()
        both = ("--via", one.ticket, "--via", other.ticket)
        sub = self.subscriber("news", *both)
        for body in ("one", "two"):
            self.assertEqual(run("pub", "news", body, *both).status, 0)
        bodies = [sub.expect("message")["body"] for _ in range(2)]
        self.assertEqual(bodies, ["one", "two"])

    def test_hubs_that_dial_each_other_find_each_other_whoever_is_first(self):
        (first, first_key), (second, second_key) = self.place("first"), self.place("second")
        one = self.start(Hub(first, first_key, "--anyone", "--hub", second))
        self.assertIn("it is dialled again", one.expect("closed")["text"])
        other = self.start(Hub(second, second_key, "--anyone", "--hub", first))
        self.assertEqual(one.expect("connected")["peer"], self.id_of(second))
        other.expect("connected")
        sub = self.subscriber("news", "--via", one.ticket)
        self.assertEqual(run("pub", "news", "one", "--via", other.ticket).status, 0)
        self.assert_comes(sub, "one", self.id_of(one.ticket))

    def expect_loss(self, running, stop):
        """Of a hub that has closed, or was killed."""
        if stop == self.end:
            running.expect("suspended")
        else:
            self.assertIn("it is dialled again", running.expect("closed")["text"])

    def test_a_hub_that_was_started_anew_is_dialled_again_by_another(self):
        for stop in (Running.stop, self.end):
            with self.subTest(stop.__name__):
                one, other = self.two_hubs()
                stop(one)
                self.expect_loss(other, stop)
                one = self.start(Hub(one.ticket, self.folder / "first.key", "--anyone", "--hub", self.id_of(other.ticket)))
                self.assertIn("connected anew", other.expect("connected")["text"])
                one.expect("connected")
                sub = self.subscriber("news", "--via", one.ticket)
                self.assertEqual(run("pub", "news", "one", "--via", other.ticket).status, 0)
                self.assert_comes(sub, "one", self.id_of(one.ticket))
                for path in self.folder.iterdir():
                    path.unlink()

    def test_publisher_and_subscriber_go_on_at_a_hub_that_was_started_anew(self):
        place, key = self.place()
        for stop in (Running.stop, self.end):
            with self.subTest(stop.__name__):
                hub = self.start(Hub(place, key))
                sub = self.subscriber("news", "--via", place)
                pub = self.start(Publisher("news", "--via", place))
                pub.say("one")
                self.assert_comes(sub, "one", self.id_of(place))
                stop(hub)
                for each in (sub, pub):
                    self.expect_loss(each, stop)
                hub = self.start(Hub(place, key))
                for each in (sub, pub):
                    self.assertIn("connected anew", each.expect("connected")["text"])
                pub.expect("member_joined")  # the hub, for the subscriber
                pub.say("two")
                self.assert_comes(sub, "two", self.id_of(place))
                published, status = pub.finish()
                self.assertEqual((published["messages"], published["not_delivered"], status), (2, 0, 0))
                self.end(hub)

    def test_what_is_published_while_the_hub_is_away_waits_for_it(self):
        place, key = self.place()
        hub = self.start(Hub(place, key))
        sub = self.subscriber("news", "--via", place)
        pub = self.start(Publisher("news", "--via", place))
        pub.expect("member_joined")
        hub.stop()
        for each in (sub, pub):
            self.expect_loss(each, Running.stop)
        pub.say("one")
        self.start(Hub(place, key))
        self.assert_comes(sub, "one", self.id_of(place))  # with nothing that was dropped before it
        published, status = pub.finish()
        self.assertEqual((published["messages"], status), (1, 0))

    def test_what_one_of_two_hubs_has_not_got_is_told(self):
        one, other = (self.start(Hub(*self.place(name))) for name in ("one", "other"))
        both = ("--via", one.ticket, "--via", other.ticket)
        first = self.subscriber("news", "--via", one.ticket)
        self.subscriber("news", "--via", other.ticket)
        pub = self.start(Publisher("news", *both, "--wait", "2", "--lease", "1"))
        pub.say("one")
        self.assertEqual(first.expect("message")["body"], "one")
        # With whatever the hub sends from here on it acknowledges that: that it leaves the topic, and joins it again.
        self.assertEqual(first.stop(), 0)
        self.assertEqual(pub.expect("member_left")["peer"], self.id_of(one.ticket))
        sub = self.subscriber("news", *both)
        self.assertEqual(pub.expect("member_joined")["peer"], self.id_of(one.ticket))
        self.end(one)
        pub.expect("suspended")
        pub.say("two")
        message = sub.expect("message")
        self.assertEqual((message["body"], message["dropped"]), ("two", 0))
        published, status = pub.finish()
        self.assertEqual((published["messages"], published["not_delivered"], status), (2, 1, 5))
        self.assertIn("another one may have passed it on", pub.expect("error")["hint"])

    def test_a_hub_dials_on_when_its_own_files_are_wrong_for_a_while(self):
        certificates = self.folder / "certificates"
        certificates.mkdir()
        subprocess.run([os.environ["SEALWIRE_MAKE_CERTIFICATES"], certificates], check=True)
        trust = self.folder / "ca.pem"
        shutil.copy(certificates / "ca.pem", trust)
        (place, key), (_, other_key) = self.place("first"), self.place("second")
        identity = ("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
        other = Hub("tls://127.0.0.1:0", other_key, "--anyone", "--hub", self.id_of(place), *identity)
        self.start(other)
        self.assertEqual(other.expect("waits_for")["peer"], self.id_of(place))
        hub = self.start(Hub("tls://127.0.0.1:0", key, "--anyone", "--hub", other.ticket, "--tls-ca", trust, *identity))
        hub.expect("connected")
        trust.write_text("nonsense")
        other.stop()
        self.assertIn("cannot be used", hub.expect("not_dialled")["text"])
        shutil.copy(certificates / "ca.pem", trust)
        self.start(Hub(other.ticket, other_key, "--anyone", "--hub", self.id_of(place), *identity))
        hub.expect("connected")

    def test_who_is_killed_holds_up_nobody_that_joins(self):
        hub = self.hub()
        pub = self.start(Publisher("news", "--via", hub.ticket))
        pub.expect("joined")
        self.end(pub)  # its session is kept for a minute
        sub = self.subscriber("news", "--via", hub.ticket)
        self.assertEqual(run("pub", "news", "one", "--via", hub.ticket).status, 0)
        self.assert_comes(sub, "one", self.id_of(hub.ticket))

    def test_a_hub_that_does_not_come_back_is_the_end_when_the_lease_is_over(self):
        hub = self.hub()
        sub = self.subscriber("news", "--via", hub.ticket, "--lease", "0.3")
        self.assertEqual(hub.stop(), 0)
        self.assertIn("is not dialled any more", sub.expect("given_up")["text"])
        error = sub.expect("error")
        self.assertEqual((error["error"], sub.wait()), ("peer_closed", 5))
        self.assertIn("dialled in vain until --lease was over: nothing is listening", error["detail"])

    def test_without_a_lease_a_hub_is_not_dialled_again(self):
        hub = self.hub()
        sub = self.subscriber("news", "--via", hub.ticket, "--lease", "0")
        self.assertEqual((hub.stop(), sub.wait()), (0, 0))

    def test_a_hub_that_a_subscriber_does_not_name_gives_it_nothing_and_it_says_why(self):
        hub = self.hub()
        sub = self.subscriber("news", "--connect", hub.ticket)
        named = self.subscriber("news", "--via", hub.ticket)
        self.assertEqual(run("pub", "news", "one", "--via", hub.ticket).status, 0)
        self.assert_comes(named, "one", self.id_of(hub.ticket))
        logs = self.logs_about(sub, self.id_of(hub.ticket), "not_allowed", "is not named as a hub here")
        self.assertIn("that this node does not name as one", logs[0])
        self.assertEqual(sub.stop(), 0)
        self.assertNotIn("message", [event["event"] for event in sub.rest()])

    def test_a_subscriber_that_names_a_hub_as_any_peer_is_told_at_its_start_what_to_do(self):
        hub = self.hub()
        sub = self.words_of("sub", "news", "--connect", hub.ticket)
        self.assertIn(f"{self.id_of(hub.ticket)[:8]} has joined nothing of this: if it is a hub, name it by --via", sub.stderr.readline())
        pub = self.start(Publisher("news", "one", "--listen", "tcp://127.0.0.1:0", "--anyone"))
        sub = self.words_of("sub", "news", "--connect", pub.expect("listening")["ticket"])
        self.assertEqual((sub.communicate(timeout=command.PATIENCE_S), sub.returncode), (("one\n", ""), 0))

    def test_a_publisher_that_waits_at_a_hub_which_it_names_as_any_peer_is_told_what_counts(self):
        hub = self.hub()
        pub = self.words_of("pub", "news", "one", "--wait", "1", "--connect", hub.ticket)
        self.assertEqual(pub.stderr.readline(), "Waiting for 1 to join news; a hub counts if --via names it.\n")
        pub = self.words_of("pub", "news", "one", "--via", hub.ticket)
        self.assertEqual(pub.stderr.readline(), "Waiting for 1 to join news.\n")

    def words_of(self, *words):
        """A command that tells people; what it does not tell in time has an end all the same."""
        process = subprocess.Popen([command.TOOL, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        alarm = threading.Timer(command.PATIENCE_S, process.kill)
        alarm.start()
        self.addCleanup(alarm.cancel)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_a_peer_that_is_named_by_via_and_is_no_hub_ends_both_and_they_say_what_to_do(self):
        listener = self.start(command.Listener("--anyone"))
        sub = self.start(Running("sub", "news", "--listen", "tcp://127.0.0.1:0", "--anyone"))
        for ticket in (listener.ticket, sub.expect("listening")["ticket"]):
            for words in (("sub", "news"), ("pub", "news", "one"), ("pub", "news", "one", "--wait", "0")):
                with self.subTest(words=words):
                    done = run(*words, "--via", ticket)
                    self.fails(done, 1, f"{self.id_of(ticket)[:8]} is named by --via and is no hub", "start `sealwire hub` there")
                    events = run(*words, "--via", ticket, "--json").json()
                    self.assertEqual([event["error"] for event in events if event["event"] == "error"], ["no_hub"])

    def test_a_hub_that_comes_back_with_another_key_is_told_once_with_what_to_do(self):
        place, key = self.place()
        _, other_key = self.place("other")
        for stop, dials in ((Running.stop, "closed"), (self.end, "connecting")):
            with self.subTest(stop.__name__):
                hub = self.start(Hub(place, key))
                sub = self.subscriber("news", "--via", place)
                stop(hub)
                self.expect_loss(sub, stop)
                wrong = self.start(Hub(place, other_key))
                told = sub.expect("no_answer")
                self.assertEqual(told["peer"], self.id_of(place))
                self.assertIn("maybe it has another key now", told["text"])
                kinds = self.kinds_until(sub, dials, "gave no answer")
                wrong.stop()
                self.start(Hub(place, key))
                self.assertNotIn("no_answer", kinds + self.kinds_until(sub, "connected", "connected anew"))
                self.assertEqual(sub.stop(), 0)
                (self.folder / "hub").unlink()

    @staticmethod
    def kinds_until(running, last, words):
        """Of the events up to the next of this kind with these words."""
        kinds = []
        while True:
            event = running.events.get(timeout=command.PATIENCE_S)
            kinds.append(event["event"])
            if event["event"] == last and words in event["text"]:
                return kinds

    def test_a_hub_that_does_not_come_back_but_another_in_its_place_ends_with_what_to_do(self):
        place, key = self.place()
        _, other_key = self.place("other")
        hub = self.start(Hub(place, key))
        sub = self.subscriber("news", "--via", place, "--lease", "2")
        hub.stop()
        self.start(Hub(place, other_key))
        error = sub.expect("error")
        self.assertEqual((error["error"], sub.wait()), ("peer_closed", 5))
        self.assertIn("in vain until --lease was over: something listens there but gave no answer", error["detail"])
        self.assertIn("the ticket's key is not the key of the program there", error["hint"])

    def test_a_hub_that_a_publisher_does_not_name_gets_nothing_and_says_why(self):
        hub = self.hub()
        sub = self.subscriber("news", "--via", hub.ticket)
        self.fails(run("pub", "news", "one", "--connect", hub.ticket), 1, "nobody has joined news", "--via")
        log = hub.expect("log")
        self.assertEqual(log["error"], "not_allowed")
        self.assertIn("has to name it as a hub", log["text"])
        pub = self.start(Publisher("news", "--connect", hub.ticket, "--wait", "1"))
        self.logs_about(pub, self.id_of(hub.ticket), "not_allowed", "a hub that this node does not name as one")
        self.end(pub)
        self.assertEqual(run("pub", "news", "two", "--via", hub.ticket).status, 0)
        self.assert_comes(sub, "two", self.id_of(hub.ticket))

    def test_hubs_that_are_not_named_in_both_directions_pass_nothing_on(self):
        (first, first_key), (second, second_key) = self.place("first"), self.place("second")
        one = self.start(Hub(first, first_key))
        other = self.start(Hub(second, second_key, "--anyone", "--hub", first))
        other.expect("connected")
        self.subscriber("news", "--via", one.ticket)
        self.fails(run("pub", "news", "one", "--via", other.ticket, "--timeout", "0.2"), 6, "0 of 1 have joined news")
        self.subscriber("news", "--via", other.ticket)  # for whom the other joins at the one
        self.logs_about(one, self.id_of(second), "not_allowed", "a hub that this node does not name as one")
        self.logs_about(other, self.id_of(first), "not_allowed", "has to name it as a hub")

    def test_a_hub_lets_in_whom_it_is_told_to(self):
        key, peer_id = self.new_key()
        hub = self.hub("--allow", peer_id)
        self.assertEqual(run("pub", "news", "one", "--wait", "0", "--via", hub.ticket, "--key", key).status, 0)
        self.fails(run("pub", "news", "one", "--wait", "0", "--via", hub.ticket), 4, "does not allow this key")

    def test_topics_of_a_peer_have_a_limit(self):
        hub = self.hub("--anyone", "--topics-per-peer", "1")
        self.fails(run("sub", "one", "two", "--via", hub.ticket, "--count", "1"), 4, "topics_per_peer")

    def test_that_another_hub_may_join_no_more_topics_is_told_by_both(self):
        (first, first_key), (second, second_key) = self.place("first"), self.place("second")
        one = self.start(Hub(first, first_key, "--anyone", "--hub", self.id_of(second), "--topics-per-peer", "1"))
        other = self.start(Hub(second, second_key, "--anyone", "--hub", first))
        other.expect("connected")
        self.subscriber("news", "weather", "--via", other.ticket)
        self.logs_about(one, self.id_of(second), "limit", "may join no more topics here")
        self.logs_about(other, self.id_of(first), "limit", "has joined as many topics there")

    def test_counters_of_a_hub_are_kept_in_a_file(self):
        path = self.folder / "metrics"
        hub = self.hub("--anyone", "--metrics", path)
        sub = self.subscriber("news", "--via", hub.ticket)
        self.assertEqual(run("pub", "news", "one", "two", "--via", hub.ticket).status, 0)
        self.assert_comes(sub, "one", self.id_of(hub.ticket))
        self.assert_comes(sub, "two", self.id_of(hub.ticket))
        self.assertEqual(hub.stop(), 0)
        lines = path.read_text().splitlines()
        self.assertIn("sealwire_topic_messages_passed_on_total 2", lines)
        self.assertIn("sealwire_topic_messages_dropped_total 0", lines)

    def test_a_hub_that_is_not_there_is_told(self):
        place, _ = self.place()
        self.fails(run("sub", "news", "--via", place), 3, "nothing is listening")

    def test_a_wrong_command_line_is_explained(self):
        self.fails(run("hub", "--anyone"), 2, "--listen ADDRESS")
        self.fails(run("hub", "--listen", "tcp://127.0.0.1:0"), 2, "--anyone")
        self.fails(run("hub", "news", "--listen", "tcp://127.0.0.1:0", "--anyone"), 2, "'news' is one argument too many")
        self.fails(run("hub", "--listen", "tcp://127.0.0.1:0", "--anyone", "--hub", "nobody"), 8, "--hub nobody")
        self.fails(run("sub", "news", "--via", "nobody"), 3, "--via nobody")
        self.fails(run("sub", "news"), 2, "--via TICKET")
        self.fails(run("hub", "--listen", "tcp://127.0.0.1:0", "--anyone", "--topics-per-peer", "0"), 2, "--topics-per-peer takes")


if __name__ == "__main__":
    command.main()
