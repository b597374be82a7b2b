"""What an attempt says of its site, whatever it says of its recipient."""

from enum import StrEnum
from typing import Final

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.reason import Action, Class, Reason, Scope


class Signal(StrEnum):
    """How a site fared."""

    GOOD = "good"
    """It took the message, or said what is wrong with this recipient or this message."""
    THROTTLED = "throttled"
    """It asks for less."""
    BLOCKED = "blocked"
    """It refuses us for what we are (5.7.x)."""
    UNREACHABLE = "unreachable"
    """No conversation came about."""
    BROKEN = "broken"
    """The conversation broke off in the middle."""
    NOTHING = "nothing"


_SESSION: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO})
_ABSENT: Final = frozenset({Trouble.REFUSED, Trouble.UNREACHABLE, Trouble.TIMEOUT, Trouble.CLOSED, Trouble.PROTOCOL})
_OURS: Final = frozenset({Phase.COMPOSE, Phase.RESOLVE, Phase.AUTH, Phase.STARTTLS})
_BLOCKS: Final = frozenset({Class.REPUTATION_BLOCK, Class.POLICY, Class.AUTH_FAILED})


def signal_of(attempt: Attempt, reason: Reason) -> Signal:
    """Return what an attempt, judged so, says of its site."""
    reply = attempt.reply
    if reply is not None:
        return Signal.GOOD if reply.code < 400 else _refusal(attempt.phase, reply, reason)
    if attempt.trouble not in _ABSENT or attempt.phase in _OURS:
        return Signal.NOTHING
    return Signal.UNREACHABLE if attempt.phase in _SESSION else Signal.BROKEN


def _refusal(phase: Phase, reply: SmtpReply, reason: Reason) -> Signal:
    enhanced = reply.enhanced or ""
    if phase in _OURS:
        return Signal.NOTHING
    if reason.scope is Scope.RECIPIENT:
        return Signal.GOOD
    if reason.cls is Class.RATE_LIMITED or reason.action is Action.SLOW_DOWN:
        return Signal.THROTTLED
    if phase in _SESSION:
        return Signal.UNREACHABLE
    if reply.code < 500:
        asks = reply.code == 421 or enhanced.startswith("4.7.")
        return Signal.THROTTLED if asks and reason.cls is not Class.GREYLISTED else Signal.GOOD
    return Signal.BLOCKED if enhanced.startswith("5.7.") or reason.cls in _BLOCKS else Signal.GOOD
