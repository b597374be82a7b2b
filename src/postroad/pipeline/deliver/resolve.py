"""DNS as mail needs it: MX, addresses, TXT and TLSA, cached, with the kinds of failure told apart.

Where the resolver is trusted to validate, each answer is also known to be secure or not, by its AD bit (RFC 4035
§3.2.3). That trust holds for the way to the resolver too, so by default only one on this machine has it.
"""

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TLSA import TLSA
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from postroad.model.attempt import Exchanger, Trouble
from postroad.wire.tlsa import Tlsa, owner

_CACHED_NAMES = 20_000
_FAILURE_TTL_S = 30.0
_ABSENCE_TTL_S = 60.0
_LONGEST_TTL_S = 3600.0
_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class DnsTrouble:
    """Why a question has no answer."""

    trouble: Trouble
    detail: str


Records = tuple[MX | A | AAAA | TXT | TLSA, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer in the cache; `secure` tells that a resolver we trust has validated it."""

    until: float
    found: Records | DnsTrouble
    secure: bool


_NOTHING = _Kept(0.0, (), secure=False)


class Resolver:
    """Asks the configured resolvers, or those of the system; several who ask the same share one question."""

    def __init__(
        self,
        resolvers: Sequence[tuple[str, int]] = (),
        *,
        timeout_s: float = 10,
        trust_ad: bool | None = None,
        time_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the resolvers up; `trust_ad` says whether their AD bit is believed, None: if they are on this machine.

        `time_s` only goes ahead; answers are kept by it.
        """
        self._time_s = time_s
        given = bool(resolvers)
        try:
            self._resolver = dns.asyncresolver.Resolver(str(_RESOLV_CONF), configure=not resolvers)
        except dns.resolver.NoResolverConfiguration:
            # no reason not to start: nothing but MX routes asks, and asking will tell
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            resolvers = (("127.0.0.1", 53),)
        if resolvers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in resolvers]
        self._resolver.lifetime = timeout_s
        self._resolver.timeout = min(timeout_s / 2, 3.0)
        self._resolver.use_edns(0, 0, 1232)
        self.validates = _may_be_trusted(self._resolver, given=given) if trust_ad is None else trust_ad
        """Whether answers may be secure."""
        if self.validates:
            self._resolver.flags = dns.flags.RD | dns.flags.AD  # asks for the AD bit in answers (RFC 6840 §5.7)
        self._cache: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[_Kept]] = {}

    async def exchanges(self, domain: str) -> tuple[Exchanger, ...] | DnsTrouble:
        """Return the MX records of a domain in no order; empty when the domain exists and has none.

        The host of a null MX is empty (RFC 7505).
        """
        records = await self._records(domain, "MX")
        if isinstance(records, DnsTrouble):
            return records
        return tuple(
            Exchanger(record.preference, record.exchange.to_text(omit_final_dot=True).lower().removesuffix("."))
            for record in records
            if isinstance(record, MX)
        )

    async def addresses(self, host: str) -> tuple[str, ...] | DnsTrouble:
        """Return the addresses of a host, IPv6 and IPv4 in turns; empty when the name exists and has none."""
        six, four = await asyncio.gather(self._records(host, "AAAA"), self._records(host, "A"))
        if isinstance(six, DnsTrouble) and isinstance(four, DnsTrouble):
            return four
        # one family that fails must not hide the other, as with name servers that do not answer for AAAA
        texts6 = [record.address for record in six if isinstance(record, AAAA)] if isinstance(six, tuple) else []
        texts4 = [record.address for record in four if isinstance(record, A)] if isinstance(four, tuple) else []
        if isinstance(four, DnsTrouble) and not texts6:
            return four
        if isinstance(six, DnsTrouble) and not texts4:
            return six
        return _in_turns(texts6, texts4)

    async def texts(self, name: str) -> tuple[str, ...] | DnsTrouble:
        """Return the TXT records of a name, each as one text; empty when the name exists and has none."""
        records = await self._records(name, "TXT")
        if isinstance(records, DnsTrouble):
            return records
        return tuple(b"".join(record.strings).decode("latin-1") for record in records if isinstance(record, TXT))

    async def certificates(self, host: str, port: int) -> tuple[Tlsa, ...] | DnsTrouble:
        """Return the secure TLSA records of a mail server (RFC 7672 §2.2.2).

        Empty when there are none, or they are not secure. They are not even looked for when its addresses are not
        secure, as name servers that know no DNSSEC may fail at the question.
        """
        answers = await asyncio.gather(self._kept(host, "AAAA"), self._kept(host, "A"))
        if not self._all_secure(answers):
            return ()
        name = owner(host, port)
        kept = await self._kept(name, "TLSA")
        if isinstance(kept.found, DnsTrouble):
            return () if kept.found.trouble is Trouble.NO_SUCH_DOMAIN else kept.found
        if not kept.secure:
            return ()
        return tuple(
            Tlsa(record.usage, record.selector, record.mtype, record.cert)
            for record in kept.found
            if isinstance(record, TLSA)
        )

    def is_secure(self, domain: str) -> bool:
        """Tell whether the answer about a domain's MX records, just given, was secure."""
        return self.validates and self._cache.get((domain, "MX"), _NOTHING).secure

    @staticmethod
    def _all_secure(answers: Sequence[_Kept]) -> bool:
        """Tell whether the addresses are secure: a family that fails says nothing, lest a forged failure downgrade."""
        said = [kept for kept in answers if not isinstance(kept.found, DnsTrouble)]
        return bool(said) and all(kept.secure for kept in said)

    def cached_exchanges(self, domain: str) -> tuple[str, ...] | None:
        """Return the hosts that an earlier answer named, without asking."""
        kept = self._cache.get((domain, "MX"))
        found = None if kept is None else kept.found
        if not isinstance(found, tuple):
            return None
        return tuple(record.exchange.to_text(omit_final_dot=True).lower() for record in found if isinstance(record, MX))

    async def _records(self, name: str, kind: str) -> Records | DnsTrouble:
        return (await self._kept(name, kind)).found

    async def _kept(self, name: str, kind: str) -> _Kept:
        key = (name, kind)
        if (cached := self._cache.get(key)) is not None and cached.until > self._time_s():
            self._cache.move_to_end(key)
            return cached
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(name, kind))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str, kind: str) -> _Kept:
        ttl_s, secure, found = _FAILURE_TTL_S, False, await self._question(name, kind)
        if isinstance(found, DnsTrouble):
            records: Records | DnsTrouble = found
            if found.trouble is Trouble.NO_SUCH_DOMAIN:
                ttl_s = _ABSENCE_TTL_S
        else:
            secure = self.validates and bool(found.response.flags & dns.flags.AD)
            records, ttl_s = _read(found)
        kept = self._cache[name, kind] = _Kept(self._time_s() + ttl_s, records, secure)
        while len(self._cache) > _CACHED_NAMES:
            self._cache.popitem(last=False)
        return kept

    async def _question(self, name: str, kind: str) -> dns.resolver.Answer | DnsTrouble:
        try:
            return await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return DnsTrouble(Trouble.NO_SUCH_DOMAIN, f"The name {name} does not exist (NXDOMAIN).")
        except dns.exception.Timeout:
            return DnsTrouble(Trouble.DNS_TIMEOUT, f"The DNS did not answer in time for {name} {kind}.")
        except (dns.exception.DNSException, OSError) as error:
            what = "SERVFAIL or REFUSED" if isinstance(error, dns.resolver.NoNameservers) else "broken answer"
            return DnsTrouble(Trouble.DNS_FAILURE, f"The DNS has no usable answer for {name} {kind} ({what}).")


