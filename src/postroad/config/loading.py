"""From a TOML file and the environment to settings: every flaw is found, and told with its place and its remedy.

The environment is stronger than the file. What is written but not known is refused, because a misspelt safety switch
that is silently ignored is worse than a server that does not start.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import fields

from postroad.config.catalogue import ENVIRONMENT_PREFIX, Entry, entries
from postroad.config.setting import Secret
from postroad.config.tree import Settings

SEARCHED = (Path("postroad.toml"), Path("/etc/postroad/postroad.toml"))
FILE_VARIABLE = "POSTROAD_CONFIG"
_KUBERNETES = re.compile(r"\APOSTROAD_(SERVICE_(HOST|PORT)|PORT(_\d+_(TCP|UDP))?)(_|\Z)")
"""What Kubernetes puts into the environment beside a service that is named `postroad`."""
_S = TypeVar("_S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the settings that must change: where, and one sentence that says what to do."""

    setting: str
    sentence: str


class SettingsError(Exception):
    """The settings cannot be used; all that is wrong with them is in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.sentence for problem in self.problems))


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody wrote it, and where."""

    value: object
    where: str
    text: bool
    """From the environment, where everything is text."""
    file: Path | None = None
    """The file that it stands in."""


def load(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from a file (given, or the first of `SEARCHED` that exists) and the environment.

    Raises:
        SettingsError: with every problem found.
    """
    path = file or _from_variable(environment) or next((path for path in SEARCHED if _is_there(path)), None)
    known = {entry.path: entry for entry in entries()}
    problems: list[Problem] = []
    written = _read(path, known, problems) if path else {}
    overriding = _read_environment(environment, known, problems)
    given = {name: value for name, value in written.items() if _twin(name) not in overriding} | overriding
    values: dict[str, object] = {}
    for name, value in given.items():
        try:
            base, revealed = _reveal(name, value, known, given)
            values[base] = _convert(known[base], revealed)
        except _Flaw as flaw:
            problems.append(Problem(name, f"{value.where}: {name} {flaw}"))
    if problems:
        raise SettingsError(problems)
    return _build(Settings, values, "")


class _Flaw(Exception):  # noqa: N818 - the end of a sentence, not an error of its own
    """What is wrong with one value, as the end of a sentence that begins with the setting's name."""


def _is_there(path: Path) -> bool:
    """Whether there is a file, or may be one.

    The folder that a command is started in may be closed to its user, as root's home is after `runuser`: it has nothing
    for that user then. The place for the whole machine is another matter: that it is closed has to be told.
    """
    try:
        return path.is_file()
    except PermissionError:
        return path.is_absolute()


def _from_variable(environment: Mapping[str, str]) -> Path | None:
    return Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None


def _read(path: Path, known: Mapping[str, Entry], problems: list[Problem]) -> dict[str, _Given]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem("", f"{path} cannot be read: {error.strerror}. Name another file with --config."))
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(Problem("", f"{path} is not valid TOML: {error}."))
        return {}
    return _flatten(document, "", str(path), known, problems)


def _flatten(
    table: Mapping[str, object], prefix: str, where: str, known: Mapping[str, Entry], problems: list[Problem]
) -> dict[str, _Given]:
    found: dict[str, _Given] = {}
    for name, value in table.items():
        path = prefix + name
        if _leaf(path, known):
            found[path] = _Given(value, where, text=False, file=Path(where))
        elif isinstance(value, dict) and any(each.startswith(f"{path}.") for each in known):
            found |= _flatten(value, f"{path}.", where, known, problems)
        else:
            guess = _guess(path, [*known, *{each.rpartition(".")[0] for each in known}])
            problems.append(Problem(path, f"{where}: there is no setting {path}{guess}"))
    return found


def _read_environment(
    environment: Mapping[str, str], known: Mapping[str, Entry], problems: list[Problem]
) -> dict[str, _Given]:
    variables = {entry.variable: entry.path for entry in known.values()}
    variables |= {f"{entry.variable}_FILE": f"{entry.path}_file" for entry in known.values() if entry.is_secret}
    found: dict[str, _Given] = {}
    for variable, value in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == FILE_VARIABLE or _KUBERNETES.match(variable):
            continue
        if variable in variables:
            found[variables[variable]] = _Given(value, variable, text=True)
        else:
            guess = _guess(variable, variables)
            problems.append(Problem(variable, f"{variable} in the environment sets nothing{guess}"))
    return found


def _leaf(path: str, known: Mapping[str, Entry]) -> bool:
    """Whether a path names a setting, or the file that holds a secret one."""
    base = known.get(path.removesuffix("_file"))
    return base is not None and (base.path == path or base.is_secret)


