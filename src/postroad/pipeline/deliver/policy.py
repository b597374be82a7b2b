"""How a connection to a mail exchanger must be secured: by the domain's word, the host's, or the message's own.

`Terms` hold what is known of a domain and a message, before there is a host; `demand` says what they ask of one. In
order of strength: a message or domain of ours that requires TLS, DANE (RFC 7672), MTA-STS (RFC 8461), and for all
others whatever the host offers (RFC 7435). DANE beats MTA-STS (RFC 8461 §2). A message that says `TLS-Required: No` is
under none of them (RFC 8689 §5).
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from postroad.model.attempt import BrokenTls as BrokenFact
from postroad.model.attempt import TlsPolicy, Trouble
from postroad.model.clock import SECOND, Clock, after, to_rfc3339
from postroad.pipeline.deliver.connection import Connection
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver
from postroad.pipeline.deliver.tls import Demand
from postroad.wire import mtasts, tlsa
from postroad.wire.mtasts import Mode, StsPolicy
from postroad.wire.tlsrpt import PolicyType, Result

_BROKEN_HOSTS: Final = 10_000


class StsPolicies(Protocol):
    """Knows the MTA-STS policies of domains."""

    async def find(self, domain: str) -> StsPolicy | None:
        """Return the policy in force, or None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """How one session with a mail exchanger went, for the domain's TLS report; `result` is None when it went well."""

    domain: str
    kind: PolicyType
    text: tuple[str, ...]
    hosts: tuple[str, ...]
    result: Result | None
    host: str | None = None
    ip: str | None = None
    sending_ip: str | None = None
    detail: str = ""


class Reports(Protocol):
    """Collects what TLS reports are made of."""

    def note(self, session: Session) -> None:
        """Count a session."""
        ...


class BrokenTls(Protocol):
    """Remembers addresses where TLS is offered and does not work."""

    def knows(self, ip: str) -> BrokenFact | None:
        """Return how TLS failed there not long ago; None when it did not."""
        ...

    def learn(self, ip: str, host: str, why: str) -> None:
        """Remember that it just failed."""
        ...


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known and told of TLS beyond one process; what is None is not done."""

    sts: StsPolicies | None = None
    reports: Reports | None = None
    broken: BrokenTls | None = None


class BrokenHere:
    """Remembers broken TLS for as long as the process lives."""

    def __init__(self, clock: Clock, span_s: float) -> None:
        """Forget each address after `span_s`."""
        self._clock = clock
        self._span = int(span_s * SECOND)
        self._found: OrderedDict[str, tuple[int, BrokenFact]] = OrderedDict()

    def knows(self, ip: str) -> BrokenFact | None:
        """Return how TLS failed there not long ago; None when it did not."""
        until, found = self._found.get(ip, (0, None))
        return found if until > self._clock.now() else None

    def learn(self, ip: str, host: str, why: str) -> None:
        """Remember that it just failed."""
        now = self._clock.now()
        until = after(now, self._span)
        self._found[ip] = (until, BrokenFact(since=to_rfc3339(now), until=to_rfc3339(until), detail=why))
        while len(self._found) > _BROKEN_HOSTS:
            self._found.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a host is not spoken to at all, and the word of TLS reports for it."""

    trouble: Trouble
    detail: str
    result: Result


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for a message to a domain.

    Attributes:
        domain: The recipient's.
        sts: Its MTA-STS policy.
        secure: Whether a resolver that we trust has validated its MX records.
        required: Whether the message may only go over verified TLS.
        relaxed: Whether it says that it may go without.
    """

    domain: str
    sts: StsPolicy | None = None
    secure: bool = False
    required: bool = False
    relaxed: bool = False

    def accepts(self, connection: Connection) -> bool:
        """Tell whether a connection that is there already fulfils them."""
        made, facts = connection.demand, connection.tls
        if self.secure and not self.relaxed and not made.dane:
            return False
        if made.policy is TlsPolicy.DANE or not self._verifies:
            return True
        return facts is not None and facts.verified and self._permits(connection.host)

    @property
    def _verifies(self) -> bool:
        """Whether certificates must hold, unless the DNS vouches for them."""
        return self.required or (self._enforced is not None and not self.relaxed)

    @property
    def _enforced(self) -> StsPolicy | None:
        return self.sts if self.sts is not None and self.sts.mode is Mode.ENFORCE else None

    def _permits(self, host: str) -> bool:
        return self._enforced is None or self.relaxed or mtasts.permits(self._enforced.mx, host)


async def demand(host: str, port: int, terms: Terms, resolver: Resolver) -> Demand | Refusal:
    """Return what must hold of connections to a host whose addresses were just looked up."""
    if terms.relaxed:
        return Demand(TlsPolicy.RELAXED)
    records: tuple[tlsa.Tlsa, ...] = ()
    if terms.secure:
        found = await resolver.certificates(host, port)
        if isinstance(found, DnsTrouble):
            # without an answer the records may have been kept from us (RFC 7672 §2.1.2)
            return Refusal(found.trouble, found.detail, Result.DNSSEC_INVALID)
        if usable := tlsa.usable(found):
            return Demand(TlsPolicy.DANE, dane=True, records=usable)
        records = found
    return _without_dane(host, terms, records)


def _without_dane(host: str, terms: Terms, records: tuple[tlsa.Tlsa, ...]) -> Demand | Refusal:
    sts, dane = terms.sts, terms.secure
    mode = Mode.NONE if sts is None else sts.mode
    if sts is not None and mode is not Mode.NONE and not mtasts.permits(sts.mx, host) and mode is Mode.ENFORCE:
        detail = f"The MTA-STS policy of {terms.domain} does not name {host} as one of its mail exchangers."
        return Refusal(Trouble.TLS, detail, Result.VALIDATION_FAILURE)
    if terms.required:
        return Demand(TlsPolicy.REQUIRED, dane=dane)
    if mode is Mode.ENFORCE:
        return Demand(TlsPolicy.MTA_STS, dane=dane)
    if records:
        return Demand(TlsPolicy.DANE_UNUSABLE, dane=dane, records=records)
    return Demand(TlsPolicy.MTA_STS_TESTING if mode is Mode.TESTING else TlsPolicy.OPPORTUNISTIC, dane=dane)


def session_of(
    terms: Terms, made: Demand, result: Result | None, *, host: str | None, ip: str | None, sending_ip: str | None,
    detail: str = "",
) -> Session:  # fmt: skip
    """Return what a TLS report tells of a session."""
    kind = PolicyType.NONE
    text: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    if made.records:
        kind, text = PolicyType.TLSA, tuple(map(str, made.records))
    elif terms.sts is not None and terms.sts.mode is not Mode.NONE:
        kind, text, hosts = PolicyType.STS, mtasts.write_policy(terms.sts), terms.sts.mx
    place = (host, ip, sending_ip) if result is not None else (None, None, None)
    return Session(terms.domain, kind, text, hosts, result, *place, detail=detail)
