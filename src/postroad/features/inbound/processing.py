"""The role that reads what came in: a job over stored mail, which any crash leaves to be done again.

A mail counts a try when its reading begins. One that was tried three times without an end has brought its reader down
each time, or the whole server: it is put aside, told of in the log, and kept for a person to look at.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, assert_never

import msgspec
import structlog

from postroad.features.inbound import matching
from postroad.features.inbound.matching import Match
from postroad.features.inbound.reader import Reader, Unreadable
from postroad.features.suppressions import Suppressions
from postroad.model.clock import DAY, MINUTE, SECOND, Clock, Instant, after
from postroad.model.errors import Unavailable
from postroad.model.ids import DeliveryId, InboundId, Mint, ProjectId, SuppressionId
from postroad.model.late import Effect, LateVerdict, Standing, Taken
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    Report,
    ReportAction,
    Returned,
    Unrecognised,
)
from postroad.model.stream import Stream, StreamKind
from postroad.model.suppression import WHOLE_PROJECT, Cause, Suppression
from postroad.model.token import Unsubscribe
from postroad.pipeline.outcomes.late import LateCase, judge_late
from postroad.pipeline.outcomes.rules import Rulebook
from postroad.store import inbound
from postroad.store import late as facts
from postroad.store.database import Database
from postroad.store.wakeup import WakeUp
from postroad.wire.verp import Purpose

_log = structlog.get_logger("postroad.inbound")
_BATCH: Final = 32
_TRIES: Final = 3
_LEASE: Final = 10 * MINUTE
"""A mail in the hands of a node that died comes back after this."""
_AGAIN: Final = 5 * SECOND
"""A mail whose reader died waits this long."""
_SOON: Final = SECOND
"""A mail about an attempt that is just being made waits this long."""
_IDLE_S: Final = 10.0
"""What another node took is found so soon."""
_AT_ONCE: Final = 8
"""Mails in work together, so that they share transactions."""


class Streams(Protocol):
    """Who knows a project's streams."""

    async def listed(self, project_id: ProjectId) -> list[Stream]:
        """Return the streams of a project."""
        ...


class InboundSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mail is judged."""

    node: str
    window: int = 14 * DAY
    spare_transactional: bool = False
    reserved_domain: str = ""
    """Whose mailboxes are for tests, and never get onto the list."""


class Inbound:
    """The role of one node."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        mint: Mint,
        reader: Reader,
        streams: Streams,
        suppressions: Suppressions,
        key: bytes,
        arrived: WakeUp,
        told: Callable[[], None],
        settings: InboundSettings,
        rulebook: Rulebook | None = None,
    ) -> None:
        """Take what reading needs; `key` is that of return paths, `told` is called when events were written."""
        self._rulebook = rulebook or Rulebook()
        self._database = database
        self._clock = clock
        self._mint = mint
        self._reader = reader
        self._streams = streams
        self._suppressions = suppressions
        self._key = key
        self._arrived = arrived
        self._told = told
        self._settings = settings
        self.counted: Counter[tuple[Taken, Effect]] = Counter()
        """What mail was taken for and what came of it, since the start."""
        self.quarantined = 0
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Read what comes in, until canceled."""
        now = self._clock.now()
        try:
            await self._database.write(lambda c: inbound.recover(c, now=now, node=self._settings.node))
            while True:
                heard = self._arrived.beat
                if not await self.round():
                    await self._arrived.wait(heard, await self._pause_s())
        finally:
            await asyncio.shield(self._reader.close())

    def look(self) -> None:
        """Look for mail now."""
        self._arrived.ring()

    async def round(self) -> bool:
        """Read what is due, and tell whether there was any."""
        now = self._clock.now()
        take = partial(inbound.take, now=now, until=after(now, _LEASE), node=self._settings.node, limit=_BATCH)
        taken: list[inbound.Pending] = await self._database.write(take)
        await asyncio.gather(*[self._one(mail) for mail in taken])
        return bool(taken)

    async def _pause_s(self) -> float:
        due = await self._database.read(inbound.next_due)
        if due is None:
            return _IDLE_S
        return min(max((due - self._clock.now()) / SECOND, 0.05), _IDLE_S)

    async def _one(self, mail: inbound.Pending) -> None:
        """Read a mail and let follow what does; what goes wrong with it concerns no other."""
        async with self._room:
            tries = await self._database.write(lambda c: inbound.begin(c, mail.id))
            if tries > _TRIES:
                await self._quarantine(mail, tries)
                return
            try:
                await self._work(mail)
            except Unavailable:
                await self._again(mail, counted=False)
            except Unreadable as error:
                _log.warning("mail_unreadable", mail=mail.id, tries=tries, error=str(error))
                await self._failed(mail, tries)
            except Exception:  # noqa: BLE001 - one mail's trouble is not the others'
                _log.exception("mail_failed", mail=mail.id, tries=tries)
                await self._failed(mail, tries)

    async def _work(self, mail: inbound.Pending) -> None:
        if mail.recipient.lower().startswith(f"{Purpose.UNSUBSCRIBE}+") and mail.token is not None:
            await self._unsubscribe(mail, mail.token)
        else:
            await self._apply(mail, await self._reader.read(mail.raw))

    async def _failed(self, mail: inbound.Pending, tries: int) -> None:
        if tries >= _TRIES:
            await self._quarantine(mail, tries)
        else:
            await self._again(mail, counted=True)

    async def _again(self, mail: inbound.Pending, *, counted: bool, wait: int = _AGAIN) -> None:
        at = after(self._clock.now(), wait)
        await self._database.write(lambda c: inbound.put_back(c, mail.id, at, counted=counted))

    async def _quarantine(self, mail: inbound.Pending, tries: int) -> None:
        await self._database.write(lambda c: inbound.quarantine(c, mail.id))
        self.quarantined += 1
        _log.error("mail_quarantined", mail=mail.id, tries=tries)

    async def _finish(self, mail: InboundId, outcome: inbound.Outcome) -> None:
        await self._database.write(lambda c: inbound.finish(c, mail, outcome))
        self.counted[outcome.taken_for, outcome.effect] += 1

    # --- what follows ------------------------------------------------------------------------------------------------

    async def _apply(self, mail: inbound.Pending, returned: Returned) -> None:
        if not await self._others_applied(mail, returned):
            await self._again(mail, counted=False, wait=_SOON)
            return
        match = matching.proven(returned, mail.token, self._key)
        if match is None:
            match = await self._database.read(lambda c: matching.by_message_id(c, returned))
        found = None if match is None else await self._database.read(lambda c: facts.standing(c, match.delivery_id))
        if match is None or found is None:
            await self._finish(mail.id, inbound.Outcome(_taken_for(returned), Effect.UNMATCHED))
            return
        judged = await self._judged(mail, returned, match, found)
        effect = await self._database.write(lambda c: facts.apply(c, judged))
        if effect is None:
            await self._again(mail, counted=False, wait=_SOON)
            return
        self.counted[_taken_for(returned), effect] += 1
        self._told()

    async def _others_applied(self, mail: inbound.Pending, returned: Returned) -> bool:
        """Apply what a mail reports on other messages, each by its own proof; False when one has to wait."""
        for other in returned.others if isinstance(returned, Report) else ():
            match = matching.proven(other, None, self._key)
            if match is None:
                continue
            found = await self._database.read(partial(facts.standing, delivery=match.delivery_id))
            if found is None:
                continue
            judged = await self._judged(mail, other, match, found)
            if await self._database.write(partial(facts.apply_beside, late=judged)) is None:
                return False
            self._told()
        return True

    async def _judged(self, mail: inbound.Pending, returned: Returned, match: Match, found: Standing) -> facts.Late:
        """Return what a mail says of a delivery, and how to judge it."""
        case = partial(
            LateCase,
            returned=returned,
            proof=match.proof,
            of_envelope=match.of_envelope,
            sender=mail.sender,
            now=mail.at,
            window=self._settings.window,
            rules=self._rulebook.rules,
        )
        return facts.Late(
            mail=mail.id,
            delivery_id=match.delivery_id,
            proof=match.proof,
            at=self._clock.now(),
            judge=lambda standing: judge_late(case(standing=standing)),
            suppressions=await self._entries(found),
        )

    async def _entries(self, found: Standing) -> Callable[[Standing, LateVerdict], Sequence[Suppression]]:
        """Return what makes the entries of a verdict that suppresses: a complaint may end several streams."""
        scopes = [WHOLE_PROJECT]
        if self._settings.spare_transactional:
            streams = await self._streams.listed(found.project_id)
            scopes = [stream.name for stream in streams if stream.kind is not StreamKind.TRANSACTIONAL]
        ids = [SuppressionId(self._mint("sup")) for _ in range(len(scopes) + 1)]
        now = self._clock.now()

        def make(standing: Standing, verdict: LateVerdict) -> list[Suppression]:
            if standing.recipient.endswith(f"@{self._settings.reserved_domain}"):
                return []
            cause = verdict.suppress or Cause.BOUNCE
            where = scopes if cause is Cause.COMPLAINT else [WHOLE_PROJECT]
            return [
                _entry(standing, verdict, cause, scope, identifier, now)
                for scope, identifier in zip(where, ids, strict=False)
            ]

        return make

    async def _unsubscribe(self, mail: inbound.Pending, delivery: DeliveryId) -> None:
        """Do as mail to an unsubscribe address asks, whatever it says (RFC 2369 §3.2)."""
        found = await self._database.read(lambda c: facts.standing(c, delivery))
        if found is None:
            await self._finish(mail.id, inbound.Outcome(Taken.UNSUBSCRIBE, Effect.UNMATCHED))
            return
        await self._suppressions.unsubscribe(
            Unsubscribe(
                project_id=found.project_id,
                stream=found.stream,
                recipient=found.recipient,
                message_id=found.message_id,
                delivery_id=found.delivery_id,
            )
        )
        outcome = inbound.Outcome(
            Taken.UNSUBSCRIBE, Effect.TOLD, None, found.project_id, found.message_id, found.delivery_id
        )
        await self._finish(mail.id, outcome)


def _taken_for(returned: Returned) -> Taken:
    """Return what a mail is, where no delivery is known that could tell more."""
    match returned:
        case Report(recipients=recipients):
            actions = {found.action for found in recipients}
            if ReportAction.FAILED in actions:
                return Taken.BOUNCE
            return Taken.DELAY if ReportAction.DELAYED in actions else Taken.RECEIPT
        case Complaint():
            return Taken.COMPLAINT
        case Challenge():
            return Taken.CHALLENGE
        case AutoReply():
            return Taken.AUTO_REPLY
        case Unrecognised():
            return Taken.OTHER
        case _ as unreachable:
            assert_never(unreachable)


def _entry(
    standing: Standing, verdict: LateVerdict, cause: Cause, scope: str, identifier: SuppressionId, at: Instant
) -> Suppression:
    return Suppression(
        id=identifier,
        project_id=standing.project_id,
        scope=scope,
        address=standing.recipient,
        cause=cause,
        author="recipient" if cause is Cause.COMPLAINT else "system",
        created_at=at,
        evidence=verdict.reason,
        message_id=standing.message_id,
        delivery_id=standing.delivery_id,
    )
