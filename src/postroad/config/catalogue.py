"""The list of all settings, read off the tree: for loading, for the reference page and for `postroad config show`."""

import types
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from postroad.config.setting import Say, Secret
from postroad.config.tree import Settings

ENVIRONMENT_PREFIX = "POSTROAD_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it stands in the tree."""

    path: str
    """Dotted, as in the TOML file: `delivery.timeouts.dot_s`."""
    say: Say
    kind: type
    """The type of one value: of the items when `many`."""
    many: bool
    optional: bool
    default: object

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENVIRONMENT_PREFIX + self.path.upper().replace(".", "_")

    @property
    def is_secret(self) -> bool:
        """Whether it may be given as a file and is masked when shown."""
        return self.kind is Secret

    @property
    def is_table(self) -> bool:
        """Whether each value is a table of its own."""
        return issubclass(self.kind, msgspec.Struct)

    @property
    def expected(self) -> str:
        """What a value has to be, as the end of "it must be …"."""
        noun, bounds = _noun(self.kind), self.bounds
        if bounds:
            noun = f"{noun} {bounds}"
        return f"a list of items, each {noun}" if self.many else noun

    @property
    def bounds(self) -> str:
        """The range of a number, as words; empty where there is none."""
        if self.say.low is None or self.say.high is None:
            return ""
        return f"from {self.say.low:,.15g} to {self.say.high:,.15g}".replace(",", "_")


def entries(tree: type[msgspec.Struct] = Settings, prefix: str = "") -> tuple[Entry, ...]:
    """Return every setting of a tree, in its order."""
    found: list[Entry] = []
    for field in fields(tree):
        path = prefix + field.name
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found.extend(entries(field.type, f"{path}."))
            continue
        found.append(_entry(path, field.type, None if field.default is msgspec.NODEFAULT else field.default))
    return tuple(found)


def shown(settings: Settings) -> dict[str, object]:
    """Return the tree as plain data, its secrets masked."""
    return _shown_struct(settings)


def value_at(settings: Settings, path: str) -> object:
    """Return the value of one setting."""
    value: object = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def plain(value: object) -> object:
    """Return one value as plain data, masked when it is secret."""
    match value:
        case Secret():
            return value.masked()
        case msgspec.Struct():
            return _shown_struct(value)
        case tuple():
            return [plain(item) for item in value]
        case Path() | StrEnum():
            return str(value)
        case _:
            return value


def _shown_struct(value: msgspec.Struct) -> dict[str, object]:
    return {name: plain(getattr(value, name)) for name in value.__struct_fields__}


def _entry(path: str, annotation: object, default: object) -> Entry:
    hint, say = _unwrap(annotation)
    optional = get_origin(hint) in {Union, types.UnionType}
    if optional:
        hint = next(part for part in get_args(hint) if part is not types.NoneType)
    many = get_origin(hint) is tuple
    kind = get_args(hint)[0] if many else hint
    if not isinstance(kind, type):
        raise TypeError(f"{path} has a type that settings cannot have")
    return Entry(path, say, kind, many, optional, default)


def _unwrap(annotation: object) -> tuple[object, Say]:
    if get_origin(annotation) is Annotated:
        hint, *notes = get_args(annotation)
        for note in notes:
            if isinstance(note, Say):
                return hint, note
    raise TypeError("a setting has no description")


def _noun(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    if issubclass(kind, msgspec.Struct):
        return "a table"
    return {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}.get(kind, "text")
