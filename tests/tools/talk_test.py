#!/usr/bin/env python3
"""sealwire listen, send, request, ping: between two processes, over tcp and unix."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request

import command
from command import PATIENCE_S, TOOL, Listener, ToolCase, run, run_without


class Talk(ToolCase):
    def both(self):
        for address in ("tcp://127.0.0.1:0", f"unix://{self.folder}/listen.sock"):
            with self.subTest(address=address), Listener("--anyone", "--echo", address=address) as listener:
                yield listener

    def test_a_request_is_echoed(self):
        for listener in self.both():
            result = run("request", listener.ticket, "greet", "Grüße")
            self.assertEqual((result.status, result.out), (0, "Grüße\n"), result.err)
            message = listener.expect("message")
            self.assertEqual((message["route"], message["type"], message["body"], message["wants_reply"]),
                             ("greet", "text", "Grüße", True))

    def test_a_sent_message_arrives_and_its_receipt_comes_back(self):
        for listener in self.both():
            (sent,) = run("send", listener.ticket, "note", "one", "--json").json()
            self.assertEqual((sent["event"], sent["peer"], sent["bytes"]), ("sent", listener.id, 3))
            message = listener.expect("message")
            self.assertEqual((message["route"], message["body"], message["wants_reply"]), ("note", "one", False))

    def test_a_web_port_answers_http_beside_its_websockets(self):
        (self.folder / "site").mkdir()
        (self.folder / "site" / "a.txt").write_text("aaa")
        with Listener("--anyone", "--echo", "--http-folder", self.folder / "site", "--http-health", "/health", "--http-metrics", "/metrics",
                      address="ws://127.0.0.1:0/talk") as listener:
            self.assertEqual(run("request", listener.ticket, "greet", "hello").out, "hello\n")
            web = listener.ticket.replace("ws://", "http://").split("/talk#")[0]
            got = {path: urllib.request.urlopen(web + path).read().decode() for path in ("/health", "/a.txt", "/metrics")}
            self.assertEqual((got["/health"], got["/a.txt"]), ("ok\n", "aaa"))
            self.assertIn("\nsealwire_requests_received_total 1\n", got["/metrics"])

    def test_more_connections_than_are_taken_are_refused(self):
        path, _ = self.new_key()
        for option in ("--max-connections", "--max-per-key"):
            with self.subTest(option=option), Listener("--anyone", option, "1") as listener:
                first = subprocess.Popen([TOOL, "ping", listener.ticket, "--key", path, "--count", "1000"], stdout=subprocess.DEVNULL)
                listener.expect("connected")
                self.fails(run("ping", listener.ticket, "--key", path, "--count", "1"), 4, "as many connections")
                first.terminate()
                first.wait(PATIENCE_S)

    def test_more_connections_of_an_address_than_are_taken_are_closed(self):
        with Listener("--anyone", "--max-per-address", "1") as listener:
            host, port = listener.address[len("tcp://"):].rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=PATIENCE_S):
                self.fails(run("ping", listener.ticket, "--count", "1"), 3)

    def test_addresses_are_allowed_and_denied(self):
        for options, status in ((("--deny-from", "127.0.0.0/8"), 3), (("--allow-from", "192.0.2.0/24"), 3),
                                (("--allow-from", "192.0.2.0/24", "--allow-from", "127.0.0.1", "--deny-from", "::/0"), 0)):
            with self.subTest(options=options), Listener("--anyone", *options) as listener:
                self.assertEqual(run("ping", listener.ticket, "--count", "1").status, status)
        result = run("listen", "tcp://127.0.0.1:0", "--anyone", "--allow-from", "192.0.2.0/33")
        self.assertEqual(result.status, 2)
        self.assertIn("192.0.2.0/33", result.err)

    def test_a_peer_that_is_silent_is_given_up(self):
        with Listener("--anyone", "--heartbeat", "0.2", "--lease", "0") as listener:
            silent = subprocess.Popen([TOOL, "ping", listener.ticket, "--count", "1000"], stdout=subprocess.DEVNULL)
            listener.expect("connected")
            silent.send_signal(signal.SIGSTOP)
            self.assertNotIn("good order", listener.expect("closed")["text"])
            silent.kill()
            silent.wait(PATIENCE_S)

    def test_metrics_are_kept_in_a_file_as_prometheus_text(self):
        path = self.folder / "sealwire.prom"
        with Listener("--anyone", "--echo", "--metrics", path) as listener:
            run("request", listener.ticket, "greet", "hello")
            run("send", listener.ticket, "note", "one")
            listener.expect("closed")
            listener.expect("closed")
            self.assertEqual(listener.stop(), 0)
        metrics, kinds = {}, {}
        for line in path.read_text().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                kinds[name] = kind
            elif not line.startswith("# HELP "):
                name, labels, value = re.fullmatch(r'([a-z_]+)(?:\{([a-z]+="(?:[^"\\\n]|\\.)*")\})? ([0-9.e+-]+)', line).groups()
                self.assertIn(name, kinds)
                self.assertEqual(kinds[name] == "counter", name.endswith("_total"), name)
                self.assertNotIn((name, labels), metrics)
                metrics[name, labels] = float(value)
        self.assertEqual(metrics["sealwire_messages_received_total", None], 2)
        self.assertEqual(metrics["sealwire_requests_received_total", None], 1)
        self.assertEqual(metrics["sealwire_body_received_bytes_total", None], 8)
        self.assertEqual(metrics["sealwire_sessions_total", None], 2)
        self.assertEqual(metrics["sealwire_sessions", None], 0)
        self.assertEqual(metrics["sealwire_route_messages_received_total", 'route=""'], 2)
        self.assertEqual(metrics["sealwire_dropped_messages_total", 'cause="no_route"'], 0)

    def test_metrics_that_cannot_be_written_are_a_failure(self):
        result = run("listen", "tcp://127.0.0.1:0", "--anyone", "--metrics", self.folder / "missing" / "file")
        self.assertEqual(result.status, 1)
        self.assertIn("metrics file", result.err)

    def test_bench_measures_requests_and_messages(self):
        with Listener("--anyone", "--echo", "--quiet") as listener:
            words = ("bench", listener.ticket, "--seconds", "0.1", "--size", "1000", "--outstanding", "10", "--route", "any")
            result = run(*words, "--json")
            one, many, messages = result.json()
            self.assertEqual(result.status, 0, result.err)
            for measured, outstanding in ((one, 1), (many, 10)):
                self.assertEqual((measured["event"], measured["size"], measured["outstanding"]), ("requests", 1000, outstanding))
                self.assertTrue(0 < measured["p50_us"] <= measured["p99_us"] <= measured["time_us"])
                self.assertGreaterEqual(measured["count"], outstanding)
            self.assertEqual((messages["event"], messages["size"]), ("messages", 1000))
            self.assertTrue(messages["count"] > 0 and messages["bytes_per_second"] > messages["per_second"] > 0)
            self.assertRegex(run(*words).out, r"(?s)^requests, 1 at once: .*\nrequests, 10 at once: .*\nmessages without .* MB a second\n$")
            self.assertNotIn("message", {event["event"] for event in listener.events.queue})
        self.fails(run("bench", listener.ticket, "--connect-timeout", "1"), 3)

    def test_ping_prints_round_trips_and_the_clock(self):
        for listener in self.both():
            pongs = run("ping", listener.ticket, "--count", "3", "--json").json()
            self.assertEqual([pong["event"] for pong in pongs], ["pong"] * 3)
            self.assertTrue(all(pong["round_trip_us"] > 0 and abs(pong["clock_difference_ms"]) < 5000 for pong in pongs))
            self.assertIn("2 round trips: least", run("ping", listener.ticket, "--count", "2").out)

    def test_more_pings_than_a_peer_answers_in_a_second_take_longer(self):
        with Listener("--anyone") as listener:
            self.assertIn("12 round trips: least", run("ping", listener.ticket, "--count", "12").out)

    def test_listening_on_any_address_of_the_machine(self):
        with Listener("--anyone", address="tcp://*:0") as listener:
            address, key = listener.ticket.split("#")
            run("ping", f"tcp://127.0.0.1:{address.rsplit(':', 1)[1]}#{key}", "--count", "1")

    def test_output_that_cannot_be_written_is_a_failure(self):
        with Listener("--anyone", "--echo") as listener, open("/dev/full", "w") as full:
            for words in (("request", listener.ticket, "greet", "hello"), ("request", listener.ticket, "greet", "hello", "--json"),
                          ("send", listener.ticket, "note", "one", "--json"), ("ping", listener.ticket, "--count", "1", "--json"),
                          ("doctor", listener.ticket, "--json")):
                with self.subTest(words=words):
                    done = subprocess.run([TOOL, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
                    self.assertEqual((done.returncode, done.stderr.count("could not be written")), (1, 1), done.stderr)
                    closed = run_without(1, *words)
                    self.assertEqual((closed.status, closed.err.count("could not be written")), (1, 1), closed.err)

    def test_who_listens_fails_at_once_when_its_ticket_cannot_be_told(self):
        for words in (("listen", "tcp://127.0.0.1:0"), ("receive", "tcp://127.0.0.1:0", self.folder)):
            for more in ((), ("--json",)):
                with self.subTest(words=words, more=more), open("/dev/full", "wb") as full:
                    done = subprocess.run([TOOL, *words, "--anyone", *more], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn("could not be written: No space left", done.stderr)
                    closed = run_without(1, *words, "--anyone", *more)
                    self.assertEqual(closed.status, 1)
                    self.assertIn("could not be written", closed.err)

    def test_a_listener_ends_in_good_order_when_nobody_reads_it_any_more(self):
        path = self.folder / "listen.sock"
        listener = subprocess.Popen([TOOL, "listen", f"unix://{path}", "--anyone"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        listener.stdout.readline()
        ticket = listener.stdout.readline().strip()
        listener.stdout.close()
        run("ping", ticket, "--count", "1")
        self.assertEqual((listener.wait(PATIENCE_S), listener.stderr.read()), (0, ""))
        self.assertFalse(path.exists())
        listener.stderr.close()

    def test_each_end_knows_the_key_of_the_other(self):
        path, peer_id = self.new_key()
        with Listener("--allow", peer_id) as listener:
            (reply,) = run("request", listener.ticket, "who", "--key", path, "--json").json()
            self.assertEqual((reply["peer"], reply["has_body"], reply["code"]), (listener.id, False, 0))
            self.assertEqual(listener.expect("connected")["peer"], peer_id)
            self.assertEqual(listener.expect("message")["peer"], peer_id)
            self.assertIn("good order", listener.expect("closed")["text"])

    def test_a_body_comes_from_a_file_or_from_standard_input(self):
        body = self.folder / "body.json"
        body.write_text('{"name":"Ada"}')
        with Listener("--anyone", "--echo") as listener:
            (reply,) = run("request", listener.ticket, "r", f"@{body}", "--type", "json", "--json").json()
            self.assertEqual((reply["type"], reply["body"]), ("json", '{"name":"Ada"}'))
            self.assertEqual(run("request", listener.ticket, "r", "-", stdin="from a pipe\n").out, "from a pipe\n")

    def test_a_call_is_a_request_in_json(self):
        with Listener("--anyone", "--echo") as listener:
            call = ("call", listener.ticket, "math.add")
            self.assertEqual(run(*call).out, '["math.add",[]]\n')
            self.assertEqual(run(*call, "1", "2.5e3", "true", "null", "Ada", '{"a":[1]}', '"quoted"').out,
                             '["math.add",[1,2.5e3,true,null,"Ada",{"a":[1]},"quoted"]]\n')
            self.assertEqual(run(*call, "--", "-5", "-x", "", 'say "hi"\t\\', "1.2.3").out,
                             r'["math.add",[-5,"-x","","say \"hi\"\u0009\\","1.2.3"]]' + "\n")
            (result,) = run(*call, "1", "--json").json()
            self.assertEqual((result["event"], result["type"], result["body"]), ("result", "json", '["math.add",[1]]'))
            self.assertEqual(listener.expect("message")["route"], "rpc")
        with Listener("--anyone", "--echo") as listener:
            self.fails(run("call", listener.ticket), 2, "name")

    def test_bytes_that_are_no_text_survive(self):
        blob = bytes(range(256)) * 300
        path = self.folder / "blob"
        path.write_bytes(blob)
        with Listener("--anyone", "--echo") as listener:
            raw = subprocess.run([TOOL, "request", listener.ticket, "r", f"@{path}"], stdout=subprocess.PIPE,
                                 timeout=PATIENCE_S, check=True)
            self.assertEqual(raw.stdout, blob)
            (reply,) = run("request", listener.ticket, "r", f"@{path}", "--json").json()
            self.assertEqual((reply["type"], base64.b64decode(reply["body_base64"])), ("bytes", blob))

    def test_what_the_peer_sends_cannot_steer_the_terminal(self):
        with Listener("--anyone") as listener:
            run("send", listener.ticket, "note", "\x1b[2Jgone", "--type", "text")
            self.assertEqual(listener.expect("message")["body"], "\x1b[2Jgone")
        process = subprocess.Popen([TOOL, "listen", "tcp://127.0.0.1:0", "--anyone"], stdout=subprocess.PIPE, text=True)
        try:
            process.stdout.readline()
            ticket = process.stdout.readline().strip()
            self.assertEqual(run("send", ticket, "note", "\x1b[2Jgone", "--type", "text").status, 0)
        finally:
            process.terminate()
            rest = process.communicate(timeout=PATIENCE_S)[0]
        self.assertIn("note:  [2Jgone", rest)
        self.assertNotIn("\x1b", rest)

    def test_two_programs_meet_in_a_secret_network(self):
        secret = self.folder / "network"
        secret.write_text(run("network", "new").out)
        secret.chmod(0o600)
        with Listener("--anyone", "--echo", "--network-file", secret) as listener:
            self.assertEqual(run("request", listener.ticket, "r", "in", "--network-file", secret).out, "in\n")
            self.assertEqual(run("request", listener.ticket, "r", "in", "--network", secret.read_text().strip()).out, "in\n")


class Failures(ToolCase):
    def test_a_wrong_key_in_the_ticket_gets_no_answer_and_the_causes_are_listed(self):
        _, other = self.new_key()
        with Listener("--anyone") as listener:
            ticket = listener.ticket.split("#")[0] + "#" + other
            self.fails(run("request", ticket, "r", "--connect-timeout", "8"), 3, "no answer to the handshake", "key",
                       "network differs", "version")

    def test_another_network_gets_no_answer(self):
        with Listener("--anyone", "--network", "one") as listener:
            (error,) = run("request", listener.ticket, "r", "--network", "two", "--json").json()
            self.assertEqual((error["error"], error["exit"]), ("no_answer", 3))

    def test_where_nothing_listens_the_connection_is_refused(self):
        with Listener("--anyone") as listener:
            ticket = listener.ticket
            self.assertEqual(listener.stop(), 0)
        self.fails(run("ping", ticket), 3, "nothing is listening there", ticket.split("#")[0])
        self.fails(run("ping", f"unix://{self.folder}/none.sock#{ticket.split('#')[1]}"), 3, "the path of its socket")
        for scheme in ("ws", "wss"):
            self.fails(run("ping", ticket.replace("tcp", scheme)), 3, f"{scheme}://127.0.0.1")

    def test_a_key_that_is_not_allowed_is_told_so(self):
        _, allowed = self.new_key("allowed.key")
        stranger, _ = self.new_key("stranger.key")
        with Listener("--allow", allowed) as listener:
            refused = run("send", listener.ticket, "r", "x", "--key", stranger)
            self.fails(refused, 4, "does not allow this key")
            self.assertNotIn("the peer says", refused.err)  # its application said nothing
            listener.stop()
            lines = [event["text"] for event in listener.events.queue if event["event"] == "log"]
            about = [line for line in lines if line != "listening" and "closed" not in line]
            self.assertEqual(about, [f"refused: {run('id', stranger).out.strip()} is not on the allow-list"])

    def test_the_allowed_ids_can_come_from_a_file_with_remarks(self):
        first, first_id = self.new_key("first.key")
        second, second_id = self.new_key("second.key")
        listed = self.folder / "allowed"
        listed.write_text(f"# friends\n{first_id} the first\n\n{second_id}\n")
        with Listener("--allow-file", listed, "--echo") as listener:
            for key in (first, second):
                self.assertEqual(run("request", listener.ticket, "r", "x", "--key", key).out, "x\n")
            self.fails(run("request", listener.ticket, "r", "x"), 4)

    def test_a_bad_list_of_allowed_ids_is_named(self):
        self.fails(run("listen", "tcp://127.0.0.1:0", "--allow", "nobody"), 8)
        self.fails(run("listen", "tcp://127.0.0.1:0", "--allow-file", self.folder / "none"), 8, "none", "No such file")
        self.fails(run("listen", "tcp://127.0.0.1:0", "--allow-file", self.folder), 8, "directory")
        listed = self.folder / "allowed"
        listed.write_text("# friends\n\nnobody\n")
        self.fails(run("listen", "tcp://127.0.0.1:0", "--allow-file", listed), 8, "line 3")

    def test_a_ticket_that_cannot_be_read_is_refused(self):
        for ticket in ("nonsense", "tcp://127.0.0.1:9000", "tcp://127.0.0.1:70000#" + "a" * 52, "ftp://x:1#" + "a" * 52):
            result = run("ping", ticket)
            self.assertIn(result.status, (3, 8), ticket)
            self.assertIn("what to do: ", result.err)
        self.fails(run("ping", "ftp://x:1#" + "a" * 52), 3, "none of tcp, tls, ws, wss, unix", "tls://", "wss://")

    def test_a_route_that_is_none_is_a_wrong_command_line(self):
        for words in (("request", "tcp://127.0.0.1:1#x", "", "x"), ("send", "tcp://127.0.0.1:1#x", "r" * 256, "x")):
            self.fails(run(*words), 2, "a route is 1 to 255 bytes")

    def test_an_address_in_use_is_named(self):
        with Listener("--anyone") as listener:
            self.fails(run("listen", listener.address, "--anyone"), 1, "in use")

    def test_a_program_that_stands_still_is_given_up_at_the_connect_timeout(self):
        with Listener("--anyone") as listener:
            listener.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, listener.process.pid, os.WSTOPPED)
            try:
                result = run("request", listener.ticket, "r", "--connect-timeout", "0.3")
            finally:
                listener.process.send_signal(signal.SIGCONT)
            self.fails(result, 3)

    def test_deadlines_and_answers_with_an_error_have_exit_codes_of_their_own(self):
        server_key, _ = self.new_key("server.key")
        client_key, client_id = self.new_key("client.key")
        server = subprocess.Popen([os.environ["SEALWIRE_DEMO_C"], "server", "net", str(server_key), "tcp://127.0.0.1:0",
                                   client_id], stdout=subprocess.PIPE, text=True)
        try:
            ticket = server.stdout.readline().split()[-1]
            known = ["--key", client_key, "--network", "net"]
            self.fails(run("request", ticket, "sleep", "--timeout", "0.1", *known), 6, "the deadline passed", "sleep")
            self.fails(run("request", ticket, "gret", *known), 7, "no handler for this route", "gret")
            (error,) = run("request", ticket, "gret", "--json", *known).json()
            self.assertEqual((error["error"], error["exit"]), ("no_route", 7))
            hurried = run("request", ticket, "hurry", *known)
            self.assertEqual((hurried.status, hurried.out), (0, ""))
            self.assertIn("without a body", hurried.err)
        finally:
            server.terminate()
            server.communicate(timeout=PATIENCE_S)

    def test_a_peer_that_is_killed_is_told_as_lost(self):
        with Listener("--anyone") as listener:
            process = subprocess.Popen([TOOL, "ping", listener.ticket, "--count", "1000000", "--lease", "0.2"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            process.stdout.readline()  # it is under way
            listener.process.kill()
            _, err = process.communicate(timeout=PATIENCE_S)
            self.assertEqual(process.returncode, 5, err)
            self.assertIn("what to do: ", err)


class Interrupted(ToolCase):
    def test_listen_ends_in_good_order_and_with_status_0(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number), Listener("--anyone") as listener:
                listener.process.send_signal(number)
                listener.expect("stopped")
                self.assertEqual(listener.process.wait(PATIENCE_S), 0)

    def test_a_socket_file_is_removed_when_listen_ends(self):
        path = self.folder / "listen.sock"
        with Listener("--anyone", address=f"unix://{path}") as listener:
            self.assertTrue(path.is_socket())
            self.assertEqual(listener.stop(), 0)
        self.assertFalse(path.exists())

    def test_a_command_that_waits_ends_with_status_130(self):
        with Listener("--anyone") as listener:
            process = subprocess.Popen([TOOL, "ping", listener.ticket, "--count", "1000000", "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            process.stdout.readline()  # it is under way
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
            self.assertEqual(process.returncode, 130)
            self.assertEqual(err, "")
            error = json.loads(out.splitlines()[-1])
            self.assertEqual((error["event"], error["error"], error["exit"]), ("error", "interrupted", 130))
            self.assertIn("good order", listener.expect("closed")["text"])


if __name__ == "__main__":
    command.main()
