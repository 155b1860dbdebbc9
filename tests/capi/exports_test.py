#!/usr/bin/env python3
"""Compares what libsealwire.so exports and needs with capi/exports.txt and the public header.

    exports_test.py LIBRARY EXPORTS.TXT HEADER ABI
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import elf  # noqa: E402
import tap  # noqa: E402


def differences(have, want, have_name, want_name):
    return [f"{name} is in {have_name} but not in {want_name}" for name in sorted(have - want)] + [
        f"{name} is in {want_name} but not in {have_name}" for name in sorted(want - have)]


def undefined(declared, listed):
    return differences(declared, listed, "sealwire.h", "capi/exports.txt")


def main():
    library, exports_file, header, abi = sys.argv[1:]
    listed_lines = pathlib.Path(exports_file).read_text().split()
    listed = set(listed_lines)
    declarations = re.sub(r"/\*.*?\*/", "", pathlib.Path(header).read_text(), flags=re.DOTALL)
    declared = set(re.findall(r"SW_API[^;(]*?\b(sw_\w+)\s*\(", declarations))
    return tap.run({
        "exports.txt is sorted and names nothing twice":
            lambda: [] if listed_lines == sorted(listed) else ["sort it with LC_ALL=C sort -u"],
        "the library exports what exports.txt lists, nothing else":
            lambda: differences(elf.exports(library), listed, "the library", "capi/exports.txt"),
        "each function that is exported is declared in the header":
            lambda: differences(listed & declared, listed, "sealwire.h", "capi/exports.txt"),
        "each function that the header declares is exported":
            lambda: undefined(declared, listed),
        "the library needs libc only":
            lambda: [f"it needs {name}" for name in sorted(elf.needed(library) - elf.LIBC)],
        "the soname carries the ABI number alone":
            lambda: [] if elf.soname(library) == f"libsealwire.so.{abi}" else [f"it is {elf.soname(library)}"],
        "the library stays in memory when it is closed (nodelete)":
            lambda: [] if "NODELETE" in subprocess.check_output(["readelf", "-dW", library], text=True) else ["flag missing"],
    })


if __name__ == "__main__":
    sys.exit(main())
