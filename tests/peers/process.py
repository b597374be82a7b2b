"""Start, await and stop one server process; find ports; say when a program is missing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

LOOPBACK = "127.0.0.1"


class PartMissing(Exception):  # noqa: N818 - it reads as what it says: a part is missing
    """A program a peer needs is not on this machine."""


class PeerFailed(Exception):  # noqa: N818 - as above
    """A peer did not start, or died; the message carries the end of its log."""


def program(name: str, *places: str) -> str:
    """Find a program on PATH, in the system directories, or in `places`; raises `PartMissing`."""
    path = os.pathsep.join([*places, os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise PartMissing(f"{name} is not installed (see tests/peers/packages.txt)")
    return found


def free_port(host: str = LOOPBACK) -> int:
    """Return a TCP port of `host` that nobody listened on a moment ago."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def workplace(name: str, *, owner: str | None = None) -> Iterator[Path]:
    """Give a temporary directory, owned by user `owner` when we are root, and remove it at the end."""
    place = Path(mkdtemp(prefix=f"peer-{name}-"))
    try:
        place.chmod(0o755)
        if owner is not None and os.geteuid() == 0:
            shutil.chown(place, owner, owner)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def answers(host: str, port: int, *, timeout_s: float = 0.5) -> bool:
    """Tell whether something accepts TCP connections there."""
    with suppress(OSError), closing(socket.create_connection((host, port), timeout=timeout_s)):
        return True
    return False


def wait_until(happened: Callable[[], bool], *, timeout_s: float, what: str, every_s: float = 0.01) -> None:
    """Poll until `happened()`; raises `TimeoutError` naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)


@dataclass(slots=True)
class Running:
    """One server process and its log; `pid` is the process we started, never a guess."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def ready_when(self, happened: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
        """Wait for readiness; raises `PeerFailed` with the log when the process dies or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            if not self.alive():
                raise PeerFailed(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise PeerFailed(f"{self.name} was not ready within {timeout_s:g} s:\n{self.tail()}")
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, timeout_s: float = 15.0) -> int:
        """Signal the process and wait for its end; SIGKILL when it does not listen. Returns its exit status."""
        if self.alive():
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(timeout_s)

    def tail(self, octets: int = 4000) -> str:
        """The end of what the process wrote."""
        with suppress(OSError):
            return self.log.read_bytes()[-octets:].decode(errors="replace")
        return ""


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    output: Path | None = None,
    own_group: bool = False,
    cwd: Path | None = None,
) -> Running:
    """Start a process with standard error (and output, unless `output` names a file) appended to `log`.

    `user` is taken only when we are root; `own_group` makes the process the leader of a new process group.
    """
    with log.open("ab") as errors, (output or log).open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            user=_identity(user),
            group=_identity(user),
            extra_groups=None if _identity(user) is None else [],
            env={**os.environ, **(environment or {})},
            process_group=0 if own_group else None,
            cwd=cwd,
        )
    return Running(name, process, log)


def run(command: Sequence[str | Path], *, user: str | None = None, cwd: Path | None = None) -> str:
    """Run a command to its end and return what it wrote; raises `PeerFailed` when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=_identity(user),
        group=_identity(user),
        extra_groups=None if _identity(user) is None else [],
        cwd=cwd,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise PeerFailed(f"{command[0]} ended with {done.returncode}:\n{text[-4000:]}")
    return text


def _identity(user: str | None) -> str | None:
    return user if os.geteuid() == 0 else None
