"""Which peers and workloads the benchmark knows, and how the programs of the peers are found, built and installed."""

import contextlib
import dataclasses
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclasses.dataclass(frozen=True)
class Workload:
    """A row of the tables. `argument` is what programs get; the figure comes from the client, the server or run.py."""

    argument: str
    size: int
    source: str
    figure: str
    unit: str
    scale: float
    title: str
    smoke: int
    lower_is_better: bool = False
    one_core: bool = False


WORKLOADS = {
    "W1": Workload("W1", 64, "client", "p50_us", "us", 1, "request and reply of 64 B, one at a time, p50", 300,
                   lower_is_better=True, one_core=True),
    "W1f": Workload("W1f", 64, "client", "p99_us", "us", 1, "W1 while a file of 1 GiB is sent over the same connection, p99",
                    30, lower_is_better=True),
    "W2": Workload("W2", 64, "client", "requests_per_s", "k/s", 1e-3, "requests of 64 B, 256 outstanding", 5000),
    "W2x100": Workload("W2", 64, "client", "requests_per_s", "k/s", 1e-3, "W2 over each of 100 connections of one server, all together",
                       50000),
    "W3a": Workload("W3a", 64, "server", "messages_per_s", "M/s", 1e-6, "one-way messages of 64 B", 50000),
    "W3b": Workload("W3b", 1024, "server", "messages_per_s", "M/s", 1e-6, "one-way messages of 1 KiB", 10000),
    "W3c-64K": Workload("W3c", 65536, "server", "bytes_per_s", "GB/s", 1e-9, "one-way messages of 64 KiB", 300),
    "W3c-1M": Workload("W3c", 1048576, "server", "bytes_per_s", "GB/s", 1e-9, "one-way messages of 1 MiB", 30),
    "W4": Workload("W4", 64, "server", "connections_per_s", "/s", 1, "connection, handshake, one request, close", 20),
    "W5": Workload("W5", 64, "client", "deliveries_per_s", "M/s", 1e-6, "one publisher, 100 subscribers, messages of 64 B", 500),
    "W5x1000": Workload("W5", 64, "client", "deliveries_per_s", "M/s", 1e-6, "W5 with 1,000 subscribers", 50),
    "W5-stalled": Workload("W5-stalled", 64, "server", "kept", "x", 1,
                           "rate of 99 subscribers beside one that takes no events, to that without it: the oldest are dropped for it", 4096),
    "W5-stalled-newest": Workload("W5-stalled-newest", 64, "server", "kept", "x", 1, "W5-stalled, the newest are dropped", 4096),
    "W5-stalled-cut": Workload("W5-stalled-cut", 64, "server", "kept", "x", 1, "W5-stalled, it is disconnected", 4096),
    "W5-join": Workload("W5-join", 64, "server", "join_ratio", "x", 1,
                        "cost of a join where 100,000 other topics are joined, to that where 100 are", 2000, lower_is_better=True),
    "W6": Workload("W6", 64, "run", "rss_per_connection", "KB", 1 / 1024, "memory per idle connection, server side", 40,
                   lower_is_better=True),
    "W7": Workload("W7", 262144, "server", "bytes_per_s", "GB/s", 1e-9, "a stream to a receiver that discards it", 300),
    "W7f": Workload("W7f", 1048576, "server", "bytes_per_s", "GB/s", 1e-9,
                    "a file of 1 GiB with BLAKE2b-256 at both ends, saved in memory", 30),
    "N-W2": Workload("W2", 64, "client", "requests_per_s", "k/s", 1e-3, "W2 from Node.js", 3000),
    "N-W3a": Workload("W3a", 64, "server", "messages_per_s", "M/s", 1e-6, "W3a from Node.js", 10000),
    "N-W5": Workload("W5", 64, "client", "deliveries_per_s", "k/s", 1e-3, "a subscriber in Node.js, the publisher in C", 10000),
    "P-W2": Workload("W2", 64, "client", "requests_per_s", "k/s", 1e-3, "W2 from Python", 3000),
    "P-W3a": Workload("W3a", 64, "server", "messages_per_s", "M/s", 1e-6, "W3a from Python", 10000),
    "P-W5": Workload("W5", 64, "client", "deliveries_per_s", "k/s", 1e-3, "a subscriber in Python, the publisher in C", 10000),
}
GROUPS = {"W3": ["W3a", "W3b", "W3c-64K", "W3c-1M"], "W3c": ["W3c-64K", "W3c-1M"],
          "N": ["N-W2", "N-W3a", "N-W5"], "P": ["P-W2", "P-W3a", "P-W5"],
          "stalled": ["W5-stalled", "W5-stalled-newest", "W5-stalled-cut"], "all": list(WORKLOADS)}


