"""The examples print what examples/expected says; the guide's blocks of code run."""

import pathlib
import re

import pytest
from conftest import SOURCE_ROOT

EXAMPLES = sorted((SOURCE_ROOT / "examples" / "python").glob("*.py"))
BLOCKS = re.findall(r"```python\n(.*?)```", (SOURCE_ROOT / "docs" / "python.md").read_text(), re.S)


def test_each_expected_output_has_its_example():
    expected = {path.stem for path in (SOURCE_ROOT / "examples" / "expected").glob("*.txt")}
    assert {path.stem for path in EXAMPLES} == expected and expected


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_is_expected(path: pathlib.Path, script, certificates, monkeypatch):
    monkeypatch.setenv("CERTIFICATES", str(certificates))
    result = script(path.read_text())
    assert result.stderr == ""
    assert result.stdout == (SOURCE_ROOT / "examples" / "expected" / f"{path.stem}.txt").read_text()


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_guide_runs(number, script):
    result = script(BLOCKS[number])
    assert result.returncode == 0, result.stderr
    assert result.stdout and not result.stderr


def test_the_guide_has_blocks():
    assert len(BLOCKS) >= 4
