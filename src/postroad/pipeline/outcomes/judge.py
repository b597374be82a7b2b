"""The judge: an attempt goes in, a verdict comes out, the same verdict for the same facts.

One table leads from what happened to who decides it, phase by phase; each decision is a few lines that build a verdict.
What the judge has to remember between attempts (since when failures have been of one class) it writes into the
evidence of the reason, which the next lease brings back.
"""

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from postroad.model.attempt import Attempt, Phase, SmtpReply, Trouble
from postroad.model.clock import SECOND, Instant, after, to_rfc3339
from postroad.model.delivery import Lease, State
from postroad.model.event import EventType
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.stream import Stream
from postroad.model.verdict import Verdict
from postroad.pipeline.outcomes import retry
from postroad.pipeline.outcomes.classify import SCOPES, Finding, classify
from postroad.pipeline.outcomes.evidence import Evidence, gather, run, since
from postroad.pipeline.outcomes.policy import Policy
from postroad.pipeline.outcomes.words import CAUSES

__all__ = ["Policy", "judge", "lapse"]


@dataclass(frozen=True, slots=True)
class _Case:
    """All that one judgement rests on."""

    attempt: Attempt
    lease: Lease
    stream: Stream
    now: Instant
    chance: float
    policy: Policy


_BOUNCING_TROUBLE: Final = {
    Trouble.NULL_MX: (Class.BAD_DOMAIN, "5.1.10"),  # RFC 7505 §4.1
    Trouble.FORBIDDEN_ADDRESS: (Class.BAD_DOMAIN, "5.4.6"),
    Trouble.SMTPUTF8_UNSUPPORTED: (Class.SMTPUTF8_UNSUPPORTED, "5.6.7"),  # RFC 6531 §3.2
    Trouble.TOO_LARGE: (Class.MESSAGE_TOO_LARGE, "5.3.4"),  # RFC 1870 §6.1
    Trouble.SUPPRESSED: (Class.SUPPRESSED, "5.7.0"),
}
_PASSING_TROUBLE: Final = {
    Trouble.NO_SUCH_DOMAIN: (Class.DNS_FAILURE, "4.4.4"),  # of a relay: our own setting, never the recipient's fault
    Trouble.DNS_FAILURE: (Class.DNS_FAILURE, "4.4.3"),
    Trouble.DNS_TIMEOUT: (Class.DNS_FAILURE, "4.4.3"),
    Trouble.REFUSED: (Class.UNREACHABLE, "4.4.1"),
    Trouble.UNREACHABLE: (Class.UNREACHABLE, "4.4.1"),
    Trouble.TIMEOUT: (Class.UNREACHABLE, "4.4.1"),
    Trouble.CLOSED: (Class.UNREACHABLE, "4.4.2"),
    Trouble.PROTOCOL: (Class.PROTOCOL_ERROR, "4.5.0"),
    Trouble.TLS: (Class.TLS_REQUIRED_FAILED, "4.7.5"),
}
_SESSION: Final = frozenset({Phase.CONNECT, Phase.BANNER, Phase.EHLO})


def judge(attempt: Attempt, lease: Lease, stream: Stream, *, now: Instant, chance: float, policy: Policy) -> Verdict:
    """Return what follows from `attempt` for the delivery in `lease`.

    `chance` is drawn by the caller from [0, 1) and moves the next attempt within the schedule's jitter. The verdict's
    `suppress` is set only for what is known for certain of the recipient.
    """
    if attempt.delivered:
        return _delivered(attempt, lease)
    case = _Case(attempt, lease, stream, now, chance, policy)
    if attempt.in_doubt:
        return _in_doubt(case)
    if attempt.trouble is not None:
        return _troubled(case, attempt.trouble)
    if attempt.reply is None:
        raise ValueError("an attempt has a reply or a trouble")
    return _replied(case, attempt.reply)


def lapse(lease: Lease, *, now: Instant) -> Verdict | None:
    """Return the verdict on a delivery whose time was over before this attempt began, or None while there is time."""
    return _expired(lease, None) if now >= lease.expires_at else None


def _delivered(attempt: Attempt, lease: Lease) -> Verdict:
    reason = Reason(
        cls=Class.ACCEPTED,
        permanence=Permanence.PERMANENT,
        scope=Scope.RECIPIENT,
        action=Action.NONE,
        rule="smtp.dot.2xx",
        detail=CAUSES[Class.ACCEPTED],
        evidence=gather(attempt),
    )
    return Verdict(state=State.DELIVERED, reason=reason, failures=lease.failures, event=EventType.DELIVERED)


