"""Changing a message that was accepted: cancel it, let it go on, give it another time, send it again."""

import datetime as dt
import fnmatch
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody

from postroad.http.api.messages import answered, no_message
from postroad.http.auth import KEEPS, SEND, GivenCaller, GivenExchange, GivenServices
from postroad.http.documented import documented
from postroad.http.exchange import Exchange
from postroad.http.services import Services
from postroad.http.shapes import Deliveries, show_delivery
from postroad.model.clock import SECOND, Instant, from_datetime
from postroad.model.delivery import Delivery
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, MessageId
from postroad.model.message import Message
from postroad.model.project import Caller, KeyLimits
from postroad.store import Connection, changes, reading
from postroad.store.idempotency import once
from postroad.store.messages import Accepted, Answer

_json = msgspec.json.Encoder()


class Reschedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to send instead."""

    send_at: Annotated[
        dt.datetime, msgspec.Meta(tz=True, description="When to send; a time that has passed means at once.")
    ]


class Resend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to send again."""

    deliveries: Annotated[
        list[str],
        msgspec.Meta(
            max_length=1000,
            description="Identifiers of the deliveries whose recipients get it again; none: all that have ended.",
        ),
    ] = []


_ALL_THAT_ENDED = Resend()
"""What is sent again when there is no body."""


class ChangesController(Controller):
    """Messages that have not gone out yet, or shall go out again."""

    path = "/v1/messages/{message_id:str}"
    tags = ("Messages",)

    @post(
        "/cancel",
        opt=SEND | KEEPS | documented(answer=Deliveries),
        status_code=200,
        summary="Cancel what was not sent yet",
    )
    async def cancel(
        self, message_id: FromPath[str], services: GivenServices, caller: GivenCaller, exchange: GivenExchange
    ) -> Response[bytes]:
        """End every delivery that is not being sent and has not ended; the answer shows how all of them stand."""
        project, message = caller.project.id, MessageId(message_id)
        return await _once(services, caller, exchange, lambda c, now: changes.cancel(c, project, message, now))

    @post(
        "/release",
        opt=SEND | KEEPS | documented(answer=Deliveries),
        status_code=200,
        summary="Let go on what is held",
    )
    async def release(
        self, message_id: FromPath[str], services: GivenServices, caller: GivenCaller, exchange: GivenExchange
    ) -> Response[bytes]:
        """Queue held deliveries again, once what held them is repaired: a relay's password, a file that was gone."""
        project, message = caller.project.id, MessageId(message_id)
        return await _once(services, caller, exchange, lambda c, now: changes.release(c, project, message, now))

    @post(
        "/reschedule", opt=SEND | KEEPS | documented(answer=Deliveries), status_code=200, summary="Send at another time"
    )
    async def reschedule(
        self,
        message_id: FromPath[str],
        data: JSONBody[Reschedule],
        services: GivenServices,
        caller: GivenCaller,
        exchange: GivenExchange,
    ) -> Response[bytes]:
        """Move the deliveries that were not tried yet; the time at which they are given up moves with them."""
        project, message, now = caller.project.id, MessageId(message_id), services.clock.now()
        send_at = from_datetime(data.send_at)
        ahead_s = services.settings.limits.schedule_ahead_s
        if send_at > now + ahead_s * SECOND:
            raise Refused.field("/send_at", f"This lies more than {ahead_s} seconds ahead.")
        return await _once(
            services, caller, exchange, lambda c, at: changes.reschedule(c, project, message, send_at, at)
        )

    @post(
        "/resend",
        opt=SEND | KEEPS | documented(answer=Accepted, problems=(410,)),
        status_code=202,
        summary="Send a message again",
    )
    async def resend(
        self,
        message_id: FromPath[str],
        services: GivenServices,
        caller: GivenCaller,
        exchange: GivenExchange,
        data: JSONBody[Resend] = _ALL_THAT_ENDED,
    ) -> Response[bytes]:
        """Accept a new message with the same content, for all recipients or some; suppressions hold as ever."""
        services.gate()
        project, message = caller.project.id, MessageId(message_id)
        old = await services.database.read(lambda c: reading.message(c, project, message))
        if old is None:
            raise no_message()
        await services.senders.check(caller, old.sender.rpartition("@")[2])
        wanted = changes.Resending(
            project_id=project,
            message_id=message,
            deliveries=[DeliveryId(identifier) for identifier in data.deliveries],
            mode=caller.key.mode,
            at=services.clock.now(),
            mint=services.mint,
            render=lambda accepted: _json.encode(accepted[0]),
            check=lambda found, recipients: _check_confined(caller.key.limits, found, recipients),
            idempotency=exchange.idempotency,
        )
        return _changed(services, await services.database.write(lambda c: changes.resend(c, wanted)))


async def _once(
    services: Services,
    caller: Caller,
    exchange: Exchange,
    change: Callable[[Connection, Instant], list[Delivery]],
) -> Response[bytes]:
    """Carry out a change once for its Idempotency-Key, and answer with how the message's deliveries stand then."""
    project, now = caller.project.id, services.clock.now()
    answer = await services.database.write(
        lambda c: once(c, project, exchange.idempotency, now, lambda: (200, _shown(change(c, now))))
    )
    return _changed(services, answer)


def _changed(services: Services, answer: Answer) -> Response[bytes]:
    """Wake those who wait for work and for events, and answer."""
    if not answer.replayed:
        services.due.ring_everywhere()
        services.event_signal.ring()
    return answered(answer)


def _shown(deliveries: list[Delivery]) -> bytes:
    return _json.encode(Deliveries([show_delivery(each) for each in deliveries]))


def _check_confined(limits: KeyLimits, message: Message, recipients: Iterable[str]) -> None:
    """Hold a key to its limits for what it did not address itself."""
    domain = message.sender.rpartition("@")[2]
    if limits.from_domains and domain not in limits.from_domains:
        raise Refused("key_not_allowed", f"This API key may send from {', '.join(limits.from_domains)} only.")
    if not limits.recipients:
        return
    for recipient in recipients:
        if not any(fnmatch.fnmatchcase(recipient.lower(), pattern.lower()) for pattern in limits.recipients):
            raise Refused("key_not_allowed", f"This API key may not send to {recipient}.")
