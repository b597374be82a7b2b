"""What each end of a delivery counts for."""

import pytest
from msgspec.structs import replace

from postroad.features.guard.counting import of_end
from postroad.features.guard.weighing import weigh
from postroad.model.clock import Instant
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.reputation import Counts, Rate, Thresholds
from postroad.store.reputation import End, Told, _Tried

UNKNOWN = Reason(
    cls=Class.INVALID_RECIPIENT, permanence=Permanence.PERMANENT, scope=Scope.RECIPIENT, action=Action.SUPPRESS,
    rule="enhanced.1.1", detail="",
)  # fmt: skip
BLOCK = replace(UNKNOWN, cls=Class.REPUTATION_BLOCK, scope=Scope.IP_REPUTATION)
FULL = replace(UNKNOWN, cls=Class.MAILBOX_FULL, permanence=Permanence.TRANSIENT)
EXPIRED = replace(UNKNOWN, cls=Class.EXPIRED, scope=Scope.RATE, permanence=Permanence.TRANSIENT)
BY_HAND = replace(UNKNOWN, cls=Class.LOCAL, scope=Scope.LOCAL, rule="queue.bounce")
BOUNCED, LATE = EventType.BOUNCED, EventType.BOUNCED_LATE
GAVE_UP, COMPLAINED = EventType.EXPIRED, EventType.COMPLAINED


def end(
    kind: EventType, reason: Reason | None, phase: str | None, *, delivered: bool = False, attempts: int = 1
) -> End:
    return End(
        project_id=ProjectId("prj_1"), kind=kind, at=Instant(1), stream="broadcast", domain="a.test",
        told=Told(reason, None if phase is None else _Tried(phase)), attempts=attempts, ended_at=Instant(1),
        delivered=delivered, delivery_id=DeliveryId("dlv_1"), message_id=MessageId("msg_1"), recipient="ann@a.test",
        kept_back_by=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (end(BOUNCED, UNKNOWN, "rcpt"), Counts(sent=1, hard=1)),
        (end(BOUNCED, UNKNOWN, "dot"), Counts(sent=1, hard=1)),
        (end(BOUNCED, BLOCK, "mail"), Counts(sent=1, blocked=1)),
        (end(BOUNCED, FULL, "rcpt"), Counts(sent=1)),
        (end(BOUNCED, BLOCK, "banner"), Counts()),
        (end(BOUNCED, UNKNOWN, "resolve"), Counts()),
        (end(BOUNCED, BY_HAND, None), Counts()),
        (end(BOUNCED, None, None), Counts()),
        (end(BOUNCED, UNKNOWN, None), Counts(sent=1, hard=1)),
        (end(LATE, UNKNOWN, None, delivered=True), Counts(hard=1)),
        (end(LATE, UNKNOWN, None, delivered=False), Counts()),
        (end(LATE, FULL, None, delivered=True), Counts()),
        (end(LATE, None, None, delivered=True), Counts()),
        (end(COMPLAINED, None, None, delivered=True), Counts(complained=1)),
        (end(COMPLAINED, None, None, delivered=False), Counts()),
        (end(GAVE_UP, EXPIRED, "rcpt"), Counts(sent=1)),
        (end(GAVE_UP, replace(EXPIRED, evidence={"last_class": "policy"}), None), Counts(sent=1, blocked=1)),
        (end(GAVE_UP, replace(EXPIRED, evidence={"last_class": "unreachable"}), None), Counts()),
        (end(GAVE_UP, EXPIRED, None, attempts=0), Counts()),
    ],
)
def test_an_end_counts_for_its_cohort_and_nothing_else(given: End, counts: Counts) -> None:
    assert of_end(given) == counts
    if not given.delivered:  # a numerator holds members of its denominator only
        assert counts.hard + counts.blocked <= counts.sent


THRESHOLDS = Thresholds(
    hard_bounce_warn=0.03, hard_bounce_pause=0.05, block_warn=0.1, block_pause=0.3, complaint_warn=0.001,
    complaint_pause=0.003, least=100, pause=True,
)  # fmt: skip


def found(counts: Counts, ease: float = 1.0) -> list[tuple[Rate, bool]]:
    return [(each.rate, each.serious) for each in weigh("project", dict.fromkeys(Rate, counts), THRESHOLDS, ease)]


def test_a_rate_says_nothing_until_there_is_enough() -> None:
    assert found(Counts(sent=99, hard=99, blocked=99)) == []
    assert found(Counts(sent=100, hard=6)) == [(Rate.HARD_BOUNCE, True)]


def test_a_level_must_be_passed() -> None:
    assert found(Counts(sent=100, hard=3, delivered=1000, complained=1)) == []
    assert found(Counts(sent=100, hard=5)) == [(Rate.HARD_BOUNCE, False)]
    assert found(Counts(sent=100, blocked=31)) == [(Rate.BLOCK, True)]
    assert found(Counts(delivered=1000, complained=2)) == [(Rate.COMPLAINT, False)]
    assert found(Counts(delivered=1000, complained=4)) == [(Rate.COMPLAINT, True)]
    assert found(Counts(sent=100, hard=3), 0.8) == [(Rate.HARD_BOUNCE, False)]


def test_what_is_bad_is_told_in_a_sentence() -> None:
    (finding,) = weigh("stream news", {Rate.COMPLAINT: Counts(delivered=1000, complained=4)}, THRESHOLDS)
    assert finding.sentence == "0.4 % of what was delivered was reported as spam (4 of 1000, stream news)."
    assert finding.name == "stream news: complaint beyond"
    (whole,) = weigh("project", {Rate.HARD_BOUNCE: Counts(sent=100, hard=100)}, THRESHOLDS)
    assert whole.sentence.startswith("100 % of what was sent was refused")
