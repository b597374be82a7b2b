"""The judge of what comes back by mail: a report goes in, and out comes what follows for the delivery it is about.

A bounce that comes three days later meets the same classification as the reply of a server: the words and codes it
quotes decide, and only what is known for certain of a recipient suppresses an address. What is different is how much a
mail can be believed. Whoever has received a message knows its Message-ID, so that a match by that alone settles nothing
and suppresses nobody; and a report that a person's address has sent is told of, but suppresses nobody either. A report
that was within another mail has to name the recipient, unless it holds a proof itself: the mail's proof is not its own.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from msgspec.structs import replace

from postroad.model.attempt import SmtpReply
from postroad.model.clock import DAY, Instant
from postroad.model.delivery import TERMINAL, State
from postroad.model.event import EventType
from postroad.model.late import LateVerdict, Proof, Standing, Taken
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.returned import (
    AutoReply,
    Challenge,
    Complaint,
    ReplyKind,
    Report,
    ReportAction,
    ReportedRecipient,
    Returned,
    Unrecognised,
)
from postroad.model.suppression import Cause, fold
from postroad.pipeline.outcomes.evidence import Evidence
from postroad.pipeline.outcomes.phrases import MAX_TEXT
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.rules import NO_RULES, RuleSet
from postroad.pipeline.outcomes.words import CAUSES

_MACHINES: Final = frozenset({"", "postmaster", "mailer-daemon"})
"""Local parts of those who send reports (RFC 3464 §2 wants the null path; not everybody has heard of it)."""
_HANDED_ON: Final = frozenset({State.DELIVERED, State.EXPIRED, State.CANCELED})
"""Terminal states in which the receiving side may hold the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCase:
    """All that one judgement rests on."""

    returned: Returned
    standing: Standing
    proof: Proof
    sender: str
    """Of the mail's envelope; empty for the null path."""
    now: Instant
    of_envelope: bool = True
    """Whether the proof is the address that the mail came to; otherwise what came back proves it."""
    window: int = 14 * DAY
    """Microseconds after the end of a delivery within which a report changes anything."""
    rules: RuleSet = NO_RULES
    """What single providers mean by their replies, quoted ones too."""


def judge_late(case: LateCase) -> LateVerdict:
    """Return what follows from a mail for the delivery that it is about."""
    match case.returned:
        case Report() as report:
            return _reported(case, report)
        case Complaint() as complaint:
            return _complained(case, complaint)
        case AutoReply() as reply:
            return _answered(case, reply)
        case Challenge():
            reason = _plain(case, Class.CHALLENGE, "answer.challenge", {})
            return LateVerdict(kind=Taken.CHALLENGE, reason=reason, event=EventType.AUTO_REPLIED)
        case Unrecognised():
            return LateVerdict(kind=Taken.OTHER)
        case _ as unreachable:
            assert_never(unreachable)


def about(report: Report, recipient: str) -> ReportedRecipient:
    """Return what a report says of a recipient of ours: by its address, else what it says of anybody.

    An address that we mailed may be an alias, so that the report names another one; each delivery has one recipient.
    """
    for found in report.recipients:
        if _names(found, recipient):
            return found
    failed = [found for found in report.recipients if found.action is ReportAction.FAILED]
    return (failed or list(report.recipients))[0]


def _names(found: ReportedRecipient, recipient: str) -> bool:
    return fold(recipient) in {fold(address) for address in (found.address, found.original, found.final) if address}


# --- reports ---------------------------------------------------------------------------------------------------------


def _reported(case: LateCase, report: Report) -> LateVerdict:
    found = about(report, case.standing.recipient)
    match found.action:
        case ReportAction.FAILED:
            return _failed(case, report, found)
        case ReportAction.DELAYED:
            reason = _of_report(case, report, found, Action.IGNORE)
            return LateVerdict(kind=Taken.DELAY, reason=reason)
        case _:
            return _arrived(case, report, found)


def _failed(case: LateCase, report: Report, found: ReportedRecipient) -> LateVerdict:
    """Judge a report of failure: it ends what is open, and is told of what had seemed to be delivered."""
    standing, believed = case.standing, _believed(case, report, found)
    reason = _of_report(case, report, found, Action.STOP)
    if standing.state not in TERMINAL:
        if standing.state is State.SENDING:
            return LateVerdict(kind=Taken.BOUNCE, wait=True)
        if not believed or not standing.attempts:
            return LateVerdict(kind=Taken.BOUNCE, reason=reason)
        state, event = State.BOUNCED, EventType.BOUNCED
        return LateVerdict(kind=Taken.BOUNCE, reason=reason, state=state, event=event, suppress=_suppress(reason))
    if standing.state not in _HANDED_ON or not standing.attempts or _too_late(case):
        return LateVerdict(kind=Taken.BOUNCE, reason=_stopped(reason))
    return LateVerdict(kind=Taken.BOUNCE, reason=reason, event=EventType.BOUNCED_LATE, suppress=_suppress(reason))


