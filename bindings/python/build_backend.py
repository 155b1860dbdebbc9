"""A build backend that changes to the root of the repository and lets meson-python do the work there."""

import contextlib
import os
import pathlib

import mesonpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _at_root(name):
    hook = getattr(mesonpy, name)

    def run(*arguments, **options):
        # Folders in the arguments are relative to where the frontend called us.
        arguments = [os.path.abspath(a) if isinstance(a, (str, os.PathLike)) else a for a in arguments]
        with contextlib.ExitStack() as stack:
            stack.callback(os.chdir, os.getcwd())
            os.chdir(ROOT)
            return hook(*arguments, **options)

    return run


get_requires_for_build_wheel = _at_root("get_requires_for_build_wheel")
get_requires_for_build_sdist = _at_root("get_requires_for_build_sdist")
build_wheel = _at_root("build_wheel")
build_sdist = _at_root("build_sdist")
