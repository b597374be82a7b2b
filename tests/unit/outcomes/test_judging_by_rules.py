"""The judge with a book of rules: what a provider's words lead to, and what they ask of the traffic."""

import pytest

from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, after
from postroad.model.delivery import Lease, State
from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.message import Mode
from postroad.model.reason import Action, Basis, Class, Confidence
from postroad.model.stream import TRANSACTIONAL
from postroad.model.traffic import Measure, Traffic
from postroad.model.verdict import Verdict
from postroad.pipeline.outcomes.judge import judge
from postroad.pipeline.outcomes.policy import Policy
from postroad.pipeline.outcomes.rules import NO_RULES, Rulebook, assemble, read

NOW = Instant(1_800_000_000 * SECOND)
BOOK = Rulebook(
    assemble(
        [
            read(
                """
format = 1
[providers.acme]
mx = [".acme.example"]

[[rule]]
id = "acme.rush"
provider = "acme"
text = "after the rush"
class = "rate_limited"
retry = true
traffic = { do = "suspend_site", for = "5 min", after = "2 per minute" }
tests = ["450 Come back after the rush"]

[[rule]]
id = "acme.stranger"
provider = "acme"
text = "we do not know you"
class = "reputation_block"
traffic = { do = "slow_down", connections = 1, for = "1 h" }
tests = ["550 We do not know you"]

[[rule]]
id = "acme.gone"
provider = "acme"
text = "has left the building"
class = "inactive_mailbox"
tests = ["550 Bo has left the building"]
""",
                "acme.toml",
            )
        ]
    )
)
RUSH = Traffic(measure=Measure.SUSPEND_SITE, rule="acme.rush", lasting=5 * MINUTE, after=2, within=MINUTE)


def verdict(
    phase: Phase, code: int, text: str, *, mx: str = "mx.acme.example", route: str = "mx", book: Rulebook = BOOK
) -> Verdict:
    lease = Lease(
        delivery_id=DeliveryId("dlv_1"),
        message_id=MessageId("msg_1"),
        project_id=ProjectId("prj_1"),
        token=1,
        until=after(NOW, MINUTE),
        attempt=1,
        failures=0,
        recipient="bo@example.net",
        domain="example.net",
        stream="transactional",
        mode=Mode.LIVE,
        sender="ann@example.com",
        header_id="1@example.com",
        accepted_at=NOW,
        first_due_at=NOW,
        expires_at=after(NOW, DAY),
        in_doubt=0,
        noticed_at=None,
        reason=None,
        content=b"",
        content_sha256=None,
    )
    tried = Attempt(
        phase=phase, reply=SmtpReply(code, text), route=route, site="acme", mx=mx, started_at=NOW, finished_at=NOW
    )
    return judge(tried, lease, TRANSACTIONAL, now=NOW, chance=0.5, policy=Policy(rulebook=book))


@pytest.mark.parametrize("phase", [Phase.BANNER, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT])
def test_what_a_reply_asks_of_the_traffic_goes_with_the_verdict(phase: Phase) -> None:
    found = verdict(phase, 450, "Come back after the rush")
    assert (found.state, found.traffic) == (State.DEFERRED, RUSH)
    assert found.reason.rule == f"smtp.{phase}.4xx.rule.acme.rush"
    assert (found.reason.basis, found.reason.confidence) == (Basis.RULE, Confidence.HIGH)
    assert found.reason.evidence["text"] == "Come back after the rush"


def test_a_5xx_that_a_rule_knows_to_pass_is_tried_again() -> None:
    found = verdict(Phase.RCPT, 550, "Come back after the rush")
    assert (found.state, found.reason.action, found.traffic) == (State.DEFERRED, Action.SLOW_DOWN, RUSH)


def test_a_refusal_for_good_bounces_and_still_asks_something_of_the_traffic() -> None:
    found = verdict(Phase.DOT, 550, "We do not know you")
    assert (found.state, found.suppress) == (State.BOUNCED, False)
    assert found.traffic == Traffic(
        measure=Measure.SLOW_DOWN, rule="acme.stranger", lasting=HOUR, connections=1, after=1, within=HOUR
    )


def test_a_refused_session_asks_too_and_is_told_with_its_evidence() -> None:
    found = verdict(Phase.BANNER, 554, "We do not know you")
    assert (found.state, found.reason.rule) == (State.DEFERRED, "session.refused")
    assert (found.reason.cls, found.reason.basis) == (Class.REPUTATION_BLOCK, Basis.RULE)
    assert found.traffic is not None


def test_a_rule_about_the_recipient_suppresses() -> None:
    found = verdict(Phase.RCPT, 550, "Bo has left the building")
    assert (found.state, found.suppress, found.reason.cls) == (State.BOUNCED, True, Class.INACTIVE_MAILBOX)
    assert found.traffic is None


def test_another_server_may_say_the_same_and_mean_something_else() -> None:
    found = verdict(Phase.RCPT, 550, "Bo has left the building", mx="mx.example.net")
    assert (found.suppress, found.reason.cls, found.reason.basis) == (False, Class.UNKNOWN, Basis.CODE)


def test_a_book_can_be_opened_at_another_page_while_mail_is_judged() -> None:
    book = Rulebook(NO_RULES)
    assert verdict(Phase.RCPT, 450, "Come back after the rush", book=book).traffic is None
    book.rules = BOOK.rules
    assert verdict(Phase.RCPT, 450, "Come back after the rush", book=book).traffic == RUSH


def test_what_was_delivered_asks_for_nothing() -> None:
    found = verdict(Phase.DOT, 250, "Come back after the rush")
    assert (found.state, found.traffic, found.reason.basis, found.reason.confidence) == (
        State.DELIVERED,
        None,
        None,
        None,
    )
