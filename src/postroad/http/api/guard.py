"""How the caller's project stands in the eyes of the reputation guard."""

import msgspec
from litestar import Controller, get

from postroad.features.guard import GuardShown
from postroad.features.guard.guard import Shown
from postroad.http.api.suspensions import SuspensionShown, show_suspension
from postroad.http.auth import READ, GivenCaller, GivenServices
from postroad.model.clock import to_rfc3339
from postroad.model.reputation import Counts, Rate, Thresholds, measured


class RateShown(msgspec.Struct, frozen=True):
    """A rate: `count` of `of`; the share is null where there is nothing to count."""

    count: int
    of: int
    share: float | None


class StandingShown(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the mail of a stream, or to a site, over the windows of the settings."""

    name: str
    sent: int
    """Came as far as MAIL FROM, and were decided on."""
    delivered: int
    hard_bounce: RateShown
    block: RateShown
    complaint: RateShown


class FindingShown(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that is bad."""

    subject: str
    rate: Rate
    count: int
    of: int
    threshold: float
    serious: bool
    """Whether broadcast mail is paused for this."""
    sentence: str


class GuardStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How the project stands."""

    thresholds: Thresholds
    own: tuple[str, ...]
    """Those thresholds that the project has of its own."""
    counted_from: str | None
    """Since when mail counts, when a pause cut the windows short."""
    streams: list[StandingShown]
    sites: list[StandingShown]
    findings: list[FindingShown]
    paused: list[SuspensionShown]
    """What the guard has paused; `DELETE /v1/suspensions/{id}?force=true` ends it."""


class GuardController(Controller):
    """The reputation guard."""

    path = "/v1/guard"
    tags = ("Queue",)

    @get(opt=READ, summary="Show the project's reputation")
    async def show(self, services: GivenServices, caller: GivenCaller) -> GuardStanding:
        """Return hard-bounce, block and complaint rates by stream and site, what is bad, and what is paused for it."""
        return show_guard(await services.guard.show(caller.project.id))


def show_guard(found: GuardShown) -> GuardStanding:
    """Return a project's standing as it is shown."""
    return GuardStanding(
        thresholds=found.thresholds,
        own=found.own,
        counted_from=None if found.counted_from is None else to_rfc3339(found.counted_from),
        streams=[_standing(each) for each in found.streams],
        sites=[_standing(each) for each in found.sites],
        findings=[
            FindingShown(
                subject=each.subject,
                rate=each.rate,
                count=each.count,
                of=each.of,
                threshold=each.threshold,
                serious=each.serious,
                sentence=each.sentence,
            )
            for each in found.findings
        ],
        paused=[show_suspension(each) for each in found.paused],
    )


def _standing(each: Shown) -> StandingShown:
    return StandingShown(
        name=each.name,
        sent=each.day.sent,
        delivered=each.day.delivered,
        hard_bounce=_rate(Rate.HARD_BOUNCE, each.day),
        block=_rate(Rate.BLOCK, each.day),
        complaint=_rate(Rate.COMPLAINT, each.week),
    )


def _rate(rate: Rate, counts: Counts) -> RateShown:
    count, of = measured(rate, counts)
    return RateShown(count, of, count / of if of else None)
