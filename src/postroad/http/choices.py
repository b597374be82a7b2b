"""What a member of a body may be, where its type is one of a few: told to whoever wrote something else."""

from functools import cache
from typing import Any

import msgspec


def choices_at(kind: Any, pointer: str) -> list[str]:
    """Return what may stand at a JSON Pointer into a value of a type; nothing where it is not one of a few."""
    return _choices(_information(kind), [part for part in pointer.split("/") if part])


@cache
def _information(kind: Any) -> msgspec.inspect.Type:
    return msgspec.inspect.type_info(kind)


def _choices(told: msgspec.inspect.Type, path: list[str]) -> list[str]:
    match told:
        case msgspec.inspect.Metadata():  # what has a description or an example
            return _choices(told.type, path)
        case msgspec.inspect.UnionType():
            return [choice for each in told.types for choice in _choices(each, path)]
        case msgspec.inspect.EnumType() if not path:
            return [str(member.value) for member in told.cls]
        case msgspec.inspect.LiteralType() if not path:
            return [str(value) for value in told.values]
        case msgspec.inspect.StructType() if path:
            below = [field.type for field in told.fields if field.encode_name == path[0]]
            return [choice for each in below for choice in _choices(each, path[1:])]
        case msgspec.inspect.CollectionType() if path:
            return _choices(told.item_type, path[1:])
        case msgspec.inspect.DictType():
            return _choices(told.value_type, path[1:])
        case _:
            return []
