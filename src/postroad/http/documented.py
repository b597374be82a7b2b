"""What a handler's signature does not say, declared beside it: `opt=SEND | documented(body=Draft, answer=Accepted)`."""

from dataclasses import dataclass
from typing import Any

from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, PathParameter, QueryParameter
from litestar.typing import FieldDefinition


@dataclass(frozen=True, slots=True)
class Documented:
    """What the OpenAPI document says of one operation beside its signature."""

    body: Any = None
    """Type of a body that the handler reads itself; `bytes` for anything."""
    body_media: tuple[str, ...] = ()
    """Media types of a body that is not JSON."""
    answer: Any = None
    """Type of an answer that the handler encodes itself; `bytes` for anything, `str` for text."""
    answer_media: tuple[str, ...] = ()
    """Media types of an answer that is not JSON, when the handler's own is not the only one."""
    refused: Any = None
    """Type of an answer that tells of the refusal of every part (422)."""
    example: object = None
    """An example of the body."""
    answer_example: object = None
    parameters: tuple[dict[str, Any], ...] = ()
    """Parameters that the handler reads itself."""
    also: tuple[Any, ...] = ()
    """Types that others refer to by name."""
    problems: tuple[int, ...] = ()
    """Statuses of problems that this operation can have beside those that all have."""


def documented(
    *,
    body: Any = None,
    body_media: tuple[str, ...] = (),
    answer: Any = None,
    answer_media: tuple[str, ...] = (),
    refused: Any = None,
    example: object = None,
    answer_example: object = None,
    parameters: tuple[dict[str, Any], ...] = (),
    also: tuple[Any, ...] = (),
    problems: tuple[int, ...] = (),
) -> dict[str, object]:
    """Return what goes into a handler's `opt`."""
    said = Documented(
        body=body,
        body_media=body_media,
        answer=answer,
        answer_media=answer_media,
        refused=refused,
        example=example,
        answer_example=answer_example,
        parameters=parameters,
        also=also,
        problems=problems,
    )
    return {"documented": said}


def said_of(handler: BaseRouteHandler) -> Documented:
    """Return what is declared beside a handler."""
    said = handler.opt.get("documented")
    return said if isinstance(said, Documented) else Documented()


def parameters_of(handler: BaseRouteHandler) -> list[tuple[FieldDefinition, ParameterKwarg]]:
    """Return the parameters of path, query and header in a handler's signature."""
    return [
        (field, field.kwarg_definition)
        for field in handler.parsed_fn_signature.parameters.values()
        if isinstance(field.kwarg_definition, QueryParameter | HeaderParameter | PathParameter)
    ]


def queries_of(handler: BaseRouteHandler) -> dict[str, bool]:
    """Return the names of the query parameters that a handler knows, and whether each one may be any text.

    A name that ends in `[` takes any key behind it, as often as one likes.
    """
    names = {
        said.name or field.name: str in {field.annotation, *(inner.annotation for inner in field.inner_types)}
        for field, said in parameters_of(handler)
        if isinstance(said, QueryParameter)
    }
    for parameter in said_of(handler).parameters:
        names[f"{parameter['name']}[" if parameter.get("style") == "deepObject" else parameter["name"]] = True
    return names