def _in_doubt(case: _Case) -> Verdict:
    """Judge an attempt whose final dot may have been sent (RFC 1047): patience, then an end without a claim."""
    attempt, lease, policy = case.attempt, case.lease, case.policy
    doubts = lease.in_doubt + 1
    last = doubts >= policy.in_doubt_most
    reason = Reason(
        cls=Class.IN_DOUBT,
        permanence=Permanence.UNKNOWN,
        scope=Scope.DOMAIN,
        action=Action.STOP if last else Action.RETRY,
        rule="in_doubt.cap" if last else "in_doubt",
        detail=CAUSES[Class.IN_DOUBT],
        evidence=gather(attempt) | {"in_doubt": doubts},
    )
    if last:
        return Verdict(
            state=State.EXPIRED, reason=reason, failures=lease.failures + 1, event=EventType.EXPIRED, in_doubt=True
        )
    wait = max(
        retry.at_least(policy.in_doubt_wait, case.stream.retry, case.chance),
        retry.scheduled(case.stream.retry, lease.failures, case.chance),
    )
    return _again(case, reason, wait, event=EventType.IN_DOUBT, in_doubt=True)


def _troubled(case: _Case, trouble: Trouble) -> Verdict:
    """Judge an attempt that something other than a reply ended."""
    match trouble:
        case Trouble.HANDED_BACK | Trouble.CRASHED:
            return _free(case, trouble)
        case Trouble.COMPOSITION:
            detail = case.attempt.detail or CAUSES[Class.RENDERING]
            reason = _own(Class.RENDERING, Scope.CONTENT, "compose.failed", detail, gather(case.attempt))
            return _final(case, State.REJECTED, EventType.REJECTED, reason)
        case Trouble.POISON:
            return _held(case, "compose.poison", cls=Class.LOCAL)
        case Trouble.AUTH_UNAVAILABLE:
            return _held(case, "smtp.auth.unavailable")
        case Trouble.NO_SUCH_DOMAIN if not case.attempt.by_relay:
            return _no_such_domain(case)
        case _:
            return _named(case, trouble)


def _named(case: _Case, trouble: Trouble) -> Verdict:
    """Judge a trouble that the tables know: it bounces, or it passes."""
    attempt, bouncing = case.attempt, _BOUNCING_TROUBLE.get(trouble)
    cls, enhanced = _PASSING_TROUBLE[trouble] if bouncing is None else bouncing
    reason = Reason(
        cls=cls,
        permanence=Permanence.TRANSIENT if bouncing is None else Permanence.PERMANENT,
        scope=SCOPES.get(cls, Scope.RECIPIENT),
        action=Action.RETRY if bouncing is None else Action.STOP,
        rule=f"{attempt.phase}.{trouble}",
        detail=attempt.detail or CAUSES[cls],
        evidence=gather(attempt) | {"enhanced": enhanced},
    )
    if cls is Class.SUPPRESSED:
        return _final(case, State.SUPPRESSED, EventType.SUPPRESSED, reason)
    return _scheduled(case, reason) if bouncing is None else _final(case, State.BOUNCED, EventType.BOUNCED, reason)


def _free(case: _Case, trouble: Trouble) -> Verdict:
    """Put a delivery back that nothing was sent for, without counting the attempt."""
    lease = case.lease
    evidence = gather(case.attempt)
    if lease.reason is not None:
        evidence["last_class"], evidence["since"] = run(lease.reason)
    reason = Reason(
        cls=Class.LOCAL,
        permanence=Permanence.TRANSIENT,
        scope=Scope.LOCAL,
        action=Action.RETRY,
        rule=f"local.{trouble}",
        detail=case.attempt.detail or CAUSES[Class.LOCAL],
        evidence=evidence,
    )
    return _again(case, reason, _free_wait(case), state=State.QUEUED, failures=lease.failures)


def _free_wait(case: _Case) -> int:
    """Return how long what we interrupted waits: not at all, unless the peer sent us away or it keeps happening.

    A message that brings the server down each time, or that cannot be begun, must not keep it busy for ever.
    """
    lease, policy, schedule = case.lease, case.policy, case.stream.retry
    if case.attempt.reply is not None:
        return retry.scheduled(schedule, lease.failures, case.chance)
    more = lease.attempt - lease.failures - policy.interruptions_at_once
    if more <= 0:
        return 0
    return retry.at_least(min(SECOND << min(more - 1, 30), policy.interruption_wait_most), schedule, case.chance)