@dataclasses.dataclass(frozen=True)
class Peer:
    """`language` decides the workloads (c: W, node: N, python: P) and how `program` is run."""

    language: str
    program: str
    flags: tuple = ()
    about: str = ""

    def knows(self, workload):
        if workload in ("W1f", "W7f"):
            return self.program == "sealwire_bench"
        if self.program == "ws_bench":
            return workload in ("W1", "W2", *GROUPS["W3"])
        if workload in TOPICS:
            return self.program in TOPICS[workload] and "--transport" not in self.flags
        if "pipe" in self.flags and workload in ("W2x100", "W4", "W6"):  # more than one connection
            return False
        return workload[0] == {"c": "W", "node": "N", "python": "P"}[self.language]

    def command(self, build, workload, role):
        flags = [flag.replace("{build}", str(build.resolve())) for flag in self.flags]
        if self.language == "c":
            program = TOPICS.get(workload, {}).get(self.program, self.program)
            return [str(build / "tests" / "bench" / program), role, *flags]
        if workload in TOPICS and role == "server":  # the publisher, for one subscriber
            return [str(build / "tests" / "bench" / TOPICS[workload][self.program]), role, "--connections", "1"]
        runtime = str(venv_python(build)) if self.language == "python" else "node"
        return [runtime, str(HERE / self.program), role, *flags]


PEERS = {
    "sealwire": Peer("c", "sealwire_bench", about="the C interface over TCP, encrypted, one loop thread a side"),
    "raw": Peer("c", "raw_bench", about="TCP, epoll, one thread a side; no encryption"),
    "tls": Peer("c", "tls_bench", about="TLS 1.3 by OpenSSL, x25519, mutual certificates; epoll, one thread a side"),
    "zmq": Peer("c", "zmq_bench", about="libzmq, one I/O thread a side; no encryption"),
    "zmq-curve": Peer("c", "zmq_bench", ("--curve",), "libzmq with CURVE; any client key is admitted"),
    "sealwire-node": Peer("node", "sealwire_bench.mjs", ("--package", "{build}/bindings/node/package"),
                          "npm sealwire, encrypted; requests answered by a plain function, messages by `await send`"),
    "zeromqjs": Peer("node", "zeromqjs_bench.mjs", about="npm zeromq; no encryption"),
    "zeromqjs-curve": Peer("node", "zeromqjs_bench.mjs", ("--curve",), "npm zeromq with CURVE"),
    "sealwire-asyncio": Peer("python", "sealwire_bench.py", ("--package", "{build}/bindings/python"),
                             "the Python package, encrypted; `async def` at both ends, `async for` over batches"),
    "sealwire-plain": Peer("python", "sealwire_bench.py", ("--package", "{build}/bindings/python", "--plain"),
                           "the Python package, encrypted; plain handlers"),
    "pyzmq": Peer("python", "pyzmq_bench.py", about="pyzmq, blocking; no encryption"),
    "pyzmq-curve": Peer("python", "pyzmq_bench.py", ("--curve",), "pyzmq with CURVE, blocking"),
    "pyzmq-asyncio": Peer("python", "pyzmq_bench.py", ("--asyncio",), "zmq.asyncio; no encryption"),
    "pyzmq-asyncio-curve": Peer("python", "pyzmq_bench.py", ("--asyncio", "--curve"), "zmq.asyncio with CURVE"),
    "sealwire-unix": Peer("c", "sealwire_bench", ("--transport", "unix"), "the C interface over a unix socket, encrypted"),
    "raw-unix": Peer("c", "raw_bench", ("--transport", "unix"), "the same as `raw` over a unix socket; no encryption"),
    "sealwire-tls": Peer("c", "sealwire_bench", ("--transport", "tls"),
                         "the C interface over tls:// by mbedTLS, ChaCha20-Poly1305: encrypted twice"),
    "sealwire-ws": Peer("c", "sealwire_bench", ("--transport", "ws"), "the C interface over ws://, encrypted"),
    "ws": Peer("c", "ws_bench", ("--transport", "ws"),
               "WebSocket by the system's libwebsockets, a message a frame, one thread a side; no encryption"),
    "sealwire-wss": Peer("c", "sealwire_bench", ("--transport", "wss"), "the C interface over wss://: encrypted twice"),
    "wss": Peer("c", "ws_bench", ("--transport", "wss"), "the same as `ws` over TLS 1.3 by OpenSSL"),
    "sealwire-pipe": Peer("c", "sealwire_bench", ("--transport", "pipe"),
                          "the C interface over a pipe of the program: two threads of it and a unix socket carry the bytes"),
}
# What publishes and subscribes is a program of its own; in N-W5 and P-W5 that is who publishes.
TOPICS = {
    **dict.fromkeys(["W5", "W5x1000"], {"sealwire_bench": "sealwire_topics", "zmq_bench": "zmq_topics"}),
    **dict.fromkeys(["W5-stalled", "W5-stalled-newest", "W5-stalled-cut"], {"sealwire_bench": "sealwire_stalled"}),
    "W5-join": {"sealwire_bench": "sealwire_joins"},
    "N-W5": {"sealwire_bench.mjs": "sealwire_topics"},
    "P-W5": {"sealwire_bench.py": "sealwire_topics"},
}
# What --transports compares: Sealwire over each transport, and the least that a program over the same transport can cost.
TRANSPORTS = {"tcp": ("sealwire", "raw"), "unix": ("sealwire-unix", "raw-unix"), "tls": ("sealwire-tls", "tls"),
              "ws": ("sealwire-ws", "ws"), "wss": ("sealwire-wss", "wss"), "pipe": ("sealwire-pipe", "raw-unix")}


