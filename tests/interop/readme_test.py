#!/usr/bin/env python3
"""The programs of README.md's quick start, as they stand there, each as server and as client of each; and its command lines.

    readme_test.py --readme FILE --include DIR --library FILE --tool FILE [--pythonpath DIR] [--python PYTHON] [--node NODE --node-package DIR]
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60


def programs(options, folder):
    """{language: command}, from the code blocks."""
    blocks = dict(re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", options.readme.read_text(encoding="utf-8")))
    folder.joinpath("hello.c").write_text(blocks["c"], encoding="utf-8")
    folder.joinpath("hello.py").write_text(blocks["python"], encoding="utf-8")
    folder.joinpath("hello.mjs").write_text(blocks["js"], encoding="utf-8")
    library = options.library.resolve()
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "hello.c", f"-I{options.include.resolve()}", str(library), "-o", "hello",
                    f"-Wl,-rpath,{library.parent}"], cwd=folder, check=True)
    out = {"C": [str(folder / "hello")]}
    if options.python:
        out["Python"] = [options.python, str(folder / "hello.py")]
    if options.node:
        folder.joinpath("node_modules").mkdir()
        folder.joinpath("node_modules", "sealwire").symlink_to(options.node_package.resolve())
        out["Node.js"] = [options.node, str(folder / "hello.mjs")]
    return out


def start(command, environment):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
                            env={**os.environ, **environment})


def greets(server, client, environment):
    """A client of the one language greets a server of the other; the client then ends by itself, or by Enter."""
    serving = start(server, environment)
    try:
        ticket = serving.stdout.readline().strip()
        if "#" not in ticket:
            yield f"the server printed {ticket!r} in place of a ticket"
            return
        asking = start([*client, ticket], environment)
        try:
            answer = asking.stdout.readline()
            asking.communicate("\n", timeout=PATIENCE_S)
        finally:
            asking.kill()
            asking.wait()
        if "Ada" not in answer or asking.returncode:
            yield f"the answer was {answer!r}, the status {asking.returncode}"
    finally:
        serving.kill()
        serving.communicate()


def command_lines(options, folder):
    """The lines for a shell, one after another; one that listens stays, and TICKET becomes what it printed."""
    blocks = dict(re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", options.readme.read_text(encoding="utf-8")))
    environment = {**os.environ, "PATH": f"{options.tool.resolve().parent}:{os.environ['PATH']}"}
    ticket, servers, answers = "TICKET", [], 0
    try:
        for line in blocks["sh"].splitlines():
            if line.startswith(("sealwire listen ", "sealwire sub ")):
                servers.append(subprocess.Popen(["sh", "-c", "exec " + line], cwd=folder, env=environment, text=True,
                                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
                ticket = next((word for shown in servers[-1].stdout for word in shown.split() if "#" in word), None)
                if not ticket:
                    yield f"{line}: printed no ticket"
                    return
                continue
            done = subprocess.run(["sh", "-c", line.replace("TICKET", f"'{ticket}'")], cwd=folder, env=environment, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S)
            answers += '{"name":"Ada"}' in done.stdout
            if done.returncode:
                yield f"{line}: status {done.returncode}, {done.stdout}"
        if answers != 1 or len(servers) != 2:
            yield f"{len(servers)} listeners and {answers} answers in place of two and one"
            return
        servers[1].terminate()
        published = servers[1].communicate(timeout=PATIENCE_S)[0].split()
        if published != ["rain", "snow"]:
            yield f"{published} came of the topic"
    finally:
        for server in servers:
            server.kill()
            server.communicate()


def build_folder_lines(options, folder):
    """The lines for a build that is not installed, where its folder is the one of this build; each starts a server."""
    text = options.readme.read_text(encoding="utf-8").partition("    SEALWIRE=/path/to/sealwire\n")[2]
    lines = re.match(r"(?:    .*\n)+", text).group(0).split("\n    ")
    checkout = folder / "checkout"
    checkout.joinpath("capi").mkdir(parents=True)
    checkout.joinpath("capi", "include").symlink_to(options.include.resolve())
    checkout.joinpath("build").symlink_to(options.library.resolve().parent.parent)
    npm = {f"npm_config_{name}": "false" for name in ("audit", "fund", "update_notifier")}  # what is installed lies there
    npm |= {"npm_config_offline": "true", "npm_config_cache": str(folder / "npm-cache")}
    if len(lines) != 3:
        yield f"{lines} in place of a line for each language"
    for line in map(str.strip, lines):
        if "python3" in line and not options.python or "node" in line and not options.node:
            continue
        place = folder / line.split()[0].rpartition("/")[2]
        place.mkdir()
        for name in ("hello.c", "hello.py", "hello.mjs"):
            place.joinpath(name).write_bytes(folder.joinpath(name).read_bytes())
        line = line.replace("python3", str(options.python))
        server = subprocess.Popen(["sh", "-c", "exec 3<&0; " + line + " <&3"], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env={**os.environ, **npm, "SEALWIRE": str(checkout)}, start_new_session=True)
        try:
            if not any("#" in shown for shown in server.stdout):
                yield f"{line}: {server.stderr.read()}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--readme", "--include", "--library", "--tool"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--node-package", type=pathlib.Path)
    for name in ("--pythonpath", "--python", "--node"):
        parser.add_argument(name)
    options = parser.parse_args()
    environment = {"PYTHONPATH": options.pythonpath} if options.pythonpath else {}
    with tempfile.TemporaryDirectory(prefix="sealwire-readme-") as folder:
        commands = programs(options, pathlib.Path(folder))
        return tap.run({
            f"the {client} program of the README greets the {server} program":
                lambda server=server, client=client: greets(commands[server], commands[client], environment)
            for server in commands for client in commands
        } | {"the command lines of the README do what they say": lambda: command_lines(options, folder),
             "what a build leaves is used by the lines of the README, without installing it":
                 lambda: build_folder_lines(options, pathlib.Path(folder))})


if __name__ == "__main__":
    sys.exit(main())
