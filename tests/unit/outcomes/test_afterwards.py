"""What was learnt after the end of a delivery, as `explain` tells it."""

import pytest

from postroad.model.clock import SECOND, Instant
from postroad.model.ids import DeliveryId, InboundId
from postroad.model.late import LateFact, Proof, Taken
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.pipeline.outcomes.afterwards import afterwards, remedy_after
from postroad.pipeline.outcomes.words import CAUSES, REMEDIES

AT = Instant(1_800_000_000 * SECOND)


def fact(kind: Taken, cls: Class, proof: Proof = Proof.RETURN_PATH, **evidence: str | int | None) -> LateFact:
    reason = Reason(
        cls=cls,
        permanence=Permanence.PERMANENT,
        scope=Scope.RECIPIENT,
        action=Action.STOP,
        rule="a.rule",
        detail=CAUSES[cls],
        evidence=evidence,
    )
    return LateFact(
        delivery_id=DeliveryId("dlv_1"), kind=kind, at=AT, proof=proof, reason=reason, inbound_id=InboundId("inb_1")
    )


def test_a_late_bounce_quotes_the_server_that_said_so() -> None:
    told = afterwards([fact(Taken.BOUNCE, Class.INVALID_RECIPIENT, mx="mx.test", code=550, text="No such user")])[0]
    assert told.sentence == (
        "On 2027-01-15T08:00:00.000000Z the receiving side reported by mail that it could not deliver it. "
        f"{CAUSES[Class.INVALID_RECIPIENT]} mx.test said: “550 No such user”."
    )
    assert (told.cls, told.rule, told.inbound_id) == (Class.INVALID_RECIPIENT, "a.rule", "inb_1")


def test_a_report_without_words_of_a_server_quotes_nobody() -> None:
    told = afterwards([fact(Taken.DELAY, Class.UNREACHABLE)])[0]
    assert told.sentence.endswith(CAUSES[Class.UNREACHABLE])


def test_what_can_be_forged_is_told_as_such_and_changes_no_remedy() -> None:
    weak = fact(Taken.BOUNCE, Class.INVALID_RECIPIENT, Proof.MESSAGE_ID)
    assert "can be forged" in afterwards([weak])[0].sentence
    assert remedy_after([weak]) is None


@pytest.mark.parametrize("kind", Taken)
def test_there_are_words_for_whatever_comes_back(kind: Taken) -> None:
    assert afterwards([fact(kind, Class.UNKNOWN)])[0].sentence.endswith(".")


def test_the_remedy_is_that_of_the_gravest_fact() -> None:
    bounce, complaint = fact(Taken.BOUNCE, Class.MAILBOX_FULL), fact(Taken.COMPLAINT, Class.COMPLAINT)
    assert remedy_after([bounce, complaint]) == REMEDIES[Class.COMPLAINT]
    assert remedy_after([bounce]) == REMEDIES[Class.MAILBOX_FULL]
    assert remedy_after([fact(Taken.AUTO_REPLY, Class.AUTO_REPLY)]) is None
