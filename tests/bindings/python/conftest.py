"""What several Python tests share: where things are, and a wheel built once."""

import os
import pathlib
import subprocess
import sys

import pytest

SOURCE_ROOT = pathlib.Path(os.environ.get("SEALWIRE_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(SOURCE_ROOT / "tests" / "support"))


@pytest.fixture(scope="session")
def source_root():
    return SOURCE_ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel that `pip install ./bindings/python` builds, made with the build tools that are installed here."""
    out = tmp_path_factory.mktemp("wheel")
    # The folder is kept between runs, so that only what changed is compiled again.
    kept = pathlib.Path(os.environ.get("SEALWIRE_BUILD_ROOT", out)) / "wheel"
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index",
                    f"--config-settings=build-dir={kept}", "--wheel-dir", str(out), str(SOURCE_ROOT / "bindings" / "python")],
                   check=True, stdin=subprocess.DEVNULL)
    (path,) = out.glob("*.whl")
    return path
