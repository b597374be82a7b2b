"""A domain's DNS compared with what is wanted: per record its state, what was found, and what to change."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from postroad.features.senders.lookup import Found
from postroad.features.senders.policies import applicable_policy
from postroad.features.senders.wanted import House, wanted_records
from postroad.model.domain import DkimKey, DnsRecord, Domain, Finding, Purpose, RecordState
from postroad.wire import dkim, dmarc, spf

_MOST_SHOWN: Final = 5
_DEEPEST: Final = 10


class Dns(Protocol):
    """Answers questions about names."""

    def texts(self, name: str) -> Awaitable[Found]:
        """Return the TXT records of a name."""
        ...

    def alias(self, name: str) -> Awaitable[Found]:
        """Return where a name's CNAME points."""
        ...

    def exchanges(self, name: str) -> Awaitable[Found]:
        """Return the mail exchangers of a name."""
        ...


async def inspect(domain: Domain, keys: Sequence[DkimKey], house: House, dns: Dns) -> tuple[Finding, ...]:
    """Look all wanted records of a domain up at once, and return a finding for each, in their order."""
    records = wanted_records(domain, keys, house)
    return tuple(await asyncio.gather(*[_inspect(record, domain, house, dns) for record in records]))


async def _inspect(record: DnsRecord, domain: Domain, house: House, dns: Dns) -> Finding:
    match record.purpose:
        case Purpose.DKIM:
            return await _dkim(record, domain, dns)
        case Purpose.RETURN_PATH:
            return await _return_path(record, dns)
        case Purpose.SPF:
            return await _spf(record, house, dns)
        case Purpose.DMARC:
            return await _dmarc(record, domain, dns)
        case Purpose.TRACKING:
            return await _alias(record, dns)


# --- DKIM ------------------------------------------------------------------------------------------------------------


async def _dkim(record: DnsRecord, domain: Domain, dns: Dns) -> Finding:
    found = await dns.texts(record.name)
    if not found.known:
        return _unknown(record, found)
    if not found.values:
        return await _dkim_missing(record, domain, dns)
    if len(found.values) > 1:
        return _wrong(record, found, "There are several TXT records at this name. Keep only the one given here.")
    try:
        published = dkim.parse_record(found.values[0].encode("utf-8"))
    except dkim.RecordError as problem:
        return _wrong(record, found, f"{problem} Replace it with the value given here.")
    if published.key != dkim.parse_record(record.value.encode()).key:
        return _wrong(record, found, "This record publishes another key. Replace its value with the one given here.")
    advice = "Remove t=y from the record, so that receivers take the signature seriously." if published.testing else ""
    return Finding(record=record, state=RecordState.OK, found=found.values, advice=advice)


async def _dkim_missing(record: DnsRecord, domain: Domain, dns: Dns) -> Finding:
    doubled = f"{record.name}.{domain.name}"
    elsewhere = await dns.texts(doubled)
    advice = "Add this TXT record."
    if elsewhere.values:
        short = record.name.removesuffix(f".{domain.name}")
        advice = (
            f"The record stands at {doubled}, because the DNS provider adds the domain by itself. "
            f"Enter its name there as {short}."
        )
    return Finding(record=record, state=RecordState.MISSING, advice=advice)


# --- names that point at us ------------------------------------------------------------------------------------------


async def _alias(record: DnsRecord, dns: Dns) -> Finding:
    found = await dns.alias(record.name)
    if not found.known:
        return _unknown(record, found)
    if not found.values:
        return Finding(record=record, state=RecordState.MISSING, advice="Add this CNAME record.")
    if found.values != (record.value,):
        return _wrong(record, found, f"This CNAME points elsewhere. Let it point at {record.value}.")
    return Finding(record=record, state=RecordState.OK, found=found.values)


async def _return_path(record: DnsRecord, dns: Dns) -> Finding:
    """Take a CNAME to us, or an MX and an SPF record that say the same as ours."""
    by_alias = await _alias(record, dns)
    if by_alias.state is not RecordState.MISSING:
        return by_alias
    own, ours, texts = await asyncio.gather(
        dns.exchanges(record.name), dns.exchanges(record.value), dns.texts(record.name)
    )
    for found in (own, ours, texts):
        if not found.known:
            return _unknown(record, found)
    if not own.values and not texts.values:
        return by_alias
    shown = Found((*[f"MX {host}" for host in own.values], *texts.values))
    if not ours.values or set(own.values) != set(ours.values):
        return _wrong(record, shown, f"The MX records are not those of {record.value}. Replace them with this CNAME.")
    try:
        policy = spf.find_record(texts.values)
    except spf.SpfError as problem:
        return _wrong(record, shown, f"{problem} Replace the records with this CNAME.")
    if policy is None or record.value not in policy.includes:
        return _wrong(record, shown, f"The SPF record here must have include:{record.value}.")
    return Finding(record=record, state=RecordState.OK, found=shown.values)


