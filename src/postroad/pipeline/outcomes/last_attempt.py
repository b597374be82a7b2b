"""The last attempt in words: which mail exchangers there were, which were tried, and how the connection was secured."""

from collections.abc import Sequence
from typing import Final

import msgspec

from postroad.model.attempt import Attempt, BrokenTls, Passed, Phase, TlsPolicy, Trouble
from postroad.model.clock import to_rfc3339


class ExchangerTold(msgspec.Struct, frozen=True, kw_only=True):
    """A mail exchanger of the recipient's domain."""

    host: str
    preference: int
    tried: bool
    troubles: tuple[str, ...]
    """What went wrong there, address by address, before another was tried or the attempt ended."""


class LastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that was made last."""

    at: str
    phase: Phase
    route: str
    exchangers: tuple[ExchangerTold, ...]
    """Those that were found, in the order to try them; none on other routes than `mx`, and where DNS named none."""
    exchangers_told: str | None
    """The same in words."""
    mx: str | None
    ip: str | None
    tls: str | None
    tls_policy: TlsPolicy | None
    tls_told: str | None
    """By whose word the connection was secured, and whether the server's certificate held, in words."""
    tls_broken: BrokenTls | None
    """Why TLS was done without, though the server offers it."""
    source: str | None
    """The source address that the connection came from, by its name."""
    reply: str | None
    trouble: Trouble | None


_POLICIES: Final = {
    TlsPolicy.OPPORTUNISTIC: "No policy asks for TLS, so it is used when the server offers it.",
    TlsPolicy.RELAXED: "The message says that it may go without TLS (TLS-Required: No).",
    TlsPolicy.REQUIRED: "The message, its stream or its sending domain requires verified TLS.",
    TlsPolicy.MTA_STS: "The recipient's domain requires verified TLS (MTA-STS).",
    TlsPolicy.MTA_STS_TESTING: "The recipient's domain tries out MTA-STS: what fails is counted, and mail goes anyway.",
    TlsPolicy.DANE: "The server's TLSA records in signed DNS vouch for its certificate (DANE).",
    TlsPolicy.DANE_UNUSABLE: "The server has TLSA records that cannot be used: TLS is a must, its certificate is not.",
}


_BY_URL: Final = "The relay's URL says whether TLS is used."
_NO_CONVERSATION: Final = frozenset({Phase.COMPOSE, Phase.RESOLVE, Phase.CONNECT})


def last_attempt(attempt: Attempt) -> LastAttempt:
    """Return an attempt as it is told."""
    reply = attempt.reply
    words = None if reply is None else [str(word) for word in (reply.code, reply.enhanced, reply.text) if word]
    exchangers = _exchangers(attempt)
    return LastAttempt(
        at=to_rfc3339(attempt.started_at),
        phase=attempt.phase,
        route=attempt.route,
        exchangers=exchangers,
        exchangers_told=_in_words(exchangers, attempt),
        mx=attempt.mx,
        ip=attempt.ip,
        tls=None if attempt.tls is None else attempt.tls.version,
        tls_policy=attempt.tls_policy,
        tls_told=_secured(attempt),
        tls_broken=attempt.tls_broken,
        source=attempt.source,
        reply=None if words is None else " ".join(words),
        trouble=attempt.trouble,
    )


def _exchangers(attempt: Attempt) -> tuple[ExchangerTold, ...]:
    troubles: dict[str, list[str]] = {}
    for passed in attempt.passed:
        troubles.setdefault(passed.host, []).append(_trouble(passed))
    return tuple(
        ExchangerTold(
            host=each.host,
            preference=each.preference,
            tried=each.host == attempt.mx or each.host in troubles,
            troubles=tuple(dict.fromkeys(troubles.get(each.host, ()))),
        )
        for each in attempt.exchangers
    )


def _trouble(passed: Passed) -> str:
    return passed.detail if passed.ip is None or passed.ip in passed.detail else f"{passed.ip}: {passed.detail}"


def _in_words(exchangers: Sequence[ExchangerTold], attempt: Attempt) -> str | None:
    """Return which exchangers there were, and what came of each; None when there were none."""
    if not exchangers:
        return None
    count = len(exchangers)
    told = [f"{each.host} (preference {each.preference}), {_standing(each, attempt)}" for each in exchangers]
    return f"{count} mail exchanger{'' if count == 1 else 's'} found: {'; '.join(told)}."


def _standing(each: ExchangerTold, attempt: Attempt) -> str:
    if not each.tried:
        return "not tried"
    reached = each.host == attempt.mx and attempt.phase not in _NO_CONVERSATION
    if not each.troubles:
        return "spoken to" if reached else "tried"
    said = " / ".join(trouble.removesuffix(".") for trouble in each.troubles)
    return f"tried ({said}){', then spoken to' if reached and attempt.delivered else ''}"


def _secured(attempt: Attempt) -> str | None:
    """Return how the connection was to be secured, and whether it was."""
    if attempt.tls_policy is None:
        return None
    facts, broken, policy = attempt.tls, attempt.tls_broken, _POLICIES[attempt.tls_policy]
    if attempt.tls_policy is TlsPolicy.OPPORTUNISTIC and attempt.by_relay:
        policy = _BY_URL
    if facts is None and broken is not None:
        return (
            f"{policy} TLS is offered there and does not work: {broken.detail.removesuffix('.')} (at {broken.since}). "
            f"So the connection was not encrypted; TLS is tried there again from {broken.until} on."
        )
    if facts is None:
        return f"{policy} The connection was not encrypted."
    if facts.verified:
        return f"{policy} The certificate held; it is valid until {facts.not_after}."
    return f"{policy} The certificate was not verified. {facts.unverified_because}".strip()
