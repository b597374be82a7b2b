"""What one process is: its name among the nodes, this run of it, its hold on its directory, its clock and chance."""

import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from postroad.model.clock import Instant
from postroad.model.ids import ENTROPY_OCTETS, mint

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class DirectoryTaken(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """Another process runs on the data directory."""


class WallClock:
    """The time of the machine."""

    def now(self) -> Instant:
        """Return the current instant."""
        return Instant(time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class Node:
    """A process of Postroad on its data directory."""

    name: str
    """Stays with the data directory, so that a restarted process knows its own leases."""
    run: str
    """Differs with every start."""
    machine_boot: str
    directory: Path
    _descriptor: int

    def release(self) -> None:
        """Give the data directory back."""
        os.close(self._descriptor)


def occupy(directory: Path) -> Node:
    """Take a data directory for the life of this process, making it if need be.

    Raises:
        DirectoryTaken: another process has it.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(directory / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DirectoryTaken(
            f"another Postroad process runs on the data directory {directory}; stop it, or give this one a directory "
            "of its own with POSTROAD_DATA_DIRECTORY"
        ) from None
    name_file = directory / "node"
    if not name_file.exists():
        name_file.write_text(f"node_{secrets.token_hex(8)}\n")
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else secrets.token_hex(16)
    return Node(name_file.read_text().strip(), secrets.token_hex(8), boot, directory, descriptor)


class Minter:
    """Makes identifiers from the clock and the operating system's entropy, which is drawn by the handful."""

    _HANDFUL = 100

    def __init__(self, clock: WallClock) -> None:
        """Take the clock that dates the identifiers."""
        self._clock = clock
        self._entropy: list[bytes] = []

    def __call__(self, prefix: str) -> str:
        """Return a new identifier such as `msg_01k…`."""
        try:
            entropy = self._entropy.pop()
        except IndexError:
            octets = os.urandom(ENTROPY_OCTETS * self._HANDFUL)
            self._entropy = [octets[n : n + ENTROPY_OCTETS] for n in range(0, len(octets), ENTROPY_OCTETS)]
            entropy = self._entropy.pop()
        return mint(prefix, self._clock.now(), entropy)
