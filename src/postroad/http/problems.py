"""Problem details (RFC 9457): the one table from our codes to HTTP, and everything that is sent as a failure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException

from postroad.http.choices import choices_at
from postroad.http.documented import parameters_of
from postroad.http.exchange import exchange_of
from postroad.model.errors import Flaw, Refused, Unavailable

_log = structlog.get_logger("postroad.http")

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not JSON"),
    "bad_request": (400, "The request cannot be understood"),
    "unauthorized": (401, "A valid API key is needed"),
    "forbidden": (403, "This API key may not do that"),
    "key_not_allowed": (403, "This API key is confined to less"),
    "domain_not_verified": (403, "The sending domain is not verified"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method does not fit this resource"),
    "conflict": (409, "The state of the resource does not allow this"),
    "too_many_webhooks": (409, "The project has all the webhooks it may have"),
    "clock_fixed": (409, "The clock of this server cannot be moved"),
    "already_exists": (409, "It exists already"),
    "force_required": (409, "This needs to be forced"),
    "idempotency_in_flight": (409, "A request with this Idempotency-Key is still being worked on"),
    "shown_once": (409, "It was done before, and its secret is not kept"),
    "gone": (410, "It is no longer kept"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is of a kind that is not taken"),
    "invalid_request": (422, "The request is not valid"),
    "invalid_raw": (422, "The raw message cannot be sent as it is"),
    "unknown_stream": (422, "There is no such stream"),
    "batch_refused": (422, "Nothing of the batch was accepted"),
    "idempotency_key_reused": (422, "The Idempotency-Key belongs to a different request"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong on our side"),
    "overloaded": (503, "The server is busy"),
    "store_unavailable": (503, "The store is away"),
    "low_disk": (503, "The server is short of disk space"),
    "backlog_full": (503, "Too many deliveries wait already"),
    "draining": (503, "The server is stopping"),
    "busy": (503, "The server is busy"),
    "master_key_changed": (503, "The server has another master key than before"),
    "secret_unreadable": (503, "A stored secret is damaged"),
    "timeout": (503, "The request took too long"),
}
"""Every code with its HTTP status and title. A refusal whose code is not in here is an invalid request (422)."""

_INVALID = STATUSES["invalid_request"]
_UNAVAILABLE = STATUSES["overloaded"]
_NO_CHOICE = "Invalid enum value"
_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is sent: problem details and the headers that belong to them."""

    code: str
    status: int
    title: str
    detail: str
    flaws: tuple[Flaw, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, request_id: str = "") -> bytes:
        """Return the problem details as JSON (RFC 9457 §3)."""
        return _encoder.encode(
            Problem(
                type=f"urn:postroad:problem:{self.code}",
                title=self.title,
                status=self.status,
                detail=self.detail,
                code=self.code,
                errors=[FlawShown(flaw.pointer, flaw.detail, flaw.code) for flaw in self.flaws],
                request_id=request_id or msgspec.UNSET,
            )
        )


class FlawShown(msgspec.Struct, frozen=True):
    """One thing that is wrong with the request."""

    pointer: str
    """JSON Pointer into the body (RFC 6901), or `#/query/NAME` for a parameter."""
    detail: str
    code: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What every failure looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """Stable: programs decide by it."""
    errors: list[FlawShown] = []
    request_id: str | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()


def failure(error: BaseException) -> Failure:
    """Return what is sent for an exception; what is not expected says nothing of itself."""
    match error:
        case Refused():
            return _of_refused(error)
        case Unavailable():
            status, title = STATUSES.get(error.code, _UNAVAILABLE)
            retry = {"retry-after": str(max(1, error.retry_after_s))}
            return Failure(error.code, status, title, error.detail, headers=retry)
        case msgspec.ValidationError():
            return _of_refused(invalid(error))
        case msgspec.DecodeError():
            early = "it is empty or ends too early, or a text in it ends in half of a pair of \\u escapes"
            flaw = early if "truncated" in str(error) else str(error)
            return _plain("malformed_json", f"The body is not valid JSON: {flaw}.")
        case TimeoutError():
            status, title = STATUSES["timeout"]
            detail = "The answer took too long to find; ask for less."
            return Failure("timeout", status, title, detail, headers={"retry-after": "5"})
        case RecursionError():
            return _plain("malformed_json", "The body is nested too deeply.")
        case HTTPException():
            return _of_framework(error)
        case _:
            return _plain("internal_error", "The request failed on our side; the request id leads to the reason.")


def not_utf8() -> Refused:
    """Return the refusal for a body that is no text; decoders say that in another way than what else is wrong."""
    return Refused("malformed_json", "The body is not valid JSON: it is not written in UTF-8.")


