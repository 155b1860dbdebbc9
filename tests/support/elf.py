"""What a shared object exports and needs, asked from nm and readelf."""

import re
import subprocess

# What every Linux with glibc has; all of it belongs to the package libc6.
LIBC = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1"}


def exports(path):
    """Names of defined dynamic symbols, without version; the version nodes themselves are left out."""
    output = subprocess.check_output(["nm", "-D", "--defined-only", str(path)], text=True)
    rows = [line.split()[-2:] for line in output.splitlines()]
    return {name.split("@")[0] for kind, name in rows if kind != "A"}


def _dynamic(path, tag):
    output = subprocess.check_output(["readelf", "-dW", str(path)], text=True)
    return set(re.findall(rf"\({tag}\).*\[(.*)\]", output))


def needed(path):
    return _dynamic(path, "NEEDED")


def soname(path):
    return next(iter(_dynamic(path, "SONAME")), None)