def _no_such_domain(case: _Case) -> Verdict:
    """Bounce for a domain that does not exist once it was seen so twice, some time apart; DNS is wrong at times."""
    policy = case.policy
    began = since(case.lease.reason, Class.BAD_DOMAIN, case.now)
    confirmed = case.now - began >= policy.confirm_domain_after
    reason = Reason(
        cls=Class.BAD_DOMAIN,
        permanence=Permanence.PERMANENT if confirmed else Permanence.UNKNOWN,
        scope=Scope.DOMAIN,
        action=Action.SUPPRESS if confirmed else Action.RETRY,
        rule="resolve.no_such_domain.confirmed" if confirmed else "resolve.no_such_domain",
        detail=case.attempt.detail or CAUSES[Class.BAD_DOMAIN],
        evidence=gather(case.attempt) | {"domain": case.lease.domain, "enhanced": "5.1.2", "since": began},
    )
    if confirmed:
        return _final(case, State.BOUNCED, EventType.BOUNCED, reason)
    wait = retry.at_least(policy.confirm_domain_after, case.stream.retry, case.chance)
    return _deferred(case, reason, wait)


def _replied(case: _Case, reply: SmtpReply) -> Verdict:
    """Judge a reply by phase and first digit (RFC 5321 §4.2.1), and hand on what it asks of the traffic."""
    if reply.code // 100 not in (4, 5):
        return _senseless(case)
    found = classify(reply, case.attempt.phase, rules=case.policy.rulebook.rules, mx=case.attempt.mx)
    verdict = _classified(case, reply, found)
    return verdict if found.traffic is None else replace(verdict, traffic=found.traffic)


def _classified(case: _Case, reply: SmtpReply, found: Finding) -> Verdict:
    digit, phase = reply.code // 100, case.attempt.phase
    if phase is Phase.STARTTLS:
        return _scheduled(case, _of_reply(case, reply, found, cls=Class.TLS_REQUIRED_FAILED, action=Action.RETRY))
    if digit == 5 and phase is not Phase.DOT and _about_credentials(case.attempt, reply):
        return _held(case, "smtp.auth.refused")
    if digit == 5 and phase in _SESSION:
        return _refused_session(case, found)
    reason = _of_reply(case, reply, found)
    if digit == 5 and reason.action not in (Action.RETRY, Action.SLOW_DOWN):
        return _final(case, State.BOUNCED, EventType.BOUNCED, reason)
    return _scheduled(case, reason, reply)


def _senseless(case: _Case) -> Verdict:
    """Judge a reply that has no meaning where it stands; behind the final dot it leaves the message in doubt."""
    if case.attempt.phase is Phase.DOT:
        return _in_doubt(case)
    reason = Reason(
        cls=Class.PROTOCOL_ERROR,
        permanence=Permanence.TRANSIENT,
        scope=Scope.DOMAIN,
        action=Action.RETRY,
        rule=f"smtp.{case.attempt.phase}.unexpected",
        detail=CAUSES[Class.PROTOCOL_ERROR],
        evidence=gather(case.attempt),
    )
    return _scheduled(case, reason)


def _about_credentials(attempt: Attempt, reply: SmtpReply) -> bool:
    """Tell whether a 5xx means that a relay does not know us (RFC 4954 §6): our setting, no fault of the mail."""
    return attempt.phase is Phase.AUTH or (attempt.by_relay and reply.code in (530, 534, 535, 538))


def _refused_session(case: _Case, found: Finding) -> Verdict:
    """Judge a server that turns us away with 5xx before anything was said: wait for a day, then believe it."""
    cls = Class.REPUTATION_BLOCK if found.cls is Class.REPUTATION_BLOCK else Class.POLICY
    began = since(case.lease.reason, cls, case.now)
    final = case.now - began >= case.policy.refused_session_for
    reason = Reason(
        cls=cls,
        permanence=Permanence.TRANSIENT,
        scope=SCOPES[cls],
        action=Action.STOP if final else Action.SLOW_DOWN,
        rule="session.refused.lasting" if final else "session.refused",
        detail=CAUSES[cls],
        basis=found.basis,
        confidence=found.confidence,
        evidence=gather(case.attempt) | {"since": began},
    )
    return _final(case, State.BOUNCED, EventType.BOUNCED, reason) if final else _scheduled(case, reason)