def invalid(error: msgspec.ValidationError, under: str = "", *, kind: Any = None) -> Refused:
    """Return the refusal for a body that does not fit its type, pointing at the place.

    Args:
        error: what the decoder says.
        under: put before the place.
        kind: the type, so that the refusal can say what may stand there where it is one of a few.
    """
    sentence = str(error)
    pointer = under
    if found := _PATH.search(sentence):
        pointer += to_pointer(found["path"])
        sentence = sentence[: found.start()]
    if named := _UNKNOWN.search(sentence):
        return Refused.field(f"{pointer}/{escape(named['name'])}", "This field is not known here.")
    if named := _MISSING.search(sentence):
        return Refused.field(f"{pointer}/{escape(named['name'])}", "This field is required.")
    if kind is not None and sentence.startswith(_NO_CHOICE):
        sentence += _of(choices_at(kind, pointer.removeprefix(under)))
    return Refused.field(pointer, sentence.replace("`", "") + ".")


def _of(choices: list[str]) -> str:
    return f"; it is one of {', '.join(choices)}" if choices else ""


def to_pointer(path: str) -> str:
    """Return the JSON Pointer of a msgspec path such as `.to[3].email`; an unknown index or key ends it."""
    pointer = ""
    for step in _STEP.finditer(path):
        name, index = step.groups()
        if index == "..." or name == "...":
            break
        pointer += f"/{index if index is not None else escape(name)}"
    return pointer


def escape(name: str) -> str:
    """Return a member name as a reference token of a JSON Pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request that failed within Litestar."""
    request_id = exchange_of(request.scope).request_id
    shown = failure(_named(request, error) if isinstance(error, ValidationException) else error)
    if shown.code == "internal_error":
        _log.error("request_failed", request_id=request_id, exc_info=error)
    return Response(
        shown.body(request_id),
        status_code=shown.status,
        media_type=MEDIA_TYPE,
        headers=shown.headers,
    )


def _named(request: Request[Any, Any, Any], error: ValidationException) -> ValidationException:
    """Name parameters as the caller knows them: Litestar names those of the handler's signature."""
    known = {given.name: (given, said.name or given.name) for given, said in parameters_of(request.route_handler)}
    for entry in error.extra if isinstance(error.extra, list) else ():
        if isinstance(entry, dict) and entry.get("key") in known:
            parameter, entry["key"] = known[str(entry["key"])]
            if str(entry.get("message")).startswith(_NO_CHOICE):
                entry["message"] = f"{entry['message']}{_of(choices_at(parameter.annotation, ''))}"
    return error


def _of_refused(error: Refused) -> Failure:
    status, title = STATUSES.get(error.code, _INVALID)
    headers = {"www-authenticate": 'Bearer realm="postroad"'} if status == 401 else {}
    return Failure(error.code, status, title, error.detail, error.flaws, headers)


def _of_framework(error: HTTPException) -> Failure:
    """Translate what Litestar raises by itself; its sentences are not shown."""
    if isinstance(error, NotFoundException):
        return _plain("not_found", "There is nothing at this path.")
    if isinstance(error, MethodNotAllowedException):
        return _plain("method_not_allowed", "This path does not take this method.", dict(error.headers or {}))
    if isinstance(error, ValidationException):
        flaws = tuple(_parameter_flaws(error.extra if isinstance(error.extra, list) else ()))
        sentence = flaws[0].detail if len(flaws) == 1 else "Some parameters are not valid."
        return _of_refused(Refused("invalid_request", sentence, flaws=flaws))
    if error.status_code < 500:
        return _plain("bad_request", "The request cannot be understood.")
    return _plain("internal_error", "The request failed on our side; the request id leads to the reason.")


def _parameter_flaws(found: Iterable[object]) -> Iterable[Flaw]:
    for entry in found:
        if not isinstance(entry, dict):
            continue
        name = str(entry.get("key", ""))
        message = str(entry.get("message", "invalid")).replace("`", "").removesuffix(".")
        source = getattr(entry.get("source"), "value", entry.get("source"))
        if name == "data":
            yield Flaw("", "A JSON body is required.", "invalid_request")
        elif source in ("query", "header", "path", "cookie"):
            yield Flaw(f"#/{source}/{escape(name)}", f"{message}.", "invalid_request")
        else:
            yield Flaw(f"/{escape(name)}", f"{message}.", "invalid_request")


def _plain(code: str, detail: str, headers: dict[str, str] | None = None) -> Failure:
    status, title = STATUSES[code]
    return Failure(code, status, title, detail, headers=headers or {})
