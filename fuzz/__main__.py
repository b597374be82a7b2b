"""`python -m fuzz TARGET --seconds N`: run a target until an input fails or the time is over.

With atheris (requirements/fuzz.txt) the inputs are led by coverage; without it they are mutations of the seeds, and the
run says so. An input that fails is left under fuzz/found/ and named. Nothing of Postroad is imported before it is known
which engine runs, because atheris has to see the code being loaded.
"""

import argparse
import hashlib
import importlib
import importlib.util
import signal
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

NAMES = ("replies", "dsn", "arf")
FOUND = Path(__file__).parent / "found"
SLOW_S = 2.0
"""Processor time that no input may take."""
STUCK_S = 60
"""After this long an input is given up."""


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--engine", choices=["auto", "atheris", "mutations"], default="auto")
    parser.add_argument("--start", type=int, default=0, help="the number that the mutations begin with")
    parser.add_argument("--input", type=Path, help="run this one input and nothing else")
    given = parser.parse_args()
    names = NAMES if given.target == "all" else (given.target,)
    if given.input is not None:
        for name in names:
            _run(name, given.input.read_bytes())
        return 0
    engine = given.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") else "mutations"
    if engine == "mutations":
        return max(by_mutation(name, given.seconds, given.start) for name in names)
    if len(names) > 1:
        return max(_apart(name, given.seconds) for name in names)
    _by_atheris(names[0], given.seconds)
    return 0


def by_mutation(name: str, seconds: int, start: int) -> int:
    """Run a target over its seeds and then over mutations of them; return 1 when an input fails."""
    from fuzz.corpus import seeds
    from fuzz.mutate import mutations

    signal.signal(signal.SIGALRM, _stuck)
    known = seeds(name)
    end = time.monotonic() + seconds
    count = 0
    for octets in chain(known, mutations(known, start)):
        begun = time.process_time()
        signal.alarm(STUCK_S)
        try:
            _run(name, octets)
        except Exception as problem:  # noqa: BLE001 # whatever it is, it is what was looked for
            return _failed(name, octets, repr(problem))
        if time.process_time() - begun > SLOW_S:
            return _failed(name, octets, f"took longer than {SLOW_S} s")
        count += 1
        if time.monotonic() > end and count >= len(known):
            break
    signal.alarm(0)
    sys.stdout.write(f"{name}: {count} inputs by mutation, without guidance by coverage; none failed\n")
    return 0


def _run(name: str, octets: bytes) -> None:
    from fuzz.targets import TARGETS

    TARGETS[name](octets)


def _stuck(*_: object) -> None:
    raise TimeoutError(f"it does not come to an end in {STUCK_S} s")


def _failed(name: str, octets: bytes, why: str) -> int:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{name}-{hashlib.sha256(octets).hexdigest()[:16]}"
    path.write_bytes(octets)
    sys.stderr.write(f"{name}: {why}\nThe input is {path}\n")
    return 1


def _apart(name: str, seconds: int) -> int:
    """Run one target in a process of its own, since libFuzzer ends the process that it runs in."""
    command = [sys.executable, "-m", "fuzz", name, "--seconds", str(seconds), "--engine", "atheris"]
    return subprocess.run(command, check=False).returncode


def _by_atheris(name: str, seconds: int) -> None:
    """Run a target under libFuzzer, led by the coverage of Postroad's own code; never returns."""
    atheris = importlib.import_module("atheris")  # optional and without types
    with atheris.instrument_imports(include=["postroad"]):
        from fuzz.corpus import seeds
        from fuzz.targets import TARGETS
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for octets in seeds(name):
            (Path(folder) / hashlib.sha256(octets).hexdigest()[:16]).write_bytes(octets)
        options = [f"-max_total_time={seconds}", "-timeout=5", "-max_len=65536", "-rss_limit_mb=1024"]
        atheris.Setup(["fuzz", *options, f"-artifact_prefix={FOUND}/{name}-", folder], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
