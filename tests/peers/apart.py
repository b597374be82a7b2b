"""Servers whose Debian packages exclude others: unpacked into .cache/peers, and run in a mount namespace of their own.

What such a server takes for granted (its user, its spool, its libraries) is laid over the machine's for that process
and its children alone. It needs root, as `unshare` does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from peers.process import PartMissing, Running, program, start

_PACKAGES = Path(__file__).parent.parent.parent / ".cache" / "peers"
_COPY = "unpacked"
_FIRST_UID = 64_100


def unpacked(place: Path) -> Path:
    """Return a copy of the unpacked packages in `place`, where users whom they run as may go too.

    Raises `PartMissing` where tests/peers/extract.sh has not run.
    """
    if not (_PACKAGES / "complete").exists():
        raise PartMissing("Exim and OpenSMTPD are not unpacked; run tests/peers/extract.sh")
    if os.geteuid() != 0:
        raise PartMissing("a mount namespace needs root")
    if subprocess.run([program("unshare"), "--mount", "true"], capture_output=True, check=False).returncode != 0:
        raise PartMissing("mount namespaces are not allowed here")
    return Path(shutil.copytree(_PACKAGES, place / _COPY, symlinks=True))


def uid_of(users: Sequence[str], user: str) -> int:
    """Return the number of one of the users that a server sees."""
    return _FIRST_UID + list(users).index(user)


def start_apart(
    name: str, command: Sequence[str | Path], *, place: Path, users: Sequence[str], over: Mapping[str, Path]
) -> Running:
    """Start a server that sees `users`, and folders of `place` over those of the machine.

    Args:
        name: for the log.
        command: what to run; it stays in the foreground.
        place: where its files are, the copy of the packages among them.
        users: that it wants to exist.
        over: what lies over which path of the machine.
    """
    mounts = {"/etc/ld.so.cache": _libraries(place), **_people(place, users), **over}
    script = "".join(f"mount --bind '{source}' '{target}'\n" for target, source in mounts.items()) + 'exec "$@"\n'
    (place / "apart.sh").write_text(f"set -e\n{script}")
    return start(
        name,
        ["unshare", "--mount", "--propagation", "private", "sh", place / "apart.sh", *command],
        log=place / "log",
        own_group=True,
        cwd=place,
    )


def _people(place: Path, users: Sequence[str]) -> dict[str, Path]:
    passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
    for user in users:
        number = uid_of(users, user)
        passwd += f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        group += f"{user}:x:{number}:\n"
    (place / "passwd").write_text(passwd)
    (place / "group").write_text(group)
    return {"/etc/passwd": place / "passwd", "/etc/group": place / "group"}


def _libraries(place: Path) -> Path:
    """Return a cache of the dynamic loader that knows the unpacked libraries too."""
    known = [Path("/etc/ld.so.conf").read_text()]
    found = sorted({str(file.parent) for file in (place / _COPY).glob("**/*.so.*")})
    (place / "ld.so.conf").write_text("\n".join([*found, *known]))
    cache = place / "ld.so.cache"
    subprocess.run([program("ldconfig"), "-X", "-f", place / "ld.so.conf", "-C", cache], check=True)
    return cache