def expand_workloads(names):
    chosen = [one for name in names for one in GROUPS.get(name, [name])]
    for name in chosen:
        if name not in WORKLOADS:
            sys.exit(f"unknown workload {name}; known: {', '.join([*WORKLOADS, *GROUPS])}")
    return list(dict.fromkeys(chosen))


def expand_peers(names):
    """`transports`: the pairs, side by side; `all`: without those peers that only they are for."""
    pairs = [name for pair in TRANSPORTS.values() for name in pair]
    everyday = [name for name in PEERS if name not in pairs or name in ("sealwire", "raw", "tls")]
    groups = {"all": everyday, "transports": pairs}
    chosen = list(dict.fromkeys(one for name in names for one in groups.get(name, [name])))
    for name in chosen:
        if name not in PEERS:
            sys.exit(f"unknown peer {name}; known: {', '.join(PEERS)}")
    return chosen


def venv_python(build):
    return build / "tests" / "bench" / "venv" / "bin" / "python"


@contextlib.contextmanager
def only_once(stamp, source):
    """Under a lock, yields whether `source` changed since the stamp was written, and writes the stamp afterwards."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{stamp}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        needed = not stamp.exists() or stamp.read_text() != digest
        yield needed
        stamp.write_text(digest)


def prepare(build, peers, compile_programs=True):
    """Builds the C programs and installs, pinned, what the Node.js and Python peers need."""
    languages = {PEERS[name].language for name in peers}
    subscribers = {program for workload in ("N-W5", "P-W5") for program in TOPICS[workload]}
    if ("c" in languages or subscribers & {PEERS[name].program for name in peers}) and compile_programs:
        if not (build / "build.ninja").exists():
            subprocess.run(["meson", "setup", str(build), str(ROOT), "-Dbench=true"], check=True)
        subprocess.run(["meson", "configure", str(build), "-Dbench=true"], check=True)
        subprocess.run(["ninja", "-C", str(build), "bench-programs"], check=True)
    if "python" in languages:
        folder = venv_python(build).parent.parent
        with only_once(folder.with_name("venv.stamp"), HERE / "requirements.txt") as needed:
            if needed:
                shutil.rmtree(folder, ignore_errors=True)
                subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
                subprocess.run([str(venv_python(build)), "-m", "pip", "install", "--quiet", "--only-binary", ":all:",
                                "-r", str(HERE / "requirements.txt")], check=True)
    if {"sealwire-asyncio", "sealwire-plain"} & set(peers) and compile_programs:
        subprocess.run(["ninja", "-C", str(build), "python-package"], check=True)
    if "sealwire-node" in peers and compile_programs:
        subprocess.run(["ninja", "-C", str(build), "bindings/node/package.stamp"], check=True)
    if "node" in languages:
        with only_once(HERE / ".node-stamp", HERE / "package-lock.json") as needed:
            if needed or not (HERE / "node_modules" / "zeromq").exists():
                subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error"], cwd=HERE, check=True,
                               stdout=subprocess.DEVNULL)
