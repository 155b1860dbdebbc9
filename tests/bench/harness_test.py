"""Shows that the runner notices what it must: lost messages, lies, programs that hang or fail."""

import pathlib
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

import peers
import programs
import report
import run

HONEST = """
    import json, os, sys
    say = lambda **line: print(json.dumps(line), flush=True)
    role = sys.argv[1]
    if role == "server":
        say(role="server", ready=True, address="x", pid=os.getpid())
        {server}
        sys.stdin.read()
    else:
        {client}
"""
SERVER = 'say(role="server", received=10, announced=10, messages_per_s=5.0)'
CLIENT = 'say(role="client", sent=10, lost=0, requests_per_s=5.0, p50_us=20.0, p99_us=30.0)'


class Harness(unittest.TestCase):
    def run_fake(self, server=SERVER, client=CLIENT, workload="W2", timeout=20.0):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "fake.py")
            path.write_text(textwrap.dedent(HONEST).format(server=server, client=client))
            fake = mock.Mock(command=lambda build, workload, role: [sys.executable, str(path), role])
            with mock.patch.dict(peers.PEERS, {"fake": fake}):
                return programs.run_once("fake", workload, pathlib.Path(folder), seconds=0, timeout=timeout)

    def test_honest_programs_pass(self):
        self.assertEqual(self.run_fake()["requests_per_s"], 5.0)
        self.assertEqual(self.run_fake(workload="W3a")["messages_per_s"], 5.0)
        self.assertEqual(self.run_fake(workload="W1")["p50_us"], 20.0)

    def test_a_lost_message_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "did not receive what was sent"):
            self.run_fake(server=SERVER.replace("received=10", "received=9"))

    def test_a_lost_reply_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "requests were lost"):
            self.run_fake(client=CLIENT.replace("lost=0", "lost=1"))

    def test_a_server_that_saw_less_than_was_sent_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "did not receive what was sent"):
            self.run_fake(client=CLIENT.replace("sent=10", "sent=11"))

    def test_a_figure_of_nought_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "impossible figure"):
            self.run_fake(client=CLIENT.replace("requests_per_s=5.0", "requests_per_s=0"))

    def test_a_median_above_the_99th_percentile_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "impossible percentiles"):
            self.run_fake(client=CLIENT.replace("p50_us=20.0", "p50_us=40.0"), workload="W1")

    def test_a_program_that_ends_early_is_reported_with_its_last_words(self):
        with self.assertRaisesRegex(programs.RunFailed, "(?s)ended early.*famous last words"):
            self.run_fake(client='sys.exit("famous last words")')

    def test_a_program_that_fails_after_its_result_fails_the_run(self):
        with self.assertRaisesRegex(programs.RunFailed, "ended with 3"):
            self.run_fake(client=CLIENT + "; sys.exit(3)")

    def test_a_program_that_hangs_is_ended(self):
        with self.assertRaisesRegex(programs.RunFailed, "no answer in time"):
            self.run_fake(client="sys.stdin.read()", timeout=1.0)

    def test_connections_that_the_server_does_not_have_fail_w6(self):
        client = ('say(connections=16); sys.stdin.readline(); say(connections=1016); sys.stdin.readline(); ' + CLIENT)
        with self.assertRaisesRegex(programs.RunFailed, "0 more descriptors after 1000 more connections"):
            self.run_fake(client=client, workload="W6")

    def test_ratios_are_taken_within_a_round(self):
        self.assertEqual(report.median_ratio([2.0, 40.0, 6.0], [1.0, 20.0, 2.0]), 2.0)
        self.assertEqual(report.median_ratio([2.0, None, 8.0], [1.0, 20.0, 2.0]), 3.0)
        self.assertIsNone(report.median_ratio([None], [1.0]))

    def test_neighbours_stay_neighbours_and_take_turns_at_being_first(self):
        names = ["a", "A", "b", "B", "c", "C"]
        rounds = [run.order_of(names, number) for number in range(6)]
        self.assertEqual([order[0] for order in rounds], names)
        self.assertEqual(rounds[1], ["A", "a", "C", "c", "B", "b"])
        for order in rounds:
            self.assertEqual(sorted(order), sorted(names))
            self.assertEqual([one.lower() for one in order[::2]], [one.lower() for one in order[1::2]])
        self.assertEqual(run.order_of([], 3), [])

    def test_each_transport_is_compared_with_its_own_raw_peer(self):
        rounds = lambda *values: [value and {"messages_per_s": value * 1e6} for value in values]  # noqa: E731
        results = {"W3a": {"sealwire": rounds(2, 4), "raw": rounds(4, 16), "sealwire-ws": rounds(3, 3, 9),
                           "ws": rounds(1, None, 1)}}
        told = "\n".join(report.transport_tables(results))
        self.assertIn("| tcp | 0.38 |", told)
        self.assertIn("| ws | 6.00 |", told)
        self.assertIn("| tcp | raw | 10.0 |", told)
        self.assertNotIn("unix", told)

    def test_only_the_marked_section_of_the_document_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "doc.md")
            other = "<!-- transports:begin -->\nold\n<!-- transports:end -->\n"
            path.write_text(f"before\n<!-- results:begin -->\nold\n<!-- results:end -->\n{other}after\n")
            report.replace_section(path, "new")
            kept = "before\n<!-- results:begin -->\n\nnew\n<!-- results:end -->\n"
            self.assertEqual(path.read_text(), f"{kept}{other}after\n")
            report.replace_section(path, "new", "transports")
            self.assertEqual(path.read_text(), f"{kept}{other.replace('old', chr(10) + 'new')}after\n")
            path.write_text("no markers")
            with self.assertRaises(SystemExit):
                report.replace_section(path, "new")


if __name__ == "__main__":
    unittest.main()
