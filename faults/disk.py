"""A mounted disk that can lose its power, or fail, on demand."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.frame import Skipped, apart
from faults.stage import python_path
from peers.process import PeerFailed, Running, start


class Disk:
    """A folder `place` under FUSE over a folder that holds what would be on the platters."""

    def __init__(self, directory: Path) -> None:
        self.backing, self.place = directory / "backing", directory / "disk"
        self.backing.mkdir()
        self.place.mkdir()
        self._socket = directory / "orders"
        self._log = directory / "fuse.log"
        self._running: Running | None = None

    def mount(self) -> None:
        """Bring the disk up."""
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "faults.fuse", self.backing, self.place, self._socket]
        self._running = start("fuse", command, log=self._log, environment={"PYTHONPATH": python_path()})
        self._running.ready_when(lambda: self._socket.exists() and self.place.is_mount())

    def cut(self, seed: int) -> dict[str, int]:
        """Take the power away: what is not synced is gone, and everything fails until the next `mount`."""
        return self._order({"order": "cut", "seed": seed})

    def fail(self, *, sync: int = 0, write: int = 0, short: bool = False, only: str = "") -> None:
        """Let syncs or writes fail with an error number, or writes stop short, for files named like `only`."""
        self._order({"order": "fail", "sync": sync, "write": write, "short": short, "only": only})

    def heal(self) -> dict[str, int]:
        """Work again; returns when the first failure was (nanoseconds, 0 for none) and how many there were."""
        return self._order({"order": "heal"})

    def unmount(self) -> None:
        """Take the disk down, whoever uses it."""
        if self._running is None:
            return
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)
        self._running.stop(signal.SIGTERM, timeout_s=10)
        self._running = None

    def _order(self, order: dict[str, object]) -> dict[str, int]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self._socket))
            connection.sendall(json.dumps(order).encode())
            answer: dict[str, int] = json.loads(connection.makefile().readline())
            return answer


@contextmanager
def disk() -> Iterator[Disk]:
    """Mount a disk; raises `Skipped` where that cannot be done."""
    if importlib.util.find_spec("pyfuse3") is None:
        raise Skipped("pyfuse3 is not installed (pip install --require-hashes -r requirements/faults.txt)")
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        raise Skipped("mounting needs root and /dev/fuse")
    with apart("disk") as directory:
        directory.chmod(0o755)
        made = Disk(directory)
        try:
            made.mount()
        except PeerFailed as failure:
            raise Skipped(f"FUSE does not work here: {failure}") from failure
        try:
            yield made
        finally:
            with contextlib.suppress(OSError):
                made.unmount()
