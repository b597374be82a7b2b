"""Messages: send them, find them, follow them."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter, RawBody

from postroad.http import sending
from postroad.http.auth import KEEPS, READ, SEND, GivenCaller, GivenExchange, GivenServices
from postroad.http.documented import documented
from postroad.http.paging import place
from postroad.http.problems import escape
from postroad.http.shapes import (
    Attempts,
    EventPage,
    MessagePage,
    MessageShown,
    show_attempt,
    show_event,
    show_listed,
    show_message,
)
from postroad.model.asked import stored_address, stored_domain
from postroad.model.clock import Instant, from_datetime
from postroad.model.delivery import State
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId
from postroad.pipeline.intake import Draft
from postroad.pipeline.outcomes.explain import Explanation, explain
from postroad.store import reading
from postroad.store.messages import Accepted, Answer

_METADATA = "metadata["
_METADATA_PARAMETER = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "description": "Metadata, as `metadata[key]=value`; may be given more than once.",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object"},
    "example": {"user": "42"},
}
_DRAFT = {
    "from": "Shop <hello@shop.example>",
    "to": "ann@example.org",
    "subject": "Welcome",
    "text": "Hello Ann, welcome.",
    "tags": ["welcome"],
}
_ACCEPTED = {
    "id": "msg_01k3v8y6q2e4r5t6y7a8s9d0fg",
    "deliveries": [{"id": "dlv_01k3v8y6q2h5j6k7m8n9p0qrst", "to": "ann@example.org", "state": "queued"}],
}


class BatchDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many messages to send; `sending.Batch` decodes them one by one."""

    messages: Annotated[list[Draft], msgspec.Meta(min_length=1, description="Up to 1,000 messages.")]
    mode: Annotated[
        Literal["each", "all"],
        msgspec.Meta(description="Whether a bad message fails alone (`each`) or all with it (`all`)."),
    ] = "each"


