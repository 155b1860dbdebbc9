#!/usr/bin/env python3
"""Runs the workloads of docs/BENCHMARKS.md over Sealwire and its neighbours in turn and reports medians and ratios.

    tests/bench/run.py --peers raw,tls,zmq,zmq-curve --workloads W1,W2,W3,W4,W6 --rounds 5 --out docs/BENCHMARKS.md
    tests/bench/run.py --transports --rounds 5 --out docs/BENCHMARKS.md

Every round runs every peer once, so that a machine that slows down slows all of them; only ratios of one run compare.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys

import peers
import programs
import report


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: [name for name in text.split(",") if name]  # noqa: E731
    parser.add_argument("--peers", type=listed, help="names separated by commas, or all")
    parser.add_argument("--workloads", type=listed,
                        help="of W1 W1f W2 W2x100 W3 W3a W3b W3c W4 W5 W5x1000 stalled W5-stalled W5-stalled-newest W5-stalled-cut W5-join W6 W7 W7f N P, or all")
    parser.add_argument("--transports", action="store_true",
                        help="Sealwire over each transport beside the raw peer of the same kind; W1 and W3 if not told else")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one run of one peer")
    parser.add_argument("--count", type=int, default=0, help="messages (W4: connections) a run instead of seconds")
    parser.add_argument("--connections", type=int, default=1000, help="idle connections in W6")
    parser.add_argument("--outstanding", type=int, default=256, help="requests in flight in W2")
    parser.add_argument("--fan-in", type=int, default=1, help="connections that carry W2, C peers only")
    parser.add_argument("--size", type=int, help="bytes a message instead of the workload's own size")
    parser.add_argument("--batch", type=int, help="bytes that the byte stream peers gather into a write in W3")
    parser.add_argument("--against", type=listed, default=["tls", "zmq", "zmq-curve", "zeromqjs-curve", "pyzmq-curve"],
                        help="peers that ratios are given against, where they ran")
    parser.add_argument("--out", type=pathlib.Path, help="Markdown file where the section of these tables is replaced")
    parser.add_argument("--build", type=pathlib.Path, default=peers.ROOT / "build-bench", help="Meson build folder")
    parser.add_argument("--no-build", action="store_true", help="the programs are built already")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.3 s: does it run?")
    parser.add_argument("--smoke", action="store_true", help="one round of a few messages; checks, no report")
    options = parser.parse_args()
    if options.transports and options.peers:
        parser.error("--transports says which peers")
    options.peers = options.peers or (["transports"] if options.transports else ["all"])
    options.workloads = options.workloads or (["W1", "W3"] if options.transports else ["all"])
    if options.quick:
        options.rounds, options.seconds, options.connections = 2, 0.3, 200
    if options.smoke:
        options.rounds = 1
    if min(options.rounds, options.connections, options.outstanding, options.fan_in) < 1:
        parser.error("numbers must be positive")
    options.build = options.build.resolve()
    return options


def arguments_for(options, peer, workload):
    """What run_once passes on to the programs, of the options of this run."""
    extra = []
    if peers.WORKLOADS[workload].argument == "W2":
        fan_in = 100 if workload == "W2x100" else options.fan_in
        outstanding = options.outstanding * (100 if workload == "W2x100" else 1)
        extra += ["--outstanding", str(outstanding)]
        if fan_in > 1 and peers.PEERS[peer].language == "c":
            extra += ["--connections", str(fan_in)]
    if options.size:
        extra += ["--size", str(options.size)]
    if options.batch is not None and workload.startswith("W3"):
        extra += ["--batch", str(options.batch)]
    count = peers.WORKLOADS[workload].smoke if options.smoke else options.count
    return {
        "seconds": options.seconds,
        "count": 0 if workload == "W6" else count,
        "connections": peers.WORKLOADS["W6"].smoke if options.smoke else options.connections,
        "extra": extra,
    }


def order_of(names, number):
    """Who runs when in a round: nobody is always first, nor always behind the same one. Neighbours stay neighbours."""
    turn = number % len(names) if names else 0
    return names[turn:] + names[:turn] if number % 2 == 0 else names[turn::-1] + names[:turn:-1]


def run_all(options, chosen_peers, chosen_workloads):
    """The raw results, {workload: {peer: [figures or None for each round]}}, and the failures as texts."""
    results, failures = {}, []
    for number in range(options.rounds):
        for workload in chosen_workloads:
            able = [name for name in chosen_peers if peers.PEERS[name].knows(workload)]
            for peer in order_of(able, number):
                try:
                    figures = programs.run_once(peer, workload, options.build,
                                                **arguments_for(options, peer, workload))
                except programs.RunFailed as failure:
                    figures = None
                    failures.append(str(failure))
                    print(f"FAILED {failure}", file=sys.stderr, flush=True)
                else:
                    what = peers.WORKLOADS[workload]
                    value = figures[what.figure] * what.scale
                    print(f"round {number + 1} {workload:8} {peer:20} {value:12.3f} {what.unit}", flush=True)
                results.setdefault(workload, {}).setdefault(peer, []).append(figures)
    return results, failures


def main():
    options = parse()
    chosen_peers = peers.expand_peers(options.peers)
    chosen_workloads = peers.expand_workloads(options.workloads)
    if not any(peers.PEERS[p].knows(w) for p in chosen_peers for w in chosen_workloads):
        sys.exit("none of these peers knows one of these workloads")
    peers.prepare(options.build, chosen_peers, compile_programs=not options.no_build)
    machine = report.describe_machine(options.build, chosen_peers)
    results, failures = run_all(options, chosen_peers, chosen_workloads)
    if not options.smoke:
        folder = options.build / "tests" / "bench" / "results"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.json"
        path.write_text(json.dumps({"machine": machine, "settings": vars(options), "results": results,
                                    "failures": failures}, indent=1, default=str))
        text = (report.transports if options.transports else report.markdown)(machine, options, results)
        print(f"\n{text}\nraw results: {path}")
        if options.out:
            report.replace_section(options.out, text, "transports" if options.transports else "results")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
