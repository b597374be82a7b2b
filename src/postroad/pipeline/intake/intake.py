"""The door's keeper: may the caller, does it fit, is it durable? Only then the answer."""

import asyncio
import fnmatch
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from postroad.model.clock import Clock, Instant
from postroad.model.delivery import Hold, Lease
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.model.ids import DeliveryId, MessageId, Mint, ProjectId
from postroad.model.message import Attachment, Content, Message, Party, Role, encode_content
from postroad.model.project import Caller
from postroad.model.stream import PRECEDENCE, Stream
from postroad.pipeline.intake.answers import none_of, render_batch, render_one
from postroad.pipeline.intake.draft import Draft
from postroad.pipeline.intake.raw import prepare_raw, read_raw
from postroad.pipeline.intake.reading import IntakeLimits, Reading, encoded_octets, read
from postroad.store import uploads
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.messages import (
    Acceptance,
    Accepted,
    Answer,
    Idempotency,
    NewDelivery,
    NewMessage,
    accept,
    rows_of,
)
from postroad.store.wakeup import WakeUp
from postroad.wire.address import Mailbox

_INLINE_OCTETS = 128 * 1024
"""Stored content up to this size lies in the row, anything larger in the blob store."""
_SIDE_BY_SIDE = 16
"""Messages of one batch whose files are put into an object storage at the same time."""


class StreamSource(Protocol):
    """Knows the streams of a project."""

    async def get(self, project_id: ProjectId, name: str) -> Stream:
        """Return the stream, or raise `Refused` with code `unknown_stream`."""
        ...


class SenderGate(Protocol):
    """Knows which domains a project may send from."""

    async def check(self, caller: Caller, from_domain: str) -> None:
        """Raise `Refused` with code `domain_not_verified` when it may not."""
        ...


class Hands(Protocol):
    """The delivery role: it may take mail in hand in the same transaction that accepts it."""

    def offer(self, count: int, new: Sequence[NewMessage]) -> Hold | None:
        """Return the hold to lease the `count` deliveries of `new` under, or None when there is no room for them."""
        ...

    def foresee(self, new: Sequence[NewMessage], at: Instant, hold: Hold) -> None:
        """Hear what is being accepted at `at` under an offer; its commit is not certain yet."""
        ...

    def taken(self, count: int, leases: Sequence[Lease], new: Sequence[NewMessage] = ()) -> None:
        """End an offer of `count` for `new`, of which these leases came."""
        ...


