"""From what a report says of a recipient to a finding, by the same classifier that weighs the replies of servers.

A report has up to three witnesses: the reply it quotes, the code in Status, and words. The reply is heard first, as it
would have been heard on the wire; Status stands in for the code that a reply lacks; the words of the notice itself
decide only where both say nothing of their own. Whoever reports a failure has given up, so nothing follows from it that
would be a retry.
"""

from typing import Final

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Basis, Class, Permanence, Scope
from postroad.model.returned import ReportAction, ReportedRecipient
from postroad.pipeline.outcomes.classify import SCOPES, Confidence, Finding, classify
from postroad.pipeline.outcomes.returned import hints, replies, sayings
from postroad.pipeline.outcomes.rules import NO_RULES, RuleSet

_PERMANENT: Final = 550
_TRANSIENT: Final = 400
"""The codes that stand in for a reply's, chosen because they say nothing but their first digit."""
_PASSING: Final = frozenset({Class.MAILBOX_FULL, Class.RATE_LIMITED, Class.GREYLISTED, Class.EXPIRED})
"""Causes that may be gone when the next message is sent, whatever the first digit of the reply."""
_PASSING_UNLESS_REFUSED: Final = frozenset({Class.UNREACHABLE, Class.DNS_FAILURE, Class.TLS_REQUIRED_FAILED})
"""Causes that may be gone unless a server called them lasting."""
_BEFORE_RECIPIENT: Final = frozenset({Phase.BANNER, Phase.EHLO, Phase.MAIL})
"""Where a reply cannot be about the recipient, so that no words about one are looked for."""
_HINTED: Final = "text.hint_of_"
"""What the classifier calls its own hints, which are made for the short replies of servers."""
_NO_REASON: Final = 5
"""Words that are too few to hold a reason, beside the recipient's address."""
_OUT_OF_TIME: Final = frozenset({Class.UNREACHABLE, Class.UNKNOWN})
"""Causes that say no more than that it did not work until the time was up."""
_TIME_UP: Final = (".4.7", ".4.300", ".4.316", ".4.318")
"""Enhanced codes of messages that expired, the long ones Microsoft's."""


def classify_report(recipient: ReportedRecipient, *, rules: RuleSet = NO_RULES) -> Finding:
    """Return what a report says of a recipient.

    A report of anything but a failure is no bounce: its action is `ignore`, its class what the delay was about, or
    `accepted`. Of a failure, `permanence` says whether it may pass (a full mailbox, a host that did not answer), and
    `action` is `suppress` only where reply or code tell of the recipient for certain. `rules` are those of providers,
    chosen by the mail server that the report names.
    """
    if recipient.action in {ReportAction.DELIVERED, ReportAction.RELAYED, ReportAction.EXPANDED}:
        rule = f"report.{recipient.action}"
        return Finding(Class.ACCEPTED, Permanence.UNKNOWN, Scope.LOCAL, Action.IGNORE, rule, Confidence.HIGH)
    finding = _failure(recipient, rules)
    if recipient.action is ReportAction.DELAYED:
        return finding._replace(permanence=Permanence.TRANSIENT, action=Action.IGNORE)
    return finding._replace(action=Action.STOP) if finding.action is Action.RETRY else finding


