"""An example prints what examples/expected says: example_test.py PROGRAM EXPECTED [ARGUMENT...]."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402


def prints_what_is_expected():
    program, expected, arguments = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        yield f"ended with {result.returncode}: {result.stderr}"
    if result.stdout != expected.read_text():
        yield f"printed\n{result.stdout}instead of\n{expected.read_text()}"


sys.exit(tap.run({f"{pathlib.Path(sys.argv[1]).name} prints what is expected": prints_what_is_expected}))
