"""What one process is: its name among the nodes, this run of it, its hold on its directory, its clock and chance."""

import contextlib
import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from postroad.model.clock import Clock, Instant
from postroad.model.ids import COUNT_BITS, TAIL_DIGITS, mint_counted, random_digits

_log = structlog.get_logger("postroad.node")
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
    fresh: bool
    """Whether this is the first process ever on the data directory."""
    _descriptor: int

    def release(self) -> None:
        """Give the data directory back."""
        os.close(self._descriptor)


def occupy(directory: Path, *, patience_s: float = 0.0) -> Node:
    """Take a data directory for the life of this process, making it if need be.

    `patience_s` is how long to wait for it: a command that runs alone holds it for a moment. That it waits is logged at
    once.

    Raises:
        DirectoryTaken: another process has it.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(directory / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _lock(descriptor):
        _wait(descriptor, directory, patience_s)
    with contextlib.suppress(OSError):  # a full disk must not keep a server from starting
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    name_file = directory / "node"
    fresh = not name_file.exists()
    if fresh:
        name_file.write_text(f"node_{secrets.token_hex(8)}\n")
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else secrets.token_hex(16)
    return Node(name_file.read_text().strip(), secrets.token_hex(8), boot, directory, fresh, descriptor)


def _wait(descriptor: int, directory: Path, patience_s: float) -> None:
    """Wait for the lock, or close its file and raise `DirectoryTaken`."""
    deadline = time.monotonic() + patience_s
    if patience_s:
        _log.warning(
            "waiting_for_data_directory",
            directory=str(directory.resolve()),
            held_by=_holder(descriptor),
            for_s=patience_s,
        )
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if _lock(descriptor):
            return
    holder = _holder(descriptor)
    os.close(descriptor)
    raise DirectoryTaken(
        f"another Postroad process ({holder}) runs on the data directory {directory.resolve()}; stop it, or give this "
        "one a directory of its own with POSTROAD_DATA_DIRECTORY"
    )


def _holder(descriptor: int) -> str:
    """Return the process that has the lock, as it has named itself."""
    return f"pid {os.pread(descriptor, 20, 0).decode('ascii', 'replace').strip() or 'unknown'}"


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Minter:
    """Makes identifiers that grow: within one millisecond they count up from a random place, with a random tail each.

    So things made by one request keep their order, rows are written at the end of their index, and nobody can tell the
    next from the one before.
    """

    _HANDFUL = 800

    def __init__(self, clock: Clock) -> None:
        """Take the clock that dates the identifiers."""
        self._clock = clock
        self._at = Instant(0)
        self._count = 0
        self._tails: list[str] = []

    def __call__(self, prefix: str) -> str:
        """Return a new identifier such as `msg_01k…`."""
        at = self._clock.now()
        self._count += 1
        if at // 1000 > self._at // 1000:
            self._begin(at)
        elif self._count >> COUNT_BITS:  # the clock was set back for long
            self._begin(Instant(self._at + 1000))
        if not self._tails:
            self._tails = self._draw()
        return mint_counted(prefix, self._at, self._count, self._tails.pop())

    def _begin(self, at: Instant) -> None:
        self._at = at
        self._count = secrets.randbits(COUNT_BITS - 1)  # as much room above it

    def _draw(self) -> list[str]:
        digits = random_digits(os.urandom(TAIL_DIGITS * self._HANDFUL))
        return [digits[n : n + TAIL_DIGITS] for n in range(0, len(digits), TAIL_DIGITS)]
