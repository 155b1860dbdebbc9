"""What several Python tests share: where things are, and a wheel built once."""

import os
import pathlib
import subprocess
import sys

import pytest

SOURCE_ROOT = pathlib.Path(os.environ.get("SEALWIRE_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[3]))
SCRIPT_S = 300 if "SEALWIRE_SANITIZED" in os.environ else 60
sys.path.insert(0, str(SOURCE_ROOT / "tests" / "support"))
import compiled  # noqa: E402


@pytest.fixture(scope="session")
def source_root():
    return SOURCE_ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel that `pip install ./bindings/python` builds, made with the build tools that are installed here."""
    out = tmp_path_factory.mktemp("wheel")
    # The folder is kept between runs, so that only what changed is compiled again. Not optimized: that takes three times as long.
    build = pathlib.Path(os.environ.get("SEALWIRE_BUILD_ROOT", out / "build"))
    kept = build.with_name(build.name + "-wheel")
    compiled.lend(build, kept)
    settings = [f"build-dir={kept}", "setup-args=-Db_ndebug=false"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index",
                    *(f"--config-settings={setting}" for setting in settings), "--wheel-dir", str(out),
                    str(SOURCE_ROOT / "bindings" / "python")], check=True, stdin=subprocess.DEVNULL, env={**os.environ, "CXXFLAGS": "-O0"})
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with fresh certificates: see tests/support/certificates_c.h for which."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([os.environ["SEALWIRE_MAKE_CERTIFICATES"], str(folder)], check=True, stdin=subprocess.DEVNULL)
    return folder


# ---- Two nodes that talk --------------------------------------------------------------------------------------------

DEADLINE = float(SCRIPT_S)  # generous: nothing waits for it unless it fails


def run(scenario, *arguments):
    """Runs a coroutine function in an event loop of its own, and ends it when it hangs."""
    import asyncio

    async def limited():
        await asyncio.wait_for(scenario(*arguments), DEADLINE)

    asyncio.run(limited())


# What goes over a transport is the library's matter, whose own tests go over each under a sanitizer, too.
@pytest.fixture(params=["unix"] if "SEALWIRE_SANITIZED" in os.environ else ["tcp", "unix"])
def url(request, tmp_path):
    """Where to listen: any port, or a socket file."""
    return "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/s"


@pytest.fixture
def folder_of_package():
    import sealwire
    return str(pathlib.Path(sealwire.__file__).resolve().parent.parent)


@pytest.fixture
def script(folder_of_package, tmp_path):
    """Runs Python source in a process of its own; its output."""
    def start(source, *arguments, **options):
        path = tmp_path / "script.py"
        path.write_text(source)
        return subprocess.run([sys.executable, str(path), *arguments], text=True, capture_output=True, timeout=SCRIPT_S,
                              env={**os.environ, "PYTHONPATH": folder_of_package}, **options)
    return start
