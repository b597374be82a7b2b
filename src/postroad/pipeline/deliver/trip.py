"""The making of an `Attempt`: facts are gathered along the way, and the furthest trouble is what is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from postroad.model.attempt import (
    Attempt,
    BrokenTls,
    Exchanger,
    Line,
    Passed,
    Phase,
    SmtpReply,
    TlsFacts,
    TlsPolicy,
    Trouble,
)
from postroad.model.clock import Clock, Instant
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.resolve import DnsTrouble
from postroad.wire.smtp.phase import Phase as WirePhase
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.transaction import Ending, Outcome
from postroad.wire.smtp.transcript import Said

_ORDER: Final = list(Phase)
_UNSENT: Final = {
    Ending.TOO_LARGE: (Trouble.TOO_LARGE, "The message is larger than the server takes."),
    Ending.SMTPUTF8_MISSING: (Trouble.SMTPUTF8_UNSUPPORTED, "The server does not take addresses beyond ASCII."),
    Ending.EIGHT_BIT_MISSING: (Trouble.SMTPUTF8_UNSUPPORTED, "The server does not take 8-bit content (8BITMIME)."),
}


class Fact(msgspec.Struct, frozen=True):
    """Where something stopped, and why: a reply or a trouble."""

    phase: Phase
    reply: Reply | None = None
    trouble: Trouble | None = None
    detail: str = ""


@dataclass(slots=True)
class Trip:
    """One attempt under way."""

    clock: Clock
    route: str
    began_ms: int
    """The event loop's clock at the start, against which the lines of the conversation count."""
    started_at: Instant
    site: str | None = None
    host: str | None = None
    ip: str | None = None
    port: int | None = None
    tls: TlsFacts | None = None
    policy: TlsPolicy | None = None
    source: str | None = None
    lines: list[Line] = field(default_factory=list)
    broken: BrokenTls | None = None
    exchangers: tuple[Exchanger, ...] = ()
    passed: list[Passed] = field(default_factory=list)
    _worst: (
        tuple[Fact, str | None, str | None, int | None, TlsFacts | None, TlsPolicy | None, BrokenTls | None] | None
    ) = None

    def hear(self, said: Iterable[Said]) -> None:
        """Add what was said."""
        began = self.began_ms
        self.lines += [Line(each.at - began if each.at > began else 0, each.side, each.text) for each in said]

    def at_host(self, host: str | None, ip: str | None, port: int | None, tls: TlsFacts | None = None) -> None:
        """Note whom the attempt speaks to."""
        self.host, self.ip, self.port, self.tls = host, ip, port, tls

    def over(self, connection: Connection) -> None:
        """Note the connection that carries the message."""
        self.at_host(connection.host, connection.ip, connection.port, connection.tls)
        self.policy, self.broken = connection.demand.policy, connection.demand.broken
        self.source = connection.source

    def stopped(self, fact: Fact, host: str | None = None) -> None:
        """Note why a host did not do; of what came furthest all is kept."""
        if named := host or self.host:
            said = fact.detail if fact.reply is None else f"{fact.reply.code} {fact.reply.text}"
            self.passed.append(Passed(named, self.ip, fact.phase, said))
        if self._worst is None or _outweighs(fact, self._worst[0]):
            self._worst = (fact, self.host, self.ip, self.port, self.tls, self.policy, self.broken)

    def unresolved(self, trouble: DnsTrouble, host: str | None = None) -> None:
        """Note that a name led nowhere: that of a host, or of the domain itself."""
        self.at_host(None, None, None)
        self.stopped(Fact(Phase.RESOLVE, trouble=trouble.trouble, detail=trouble.detail), host)

    def failed(self) -> Attempt:
        """Return the attempt that came to no transaction."""
        assert self._worst is not None
        fact, self.host, self.ip, self.port, self.tls, self.policy, self.broken = self._worst
        return self.ended(fact)

    def ended(self, fact: Fact) -> Attempt:
        """Return the attempt that ended so."""
        return Attempt(
            phase=fact.phase,
            reply=_model_reply(fact.reply),
            trouble=fact.trouble,
            detail=fact.detail,
            route=self.route,
            site=self.site,
            mx=self.host,
            ip=self.ip,
            port=self.port,
            tls=self.tls,
            tls_policy=self.policy,
            tls_broken=self.broken,
            exchangers=self.exchangers,
            passed=tuple(self.passed),
            source=self.source,
            started_at=self.started_at,
            finished_at=self.clock.now(),
            conversation=tuple(self.lines),
        )


def _outweighs(new: Fact, old: Fact) -> bool:
    """Tell whether a trouble says more than an earlier one: it came as far, and hides none that may pass."""
    if new.phase is old.phase is Phase.RESOLVE and old.trouble in {Trouble.DNS_FAILURE, Trouble.DNS_TIMEOUT}:
        return False  # a host that may be found later must not be buried under one that never will
    return _ORDER.index(new.phase) >= _ORDER.index(old.phase)


def read_outcome(outcome: Outcome, trouble: Trouble | None, detail: str) -> Fact:
    """Turn the outcome of a transaction for one recipient into the fact that decides it.

    `trouble` and `detail` are the connection's own account of why it was lost.
    """
    if outcome.ending in _UNSENT:
        trouble, detail = _UNSENT[outcome.ending]
        return Fact(Phase.MAIL, trouble=trouble, detail=detail)
    phase = Phase(outcome.phase.value)
    if outcome.ending in {Ending.ANSWERED, Ending.REFUSED}:
        return Fact(phase, reply=_deciding(outcome))
    if outcome.error is not None:
        return Fact(phase, trouble=Trouble.PROTOCOL, detail=outcome.error)
    return Fact(phase, trouble=trouble or Trouble.CLOSED, detail=detail or "The connection was closed by the peer.")


def _deciding(outcome: Outcome) -> Reply | None:
    """Return the reply of the phase that the transaction ended in; a 421 stands for one that did not come."""
    match outcome.phase:
        case WirePhase.MAIL:
            reply = outcome.sender
        case WirePhase.RCPT:
            reply = outcome.recipients[0]
        case WirePhase.DATA:
            reply = outcome.data
        case _:
            reply = outcome.final
    return outcome.closing if outcome.closing is not None else reply


def _model_reply(reply: Reply | None) -> SmtpReply | None:
    if reply is None:
        return None
    enhanced = reply.enhanced
    return SmtpReply(reply.code, reply.text, str(enhanced) if enhanced is not None else None)