class FlawOfItem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a message of the batch; `pointer` leads into that message."""

    pointer: str
    detail: str
    code: str


class ErrorOfItem(msgspec.Struct, frozen=True):
    """Why a message of the batch was refused."""

    code: str
    detail: str
    errors: list[FlawOfItem]


class ItemRefused(msgspec.Struct, frozen=True):
    """A message of the batch that was refused."""

    error: ErrorOfItem


_ITEM = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Accepted", "ItemRefused")]}


class BatchAccepted(msgspec.Struct, frozen=True):
    """What became of each message, in the order of the request."""

    data: Annotated[list[dict[str, Any]], msgspec.Meta(extra_json_schema={"items": _ITEM})]
    accepted: int
    refused: int


def answered(answer: Answer) -> Response[bytes]:
    """Return a response of a body that is ready."""
    headers = {"idempotency-replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)


def no_message() -> Refused:
    """Return the refusal of a message that the project does not have."""
    return Refused("not_found", "There is no such message.")


def no_delivery() -> Refused:
    """Return the refusal of a delivery that the message does not have."""
    return Refused("not_found", "There is no such delivery of this message.")


class MessagesController(Controller):
    """Messages and what becomes of them."""

    path = "/v1/messages"
    tags = ("Messages",)

    @post(
        opt=SEND | KEEPS | documented(body=Draft, answer=Accepted, example=_DRAFT, answer_example=_ACCEPTED),
        status_code=202,
        summary="Send a message",
    )
    async def send(
        self, body: RawBody, services: GivenServices, caller: GivenCaller, exchange: GivenExchange
    ) -> Response[bytes]:
        """Take a message and answer once it is stored durably; suppressed recipients are told apart."""
        return answered(await sending.accept_one(services, caller, body, exchange.idempotency))

    @post(
        "/batch",
        opt=SEND
        | KEEPS
        | documented(
            body=BatchDraft,
            answer=BatchAccepted,
            refused=BatchAccepted,
            also=(ItemRefused,),
            example={"messages": [_DRAFT]},
        ),
        status_code=202,
        summary="Send many messages",
    )
    async def send_batch(
        self, body: RawBody, services: GivenServices, caller: GivenCaller, exchange: GivenExchange
    ) -> Response[bytes]:
        """Take up to 1,000 messages in one transaction; results come in the order of the messages.

        In the mode `each` a message that cannot be accepted fails alone, in the mode `all` nothing is accepted then.
        """
        return answered(await sending.accept_batch(services, caller, body, exchange.idempotency))

    @get(opt=READ | documented(parameters=(_METADATA_PARAMETER,)), summary="List and search messages")
    async def search(
        self,
        request: Request[Any, Any, Any],
        services: GivenServices,
        caller: GivenCaller,
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many at the most.")] = 20,
        after: Annotated[str | None, QueryParameter(description="`next` of the page before.")] = None,
        recipient: Annotated[str | None, QueryParameter(description="Address of a recipient.")] = None,
        sender: Annotated[str | None, QueryParameter(name="from", description="Address of the sender.")] = None,
        subject: Annotated[
            str | None,
            QueryParameter(
                max_length=998, description="A part of the subject; a letter of ASCII stands for either case."
            ),
        ] = None,
        tag: Annotated[str | None, QueryParameter(description="A tag.")] = None,
        stream: Annotated[str | None, QueryParameter(description="Name of the stream.")] = None,
        standing: Annotated[
            State | None, QueryParameter(name="state", description="State of at least one delivery.")
        ] = None,
        domain: Annotated[str | None, QueryParameter(description="Domain of at least one recipient.")] = None,
        since: Annotated[
            str | None, QueryParameter(format="date-time", description="Accepted at this time or later.")
        ] = None,
        until: Annotated[
            str | None, QueryParameter(format="date-time", description="Accepted before this time.")
        ] = None,
    ) -> MessagePage:
        """Find messages, newest first; everything that is asked for must hold."""
        labels = [f"meta:{label}" for label in _metadata_asked(request)] + ([f"tag:{tag}"] if tag is not None else [])
        filters = reading.Filters(
            recipient=stored_address(recipient, "#/query/recipient"),
            sender=stored_address(sender, "#/query/from"),
            subject=subject,
            labels=tuple(labels),
            stream=stream,
            state=standing,
            domain=stored_domain(domain, "#/query/domain"),
            since=_instant("since", since),
            until=_instant("until", until),
        )
        cursor = MessageId(place("msg", after)) if after else None
        found = await services.database.read(
            lambda c: reading.listed(c, caller.project.id, filters, after=cursor, limit=limit + 1)
        )
        page = found[:limit]
        return MessagePage([show_listed(each) for each in page], page[-1].message.id if len(found) > limit else None)

    @get("/{message_id:str}", opt=READ, summary="Get a message with all that became of it")
    async def one(self, message_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> MessageShown:
        """Return the message, its deliveries with state, reason and next time, its events and its latest attempt."""
        found = await services.database.read(lambda c: reading.whole(c, caller.project.id, MessageId(message_id)))
        if found is None:
            raise no_message()
        return show_message(found)

    @get("/{message_id:str}/events", opt=READ, summary="List the events of a message")
    async def events(self, message_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> EventPage:
        """Return everything that happened to the message, in order, on one page."""
        found = await services.database.read(lambda c: reading.events_of(c, caller.project.id, MessageId(message_id)))
        if found is None:
            raise no_message()
        return EventPage([show_event(each) for each in found], None)

    @get("/{message_id:str}/explain", opt=READ, summary="Explain what became of a message")
    async def explain(self, message_id: FromPath[str], services: GivenServices, caller: GivenCaller) -> Explanation:
        """Tell for each recipient what happened, what decided it, what comes next and what would change it."""
        found = await services.database.read(lambda c: reading.causes(c, caller.project.id, MessageId(message_id)))
        if found is None:
            raise no_message()
        roads = await services.sites.roads(found.deliveries, paused_at=caller.project.paused_at)
        return explain(
            found.message,
            found.deliveries,
            attempts=found.attempts,
            suppressions=found.suppressions,
            now=services.clock.now(),
            late=found.late,
            roads=roads,
        )

    @get(
        "/{message_id:str}/deliveries/{delivery_id:str}/attempts",
        opt=READ,
        summary="List the attempts of a delivery with their SMTP conversations",
    )
    async def attempts(
        self, message_id: FromPath[str], delivery_id: FromPath[str], services: GivenServices, caller: GivenCaller
    ) -> Attempts:
        """Return every attempt with route, peer, TLS, deciding reply and the whole conversation."""
        message, delivery = MessageId(message_id), DeliveryId(delivery_id)
        found = await services.database.read(lambda c: reading.attempts_of(c, caller.project.id, message, delivery))
        if found is None:
            raise no_delivery()
        return Attempts([show_attempt(delivery, each) for each in found])

    @get(
        "/{message_id:str}/deliveries/{delivery_id:str}/raw",
        opt=READ | documented(answer=bytes, problems=(409, 410)),
        summary="Get the exact octets of a delivery",
        media_type="message/rfc822",
    )
    async def raw(
        self, message_id: FromPath[str], delivery_id: FromPath[str], services: GivenServices, caller: GivenCaller
    ) -> Response[bytes]:
        """Return the RFC 5322 message that was sent, or would be sent, to this recipient."""
        project, delivery = caller.project.id, DeliveryId(delivery_id)
        found = await services.database.read(lambda c: reading.delivery(c, project, MessageId(message_id), delivery))
        if found is None:
            raise no_delivery()
        octets = await services.recompose(project, delivery)
        return Response(
            octets,
            media_type="message/rfc822",
            headers={
                "content-disposition": f'attachment; filename="{found.id}.eml"',
                "content-security-policy": "sandbox; default-src 'none'",
            },
        )


def _metadata_asked(request: Request[Any, Any, Any]) -> Iterator[str]:
    """Yield `KEY=VALUE` of each query parameter `metadata[KEY]=VALUE`."""
    for name, value in request.query_params.multi_items():
        if name.startswith(_METADATA):
            if not name.endswith("]") or len(name) == len(_METADATA) + 1:
                raise Refused.field(f"#/query/{escape(name)}", "Search metadata as metadata[key]=value.")
            yield f"{name[len(_METADATA) : -1]}={value}"


def _instant(name: str, text: str | None) -> Instant | None:
    """Return the instant of an RFC 3339 time; numbers, which the framework would take too, are none."""
    if text is None:
        return None
    try:
        return from_datetime(msgspec.convert(text, dt.datetime))
    except ValueError as error:
        raise Refused.field(f"#/query/{name}", "A time is written as 2026-01-31T12:00:00Z (RFC 3339).") from error
