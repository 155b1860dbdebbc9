#!/usr/bin/env python3
"""Installs into an empty folder and builds consumers: with pkg-config, with CMake, and as a Meson subproject.

    consumers_test.py SOURCE_ROOT BUILD_ROOT
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import compiled  # noqa: E402
import tap  # noqa: E402

MAIN_C = """\
#include <sealwire/sealwire.h>
#include <stdio.h>

int main(void) {
    return printf("sealwire %s\\n", sw_version()) < 0;
}
"""
# The whole of what a Meson project writes to have Sealwire as a subproject.
MESON_CONSUMER = """\
project('consumer', 'c')
executable('consumer', 'main.c', dependencies: dependency('sealwire', fallback: 'sealwire'))
"""
CMAKE_CONSUMER = """\
cmake_minimum_required(VERSION 3.18)
project(consumer C)
find_package(sealwire 0.1 REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer sealwire::sealwire)
"""


def run(*command, cwd=None, **environment):
    result = subprocess.run([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout[-4000:]}")
    return result.stdout


class Consumers:
    def __init__(self, source, build, folder):
        self.source, self.build, self.folder = pathlib.Path(source), pathlib.Path(build), pathlib.Path(folder)
        self.destdir = self.folder / "installed"

    def new_project(self, name, **files):
        folder = self.folder / name
        folder.mkdir()
        (folder / "main.c").write_text(MAIN_C)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)
        return folder

    def library_folder(self):
        (library,) = self.destdir.rglob("libsealwire.so.*")
        return library.parent

    def install(self):
        run("meson", "install", "-C", self.build, "--no-rebuild", "--destdir", self.destdir,
            "--tags", "devel,runtime,man")
        names = {path.name for path in self.destdir.rglob("*") if not path.is_dir()}
        want = {"sealwire.h", "sealwire.hpp", "basics.hpp", "router.hpp", "pipe.hpp", "topic.hpp", "broadcast.hpp", "limits.hpp", "libsealwire.so", "libsealwire.so.1", "sealwire.pc",
                "sealwire-config.cmake", "sealwire-config-version.cmake", "LICENSE", "THIRD-PARTY-NOTICES"}
        return [f"{name} is missing" for name in sorted(want - names)] + [
            f"{name} should not be there" for name in sorted(names - want) if not name.startswith("sealwire")]

    def man_page(self):
        if not shutil.which("scdoc"):
            raise tap.Skip("scdoc is not installed, so there is no man page")
        (page,) = self.destdir.rglob("man1/sealwire.1")
        return [] if page.read_text().lstrip().startswith((".\\\"", ".TH")) else ["it is no roff: " + page.read_text()[:60]]

    def pkg_config(self):
        project = self.new_project("with-pkg-config")
        libraries = self.library_folder()
        flags = run("pkg-config", "--cflags", "--libs", "sealwire", PKG_CONFIG_PATH=str(libraries / "pkgconfig"),
                    PKG_CONFIG_SYSROOT_DIR=str(self.destdir)).split()
        run("cc", "main.c", *flags, "-o", "consumer", cwd=project)
        return self.speaks(project / "consumer", LD_LIBRARY_PATH=str(libraries))

    def cmake(self):
        project = self.new_project("with-cmake", CMakeLists__txt=CMAKE_CONSUMER)
        run("cmake", "-G", "Ninja", "-S", ".", "-B", "out", f"-Dsealwire_DIR={self.library_folder() / 'cmake' / 'sealwire'}", cwd=project)
        run("cmake", "--build", "out", cwd=project)
        return self.speaks(project / "out" / "consumer")

    def meson(self):
        project = self.new_project("with-meson", meson__build=MESON_CONSUMER)
        (project / "subprojects").mkdir()
        (project / "subprojects" / "sealwire").symlink_to(self.source)
        (project / "subprojects" / "packagecache").symlink_to(self.source / "subprojects" / "packagecache")
        compiled.lend(self.build, project / "out")
        # Not optimized, which would take three times as long.
        run("meson", "setup", "out", "-Dbuildtype=release", "-Dcpp_args=-O0", "-Dsealwire:cpp_args=-O0", "-Dunity=on", "-Dunity_size=100",
            "-Dsealwire:tests=false", "-Dsealwire:python=disabled", "-Dsealwire:node=disabled", cwd=project)
        run("ninja", "-C", "out", "consumer", cwd=project)
        return self.speaks(project / "out" / "consumer")

    @staticmethod
    def speaks(program, **environment):
        said = run(program, **environment)
        return [] if said.startswith("sealwire ") else [f"it said {said!r}"]


def main():
    with tempfile.TemporaryDirectory(prefix="sealwire-install-") as folder:
        consumers = Consumers(*sys.argv[1:], folder)
        return tap.run({
            "meson install puts the header, the library and its descriptions in place": consumers.install,
            "the man page lies where man looks for it": consumers.man_page,
            "a program builds and runs with pkg-config": consumers.pkg_config,
            "a program builds and runs with find_package of CMake": consumers.cmake,
            "a project of two lines has it as a Meson subproject": consumers.meson,
        })


if __name__ == "__main__":
    sys.exit(main())
