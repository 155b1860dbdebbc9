"""Programs of one purpose in several languages, each as server and as client of each.

    pairs.py --programs NAME [--address URL] [--c PROGRAM] [--pythonpath DIR --python PYTHON] [--node NODE --node-package DIR --node-modules DIR]

NAME.py and NAME.mjs lie here. Without an argument such a program is a server that prints its ticket; with one it is a client,
whose last line is to say how much it compared, the same in all languages, and each line before that is a fault.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 120


def commands(options, folder):
    """{language: command}. The packages of Node.js lie together in an application's folder, as they do once installed."""
    out = {}
    if options.c:
        out["C"] = [options.c]  # or C++
    if options.python:
        out["Python"] = [options.python, str(HERE / f"{options.programs}.py")]
    if options.node:
        modules = folder / "node_modules"
        shutil.copytree(options.node_package, modules / "sealwire")
        for name in ("@msgpack/msgpack", "cborg"):
            shutil.copytree(options.node_modules / name, modules / name)
        shutil.copy(HERE / f"{options.programs}.mjs", folder)
        out["Node.js"] = [options.node, str(folder / f"{options.programs}.mjs")]
    return out


def agree(server, client, environment, counts):
    environment = {**os.environ, **environment}
    serving = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment)
    try:
        ticket = serving.stdout.readline().strip()
        if "#" not in ticket:
            yield f"the server printed {ticket!r} in place of a ticket"
            return
        asking = subprocess.run([*client, ticket], text=True, encoding="utf-8", env=environment, timeout=PATIENCE_S,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        *faults, last = asking.stdout.splitlines() or [""]
        if asking.returncode or not last.startswith("compared "):
            yield f"ended with status {asking.returncode}: {asking.stdout}"
            return
        yield from faults
        counts.add(last)
        if len(counts) != 1:
            yield f"not all languages compare the same: {sorted(counts)}"
    finally:
        serving.kill()
        serving.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--address", help="where servers listen, in ADDRESS")
    for name in ("--c", "--pythonpath", "--python", "--node"):
        parser.add_argument(name)
    for name in ("--node-package", "--node-modules"):
        parser.add_argument(name, type=pathlib.Path)
    options = parser.parse_args()
    environment = {"PYTHONPATH": options.pythonpath} if options.pythonpath else {}
    if options.address:
        environment["ADDRESS"] = options.address
    with tempfile.TemporaryDirectory(prefix="sealwire-pairs-") as folder:
        languages = commands(options, pathlib.Path(folder))
        counts = set()
        return tap.run({
            f"{options.programs}: a client in {client} and a server in {server} agree":
                lambda server=server, client=client: agree(languages[server], languages[client], environment, counts)
            for server in languages for client in languages
        })


if __name__ == "__main__":
    sys.exit(main())