def _failure(recipient: ReportedRecipient, rules: RuleSet) -> Finding:
    reply = _reply(recipient)
    words = sayings.fold(f"{reply.text} {recipient.text}")
    phase = replies.phase(f"{recipient.text}\n{reply.text}")
    finding = classify(reply, phase, rules=rules, mx=recipient.remote_mta)
    least = Confidence.HIGH if recipient.diagnostic is None else Confidence.MEDIUM
    refused_before = recipient.diagnostic is not None and phase in _BEFORE_RECIPIENT
    sure = finding.confidence in {Confidence.HIGH, least} or refused_before
    vague = finding.cls is Class.PROTOCOL_ERROR and str(reply.enhanced).endswith(".5.0")  # Sendmail's 554 is that, too
    said: Class | None = None
    if finding.cls is Class.UNKNOWN or vague or not sure:
        said = sayings.spoken(words)
        if said is not None and not _is_known_better(said, finding, recipient):
            finding = _spoken(said)
    if finding.cls is Class.UNREACHABLE and sayings.spoken(words) is Class.DNS_FAILURE:
        finding = _spoken(Class.DNS_FAILURE)
    timed = f"{reply.enhanced} {recipient.status}".split()
    expired = any(code.endswith(_TIME_UP) for code in timed) or sayings.gave_up(words)
    hardly = finding.cls is Class.DNS_FAILURE and finding.rule.startswith("text.") and not sure
    if expired and (finding.cls in _OUT_OF_TIME or hardly) and recipient.action is ReportAction.FAILED:
        finding = _spoken(Class.EXPIRED)
    only_words = recipient.diagnostic is None and recipient.status is None
    if finding.cls is Class.UNKNOWN or (only_words and not sure and said is None):
        hint = hints.hinted(recipient.text)
        weak = finding.cls is Class.UNKNOWN or finding.rule.startswith(_HINTED)
        if hint is Class.MAILBOX_FULL or (hint is not None and weak):
            finding = _spoken(hint)
    temporary = str(reply.enhanced or reply.code).startswith("4")
    passing = finding.cls in _PASSING or (recipient.diagnostic is None and finding.cls in _PASSING_UNLESS_REFUSED)
    if temporary or passing:
        action = Action.STOP if finding.action is Action.SUPPRESS else finding.action
        return finding._replace(permanence=Permanence.TRANSIENT, action=action)
    if finding.cls is Class.INACTIVE_MAILBOX and only_words and hints.for_now(recipient.text):
        return finding._replace(permanence=Permanence.TRANSIENT, action=Action.STOP)
    if finding.cls is Class.UNKNOWN and only_words and "permanent" not in words:
        return finding._replace(permanence=_lasting(recipient.text))
    return finding


def _is_known_better(said: Class, finding: Finding, recipient: ReportedRecipient) -> bool:
    """Tell whether what the words say is worth less than what the classifier found.

    The words of a reply are what it knows best. And who answered for good was reached; who goes on trying has not come
    to an end.
    """
    if said is Class.EXPIRED and recipient.action is ReportAction.DELAYED:
        return True
    if recipient.diagnostic is None or said is Class.MAILBOX_FULL:
        return False
    by_words = finding.basis is Basis.TEXT and finding.cls is not Class.UNKNOWN
    return by_words or (said is Class.UNREACHABLE and recipient.diagnostic.code >= _PERMANENT)


def _lasting(text: str) -> Permanence:
    """Return how lasting a failure is whose cause nobody understood: who returns a message has given it up."""
    if hints.passes(text):
        return Permanence.TRANSIENT
    return Permanence.PERMANENT if len(text.split()) > _NO_REASON else Permanence.UNKNOWN


def _reply(recipient: ReportedRecipient) -> SmtpReply:
    """Return the reply that the report quotes, completed by Status, or one made of Status and the words."""
    found, status = recipient.diagnostic, recipient.status
    if found is None:
        transient = status is not None and status.startswith("4")
        return SmtpReply(_TRANSIENT if transient else _PERMANENT, recipient.text, status)
    lacking = found.enhanced is None or found.enhanced.endswith(".0.0")
    if lacking and status is not None and int(status[0]) == found.code // 100:
        return SmtpReply(found.code, found.text, status)
    return found


def _spoken(cls: Class) -> Finding:
    """Return the finding that a notice's own words make: never sure enough to suppress."""
    scope = Scope.DOMAIN if cls is Class.EXPIRED else SCOPES[cls]
    permanence = Permanence.TRANSIENT if cls in _PASSING | _PASSING_UNLESS_REFUSED else Permanence.PERMANENT
    return Finding(cls, permanence, scope, Action.STOP, f"words.{cls}", Confidence.LOW)
