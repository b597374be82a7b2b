"""What came in to the exchange: look at it, and have what was put aside read again."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from postroad.app.administration.operation import MOST_ROWS, Answer, Operation, operation, project_of, time_of
from postroad.model.errors import Refused
from postroad.model.ids import InboundId
from postroad.model.late import Mail, MailState
from postroad.store import inbound

if TYPE_CHECKING:
    from postroad.app.house import House


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mail is wanted; None: any."""

    project: str | None = None
    state: MailState | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 50
    after: str | None = None
    """The `next` of the page before."""


class OneMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail that came in."""

    mail: str


async def list_all(house: "House", given: Page) -> Answer:
    """Return a page of the mail that came in, newest first."""
    project = None if given.project is None else (await project_of(house, given.project)).id
    found = await house.database.read(
        lambda c: inbound.listed(c, project=project, state=given.state, before=given.after or "", limit=given.limit + 1)
    )
    page = found[: given.limit]
    return {"data": [_row(mail) for mail in page], "next": page[-1].id if len(found) > len(page) else None}


async def show(house: "House", given: OneMail) -> Answer:
    """Return a mail with its octets, as many as are kept, in Base64."""
    found = await house.database.read(lambda c: inbound.one(c, InboundId(given.mail)))
    if found is None:
        raise _missing()
    mail, raw = found
    return {
        **_row(mail),
        "ip": mail.ip,
        "hello": mail.hello,
        "tls": mail.tls,
        "tries": mail.tries,
        "size": mail.size,
        "raw": base64.b64encode(raw).decode(),
    }


async def release(house: "House", given: OneMail) -> Answer:
    """Let a mail that was put aside be read again."""
    name, now = InboundId(given.mail), house.clock.now()
    if not await house.database.write(lambda c: inbound.release(c, name, now)):
        raise Refused("not_found", f"{given.mail} is no mail that was put aside; `postroad inbound list` shows them.")
    house.inbound.look()
    return {"id": given.mail, "released": True}


def _missing() -> Refused:
    return Refused("not_found", "There is no such mail; `postroad inbound list` shows what is kept.")


def _row(mail: Mail) -> Answer:
    return {
        "id": mail.id,
        "at": time_of(mail.at),
        "from": mail.sender or "<>",
        "to": mail.recipient,
        "state": mail.state.value,
        "taken_for": mail.taken_for,
        "effect": mail.effect,
        "proof": mail.proof,
        "message_id": mail.message_id,
        "delivery_id": mail.delivery_id,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "inbound.list": operation(Page, list_all),
    "inbound.show": operation(OneMail, show),
    "inbound.release": operation(OneMail, release),
}
