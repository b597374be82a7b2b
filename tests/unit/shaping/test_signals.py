"""What an attempt says of its site."""

import pytest

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import Instant
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.pipeline.shaping.signals import Signal, signal_of

T0 = Instant(0)


def reason(cls=Class.UNKNOWN, action=Action.RETRY):
    return Reason(cls=cls, permanence=Permanence.UNKNOWN, scope=Scope.DOMAIN, action=action, rule="x", detail="")


def replied(phase, code, enhanced=None, cls=Class.UNKNOWN, action=Action.RETRY):
    attempt = Attempt(phase=phase, reply=SmtpReply(code, "text", enhanced), started_at=T0, finished_at=T0)
    return signal_of(attempt, reason(cls, action))


def troubled(phase, trouble):
    return signal_of(Attempt(phase=phase, trouble=trouble, started_at=T0, finished_at=T0), reason())


@pytest.mark.parametrize(
    ("found", "signal"),
    [
        (replied(Phase.DOT, 250), Signal.GOOD),
        (replied(Phase.RCPT, 550, "5.1.1", Class.INVALID_RECIPIENT), Signal.GOOD),
        (replied(Phase.RCPT, 450, "4.7.1", Class.GREYLISTED), Signal.GOOD),
        (replied(Phase.RCPT, 452, "4.2.2", Class.MAILBOX_FULL), Signal.GOOD),
        (replied(Phase.MAIL, 421, "4.7.28"), Signal.THROTTLED),
        (replied(Phase.DOT, 421), Signal.THROTTLED),
        (replied(Phase.RCPT, 451, "4.7.650"), Signal.THROTTLED),
        (replied(Phase.RCPT, 450, "4.2.1", Class.RATE_LIMITED), Signal.THROTTLED),
        (replied(Phase.RCPT, 550, "5.7.1", Class.POLICY, Action.SLOW_DOWN), Signal.THROTTLED),
        (replied(Phase.BANNER, 421, "4.7.0", Class.RATE_LIMITED), Signal.THROTTLED),
        (replied(Phase.BANNER, 554), Signal.UNREACHABLE),
        (replied(Phase.BANNER, 421), Signal.UNREACHABLE),
        (replied(Phase.RCPT, 550, "5.7.1"), Signal.BLOCKED),
        (replied(Phase.DOT, 554, None, Class.REPUTATION_BLOCK), Signal.BLOCKED),
        (replied(Phase.AUTH, 535, "5.7.8"), Signal.NOTHING),
        (troubled(Phase.CONNECT, Trouble.REFUSED), Signal.UNREACHABLE),
        (troubled(Phase.CONNECT, Trouble.TIMEOUT), Signal.UNREACHABLE),
        (troubled(Phase.BANNER, Trouble.CLOSED), Signal.UNREACHABLE),
        (troubled(Phase.CONNECT, Trouble.HANDED_BACK), Signal.NOTHING),
        (troubled(Phase.STARTTLS, Trouble.TLS), Signal.NOTHING),
        (troubled(Phase.RESOLVE, Trouble.DNS_TIMEOUT), Signal.NOTHING),
        (troubled(Phase.MAIL, Trouble.CLOSED), Signal.BROKEN),
        (troubled(Phase.BODY, Trouble.TIMEOUT), Signal.BROKEN),
        (troubled(Phase.MAIL, Trouble.TOO_LARGE), Signal.NOTHING),
        (troubled(Phase.COMPOSE, Trouble.POISON), Signal.NOTHING),
    ],
)
def test_what_an_attempt_says_of_its_site(found, signal):
    assert found is signal


def test_what_is_about_one_recipient_says_nothing_of_its_site():
    attempt = Attempt(phase=Phase.RCPT, reply=SmtpReply(450, "later", "4.2.1"), started_at=T0, finished_at=T0)
    found = Reason(
        cls=Class.RATE_LIMITED,
        permanence=Permanence.TRANSIENT,
        scope=Scope.RECIPIENT,
        action=Action.RETRY,
        rule="x",
        detail="",
    )
    assert signal_of(attempt, found) is Signal.GOOD
