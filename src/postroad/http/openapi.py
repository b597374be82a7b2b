"""The OpenAPI 3.1 document, generated from the handlers, what they declare, and the types they take and give.

Litestar tells paths and parameters; schemas come from msgspec, which decodes and encodes by the same types; what every
operation has in common (problems, headers, keys) is put in here, once.

`python -m postroad.http.openapi` prints what is committed as `docs/reference/openapi.json`.
"""

import inspect
import sys
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.response import Stream
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

import postroad
from postroad.http.api import CONTROLLERS
from postroad.http.auth import dependencies
from postroad.http.documented import Documented, parameters_of, said_of
from postroad.http.problems import MEDIA_TYPE, STATUSES, Problem

Json = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"
_MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_JSON = "application/json"

DESCRIPTION = """\
Send email, and follow it to the recipient's mail server and back.

Authenticate with an API key: `Authorization: Bearer pr_…`; at `/v1/projects` with the installation's admin key. Times
are RFC 3339 in UTC. Lists are read page by page with `limit` and `after`. Fields and
parameters that are not known are refused. Every failure is a problem document (RFC 9457) with a stable `code`; `errors`
points at what is wrong. Give an `Idempotency-Key` with every request that changes something: repeating it is then safe
for 72 hours.

With a test key nothing leaves the server. The mailboxes of `simulator.test` then give every outcome without any set-up:
`delivered@`, `bounced@`, `deferred@`, `greylisted@`, `mailboxfull@`, `suppressed@`, `complained@` and others; a label,
as in `bounced+abc@`, tells your tests apart.
"""

