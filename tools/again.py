"""Give tests that failed beside six thousand others a hearing of their own.

`make test` keeps two busy cores and real servers under way for minutes, and now and then a test fails for that alone.
The tests that failed (`tests/conftest.py` writes their names down) run again here, by themselves, three times: one that
fails again even once has failed, and so has a run in which more than three did. What passes is told, so that it gets
mended.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MOST = 3
TIMES = 3

Run = Callable[[list[str]], int]


def run_pytest(names: list[str]) -> int:
    """Run these tests and return the exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *names], check=False).returncode


def hear(list_of_failed: Path, run: Run = run_pytest) -> int:
    """Return the exit code for the tests named in a file."""
    names = list_of_failed.read_text().splitlines() if list_of_failed.is_file() else []
    if not names:
        print("The test run ended without saying which tests failed.", file=sys.stderr)
        return 1
    if len(names) > MOST:
        print(f"{len(names)} tests failed, which is no accident.", file=sys.stderr)
        return 1
    print(f"\nFailed beside the others, and run again alone: {', '.join(names)}", flush=True)
    for _ in range(TIMES):
        if run(names):
            return 1
    print(f"FLAKY, mend them: {', '.join(names)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(hear(Path(sys.argv[1])))
