"""DNS as mail needs it: MX and addresses, cached, with the kinds of failure told apart."""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from postroad.model.attempt import Trouble

_CACHED_NAMES = 20_000
_FAILURE_TTL_S = 30.0
_ABSENCE_TTL_S = 60.0
_LONGEST_TTL_S = 3600.0


@dataclass(frozen=True, slots=True)
class DnsTrouble:
    """Why a question has no answer."""

    trouble: Trouble
    detail: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A mail exchanger; `host` is in lower case without a final dot, and empty for the null MX (RFC 7505)."""

    preference: int
    host: str


Records = tuple[MX | A | AAAA, ...]


class Resolver:
    """Asks the configured resolvers, or those of the system; several who ask the same share one question."""

    def __init__(self, resolvers: Sequence[tuple[str, int]] = (), *, timeout_s: float = 10) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not resolvers)
        except dns.resolver.NoResolverConfiguration:
            # no reason not to start: nothing but MX routes asks, and asking will tell
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            resolvers = (("127.0.0.1", 53),)
        if resolvers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in resolvers]
        self._resolver.lifetime = timeout_s
        self._resolver.timeout = min(timeout_s / 2, 3.0)
        self._resolver.use_edns(0, 0, 1232)
        self._cache: OrderedDict[tuple[str, str], tuple[float, Records | DnsTrouble]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Records | DnsTrouble]] = {}

    async def exchanges(self, domain: str) -> tuple[Exchange, ...] | DnsTrouble:
        """Return the MX records of a domain in no order; empty when the domain exists and has none."""
        records = await self._records(domain, "MX")
        if isinstance(records, DnsTrouble):
            return records
        return tuple(
            Exchange(record.preference, record.exchange.to_text(omit_final_dot=True).lower().removesuffix("."))
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

    def cached_exchanges(self, domain: str) -> tuple[str, ...] | None:
        """Return the hosts that an earlier answer named, without asking."""
        _, found = self._cache.get((domain, "MX"), (0.0, None))
        if not isinstance(found, tuple):
            return None
        return tuple(record.exchange.to_text(omit_final_dot=True).lower() for record in found if isinstance(record, MX))

    async def _records(self, name: str, kind: str) -> Records | DnsTrouble:
        key = (name, kind)
        now = asyncio.get_running_loop().time()
        if (cached := self._cache.get(key)) is not None and cached[0] > now:
            self._cache.move_to_end(key)
            return cached[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(name, kind))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str, kind: str) -> Records | DnsTrouble:
        ttl_s, found = _FAILURE_TTL_S, await self._question(name, kind)
        if isinstance(found, DnsTrouble):
            records: Records | DnsTrouble = found
            if found.trouble is Trouble.NO_SUCH_DOMAIN:
                ttl_s = _ABSENCE_TTL_S
        elif found.rrset is None:
            records, ttl_s = (), _ABSENCE_TTL_S
        else:
            records = tuple(record for record in found.rrset if isinstance(record, MX | A | AAAA))
            ttl_s = min(max(float(found.rrset.ttl), 1.0), _LONGEST_TTL_S)
        self._cache[name, kind] = (asyncio.get_running_loop().time() + ttl_s, records)
        while len(self._cache) > _CACHED_NAMES:
            self._cache.popitem(last=False)
        return records

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
