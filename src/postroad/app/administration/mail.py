"""Mail: one message taken in, as over the API, in the name of the command line."""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from postroad.app.administration.operation import Answer, OfProject, Operation, operation, project_of, read
from postroad.model.errors import Refused
from postroad.model.ids import KeyId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyScope, Project
from postroad.pipeline.intake import Draft
from postroad.wire import parse

if TYPE_CHECKING:
    from postroad.app.house import House


class NewMail(OfProject, frozen=True, kw_only=True):
    """A message to be sent."""

    message: dict[str, object]
    """The body of `POST /v1/messages`; the sender of a raw message may be left out."""


async def send(house: "House", given: NewMail) -> Answer:
    """Take a message, and answer once it is durable."""
    draft = read(_with_author(given.message), Draft, "field")
    caller = _caller(await project_of(house, given.project))
    accepted = await house.intake.accept(caller, draft)
    return msgspec.json.decode(accepted.body, type=dict[str, object])


def _with_author(message: dict[str, object]) -> dict[str, object]:
    """Return a message with the From of its raw octets as its sender, when it names none itself.

    What is no base64 stays as it is: intake says then what is wrong with it.

    Raises:
        Refused: the octets are no mail; the sentence says why.
    """
    raw = message.get("raw")
    if "from" in message or not isinstance(raw, str):
        return message
    try:
        octets = base64.b64decode(raw.encode("ascii"), validate=True)
        prepared = parse.prepare(parse.parse(octets), date=b"", message_id="<unused@invalid>")
    except parse.RawMailError as problem:
        raise Refused.field("/raw", str(problem), code="invalid_raw") from problem
    except (binascii.Error, ValueError):
        return message
    return {**message, "from": prepared.author.address}


def _caller(project: Project) -> Caller:
    key = ApiKey(
        id=KeyId("key_cli"),
        project_id=project.id,
        name="cli",
        mode=Mode.LIVE,
        scope=KeyScope.FULL,
        created_at=project.created_at,
    )
    return Caller(project=project, key=key, ip="")


OPERATIONS: Final[Mapping[str, Operation]] = {"message.send": operation(NewMail, send, sends=True)}