def _held(case: _Case, rule: str, cls: Class = Class.AUTH_FAILED) -> Verdict:
    """Keep mail that cannot go on until somebody has repaired what stops it: our credentials at a relay, or us."""
    detail = case.attempt.detail or "The relay does not accept the user name and password that are set for it."
    reason = Reason(
        cls=cls,
        permanence=Permanence.UNKNOWN,
        scope=Scope.LOCAL,
        action=Action.FIX_SENDER,
        rule=rule,
        detail=detail,
        evidence=gather(case.attempt),
    )
    return _final(case, State.HELD, EventType.HELD, reason)


def _own(cls: Class, scope: Scope, rule: str, detail: str, evidence: Evidence) -> Reason:
    return Reason(
        cls=cls,
        permanence=Permanence.PERMANENT,
        scope=scope,
        action=Action.STOP,
        rule=rule,
        detail=detail,
        evidence=evidence,
    )


def _of_reply(
    case: _Case, reply: SmtpReply, found: Finding, *, cls: Class | None = None, action: Action | None = None
) -> Reason:
    """Return the reason that a reply gives; `cls` and `action` overrule what its words say."""
    kind = found.cls if cls is None else cls
    return Reason(
        cls=kind,
        permanence=found.permanence if action is None else Permanence.TRANSIENT,
        scope=found.scope if cls is None else SCOPES[cls],
        action=found.action if action is None else action,
        rule=f"smtp.{case.attempt.phase}.{reply.code // 100}xx.{found.rule}",
        detail=CAUSES[kind],
        basis=found.basis,
        confidence=found.confidence,
        evidence=gather(case.attempt),
    )


def _scheduled(case: _Case, reason: Reason, reply: SmtpReply | None = None) -> Verdict:
    """Defer to the schedule's next time, or to the one that greylisting calls for or the reply asks for."""
    schedule, policy = case.stream.retry, case.policy
    wait = retry.scheduled(schedule, case.lease.failures, case.chance)
    if reply is not None and reason.cls in (Class.GREYLISTED, Class.RATE_LIMITED):
        known = case.lease.reason is not None and run(case.lease.reason)[0] == reason.cls
        hint = retry.hinted(reply.text)
        if hint is not None:
            asked = retry.at_least(min(max(hint, policy.hint_least), policy.hint_most), schedule, case.chance)
            # A peer may hurry us once only: one that says "in 60 seconds" for days is asked on schedule.
            wait = max(asked, wait) if known else asked
        elif reason.cls is Class.GREYLISTED and not known:
            wait = retry.at_least(policy.greylist_wait, schedule, case.chance)
    return _deferred(case, reason, wait)


def _deferred(case: _Case, reason: Reason, wait: int) -> Verdict:
    """Defer, and tell so at the first time and then now and again."""
    noticed = case.lease.noticed_at
    tell = noticed is None or case.now - noticed >= case.policy.deferral_event_every
    return _again(case, reason, wait, event=EventType.DEFERRED if tell else None)


def _again(
    case: _Case,
    reason: Reason,
    wait: int,
    *,
    state: State = State.DEFERRED,
    failures: int | None = None,
    event: EventType | None = None,
    in_doubt: bool = False,
) -> Verdict:
    """Return the verdict that waits, or gives up when the next attempt would come too late."""
    lease = case.lease
    next_at = after(case.now, wait)
    count = lease.failures + 1 if failures is None else failures
    if next_at >= lease.expires_at:
        return _expired(lease, reason, failures=count, in_doubt=in_doubt)
    return Verdict(state=state, reason=reason, next_at=next_at, failures=count, event=event, in_doubt=in_doubt)


def _expired(lease: Lease, last: Reason | None, *, failures: int | None = None, in_doubt: bool = False) -> Verdict:
    """Give up on a delivery: the cause that kept it back until now is kept as evidence."""
    last = lease.reason if last is None else last
    evidence: Evidence = {"expires_at": to_rfc3339(lease.expires_at)}
    if last is not None:
        evidence = last.evidence | evidence | {"last_class": run(last)[0], "last_rule": last.rule}
    scope = Scope.LOCAL if last is None else last.scope
    return Verdict(
        state=State.EXPIRED,
        reason=_own(Class.EXPIRED, scope, "expired", CAUSES[Class.EXPIRED], evidence),
        failures=lease.failures if failures is None else failures,
        event=EventType.EXPIRED,
        in_doubt=in_doubt,
    )


def _final(case: _Case, state: State, event: EventType, reason: Reason) -> Verdict:
    return Verdict(
        state=state,
        reason=reason,
        failures=case.lease.failures + (state is not State.HELD),
        event=event,
        suppress=reason.action is Action.SUPPRESS and case.attempt.route != "capture",  # no mailbox was really asked
    )
