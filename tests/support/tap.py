"""Test points for Python scripts, printed in TAP: each check is a function that returns a list of complaints."""

import sys


class Skip(Exception):
    """Raised by a check that cannot be made here; it then counts as neither passed nor failed."""


def run(checks):
    """Runs {fact: function}; a complaint or an exception makes the point fail. Returns the exit status."""
    failed = 0
    for number, (fact, check) in enumerate(checks.items(), 1):
        skipped = ""
        try:
            complaints = list(check() or [])
        except Skip as reason:
            complaints, skipped = [], f" # SKIP {reason}"
        except Exception as error:  # a check that breaks is a check that fails
            complaints = [f"{type(error).__name__}: {error}"]
        failed += bool(complaints)
        print(f"{'not ok' if complaints else 'ok'} {number} - {fact}{skipped}")
        for complaint in complaints:
            for line in str(complaint).splitlines():
                print(f"# {line}")
                print(line, file=sys.stderr)  # what `meson test --print-errorlogs` shows
        sys.stdout.flush()
    print(f"1..{len(checks)}")
    return 1 if failed else 0
