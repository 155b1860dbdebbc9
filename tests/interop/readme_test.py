#!/usr/bin/env python3
"""The programs of README.md's quick start, as they stand there, each as server and as client of each; and its command lines.

    readme_test.py --readme FILE --include DIR --library FILE --tool FILE [--pythonpath DIR] [--python PYTHON] [--node NODE --node-package DIR]
"""

import argparse
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

PATIENCE_S = 60
HELLO_CPP = """\
#include <sealwire/sealwire.hpp>
#include <iostream>

int main() {
    sealwire::node_options options;
    options.network = "quick start";
    options.access = SW_ACCESS_ANYONE;
    options.on_listening = [](const sw_event_listening& event) { std::cout << sealwire::view_of(event.ticket) << std::endl; };
    sealwire::node node(std::move(options));
    const sealwire::listener listener = node.listen("tcp://127.0.0.1:0");
    std::cin.get();  // until Enter
}
"""


class Missing(Exception):
    """The README does not say any more what is tested here."""


def find(options, pattern, what):
    match = re.search(pattern, options.readme.read_text(encoding="utf-8"))
    if not match:
        raise Missing(f"{options.readme.name} has no {what}, as by {pattern}")
    return match


def blocks(options):
    """{language: code}, of those in the README."""
    found = dict(re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", options.readme.read_text(encoding="utf-8")))
    for language in ("c", "python", "js", "sh"):
        if language not in found:
            raise Missing(f"{options.readme.name} has no block of code in {language}")
    return found


def programs(options, folder):
    """{language: command}, from the code blocks."""
    block = blocks(options)
    folder.joinpath("hello.c").write_text(block["c"], encoding="utf-8")
    folder.joinpath("hello.py").write_text(block["python"], encoding="utf-8")
    folder.joinpath("hello.mjs").write_text(block["js"], encoding="utf-8")
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
    environment = {**os.environ, "PATH": f"{options.tool.resolve().parent}:{os.environ['PATH']}"}
    ticket, servers, answers = "TICKET", [], 0
    try:
        for line in blocks(options)["sh"].splitlines():
            if line.startswith(("sealwire listen ", "sealwire sub ", "sealwire hub ")):
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
        if answers != 1 or len(servers) != 3:
            yield f"{len(servers)} listeners and {answers} answers in place of three and one"
            return
        servers[1].terminate()
        published = servers[1].communicate(timeout=PATIENCE_S)[0].split()
        if published != ["rain", "snow"]:
            yield f"{published} came of the topic"
    finally:
        for server in servers:
            server.kill()
            server.communicate()


class Build:
    """A build that is not installed, where its folder is the one of this build, in a checkout of which the README says /path/to/sealwire."""

    def __init__(self, options, folder):
        self.options, self.folder, self.checkout = options, folder, folder / "checkout"
        self.checkout.joinpath("capi").mkdir(parents=True)
        self.checkout.joinpath("capi", "include").symlink_to(options.include.resolve())
        self.checkout.joinpath("build").symlink_to(options.library.resolve().parent.parent)
        programs_first = folder / "bin"  # whatever else is named so
        programs_first.mkdir()
        for name, program in (("python3", options.python), ("node", options.node)):
            script = programs_first / name
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(program or "false")} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
        npm = {f"npm_config_{name}": "false" for name in ("audit", "fund", "update_notifier")}  # what is installed lies there
        npm |= {"npm_config_offline": "true", "npm_config_cache": str(folder / "npm-cache")}
        self.environment = {**os.environ, **npm, "SEALWIRE": str(self.checkout), "PATH": f"{programs_first}:{os.environ['PATH']}"}

    def assignment(self):
        """Of the checkout's path, and the lines below it."""
        return find(self.options, r"(?m)^    SEALWIRE=(?P<path>\S+)\n(?P<lines>(?:    .*\n)+)", "lines for a shell below SEALWIRE=PATH")

    def lines(self):
        return [line.strip() for line in self.assignment()["lines"].splitlines()]

    def serves(self, name, line, **files):
        """A line for a shell starts a server, in a folder of its own with these files."""
        place = self.folder / name
        place.mkdir()
        for file, text in files.items():
            place.joinpath(file.replace("__", ".")).write_text(text, encoding="utf-8")
        server = subprocess.Popen(["sh", "-c", "exec 3<&0; " + line + " <&3"], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=self.environment, start_new_session=True)
        late = threading.Timer(PATIENCE_S, os.killpg, (server.pid, signal.SIGKILL))
        late.start()
        try:
            if not any("#" in shown for shown in server.stdout):
                how = "it ended" if late.is_alive() else f"in {PATIENCE_S} s"
                yield f"{line}: printed no ticket, {how}: {server.stderr.read()[:4000]}"
        finally:
            late.cancel()
            os.killpg(server.pid, signal.SIGKILL)
            server.communicate()

    def each_line(self):
        lines, block = self.lines(), blocks(self.options)
        if len(lines) != 3:
            yield f"{lines} in place of a line for each language"
        for line in lines:
            if "python3" in line and not self.options.python or "node" in line and not self.options.node:
                continue
            yield from self.serves(line.split()[0].rpartition("/")[2], line, hello__c=block["c"], hello__py=block["python"], hello__mjs=block["js"])

    def required_by_path(self):
        """The README's program as a CommonJS one, where no package is installed."""
        if not self.options.node:
            raise tap.Skip("there is no Node.js")
        call = find(self.options, r"require\('(?P<path>[^']*/[^']*)'\)", "require() of the package's path")
        if not call["path"].startswith(self.assignment()["path"] + "/"):
            yield f"{call[0]} is not of the checkout, {self.assignment()['path']}"
            return
        inside = call["path"][len(self.assignment()["path"]) + 1:]
        imported, _, rest = blocks(self.options)["js"].partition("\n")
        names = re.fullmatch(r"import (\{.*\}) from 'sealwire'", imported)
        if not names:
            yield f"the program of Node.js begins by {imported!r} in place of an import of names"
            return
        program = f"const {names[1]} = require('{self.checkout / inside}')\n;(async () => {{\n{rest}}})()\n"
        yield from self.serves("require", "node hello.cjs", hello__cjs=program)

    def compiled_as_cpp(self):
        """The line for C, with the compiler of C++ as the README says."""
        compiler = find(self.options, r"`sealwire\.hpp`\s+are\s+compiled\s+likewise,\s+by\s+`(?P<words>[^`]+)`", "compiler for sealwire.hpp")
        for_c = [line for line in self.lines() if line.startswith("cc hello.c ")]
        if len(for_c) != 1:
            yield f"{for_c} in place of one line that begins by 'cc hello.c'"
            return
        line = for_c[0].replace("cc hello.c", compiler["words"] + " hello.cpp", 1)
        yield from self.serves("cpp", line, hello__cpp=HELLO_CPP)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--readme", "--include", "--library", "--tool"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--node-package", type=pathlib.Path)
    for name in ("--pythonpath", "--python", "--node"):
        parser.add_argument(name)
    options = parser.parse_args()
    environment = {"PYTHONPATH": options.pythonpath} if options.pythonpath else {}
    with tempfile.TemporaryDirectory(prefix="sealwire-readme-") as temporary:
        installed, built = pathlib.Path(temporary, "installed"), pathlib.Path(temporary, "built")
        installed.mkdir()
        built.mkdir()
        try:
            commands = programs(options, installed)
        except Missing as why:
            print(f"Bail out! {why}")
            return 1
        build = Build(options, built)
        return tap.run({
            f"the {client} program of the README greets the {server} program":
                lambda server=server, client=client: greets(commands[server], commands[client], environment)
            for server in commands for client in commands
        } | {"the command lines of the README do what they say": lambda: command_lines(options, installed),
             "what a build leaves is used by the lines of the README, without installing it": build.each_line,
             "so is the package of Node.js by its path, in the require() of the README": build.required_by_path,
             "so is sealwire.hpp, by the compiler that the README names": build.compiled_as_cpp})


if __name__ == "__main__":
    sys.exit(main())
