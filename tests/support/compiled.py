"""Lets a second build of the library begin with the dependencies that the first one compiled."""

import pathlib
import shutil

LOGS = (".ninja_log", ".ninja_deps")


def lend(build, folder):
    """Copies the objects of the subprojects, which ninja takes where it would compile the same by the same command."""
    build, folder = pathlib.Path(build), pathlib.Path(folder)
    if folder.exists() or not all((build / name).is_file() for name in LOGS):
        return
    begun = folder.with_name(folder.name + ".begun")
    shutil.rmtree(begun, ignore_errors=True)
    shutil.copytree(build / "subprojects", begun / "subprojects", symlinks=True)
    for name in LOGS:
        shutil.copy2(build / name, begun / name)
    begun.rename(folder)
