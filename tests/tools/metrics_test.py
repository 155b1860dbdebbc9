#!/usr/bin/env python3
"""docs/METRICS.md names each metric that the command prints, with its type, unit and labels, and no other."""

import pathlib
import re
import subprocess
import urllib.request

import command
from command import PATIENCE_S, TOOL, Listener, ToolCase, run

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "METRICS.md"
UNITS = {"bytes": r"_bytes(_total)?$", "seconds": r"_seconds(_total)?$"}


def unit_of(name):
    """That the name says."""
    return next((unit for unit, end in UNITS.items() if re.search(end, name)), "")


def documented():
    """By name the type, the unit and the label of each; and the causes."""
    metrics, causes = {}, set()
    for heading, section in re.findall(r"(?ms)^## ([^\n]+)\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(encoding="utf-8")):
        for row in re.findall(r"(?m)^\| `(.*) \|$", section):
            name, *cells = [cell.strip(" `") for cell in row.split(" |")]
            if len(cells) == 1:
                causes.add(name)
                continue
            kind, unit = cells[:2]
            by_route = heading == "By route"
            metrics[name] = kind, unit, {"route"} if by_route else {"cause"} if "`cause`" in row else set()
            if not by_route and cells[2] == "yes":
                metrics[name.replace("sealwire_", "sealwire_peer_", 1)] = kind, unit, {"peer"}
    return metrics, causes


def printed(text):
    """Likewise, of what the command wrote."""
    kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
    labels, causes = {name: set() for name in kinds}, set(re.findall(r'\{cause="(\w+)"\}', text))
    for name, label in re.findall(r'(?m)^([a-z_]+)(?:\{(\w+)="[^"]*"\})? \S+$', text):
        labels[name] |= {label} - {""}
    return {name: (kind, unit_of(name), labels[name]) for name, kind in kinds.items()}, causes


class Metrics(ToolCase):
    def assert_documented(self, text, wanted):
        metrics, causes = printed(text)
        have, have_causes = documented()
        have = {name: entry for name, entry in have.items() if wanted(name)}
        self.assertGreater(len(have), 20)
        self.assertEqual(metrics, have)
        self.assertEqual(causes, have_causes)

    def test_the_document_names_what_is_kept_in_the_file_of_metrics(self):
        path = self.folder / "metrics"
        with Listener("--anyone", "--echo", "--metrics", path) as listener:
            self.assertEqual(run("request", listener.ticket, "greet", "hello").out, "hello\n")
            ping = subprocess.Popen([TOOL, "ping", listener.ticket, "--count", "100000"], stdout=subprocess.DEVNULL)
            self.addCleanup(ping.wait, PATIENCE_S)
            self.addCleanup(ping.kill)
            for _ in range(2):
                listener.expect("connected")
            self.assertEqual(listener.stop(), 0)  # it writes the file once more, with the peer that is there
        self.assert_documented(path.read_text(), lambda name: True)

    def test_the_document_names_what_is_told_over_http(self):
        with Listener("--anyone", "--echo", "--http-metrics", "/metrics", address="ws://127.0.0.1:0/talk") as listener:
            self.assertEqual(run("request", listener.ticket, "greet", "hello").out, "hello\n")
            web = listener.ticket.replace("ws://", "http://").split("/talk#")[0]
            text = urllib.request.urlopen(web + "/metrics", timeout=PATIENCE_S).read().decode()
        self.assert_documented(text, lambda name: not name.startswith("sealwire_peer_"))


if __name__ == "__main__":
    command.main()