class Intake:
    """Takes requests to send."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        clock: Clock,
        mint: Mint,
        streams: StreamSource,
        senders: SenderGate,
        limits: IntakeLimits,
        batch_limit: int,
        gate: Callable[[], None],
        hands: Hands | None,
        due: WakeUp,
        told: WakeUp,
    ) -> None:
        """Build the intake.

        Args:
            database: where the rows go.
            blobs: where attachments and large content go.
            clock: the server's.
            mint: makes identifiers.
            streams: of the projects.
            senders: of the projects.
            limits: the most that one message may ask for.
            batch_limit: messages in one batch.
            gate: raises `Unavailable` when the server is overloaded or short of disk.
            hands: take what is due at once; None: it is left in the queue.
            due: rung when a commit left something in the queue.
            told: rung after each commit, because it wrote events.
        """
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._mint = mint
        self._streams = streams
        self._senders = senders
        self._limits = limits
        self._batch_limit = batch_limit
        self._gate = gate
        self._hands = hands
        self._due = due
        self._told = told

    async def accept(self, caller: Caller, draft: Draft, idempotency: Idempotency | None = None) -> Answer:
        """Take one message, and return the answer once it is durable.

        Raises:
            Refused: the draft is not valid, or the caller may not.
            Unavailable: nothing was stored; try again.
        """
        self._gate()
        now = self._clock.now()
        new = await self._admit(caller, draft, read(draft, self._limits, now), now)
        return await self._store(caller, [new], render_one, idempotency)

    async def accept_mail(
        self, caller: Caller, octets: bytes, recipients: Sequence[Mailbox], *, stream: str = "transactional"
    ) -> Answer:
        """Take a complete RFC 5322 message for these envelope recipients, and return once it is durable.

        Raises:
            Refused: the message is not valid, or the caller may not.
            Unavailable: nothing was stored; try again.
        """
        self._gate()
        now = self._clock.now()
        author = prepare_raw(octets, self._limits, now, "unused@invalid").author
        found = Reading(
            sender=Party(author.address),
            sender_domain=author.domain,
            envelope=[(mailbox, Role.TO) for mailbox in dict.fromkeys(recipients)],
            raw=octets,
            size=len(octets),
        )
        new = await self._admit(caller, Draft(sender=author.address, stream=stream), found, now)
        return await self._store(caller, [new], render_one, None)

    async def accept_batch(
        self,
        caller: Caller,
        items: Sequence[Draft | Refused],
        *,
        all_or_nothing: bool = False,
        idempotency: Idempotency | None = None,
    ) -> Answer:
        """Take many messages in one transaction; an item that is bad fails alone, or all with it when asked.

        Items that could not even be decoded come as the refusal they earned.

        Raises:
            Refused: the batch is empty, too long, or `all_or_nothing` and one is bad.
            Unavailable: nothing was stored; try again.
        """
        self._gate()
        if not 1 <= len(items) <= self._batch_limit:
            raise Refused.field("/messages", f"A batch has 1 to {self._batch_limit} messages.")
        now = self._clock.now()
        prepared = await self._try_all(caller, items, now)
        good = [item for item in prepared if isinstance(item, NewMessage)]
        if all_or_nothing and len(good) < len(prepared):
            await self._leave(caller, good, now)
            raise none_of(prepared)
        status = 202 if good else 422
        return await self._store(caller, good, lambda accepted: render_batch(prepared, accepted), idempotency, status)

    async def _try_all(
        self, caller: Caller, items: Sequence[Draft | Refused], now: Instant
    ) -> list[NewMessage | Refused]:
        """Prepare the messages of a batch: some side by side where each may wait for an object storage."""
        prepared: list[NewMessage | Refused] = []
        if not self._blobs.near:
            for at in range(0, len(items), _SIDE_BY_SIDE):
                some = items[at : at + _SIDE_BY_SIDE]
                prepared += await asyncio.gather(*[self._try(caller, item, now) for item in some])
            return prepared
        for item in items:
            prepared.append(await self._try(caller, item, now))
            if len(prepared) % 50 == 0:
                await asyncio.sleep(0)  # let the loop breathe: no stretch of work over a few milliseconds
        return prepared

    async def _try(self, caller: Caller, draft: Draft | Refused, now: Instant) -> NewMessage | Refused:
        if isinstance(draft, Refused):
            return draft
        try:
            return await self._admit(caller, draft, read(draft, self._limits, now), now)
        except Refused as refusal:
            return refusal

    async def _leave(self, caller: Caller, new: Sequence[NewMessage], now: Instant) -> None:
        """Note the blobs of what is not accepted after all: like uploads that nobody names, they go in time."""
        left = {sha256 for one in new for sha256 in one.blobs}
        if left:
            await self._database.write(lambda c: uploads.note(c, caller.project.id, sorted(left), now))

    async def _store(
        self,
        caller: Caller,
        new: Sequence[NewMessage],
        render: Callable[[Sequence[Accepted]], bytes],
        idempotency: Idempotency | None,
        status: int = 202,
    ) -> Answer:
        count = sum([len(one.deliveries) for one in new])
        hold = self._offer(caller, count, new)
        acceptance = Acceptance(caller.project.id, self._clock.now(), new, render, status, idempotency, hold)
        if self._hands is not None and hold is not None:
            self._hands.foresee(new, acceptance.at, hold)
        ended = partial(self._end_offer, acceptance, count)
        try:
            future = self._database.submit_each(accept, acceptance, then=ended)
        except Unavailable as error:
            ended(None, error)
            raise
        answer: Answer = await future  # who waits may go away; what was accepted goes on all the same
        return answer

    def _end_offer(
        self, acceptance: Acceptance, count: int, answer: Answer | None, _error: BaseException | None
    ) -> None:
        """Take in hand what the commit leased, and wake those who care for the rest of it."""
        leases = () if answer is None else answer.leases
        if self._hands is not None and acceptance.hold is not None:
            self._hands.taken(count, leases, acceptance.messages)
        if answer is not None and not answer.replayed:
            self._told.ring()
            if len(leases) < count:
                self._due.ring_everywhere()

    def _offer(self, caller: Caller, count: int, new: Sequence[NewMessage]) -> Hold | None:
        if not new or self._hands is None or caller.project.paused_at is not None:
            return None
        return self._hands.offer(count, new)

    async def _admit(self, caller: Caller, draft: Draft, found: Reading, now: Instant) -> NewMessage:
        """Ask whether the caller may, put aside what goes to the blob store, and give the message its names."""
        if found.sender is None:
            raise Refused.field("/from", "The message needs a sender.")
        _check_limits(caller, found)
        await self._senders.check(caller, found.sender_domain)
        stream = await self._streams.get(caller.project.id, draft.stream)
        message_id = MessageId(self._mint("msg"))
        header_id = f"{message_id[4:]}@{found.sender_domain}"
        subject = draft.subject
        if found.raw is not None:
            subject, header_id, found.raw = read_raw(found, self._limits, now, header_id)
        raw_sha256 = None if found.raw is None else await self._blobs.put(found.raw)
        attachments = await self._attachments(caller, found) if found.files else ()
        content = _content(draft, found, found.sender, subject, attachments, raw_sha256)
        stored = encode_content(content)
        sha256 = await self._blobs.put(stored) if len(stored) > _INLINE_OCTETS else None
        due = max(now, found.send_at or now)
        message = Message(
            id=message_id,
            project_id=caller.project.id,
            mode=caller.key.mode,
            stream=draft.stream,
            sender=found.sender.email,
            subject=subject,
            created_at=now,
            send_at=found.send_at,
            expires_at=found.expires_at or Instant(due + stream.expire_after),
            tags=tuple(dict.fromkeys(draft.tags)),
            metadata=draft.metadata,
            header_id=header_id,
            size=found.size,
        )
        deliveries = tuple(
            [
                NewDelivery(DeliveryId(self._mint("dlv")), mailbox.address, mailbox.domain, role)
                for mailbox, role in found.envelope
            ]
        )
        inline = stored if sha256 is None else None
        blobs, place = _blobs(content, sha256), PRECEDENCE.index(stream.kind)
        return NewMessage(message, deliveries, inline, sha256, blobs, place, rows_of(message, inline, sha256))

    async def _attachments(self, caller: Caller, found: Reading) -> tuple[Attachment, ...]:
        """Put the files away; the last that can be refused, so that a refusal leaves nothing behind."""
        named = {
            n: await self._claim(caller, n, file.given.blob or "")
            for n, file in enumerate(found.files)
            if file.octets is None
        }
        found.size += sum([encoded_octets(size) for size in named.values()])
        if found.size > self._limits.message_octets:
            detail = f"The message is larger than {self._limits.message_octets} octets."
            raise Refused("invalid_request", detail, flaws=(Flaw("", detail, "message_too_large"),))
        attachments: list[Attachment] = []
        for n, file in enumerate(found.files):
            given = file.given
            if file.octets is None:
                sha256, size = given.blob or "", named[n]
            else:
                sha256, size = await self._blobs.put(file.octets), len(file.octets)
            attachments.append(Attachment(given.filename, given.content_type, sha256, size, given.content_id))
        return tuple(attachments)

    async def _claim(self, caller: Caller, n: int, sha256: str) -> int:
        """Return the octets of an uploaded blob, which is not removed from here on."""
        mine = partial(uploads.may_name, project=caller.project.id, sha256=sha256)
        size = await self._blobs.claim(sha256) if await self._database.read(mine) else None
        if size is None:
            raise Refused.field(f"/attachments/{n}/blob", "No such blob; upload it first with POST /v1/blobs.")
        return size


def _content(
    draft: Draft, found: Reading, sender: Party, subject: str, attachments: tuple[Attachment, ...], raw: str | None
) -> Content:
    return Content(
        sender=sender,
        to=found.to,
        cc=found.cc,
        reply_to=found.reply_to,
        subject=subject,
        html=draft.html,
        text=draft.text,
        headers=tuple(draft.headers.items()),
        attachments=attachments,
        raw_sha256=raw,
        require_tls=draft.require_tls,
    )


def _check_limits(caller: Caller, found: Reading) -> None:
    """Hold the caller to what its key is confined to."""
    limits = caller.key.limits
    if limits.from_domains and found.sender_domain not in limits.from_domains:
        raise Refused.field(
            "/from", f"This API key may send from {', '.join(limits.from_domains)} only.", code="key_not_allowed"
        )
    if not limits.recipients:
        return
    patterns = [pattern.lower() for pattern in limits.recipients]
    for mailbox, role in found.envelope:
        address = mailbox.address.lower()
        if not any(fnmatch.fnmatchcase(address, pattern) for pattern in patterns):
            raise Refused.field(
                f"/{role.value}", f"This API key may not send to {mailbox.address}.", code="key_not_allowed"
            )


def _blobs(content: Content, sha256: str | None) -> tuple[str, ...]:
    """Return the names of the blobs that a message needs."""
    named = [attachment.sha256 for attachment in content.attachments]
    return tuple([name for name in (*named, content.raw_sha256, sha256) if name is not None])
