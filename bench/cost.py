"""What processes cost: CPU time and resident memory of a process and its children, from /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], ()))
    return found


def cpu_s(pid: int) -> float:
    """User and system time of the family so far, ended children included."""
    total = 0
    for member in family(pid):
        with suppress(OSError, IndexError):
            stat = _stat(member)
            total += int(stat[11]) + int(stat[12])
            if member == pid:
                total += int(stat[13]) + int(stat[14])
    return total * _TICK_S


def resident_mib(pid: int) -> float:
    """Resident memory of the family; pages shared among them count once (proportional set size)."""
    kib = 0
    for member in family(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; index 0 is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
