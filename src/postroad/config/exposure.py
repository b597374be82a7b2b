"""Files with secrets in them that others on this machine could read."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from postroad.config.loading import Problem
from postroad.config.setting import Secret
from postroad.config.tree import Settings

_OTHERS = 0o077
_ROOT = 0
_GROUP_READS = 0o040
_MADE_HERE = ("master.key", "dev.key")
"""What `postroad dev` keeps in the data directory for its owner alone."""


def is_exposed(file: Path) -> bool:
    """Whether others than the user that runs Postroad may read a file, or change it.

    A file of another owner may let a group read it: that is how root hands a secret to a service, and how systemd and
    Kubernetes do. Root itself, who looks at the settings of a service, is shown the same.
    """
    try:
        found = file.stat()
    except OSError:
        return False  # what cannot be looked at cannot be read either, and that is told elsewhere
    handed = found.st_uid != os.geteuid() or (found.st_uid == _ROOT and found.st_gid != _ROOT)
    allowed = _GROUP_READS if handed else 0
    return bool(stat.S_IMODE(found.st_mode) & _OTHERS & ~allowed)


def exposed(settings: Settings) -> Iterator[Problem]:
    """Return the files that hold a secret and are open to others, each once, with what to do."""
    told: set[Path] = set()
    for setting, file in _files(settings):
        if file not in told and is_exposed(file):
            told.add(file)
            yield Problem(setting, exposure(file))


def exposure(file: Path) -> str:
    """Return the sentence about a file that is open to others; who runs the remedy must still be able to read it."""
    remedy = f"chmod 600 {file}"
    with contextlib.suppress(OSError):
        if file.stat().st_uid != os.geteuid():
            remedy = f"chgrp {os.getegid()} {file} && chmod 640 {file}"
    return f"Others on this machine can read {file}, which holds a secret. Run: {remedy}"


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield from _secrets("", settings)
    if settings.exchange.enabled and settings.exchange.tls_key is not None:
        yield "exchange.tls_key", settings.exchange.tls_key
    for name in _MADE_HERE:
        yield "data.directory", settings.data.directory / name


def _secrets(path: str, value: object) -> Iterator[tuple[str, Path]]:
    """Walk through settings for the files of their secrets; a URL without a password is none."""
    match value:
        case Secret() if value.file is not None and value.masked() != value.reveal():
            yield path, value.file
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from _secrets(f"{path}.{name}".removeprefix("."), getattr(value, name))
        case tuple():
            for item in value:
                yield from _secrets(path, item)
