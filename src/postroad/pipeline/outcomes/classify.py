"""From a reply to its class: what the peer minded, how sure we are, and what follows from it.

Evidence in the order in which it is believed: an enhanced code that means one thing, a basic code that means one thing,
the words, then the codes that mean many things. Whether an attempt may be repeated is another question: there the first
digit of the reply decides (RFC 5321 §4.2.1), but for too many recipients, which fewer recipients would cure.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Class, Permanence, Scope
from postroad.pipeline.outcomes import enhanced, phrases
from postroad.pipeline.outcomes.phrases import Group


class Confidence(StrEnum):
    """How much the class of a reply is worth."""

    HIGH = "high"
    """An enhanced code that means one thing, or one that the words confirm."""
    MEDIUM = "medium"
    """The words, or a code that usually means this."""
    LOW = "low"
    """A guess from the basic code, or evidence that contradicts itself: never enough to suppress."""


class Finding(NamedTuple):
    """What a reply says."""

    cls: Class
    permanence: Permanence
    scope: Scope
    action: Action
    rule: str
    confidence: Confidence


SCOPES: Final = {
    Class.INVALID_RECIPIENT: Scope.RECIPIENT,
    Class.INACTIVE_MAILBOX: Scope.RECIPIENT,
    Class.BAD_DOMAIN: Scope.DOMAIN,
    Class.MAILBOX_FULL: Scope.RECIPIENT,
    Class.MESSAGE_TOO_LARGE: Scope.CONTENT,
    Class.CONTENT_REJECTED: Scope.CONTENT,
    Class.REPUTATION_BLOCK: Scope.IP_REPUTATION,
    Class.POLICY: Scope.DOMAIN,
    Class.AUTH_FAILED: Scope.SENDER_AUTH,
    Class.RATE_LIMITED: Scope.RATE,
    Class.GREYLISTED: Scope.RATE,
    Class.UNREACHABLE: Scope.DOMAIN,
    Class.DNS_FAILURE: Scope.DOMAIN,
    Class.TLS_REQUIRED_FAILED: Scope.DOMAIN,
    Class.PROTOCOL_ERROR: Scope.DOMAIN,
    Class.SMTPUTF8_UNSUPPORTED: Scope.DOMAIN,
    Class.UNKNOWN: Scope.DOMAIN,
}
"""Whom each class of a peer's answer concerns."""

_SUPPRESSING: Final = frozenset({Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX})
_PASSING: Final = frozenset({Class.MAILBOX_FULL, Class.RATE_LIMITED, Class.GREYLISTED, Class.REPUTATION_BLOCK})
"""Causes that pass with time even when they were said with a 5xx."""
_SLOWING: Final = frozenset({Class.RATE_LIMITED, Class.REPUTATION_BLOCK})
_ABOUT_US: Final = frozenset(
    {
        *(Class.REPUTATION_BLOCK, Class.POLICY, Class.AUTH_FAILED, Class.CONTENT_REJECTED),
        *(Class.RATE_LIMITED, Class.GREYLISTED, Class.TLS_REQUIRED_FAILED, Class.PROTOCOL_ERROR),
    }
)
"""Causes that are no fact about a recipient: words of these beside a recipient's code make the code doubtful."""
_ABOUT_THEM: Final = frozenset({Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX, Class.BAD_DOMAIN, Class.MAILBOX_FULL})

_CLEAR_CODES: Final = {
    500: Class.PROTOCOL_ERROR,
    501: Class.PROTOCOL_ERROR,
    502: Class.PROTOCOL_ERROR,
    503: Class.PROTOCOL_ERROR,
    504: Class.PROTOCOL_ERROR,
    555: Class.PROTOCOL_ERROR,
    556: Class.BAD_DOMAIN,  # RFC 7504 §3
}
_VAGUE_CODES: Final = {
    421: Class.UNREACHABLE,
    450: Class.GREYLISTED,
    451: Class.GREYLISTED,
    452: Class.UNREACHABLE,
    454: Class.TLS_REQUIRED_FAILED,
    521: Class.BAD_DOMAIN,
    530: Class.AUTH_FAILED,
    535: Class.AUTH_FAILED,
    551: Class.INVALID_RECIPIENT,
    552: Class.MAILBOX_FULL,
}
_ADDRESS: Final = 1
"""The subject of codes about addresses (RFC 3463 §3.2): with it, words about a recipient are confirmed."""
_BEFORE_RECIPIENT: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL})