_HEADERS: Json = {
    "X-Request-Id": {"description": "Identifier of this request; yours if you gave one.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": "The limit of this API key: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"key";q=20000;w=2',
    },
    "RateLimit": {
        "description": "What is left: `r` requests now, all of them again in `t` seconds.",
        "schema": {"type": "string"},
        "example": '"key";r=19999;t=1',
    },
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {
        "description": "Set when this is the kept answer to an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to repeat the request: the answer to the first one is given again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
    "example": "order-4711",
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One handler at one path, with the types of its body and its answer."""

    path: str
    method: str
    handler: HTTPRouteHandler
    documented: Documented
    body: Any
    answer: Any

    @property
    def scope(self) -> str:
        return str(self.handler.opt.get("scope", "full"))

    @property
    def mutating(self) -> bool:
        return self.method in _MUTATING

    @property
    def kept(self) -> bool:
        """Whether its answer is kept under an Idempotency-Key."""
        return self.mutating and not self.handler.opt.get("unkept")


def documentation() -> Json:
    """Return the document of our API."""
    return describe(Litestar(list(CONTROLLERS), dependencies=dependencies(None), logging_config=None))


def describe(app: Litestar) -> Json:
    """Return the document of an application."""
    operations = _operations(app)
    wanted = [kind for each in operations for kind in _types(each)] + [Problem]
    schemas, components = msgspec.json.schema_components(wanted, schema_hook=_anything, ref_template=_REFERENCE)
    by_type = {repr(kind): schema for kind, schema in zip(wanted, schemas, strict=True)}
    paths: Json = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postroad", "version": postroad.__version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": _problems(by_type[repr(Problem)]),
            "headers": _HEADERS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `pr_live_…` or `pr_test_…`."},
                "admin": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The admin key of the installation, set as `http.admin_key`.",
                },
            },
        },
    }


def _operations(app: Litestar) -> list[_Operation]:
    found: list[_Operation] = []
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if not handler.resolve_include_in_schema():
                continue
            documented = said_of(handler)
            data = handler.parsed_data_field
            body = documented.body or (data.annotation if data is not None else None)
            answer = documented.answer or _answer_type(handler.parsed_fn_signature.return_type.annotation)
            method = next(iter(handler.http_methods))
            found.append(_Operation(route.path_format, method, handler, documented, body, answer))
    return sorted(found, key=lambda each: (each.path, each.method))


def _answer_type(annotation: Any) -> Any:
    """Return what an answer holds; None when nothing."""
    if get_origin(annotation) is Response:
        annotation = get_args(annotation)[0]
    if annotation is Stream:
        return str
    return None if annotation is type(None) else annotation


def _anything(kind: type) -> Json:
    """Return the schema of a type that msgspec does not know: `object`, which is any JSON."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON value."}


def _has_schema(kind: Any) -> bool:
    return kind not in (None, bytes, str)


def _types(each: _Operation) -> list[Any]:
    """Return the types that need a schema."""
    return [
        kind for kind in (each.body, each.answer, each.documented.refused, *each.documented.also) if _has_schema(kind)
    ] + [_without_none(field) for field, _ in parameters_of(each.handler)]


def _without_none(field: FieldDefinition) -> Any:
    """Return the type of a parameter that is given."""
    kinds = [inner.annotation for inner in field.inner_types if not inner.is_none_type]
    return kinds[0] if field.is_optional and len(kinds) == 1 else field.annotation


def _operation(each: _Operation, by_type: Json) -> Json:
    resource = next((part for part in each.path.split("/") if part not in ("", "v1")), "server")
    description = inspect.cleandoc(each.handler.fn.__doc__ or "")  # as Python 3.13 leaves it by itself
    operation: Json = {
        "operationId": f"{resource}_{each.handler.fn.__name__}",
        "tags": sorted(each.handler.resolve_tags() or ()),
        "summary": each.handler.summary,
        "description": description,
    }
    parameters = [_parameter(field, said, by_type) for field, said in parameters_of(each.handler)] + [
        *each.documented.parameters
    ]
    if each.kept:
        parameters.append(_IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    if each.body is not None:
        operation["requestBody"] = _body(each, by_type)
    operation["responses"] = _responses(each, by_type)
    if each.scope == "public":
        operation["security"] = []
    elif each.scope == "local":
        operation["security"] = [{}, {"key": []}]
    elif each.scope == "admin":
        operation["security"] = [{"admin": []}]
        operation["description"] = f"{description}\n\nNeeds the admin key, and is `forbidden` where none is set."
    else:
        operation["description"] = f"{description}\n\nNeeds an API key with the scope `{each.scope}` or `full`."
    return operation


def _body(each: _Operation, by_type: Json) -> Json:
    if each.body is bytes:
        media = each.documented.body_media or ("application/octet-stream",)
        return {"required": True, "content": {name: {"schema": {}} for name in media}}
    content: Json = {"schema": by_type[repr(each.body)]}
    if each.documented.example is not None:
        content["example"] = each.documented.example
    data = each.handler.parsed_data_field
    return {"required": data is None or not data.has_default, "content": {_JSON: content}}


def _parameter(field: FieldDefinition, said: ParameterKwarg, by_type: Json) -> Json:
    schema: Json = dict(by_type[repr(_without_none(field))])
    for name, bound in (("minimum", said.ge), ("maximum", said.le)):
        if bound is not None:
            schema[name] = bound
    for name, length in (("minLength", said.min_length), ("maxLength", said.max_length), ("pattern", said.pattern)):
        if length is not None:
            schema[name] = length
    if said.format is not None:
        schema["format"] = said.format
    if field.has_default and field.default is not None:
        schema["default"] = msgspec.to_builtins(field.default)
    parameter: Json = {
        "name": said.name or field.name,
        "in": said.param_type.value,
        "required": said.param_type is ParamType.PATH or not field.has_default,
        "schema": schema,
    }
    if said.description:
        parameter["description"] = said.description
    return parameter


def _responses(each: _Operation, by_type: Json) -> Json:
    limited = each.scope not in ("public", "local")
    names = ["X-Request-Id", *(("RateLimit-Policy", "RateLimit") if limited else ())]
    if each.kept:
        names.append("Idempotency-Replayed")
    done: Json = {
        "description": each.handler.summary or "Done.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if each.answer is not None:
        content: Json = {"schema": by_type[repr(each.answer)] if _has_schema(each.answer) else {"type": "string"}}
        if each.documented.answer_example is not None:
            content["example"] = each.documented.answer_example
        done["content"] = dict.fromkeys(_answer_media(each), content)
    responses = {str(each.handler.status_code): done}
    if each.path == "/readyz":
        responses["503"] = {**done, "description": "It does not take work; the reasons say why."}
    if each.documented.refused is not None:
        responses["422"] = {
            "description": "Refused: as a whole, or each part for a reason of its own.",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
            "content": {
                MEDIA_TYPE: {"schema": by_type[repr(Problem)]},
                _JSON: {"schema": by_type[repr(each.documented.refused)]},
            },
        }
    for status in _possible(each):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return dict(sorted(responses.items()))


def _answer_media(each: _Operation) -> tuple[str, ...]:
    if _has_schema(each.answer):
        return each.documented.answer_media or (_JSON,)
    own = str(each.handler.media_type or "application/octet-stream").partition(";")[0]
    return each.documented.answer_media or (own,)


def _possible(each: _Operation) -> list[int]:
    """Return the statuses of the problems that an operation can have."""
    possible = {400, 500, 503, *each.documented.problems}
    if each.scope != "public":
        possible |= {401, 403, 422, 429}
    if "{" in each.path:
        possible.add(404)
    if each.mutating:
        possible |= {409, 413, 415}
    return sorted(possible)


def _problems(schema: Json) -> Json:
    statuses: dict[int, list[str]] = {}
    for code, (status, _) in STATUSES.items():
        statuses.setdefault(status, []).append(code)
    made: Json = {}
    for status, codes in sorted(statuses.items()):
        names = ["X-Request-Id", *(("Retry-After",) if status in (429, 503) else ())]
        made[str(status)] = {
            "description": "; ".join(f"`{code}`: {STATUSES[code][1]}" for code in codes) + ".",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
    return made


def encode(document: Json) -> bytes:
    """Return the document as it is committed and served."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(documentation()))
