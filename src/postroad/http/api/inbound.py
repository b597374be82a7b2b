"""What came back by mail about messages of the caller's project."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter

from postroad.http.auth import READ, GivenCaller, GivenServices
from postroad.http.documented import documented
from postroad.http.paging import place
from postroad.model.clock import to_rfc3339
from postroad.model.errors import Refused
from postroad.model.ids import InboundId
from postroad.model.late import Effect, Mail, Proof, Taken
from postroad.store import inbound


class MailShown(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that came in, and what was made of it."""

    id: str
    at: str
    sender: Annotated[str, msgspec.Meta(description="Of the envelope; empty for the null path.")]
    recipient: str
    size: int
    taken_for: Taken | None
    effect: Effect | None
    proof: Proof | None
    """How it is known which delivery it is about."""
    message_id: str | None
    delivery_id: str | None


class MailPage(msgspec.Struct, frozen=True):
    """A page of mail, newest first; `next` is given as `after` to read on, and null at the end."""

    data: list[MailShown]
    next: str | None


class InboundController(Controller):
    """Mail that came back."""

    path = "/v1/inbound"
    tags = ("Inbound",)

    @get(opt=READ, summary="List mail that came back")
    async def listed(
        self,
        services: GivenServices,
        caller: GivenCaller,
        after: Annotated[str, QueryParameter(description="Where to read on: `next` of the page before.")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many at the most.")] = 20,
    ) -> MailPage:
        """Return bounces, complaints and answers about messages of the project, newest first."""
        project, before = caller.project.id, place("inb", after)
        found = await services.database.read(
            lambda c: inbound.listed(c, project=project, before=before, limit=limit + 1)
        )
        page = found[:limit]
        return MailPage([_shown(mail) for mail in page], page[-1].id if len(found) > limit else None)

    @get("/{mail_id:str}", opt=READ, summary="Show a mail that came back")
    async def show(self, mail_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> MailShown:
        """Return what a mail was taken for, and what came of it."""
        found = await services.database.read(lambda c: inbound.one(c, InboundId(mail_id), project=caller.project.id))
        if found is None:
            raise _missing()
        return _shown(found[0])

    @get(
        "/{mail_id:str}/raw",
        opt=READ | documented(answer=bytes),
        summary="Get the octets of a mail that came back",
        media_type="message/rfc822",
    )
    async def raw(self, mail_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> Response[bytes]:
        """Return the mail as it came, or its beginning where it was large."""
        found = await services.database.read(lambda c: inbound.one(c, InboundId(mail_id), project=caller.project.id))
        if found is None:
            raise _missing()
        return Response(
            found[1],
            media_type="message/rfc822",
            headers={
                "content-disposition": f'attachment; filename="{found[0].id}.eml"',
                "content-security-policy": "sandbox; default-src 'none'",
            },
        )


def _missing() -> Refused:
    return Refused("not_found", "There is no such mail.")


def _shown(mail: Mail) -> MailShown:
    return MailShown(
        id=mail.id,
        at=to_rfc3339(mail.at),
        sender=mail.sender,
        recipient=mail.recipient,
        size=mail.size,
        taken_for=mail.taken_for,
        effect=mail.effect,
        proof=mail.proof,
        message_id=mail.message_id,
        delivery_id=mail.delivery_id,
    )
