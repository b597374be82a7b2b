"""The rules files: ours from the package, users' from the settings, read again when they change."""

import asyncio
import functools
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import structlog

from postroad.pipeline.outcomes import rules as package
from postroad.pipeline.outcomes.rules import Flaw, Rulebook, RuleFile, RuleSet, assemble, read, try_out

_log = structlog.get_logger("postroad.rules")
_LOOK_S = 10.0
"""How often users' files are looked at."""
_LARGEST_OCTETS = 4 * 1024 * 1024

_Mark = tuple[int, int] | None
"""When a file was changed and how large it is; None while there is none."""


@functools.cache
def shipped_files() -> tuple[RuleFile, ...]:
    """Return the files that come with Postroad, in the order in which they are asked."""
    found = [entry for entry in resources.files(package).iterdir() if entry.name.endswith(".toml")]
    return tuple(
        read(entry.read_text(encoding="utf-8"), entry.name) for entry in sorted(found, key=lambda each: each.name)
    )


def shipped() -> RuleSet:
    """Return the rules that come with Postroad."""
    return assemble(shipped_files())


def read_file(path: Path, beside: Sequence[RuleFile]) -> RuleFile:
    """Return what a user's file holds; a file that cannot be read is one with a flaw.

    Its rules may be about the providers that the files `beside` it name.
    """
    named = {provider for file in beside for provider in file.suffixes.values()}
    try:
        if path.stat().st_size > _LARGEST_OCTETS:
            return _flawed(path, f"it is larger than {_LARGEST_OCTETS // 1024} KiB")
        return read(path.read_text(encoding="utf-8"), str(path), providers=named)
    except (OSError, UnicodeDecodeError) as error:
        return _flawed(path, f"it cannot be read: {error}")


def tried(file: RuleFile) -> RuleFile:
    """Return a file with the test lines that fail among its flaws."""
    if file.flaws:
        return file
    failures = tuple(Flaw(each.file, each.rule, f"{each.detail}: {each.line}") for each in try_out(assemble([file])))
    return RuleFile(file.name, file.rules, file.suffixes, failures)


class RuleFiles:
    """The files of a server. A file that is wrong is told of, and what it held before stays in force."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read all files; `paths` are users' own, the most important first."""
        self._paths = tuple(paths)
        self._shipped = shipped_files()
        self._marks: dict[Path, _Mark] = {}
        self._sound: dict[Path, RuleFile] = {}
        self.flaws: dict[Path, tuple[Flaw, ...]] = {}
        """What is wrong with the files as they are now."""
        self.book = Rulebook()
        self.reload()

    async def watch(self) -> None:
        """Read a file again soon after it changed, until canceled."""
        self._tell()
        while self._paths:
            await asyncio.sleep(_LOOK_S)
            if await asyncio.to_thread(self.reload):
                self._tell()

    def reload(self) -> bool:
        """Read what has changed since it was read last, put it in force, and tell whether anything had."""
        changed = False
        for path in self._paths:
            mark = _mark(path)
            if path in self._marks and self._marks[path] == mark:
                continue
            changed = True
            self._marks[path] = mark
            self._take(path, tried(read_file(path, self._shipped)))
        if changed or not self.book.rules.rules:
            own = [self._sound[path] for path in self._paths if path in self._sound]
            self.book.rules = assemble([*own, *self._shipped])
        return changed

    def _take(self, path: Path, file: RuleFile) -> None:
        if file.flaws:
            self.flaws[path] = file.flaws
        else:
            self.flaws.pop(path, None)
            self._sound[path] = file

    def _tell(self) -> None:
        for path, flaws in self.flaws.items():
            kept = path in self._sound
            _log.error("rules_flawed", file=str(path), kept=kept, flaws=[str(flaw) for flaw in flaws[:10]])
        _log.info("rules_read", rules=len(self.book.rules.rules), files=len(self._shipped) + len(self._sound))

    def standing(self) -> str:
        """Return one sentence on the rules in force."""
        return f"{len(self.book.rules.rules)} rules from {len(self._shipped) + len(self._sound)} files are in force"


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _flawed(path: Path, detail: str) -> RuleFile:
    return RuleFile(str(path), flaws=(Flaw(str(path), "", detail),))
