#!/usr/bin/env python3
"""sealwire doctor: for each step of reaching a peer, a peer at which that step fails."""

import os
import socket
import subprocess
import threading

import command
from command import Listener, ToolCase, run

STEPS = ["self", "ticket", "name", "connect", "handshake", "authorisation", "answer"]
TLS_STEPS = ["self", "ticket", "name", "connect", "tls", "handshake", "authorisation", "answer"]


class Doctor(ToolCase):
    def fails_at(self, step, error, *words):
        """The steps before passed, this one failed for this reason, and the text form says so too."""
        result = run("doctor", *words, "--json")
        *steps, last = result.json()
        self.assertEqual([(s["step"], s["passed"]) for s in steps],
                         [(s, True) for s in STEPS[:STEPS.index(step)]] + [(step, False)])
        self.assertEqual((last["event"], last["error"], last["exit"]), ("error", error, result.status))
        self.assertNotEqual(result.status, 0)
        text = run("doctor", *words)
        self.fails(text, result.status)
        self.assertRegex(text.out, rf"(?m)^FAILED  {step} +found:    \S.*\n +expected: \S")

    def test_a_healthy_peer_passes_each_step(self):
        path, peer_id = self.new_key()
        for address in ("tcp://localhost:0", f"unix://{self.folder}/listen.sock"):
            with Listener("--allow", peer_id, "--network", "clinic", address=address) as listener:
                result = run("doctor", listener.ticket, "--key", path, "--network", "clinic", "--json")
                *steps, healthy = result.json()
                self.assertEqual([(s["step"], s["passed"]) for s in steps], [(s, True) for s in STEPS])
                self.assertEqual((result.status, healthy["event"]), (0, "healthy"))
                text = run("doctor", listener.ticket, "--key", path, "--network", "clinic")
                self.assertIn("All is well", text.out)

    def test_upgrade_a_path_and_a_program_that_give_no_websocket(self):
        web_steps = [*STEPS[:4], "upgrade", *STEPS[4:]]
        with Listener("--anyone", address="ws://127.0.0.1:0/talk") as listener:
            *steps, healthy = run("doctor", listener.ticket, "--json").json()
            self.assertEqual([s["step"] for s in steps], web_steps)
            self.assertEqual(healthy["event"], "healthy")
            self.fails_at_upgrade(web_steps, "ws_refused", listener.ticket.replace("/talk", "/walk"))
        with Listener("--anyone", address="tcp://127.0.0.1:0") as listener:
            ticket = listener.ticket.replace("tcp://", "ws://")
            self.fails_at_upgrade(web_steps, "ws_upgrade", ticket, "--connect-timeout", "0.3")
            self.assertNotIn("read failed", run("doctor", ticket).err)

    def fails_at_upgrade(self, web_steps, error, *words):
        *steps, last = run("doctor", *words, "--json").json()
        self.assertEqual([(s["step"], s["passed"]) for s in steps],
                         [(s, s != "upgrade") for s in web_steps[:web_steps.index("upgrade") + 1]])
        self.assertEqual((last["error"], last["exit"]), (error, 3))

    def test_tls_each_of_the_ways_in_which_it_can_fail(self):
        certificates = self.folder / "certificates"
        certificates.mkdir()
        subprocess.run([os.environ["SEALWIRE_MAKE_CERTIFICATES"], certificates], check=True)
        trust = ("--tls-ca", certificates / "ca.pem")

        def serving(name, *words, address="tls://127.0.0.1:0"):
            return Listener("--anyone", "--tls-cert", certificates / f"{name}.pem", "--tls-key", certificates / f"{name}.key", *words,
                            address=address)

        with serving("server") as listener:
            *steps, healthy = run("doctor", listener.ticket, *trust, "--json").json()
            self.assertEqual([s["step"] for s in steps], TLS_STEPS)
            self.assertEqual(healthy["event"], "healthy")
            for error, words in (("tls_host", (*trust, "--tls-name", "wrong.example")),
                                 ("tls_unknown_ca", ("--tls-ca", certificates / "other-ca.pem"))):
                self.fails_at_tls(error, listener.ticket, *words)
            missing = run("doctor", listener.ticket, "--tls-ca", "/nonexistent", "--json").json()
            self.assertEqual([(s.get("step"), s.get("passed"), s.get("error")) for s in missing],
                             [("self", False, None), (None, None, "tls_config")])
        with serving("server", address="wss://127.0.0.1:0/talk") as listener:
            steps = [*TLS_STEPS[:5], "upgrade", *TLS_STEPS[5:]]
            *passed, healthy = run("doctor", listener.ticket, *trust, "--json").json()
            self.assertEqual([s["step"] for s in passed], steps)
            self.assertEqual(healthy["event"], "healthy")
            self.fails_at_tls("tls_unknown_ca", listener.ticket, "--tls-ca", certificates / "other-ca.pem")
            self.fails_at_upgrade(steps, "ws_refused", listener.ticket.replace("/talk", "/walk"), *trust)
        with serving("expired") as listener:
            self.fails_at_tls("tls_expired", listener.ticket, *trust)
        with serving("server", "--tls-client-ca", certificates / "ca.pem") as listener:
            self.fails_at_tls("tls_client_certificate", listener.ticket, *trust)
            own = ("--tls-cert", certificates / "client.pem", "--tls-key", certificates / "client.key")
            self.assertEqual(run("doctor", listener.ticket, *trust, *own).status, 0)
        with Listener("--anyone", address="tcp://127.0.0.1:0") as listener:
            self.fails_at_tls("tls_handshake", listener.ticket.replace("tcp://", "tls://"), *trust)

    def fails_at_tls(self, error, *words):
        *steps, last = run("doctor", *words, "--json").json()
        self.assertEqual([(s["step"], s["passed"]) for s in steps], [(s, s != "tls") for s in TLS_STEPS[:TLS_STEPS.index("tls") + 1]])
        self.assertEqual((last["error"], last["exit"]), (error, 3))

    def test_self_an_option_that_the_ticket_has_no_use_for(self):
        _, peer_id = self.new_key()
        ticket = f"tcp://127.0.0.1:1#{peer_id}"
        self.fails_at("self", "argument", ticket, "--tls-name", "x")
        self.assertEqual(run("doctor", ticket, "--tls-name", "x").status, 2)

    def test_self_a_key_file_that_others_can_read(self):
        path, peer_id = self.new_key()
        path.chmod(0o644)
        self.fails_at("self", "key_file", f"tcp://127.0.0.1:9#{peer_id}", "--key", path)

    def test_self_a_mistyped_network_secret(self):
        _, peer_id = self.new_key()
        self.fails_at("self", "key", f"tcp://127.0.0.1:9#{peer_id}", "--network", "swnet1abc")

    def test_ticket_no_address_and_no_id(self):
        _, peer_id = self.new_key()
        self.fails_at("ticket", "address", f"127.0.0.1#{peer_id}")
        self.fails_at("ticket", "key", "tcp://127.0.0.1:9#abc")

    def test_ticket_the_own_one(self):
        path, peer_id = self.new_key()
        self.fails_at("ticket", "self", f"tcp://127.0.0.1:9#{peer_id}", "--key", path)

    def test_name_a_host_that_cannot_exist(self):
        _, peer_id = self.new_key()
        self.fails_at("name", "name", f"tcp://{'x' * 70}:9000#{peer_id}")  # no label of a name is that long

    def test_connect_nothing_listens(self):
        with Listener("--anyone") as listener:
            ticket = listener.ticket
        self.fails_at("connect", "refused", ticket)

    def test_handshake_another_key_and_another_network(self):
        _, other = self.new_key()
        with Listener("--anyone", "--network", "one") as listener:
            # Silence for 5 s is what tells; that much patience is not needed to see it.
            soon = ("--connect-timeout", "0.5")
            self.fails_at("handshake", "no_answer", listener.ticket.split("#")[0] + "#" + other, "--network", "one", *soon)
            self.fails_at("handshake", "no_answer", listener.ticket, "--network", "two", *soon)
            for _ in range(4):
                self.assertIn("not_for_us", listener.expect("log")["text"])

    def test_handshake_probes_of_another_protocol_are_told_in_the_log_at_a_pace(self):
        with Listener("--anyone") as listener:
            port = int(listener.ticket.split("#")[0].rsplit(":", 1)[1])
            lines, probes = [""], 0
            while "left out" not in lines[-1]:
                with socket.create_connection(("127.0.0.1", port)) as probe:
                    probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
                probes += 1
                while not listener.events.empty():
                    lines.append(listener.expect("log")["text"])
                    self.assertIn("not_for_us: only 18 of the 1280 bytes", lines[-1])
            self.assertLess(len(lines), probes)

    def test_handshake_another_kind_of_program(self):
        _, peer_id = self.new_key()
        with socket.create_server(("127.0.0.1", 0)) as server:
            def hang_up():
                for _ in range(2):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1)
            thread = threading.Thread(target=hang_up)
            thread.start()
            self.fails_at("handshake", "no_answer", f"tcp://127.0.0.1:{server.getsockname()[1]}#{peer_id}")
            thread.join()

    def test_authorisation_a_key_that_is_not_on_the_list(self):
        _, allowed = self.new_key("allowed.key")
        stranger, _ = self.new_key("stranger.key")
        with Listener("--allow", allowed) as listener:
            self.fails_at("authorisation", "not_allowed", listener.ticket, "--key", stranger)
            self.assertIn("peer id to the allow-list", run("doctor", listener.ticket, "--key", stranger).err)
            for command_of_new_key in (("doctor", listener.ticket), ("send", listener.ticket, "r", "x")):
                self.assertIn("No --key was given", run(*command_of_new_key).err)

    def test_authorisation_a_peer_that_has_as_many_connections_as_it_takes(self):
        with Listener("--anyone", "--max-connections", "1") as listener:
            first = subprocess.Popen([os.environ["SEALWIRE_TOOL"], "ping", listener.ticket, "--count", "1000000"], stdout=subprocess.DEVNULL)
            try:
                listener.expect("connected")
                self.fails_at("authorisation", "limit", listener.ticket)
            finally:
                first.terminate()
                first.wait(command.PATIENCE_S)

    def test_handshake_a_program_that_never_answers(self):
        _, peer_id = self.new_key()
        with socket.create_server(("127.0.0.1", 0)) as server:
            ticket = f"tcp://127.0.0.1:{server.getsockname()[1]}#{peer_id}"
            self.fails_at("handshake", "no_answer", ticket, "--connect-timeout", "0.5")


if __name__ == "__main__":
    command.main()