def classify(reply: SmtpReply, phase: Phase) -> Finding:
    """Return what a 4xx or 5xx reply in `phase` means.

    `action` says whether to try again: `retry` and `slow_down` do, anything else behind a 5xx does not. Only what is
    known of the recipient for certain suppresses; what a server thinks of us, of the message or of the moment never
    does. At most 1 KiB of the text is read, in time linear to it.
    """
    text = phrases.fold(reply.text)
    digit = reply.code // 100
    code = enhanced.find(reply.enhanced, text)
    if code == enhanced.TOO_MANY_RECIPIENTS or any(phrase in text for phrase in phrases.TOO_MANY_RECIPIENTS):
        rule = "too_many_recipients"
        return Finding(Class.RATE_LIMITED, Permanence.TRANSIENT, Scope.RATE, Action.RETRY, rule, Confidence.HIGH)
    cls, rule, confidence = _weigh(reply.code, code, phrases.spoken(text, digit))
    if phase in _BEFORE_RECIPIENT and cls in _ABOUT_THEM:
        # Nobody was named yet, so it is the sender that was refused, or all of us.
        cls = Class.AUTH_FAILED if phase is Phase.MAIL else Class.POLICY
        confidence = Confidence.LOW
    if digit == 4:
        action = Action.SLOW_DOWN if cls in _SLOWING else Action.RETRY
        return Finding(cls, Permanence.TRANSIENT, SCOPES[cls], action, rule, confidence)
    return Finding(cls, _permanence(cls), SCOPES[cls], _final_action(cls, phase, confidence), rule, confidence)


def _weigh(basic: int, code: tuple[int, int] | None, group: Group | None) -> tuple[Class, str, Confidence]:
    """Return the class that the evidence speaks for, the rule that says so, and how sure it is."""
    meaning = None if code is None else enhanced.meaning(code)
    stated = None if meaning is None else (meaning.permanent if basic >= 500 else meaning.transient)
    rule = "" if code is None else f"enhanced.{code[0]}.{code[1]}"
    if meaning is not None and meaning.firm and stated is not None:
        doubtful = stated in _ABOUT_THEM and group is not None and group.cls in _ABOUT_US
        return stated, rule, Confidence.LOW if doubtful else Confidence.HIGH
    if stated is None and basic in _CLEAR_CODES:
        return _CLEAR_CODES[basic], f"code.{basic}", Confidence.MEDIUM
    if group is not None:
        confirmed = group.cls is stated or (code is not None and code[0] == _ADDRESS and group.cls in _ABOUT_THEM)
        return group.cls, f"text.{group.name}", Confidence.HIGH if confirmed else Confidence.MEDIUM
    if stated is not None:
        return stated, rule, Confidence.MEDIUM
    return _VAGUE_CODES.get(basic, Class.UNKNOWN), f"code.{basic}", Confidence.LOW


def _permanence(cls: Class) -> Permanence:
    if cls is Class.UNKNOWN:
        return Permanence.UNKNOWN
    return Permanence.TRANSIENT if cls in _PASSING else Permanence.PERMANENT


def _final_action(cls: Class, phase: Phase, confidence: Confidence) -> Action:
    """Return what follows from a 5xx of a class.

    A bad domain is not suppressed on one server's word. Words after DATA are mostly about the message, so there only a
    code tells of a recipient.
    """
    if cls in _SUPPRESSING:
        sure = confidence is Confidence.HIGH or (confidence is Confidence.MEDIUM and phase is Phase.RCPT)
        return Action.SUPPRESS if sure else Action.STOP
    return Action.FIX_SENDER if cls is Class.AUTH_FAILED else Action.STOP
