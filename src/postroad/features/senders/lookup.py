"""DNS asked afresh: what a name says now, with "it is not there" told apart from "nobody answered".

The delivery's resolver remembers what it was told for as long as it may; whoever has just changed a record wants to
know what the world sees now, so nothing is remembered here.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdata
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT


@dataclass(frozen=True, slots=True)
class Found:
    """What DNS says.

    Attributes:
        values: The records as texts, names in lower case without a final dot; empty when there is none.
        known: False when nobody gave an answer (time-out, SERVFAIL, broken answer): nothing follows from it.
        trouble: Why not, as a public sentence.
    """

    values: tuple[str, ...] = ()
    known: bool = True
    trouble: str = ""


class Lookup:
    """Asks the configured resolvers, or those of the system."""

    def __init__(self, resolvers: Sequence[tuple[str, int]] = (), *, timeout_s: float = 10) -> None:
        """Take the addresses and ports of resolvers, none for those of the system."""
        self._resolver = dns.asyncresolver.Resolver(configure=not resolvers)
        if resolvers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in resolvers]
        self._resolver.lifetime = timeout_s
        self._resolver.timeout = min(timeout_s / 2, 3.0)
        self._resolver.use_edns(0, 0, 1232)

    async def texts(self, name: str) -> Found:
        """Return the TXT records of a name, the strings of each joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2)."""
        return await self._ask(name, "TXT")

    async def alias(self, name: str) -> Found:
        """Return where a name's CNAME points."""
        return await self._ask(name, "CNAME")

    async def exchanges(self, name: str) -> Found:
        """Return the mail exchangers of a name, the preferred first."""
        return await self._ask(name, "MX")

    async def addresses(self, host: str) -> Found:
        """Return the addresses of a host, IPv4 before IPv6; unknown only when neither kind has an answer."""
        four, six = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        if four.known and six.known:
            return Found(four.values + six.values)
        known = [found for found in (four, six) if found.known and found.values]
        return known[0] if known else next(found for found in (four, six) if not found.known)

    async def names(self, address: str) -> Found:
        """Return the names that the reverse DNS of an IP address gives."""
        return await self._ask(dns.reversename.from_address(address).to_text(), "PTR")

    async def _ask(self, name: str, kind: str) -> Found:
        try:
            answer = await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return Found()
        except dns.exception.Timeout:
            return Found(known=False, trouble=f"DNS did not answer in time for {name} {kind}.")
        except (dns.exception.DNSException, OSError):
            return Found(known=False, trouble=f"DNS gave no usable answer for {name} {kind} (SERVFAIL or refused).")
        if answer.rrset is None:
            return Found()
        return Found(tuple([_text(record) for record in _sorted(answer.rrset)]))


def _sorted(records: Iterable[dns.rdata.Rdata]) -> list[dns.rdata.Rdata]:
    return sorted(records, key=lambda record: (record.preference if isinstance(record, MX) else 0, record.to_text()))


def _text(record: dns.rdata.Rdata) -> str:
    if isinstance(record, TXT):
        return b"".join(record.strings).decode("utf-8", "backslashreplace")
    if isinstance(record, MX):
        return record.exchange.to_text().lower().removesuffix(".")
    return record.to_text().lower().removesuffix(".")