def _read(answer: dns.resolver.Answer) -> tuple[Records, float]:
    """Return the records of an answer, and how long it may be kept."""
    if answer.rrset is None:
        return (), _ABSENCE_TTL_S
    records = tuple(record for record in answer.rrset if isinstance(record, MX | A | AAAA | TXT | TLSA))
    return records, min(max(float(answer.rrset.ttl), 1.0), _LONGEST_TTL_S)


def _may_be_trusted(resolver: dns.asyncresolver.Resolver, *, given: bool) -> bool:
    """Tell whether the AD bit means something: every resolver is on this machine, and somebody chose it for that.

    Somebody did who named it in our settings, or wrote `options trust-ad` into resolv.conf, as resolv.conf(5) has it.
    """
    servers = resolver.nameservers
    addresses = [server if isinstance(server, str) else server.answer_nameserver() for server in servers]
    local = bool(addresses) and all(_is_loopback(address) for address in addresses)
    return local and (given or _system_trusts())


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _system_trusts() -> bool:
    try:
        lines = _RESOLV_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(words[:1] == ["options"] and "trust-ad" in words for words in map(str.split, lines))


def is_host_name(host: str) -> bool:
    """Tell whether an MX record names a host; some name an IP address, which is none (RFC 5321 §5.1)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and not host.rpartition(".")[2].isdigit()
    return False


def _in_turns(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Mix two lists: a broken address family then costs every second try only."""
    mixed = [text for pair in zip(first, second, strict=False) for text in pair]
    shorter = min(len(first), len(second))
    return (*mixed, *first[shorter:], *second[shorter:])