def _twin(path: str) -> str:
    """Return the other way of giving a secret: as itself or as a file."""
    return path[:-5] if path.endswith("_file") else f"{path}_file"


def _guess(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1, 0.6)
    return f"; did you mean {close[0]}?" if close else "; see docs/reference/settings.md for those there are."


def _reveal(name: str, given: _Given, known: Mapping[str, Entry], others: Mapping[str, _Given]) -> tuple[str, _Given]:
    """Return a setting's own name and its value, read from the file where it was given as one."""
    if name in known:
        return name, given
    base = name[:-5]
    if base in others:
        raise _Flaw(f"and {base} are both given; keep one of them.")
    if not isinstance(given.value, str):
        raise _Flaw("must be the path of a file.")
    try:
        text = Path(given.value).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _Flaw(f"names {given.value}, which cannot be read: {reason}.") from None
    if not text:
        raise _Flaw(f"names {given.value}, which is empty.")
    return base, _Given(text, given.where, text=True, file=Path(given.value))


def _convert(entry: Entry, given: _Given) -> object:
    if entry.optional and given.value == "":
        return None
    if not entry.many:
        return _one(entry, given.value, text=given.text, file=given.file)
    items = _items(entry, given)
    return tuple(_one(entry, item, text=given.text and not entry.is_table, file=given.file) for item in items)


def _items(entry: Entry, given: _Given) -> list[object]:
    if isinstance(given.value, list):
        return given.value
    if not isinstance(given.value, str) or not given.text:
        single = isinstance(given.value, str | int) and not entry.is_table and not entry.is_secret
        remedy = f" Write one as [{json.dumps(given.value)}]." if single else ""
        raise _Flaw(f"must be {entry.expected}, not {_show(entry, given.value)}.{remedy}")
    if entry.is_table:
        try:
            items = json.loads(given.value)
        except ValueError:
            items = None
        if not isinstance(items, list):
            raise _Flaw("must be a JSON array of objects when it is given in the environment.")
        return items
    return [item.strip() for item in given.value.split(",") if item.strip()]


def _one(entry: Entry, value: object, *, text: bool, file: Path | None) -> object:
    if entry.is_table:
        return _table(entry, value, file)
    try:
        converted: object = msgspec.convert(value, entry.kind, strict=not text, dec_hook=_from_text)
    except msgspec.ValidationError:
        raise _Flaw(f"must be {entry.expected}, not {_show(entry, value)}.") from None
    low, high = entry.say.low, entry.say.high
    if isinstance(converted, int | float) and low is not None and high is not None and not low <= converted <= high:
        raise _Flaw(f"must be {entry.expected}, not {value}.")
    content = converted.reveal() if isinstance(converted, Secret) else converted
    if entry.say.check and isinstance(content, str) and (flaw := entry.say.check(content)):
        raise _Flaw(f"{flaw}." if entry.is_secret else f"{flaw}, not {content!r}.")
    return Secret(converted.reveal(), file) if isinstance(converted, Secret) else converted


def _table(entry: Entry, value: object, file: Path | None) -> msgspec.Struct:
    """Convert one item of an array of tables, such as a rule of `delivery.routes`."""
    if not isinstance(value, dict):
        raise _Flaw(f"must be {entry.expected}, not {_show(entry, value)}.")
    known = {inner.path: inner for inner in entries(entry.kind)}
    values: dict[str, object] = {}
    for name, content in value.items():
        if not _leaf(name, known):
            raise _Flaw(f"has an item with an unknown {name}{_guess(name, known)}")
        try:
            base, given = _reveal(name, _Given(content, "", text=False, file=file), known, {})
            values[base] = _convert(known[base], given)
        except _Flaw as flaw:
            raise _Flaw(f"has an item whose {name} {flaw}") from None
    try:
        return _build(entry.kind, values, "")
    except TypeError:
        raise _Flaw("has an item without a route; say mx, relay or capture.") from None


def _from_text(kind: type, value: object) -> object:
    if not isinstance(value, str):
        raise TypeError
    return kind(value)


def _show(entry: Entry, value: object) -> str:
    return "what was given" if entry.is_secret else repr(value)


def _build(tree: type[_S], values: Mapping[str, object], prefix: str) -> _S:
    arguments: dict[str, object] = {}
    for field in fields(tree):
        path = prefix + field.name
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            arguments[field.name] = _build(field.type, values, f"{path}.")
        elif path in values:
            arguments[field.name] = values[path]
    return tree(**arguments)