def _arrived(case: LateCase, report: Report, found: ReportedRecipient) -> LateVerdict:
    """Judge a report of success: it ends an attempt in doubt, so that no second copy is sent."""
    standing = case.standing
    evidence = _facts(case, report, found)
    reason = _plain(case, Class.ACCEPTED, f"report.{found.action}", evidence)
    if standing.state in TERMINAL:
        return LateVerdict(kind=Taken.RECEIPT, reason=reason)
    if standing.state is State.SENDING:
        return LateVerdict(kind=Taken.RECEIPT, wait=True)
    if not (_believed(case, report, found) and standing.attempts):
        return LateVerdict(kind=Taken.RECEIPT, reason=reason)
    return LateVerdict(kind=Taken.RECEIPT, reason=reason, state=State.DELIVERED, event=EventType.DELIVERED)


def _of_report(case: LateCase, report: Report, found: ReportedRecipient, action: Action) -> Reason:
    """Return the reason that a report gives, by the same evidence as that of a reply.

    The receiving side has given up, so that nothing is left to be tried again. `action` is what follows unless the
    evidence calls for more.
    """
    finding = classify_report(found, rules=case.rules)
    if action is Action.STOP and finding.action in (Action.FIX_SENDER, Action.SUPPRESS):
        believed = finding.action is not Action.SUPPRESS or _believed(case, report, found)
        action = finding.action if believed else action
    said = found.diagnostic or SmtpReply(0, found.text, found.status)
    evidence = _facts(case, report, found) | {
        "code": said.code or None,
        "enhanced": said.enhanced or found.status,
        "text": said.text[:MAX_TEXT],
    }
    return Reason(
        cls=finding.cls,
        permanence=finding.permanence,
        scope=finding.scope,
        action=action,
        rule=f"report.{found.action}.{finding.rule}",
        detail=CAUSES[finding.cls],
        basis=finding.basis,
        confidence=finding.confidence,
        evidence=evidence,
    )


def _facts(case: LateCase, report: Report, found: ReportedRecipient) -> Evidence:
    facts: Evidence = {"proof": case.proof.value}
    server = found.remote_mta or report.reporting_mta
    if server is not None:
        facts["mx"] = server[:255]
    if found.final is not None and fold(found.final) != fold(case.standing.recipient):
        facts["final_recipient"] = found.final[:255]
    if not _by_machine(case):
        facts["sender"] = case.sender[:255]
    return facts


def _believed(case: LateCase, report: Report, found: ReportedRecipient) -> bool:
    """Tell whether a report is sure enough to end a delivery or to suppress its recipient."""
    surely_about = not (report.enclosed and case.of_envelope) or _names(found, case.standing.recipient)
    return surely_about and case.proof.certain and _by_machine(case)


def _by_machine(case: LateCase) -> bool:
    return case.sender.partition("@")[0].lower() in _MACHINES


def _too_late(case: LateCase) -> bool:
    return case.now - case.standing.updated_at > case.window


def _stopped(reason: Reason) -> Reason:
    """Return a reason that suppresses nobody."""
    return replace(reason, action=Action.STOP) if reason.action is Action.SUPPRESS else reason


def _suppress(reason: Reason) -> Cause | None:
    return Cause.BOUNCE if reason.action is Action.SUPPRESS else None


# --- complaints and answers ------------------------------------------------------------------------------------------


def _complained(case: LateCase, complaint: Complaint) -> LateVerdict:
    """Judge a complaint: the recipient's own will, whatever became of the delivery."""
    evidence: Evidence = {"proof": case.proof.value, "feedback_type": complaint.feedback_type[:64]}
    if complaint.user_agent is not None:
        evidence["user_agent"] = complaint.user_agent[:255]
    if not complaint.by_recipient or not case.standing.attempts:
        rule = f"complaint.{complaint.feedback_type[:64]}"
        return LateVerdict(kind=Taken.OTHER, reason=_plain(case, Class.UNKNOWN, rule, evidence))
    named = fold(case.standing.recipient) in {fold(address) for address in complaint.recipients}
    certain = case.proof.certain and (named or not (complaint.enclosed and case.of_envelope))
    reason = Reason(
        cls=Class.COMPLAINT,
        permanence=Permanence.PERMANENT,
        scope=Scope.RECIPIENT,
        action=Action.SUPPRESS if certain else Action.NONE,
        rule="complaint",
        detail=CAUSES[Class.COMPLAINT],
        evidence=evidence,
    )
    suppress = Cause.COMPLAINT if certain else None
    return LateVerdict(kind=Taken.COMPLAINT, reason=reason, event=EventType.COMPLAINED, suppress=suppress)


def _answered(case: LateCase, reply: AutoReply) -> LateVerdict:
    """Judge a machine's answer: no bounce, and nothing follows; a disposition notification is not even told."""
    reason = _plain(case, Class.AUTO_REPLY, f"answer.{reply.kind}", {})
    if reply.kind in (ReplyKind.VACATION, ReplyKind.AUTO_REPLY, ReplyKind.ADDRESS_CHANGE):
        return LateVerdict(kind=Taken.AUTO_REPLY, reason=reason, event=EventType.AUTO_REPLIED)
    return LateVerdict(kind=Taken.OTHER, reason=reason)


def _plain(case: LateCase, cls: Class, rule: str, evidence: Evidence) -> Reason:
    return Reason(
        cls=cls,
        permanence=Permanence.UNKNOWN,
        scope=Scope.RECIPIENT,
        action=Action.IGNORE,
        rule=rule,
        detail=CAUSES[cls],
        evidence=evidence | {"proof": case.proof.value},
    )
