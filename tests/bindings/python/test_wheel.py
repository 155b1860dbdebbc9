"""The wheel: what is in it, what it needs, and that it works in an empty environment."""

import json
import re
import subprocess
import venv
import zipfile

import elf
import pytest


@pytest.fixture(scope="module")
def extension(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (path,) = (folder / "sealwire").glob("_native.*.so")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel, source_root):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if name.startswith("sealwire/")}
    extensions = {name for name in package if name.endswith(".so")}
    sources = {f"sealwire/{path.name}" for path in (source_root / "bindings/python/sealwire").iterdir()
               if path.suffix in (".py", ".pyi", ".typed") or path.name == "py.typed"}
    assert len(extensions) == 1
    assert package - extensions == sources, "bindings/python/sealwire/meson.build lists what belongs to the package"
    assert {name.split("/")[0] for name in names - package} == {next(iter(names - package)).split("/")[0]}
    assert all(".dist-info/" in name for name in names - package)
    licences = {name.split("/")[-1] for name in names - package}
    assert {"LICENSE", "THIRD-PARTY-NOTICES"} <= licences


def test_the_extension_needs_libc_only(extension):
    assert elf.needed(extension) <= elf.LIBC


def test_the_extension_exports_its_init_function_alone(extension):
    assert elf.exports(extension) == {"PyInit__native"}


def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True)
    code = "import json, sealwire; print(json.dumps([sealwire.__version__, sealwire.__file__]))"
    output = subprocess.check_output([python, "-I", "-c", code], text=True, cwd=tmp_path)
    version, file = json.loads(output)
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"sealwire-{version}-" in wheel.name
    assert file.startswith(str(tmp_path))