# --- SPF -------------------------------------------------------------------------------------------------------------


async def _spf(record: DnsRecord, house: House, dns: Dns) -> Finding:
    found = await dns.texts(record.name)
    if not found.known:
        return _unknown(record, found)
    texts = tuple([text for text in found.values if text.lower().startswith("v=spf1")])
    try:
        policy = spf.find_record(found.values)
    except spf.SpfError as problem:
        return _wrong(record, Found(texts), f"{problem} Merge and correct it.")
    if policy is None:
        return Finding(record=record, state=RecordState.MISSING, advice="Add this TXT record.")
    counted = _Counting(dns)
    await counted.add(policy, 0)
    if counted.lookups > spf.LOOKUP_LIMIT:
        advice = f"The record costs {counted.lookups} DNS look-ups; receivers give up after {spf.LOOKUP_LIMIT}."
        return _wrong(record, Found(texts), advice)
    if house.spf_include in counted.included:
        return Finding(record=record, state=RecordState.OK, found=texts)
    if counted.trouble:
        return Finding(record=record, state=RecordState.UNKNOWN, found=texts, advice=counted.trouble)
    return _wrong(record, Found(texts), f"Change the record to: {_with_include(texts[0], house.spf_include or '')}")


class _Counting:
    """Follows the includes of an SPF record and counts what it costs (RFC 7208 §4.6.4)."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self.lookups = 0
        self.included: set[str] = set()
        self.trouble = ""

    async def add(self, policy: spf.SpfRecord, depth: int) -> None:
        self.lookups += policy.lookups
        for name in policy.includes:
            name = name.lower().removesuffix(".")
            if name in self.included or depth >= _DEEPEST or self.lookups > spf.LOOKUP_LIMIT:
                continue
            self.included.add(name)
            if "%" not in name:  # a macro is known only when a message comes (RFC 7208 §7)
                await self._follow(name, depth)

    async def _follow(self, name: str, depth: int) -> None:
        found = await self._dns.texts(name)
        if not found.known:
            self.trouble = found.trouble
            return
        try:
            policy = spf.find_record(found.values)
        except spf.SpfError as problem:
            self.trouble = f"At {name}: {problem}"
            return
        if policy is not None:
            await self.add(policy, depth + 1)


def _with_include(text: str, host: str) -> str:
    """Return an SPF record with an include of `host` in front of what ends it, and nowhere else."""
    terms = [term for term in text.split() if _unsigned(term) != f"include:{host}"]
    place = next(
        (n for n, term in enumerate(terms) if _unsigned(term) == "all" or _unsigned(term).startswith("redirect=")),
        len(terms),
    )
    return " ".join([*terms[:place], f"include:{host}", *terms[place:]])


def _unsigned(term: str) -> str:
    return term.lower().lstrip("+-~?")


# --- DMARC -----------------------------------------------------------------------------------------------------------


async def _dmarc(record: DnsRecord, domain: Domain, dns: Dns) -> Finding:
    applied = await applicable_policy(domain.name, dns.texts)
    if applied.several:
        return _wrong(
            record, Found(applied.texts), "There are several DMARC records; receivers then use none. Keep one."
        )
    if applied.trouble:
        return Finding(record=record, state=RecordState.UNKNOWN, advice=applied.trouble)
    if applied.record is None:
        return Finding(record=record, state=RecordState.MISSING, advice="Add this TXT record.")
    if applied.record.strange_policy:
        sentence = "There is no such policy in p=, so that receivers apply none. Use p=none, p=quarantine or p=reject."
        return _wrong(record, Found(applied.texts), sentence)
    advice = "" if applied.name == record.name else f"The record at {applied.name} holds for this domain too."
    if applied.record.dkim is dmarc.Alignment.STRICT and domain.settings.subdomains:
        advice = (
            "With adkim=s, mail from subdomains is not aligned with this domain's signature. "
            "Use adkim=r, or add each subdomain as a domain of its own."
        )
    return Finding(record=record, state=RecordState.OK, found=applied.texts, advice=advice)


def _unknown(record: DnsRecord, found: Found) -> Finding:
    return Finding(record=record, state=RecordState.UNKNOWN, advice=f"{found.trouble} It will be looked up again.")


def _wrong(record: DnsRecord, found: Found, advice: str) -> Finding:
    return Finding(record=record, state=RecordState.WRONG, found=found.values[:_MOST_SHOWN], advice=advice)
