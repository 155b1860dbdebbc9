"""Turns raw results into the Markdown tables of docs/BENCHMARKS.md, with the machine they were measured on."""

import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys

from peers import HERE, PEERS, ROOT, TRANSPORTS, WORKLOADS, venv_python


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _compiler(build):
    """First line of `--version` of what compiled the C programs."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"].endswith("stream_raw.c"):
            words = [word for word in shlex.split(entry["command"]) if pathlib.PurePath(word).name != "ccache"]
            return _output(words[0], "--version").split("\n")[0]
    return ""


def describe_machine(build, chosen_peers):
    """What a reader needs to judge the figures; versions only of what is run."""
    languages = {PEERS[name].language for name in chosen_peers}
    versions = {}
    if "c" in languages:
        for package, program in {"openssl": "", "libzmq": "zmq_bench", "libwebsockets": "ws_bench"}.items():
            if not program or program in {PEERS[name].program for name in chosen_peers}:
                versions[package] = _output("pkg-config", "--modversion", package).rstrip("-")
        versions["compiler"] = _compiler(build)
    if "node" in languages:
        versions["Node.js"] = _output("node", "--version")
        package = HERE / "node_modules" / "zeromq" / "package.json"
        versions["npm zeromq"] = json.loads(package.read_text())["version"]
    if "python" in languages:
        versions["Python"] = platform.python_version()
        versions["pyzmq"] = _output(str(venv_python(build)), "-c",
                                    "import zmq; print(zmq.__version__, f'(libzmq {zmq.zmq_version()})')")
    return {
        "date": datetime.date.today().isoformat(),
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: version for name, version in versions.items() if version},
    }


# A second figure of a workload: title, figure, scale.
_CPU = ("CPU, x", "cpu", 1)
_SECOND = {
    "W5-stalled": _CPU,
    "W5-stalled-newest": _CPU,
    "W5-stalled-cut": _CPU,
    "W5-join": ("a message, x", "publish_ratio", 1),
    "W1": ("p99, us", "p99_us", 1),
    "W1f": ("p50, us", "p50_us", 1),
    "W6": ("PSS, KB", "pss_per_connection", 1 / 1024),
    "N-W5": ("CPU, us each", "cpu_us", 1),
    "P-W5": ("CPU, us each", "cpu_us", 1),
}


def _values(rounds, workload):
    what = WORKLOADS[workload]
    return [figures[what.figure] * what.scale if figures else None for figures in rounds]


def _number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def median_ratio(values, reference):
    """The median over the rounds of value / reference, both of the same round; None where no round has both."""
    pairs = [a / b for a, b in zip(values, reference) if a is not None and b]
    return statistics.median(pairs) if pairs else None


def table(workload, by_peer, against):
    """One workload: a row for each peer with median, spread, a second figure where there is one, and ratios."""
    what = WORKLOADS[workload]
    against = [name for name in against if name in by_peer]
    second = _SECOND.get(workload)
    titles = ["peer", f"median, {what.unit}", "min to max"]
    titles += [second[0]] if second else []
    titles += [f"x {name}" for name in against]
    sense = "lower" if what.lower_is_better else "higher"
    lines = [f"### {workload}: {what.title} ({sense} is better)", "", f"| {' | '.join(titles)} |",
             f"|{'|'.join(['---'] + ['---:'] * (len(titles) - 1))}|"]
    for peer, rounds in by_peer.items():
        values = _values(rounds, workload)
        good = [value for value in values if value is not None]
        failed = len(values) - len(good)
        if not good:
            lines.append(f"| {peer} | failed |" + " |" * (len(titles) - 2))
            continue
        cells = [peer + (f" ({failed} of {len(values)} rounds failed)" if failed else ""),
                 _number(statistics.median(good)), f"{_number(min(good))} to {_number(max(good))}"]
        if second:
            others = [figures[second[1]] * second[2] for figures in rounds if figures]
            cells.append(_number(statistics.median(others)))
        for name in against:
            ratio = median_ratio(values, _values(by_peer[name], workload))
            cells.append("" if ratio is None else f"{ratio:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def transport_tables(results):
    """A table of ratios, Sealwire to the raw peer of the same transport in the same round, and one of the medians behind them."""
    order = [name for name in WORKLOADS if name in results]
    units = [f"{name}, {WORKLOADS[name].unit}" for name in order]
    ratios = [f"| transport | {' | '.join(order)} |", f"|{'|'.join(['---'] + ['---:'] * len(order))}|"]
    medians = [f"| transport | peer | {' | '.join(units)} |", f"|{'|'.join(['---'] * 2 + ['---:'] * len(order))}|"]
    for transport, pair in TRANSPORTS.items():
        values = {(name, peer): _values(results[name].get(peer, []), name) for name in order for peer in pair}
        if not any(values.values()):
            continue
        cells = [median_ratio(values[name, pair[0]], values[name, pair[1]]) for name in order]
        ratios.append(f"| {transport} | {' | '.join('' if cell is None else f'{cell:.2f}' for cell in cells)} |")
        for peer in pair:
            good = [[value for value in values[name, peer] if value is not None] for name in order]
            cells = [_number(statistics.median(one)) if one else "failed" for one in good]
            medians.append(f"| {transport} | {peer} | {' | '.join(cells)} |")
    senses = [f"* {name}: {WORKLOADS[name].title} ({'lower' if WORKLOADS[name].lower_is_better else 'higher'} is better)"
              for name in order]
    return ["\n".join(senses), "Sealwire beside the raw peer, median of the ratios within each round:", "\n".join(ratios),
            "The medians themselves:", "\n".join(medians)]


def _heading(machine, options, results):
    """What was run and how: the machine, the settings, the peers."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    length = f"{options.count} messages" if options.count else f"{options.seconds:g} s"
    settings = f"{options.rounds} round{'s' if options.rounds > 1 else ''}, {length} a run, {options.outstanding} outstanding"
    settings += f" over {options.fan_in} connections" if options.fan_in > 1 else ""
    settings += f", {options.size} B a message" if options.size else ""
    settings += f", batches of {options.batch} B" if options.batch is not None else ""
    settings += f", {options.connections:,} idle connections" if "W6" in results else ""
    ran = dict.fromkeys(peer for by_peer in results.values() for peer in by_peer)
    return [
        f"{machine['date']}, commit {machine['commit']}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['kernel']}, load {machine['load']} at the start; {versions}. {settings}.",
        "\n".join(f"* `{peer}`: {PEERS[peer].about}" for peer in PEERS if peer in ran),
    ]


def markdown(machine, options, results):
    tables = [table(name, {p: results[name][p] for p in PEERS if p in results[name]}, options.against)
              for name in WORKLOADS if name in results]
    return "\n\n".join(_heading(machine, options, results) + tables) + "\n"


def transports(machine, options, results):
    return "\n\n".join(_heading(machine, options, results) + transport_tables(results)) + "\n"


def replace_section(path, text, section="results"):
    """Puts `text` between the markers of the section in the file, which must be there."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    old = path.read_text()
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        sys.exit(f"{path} has no section between {begin} and {end}")
    head, tail = old.split(begin)[0], old.split(end)[1]
    path.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}")
