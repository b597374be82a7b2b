"""A look at the whole installation: what would keep its mail from arriving, and what to do about it."""

import asyncio
import ipaddress
import shutil
import socket
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import msgspec

from postroad.config import RouteKind, Settings
from postroad.features.senders.lookup import Found
from postroad.features.senders.senders import DomainWithKeys, Senders
from postroad.features.senders.shown import DomainShown
from postroad.features.senders.wanted import exchange_record
from postroad.model.clock import SECOND, Clock, Instant
from postroad.model.errors import Unavailable
from postroad.store import facts
from postroad.store.database import Database
from postroad.store.durability import Hazard, hazards

_RELEASED: Final = Instant(1_767_225_600_000_000)
"""2026-01-01: a clock that shows less is wrong for certain."""
_MOST_DRIFT: Final = 2 * SECOND
_LOOKED_UP: Final = 20
_GIB: Final = 1 << 30


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Advice(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    state: Level
    detail: str


class Examination(msgspec.Struct, frozen=True):
    """All that was found."""

    findings: list[Advice]
    domains: list[DomainShown]


class Dns(Protocol):
    """Answers questions about hosts."""

    def addresses(self, host: str) -> Awaitable[Found]:
        """Return the addresses of a host."""
        ...

    def exchanges(self, name: str) -> Awaitable[Found]:
        """Return the mail exchangers of a name."""
        ...

    def names(self, address: str) -> Awaitable[Found]:
        """Return the names that the reverse DNS of an address gives."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined."""

    settings: Settings
    database: Database
    clock: Clock
    dns: Dns
    senders: Senders


async def examine(patient: Patient, problems: Sequence[Advice] = ()) -> Examination:
    """Look at host name, database, clock, disk and domains; port 25 is not tried, as that needs a peer.

    Args:
        patient: What is examined.
        problems: What is known already, such as unsafe settings; it comes first.
    """
    host, sources, back, store, domains = await asyncio.gather(
        _host(patient), _sources(patient), _way_back(patient), _store(patient), _domains(patient)
    )
    disk = await asyncio.to_thread(_disk, patient.settings)
    shown = [patient.senders.shown(found) for found in domains]
    return Examination(
        [*problems, *host, *sources, *back, *_proxy(patient.settings), *store, disk, *map(_domain, shown)], shown
    )


# --- the host name ---------------------------------------------------------------------------------------------------


async def _host(patient: Patient) -> list[Advice]:
    """Receivers want the name we say in EHLO to have an address whose reverse DNS is that name again."""
    delivery = patient.settings.delivery
    if delivery.route is not RouteKind.MX:
        return [Advice("host name", Level.OK, f"Mail leaves by {delivery.route.value}; its name is not looked up.")]
    if delivery.hostname is None:
        return [Advice("host name", Level.PROBLEM, "delivery.hostname is not set.")]
    name = delivery.hostname.lower().removesuffix(".")
    found = await patient.dns.addresses(name)
    if not found.known:
        return [Advice("host name", Level.WARNING, f"{name} could not be looked up. {found.trouble}")]
    if not found.values:
        detail = f"{name} has no address in DNS. Add an A record (and AAAA) with this server's public address."
        return [Advice("host name", Level.PROBLEM, detail)]
    return list(await asyncio.gather(*[_reverse(patient.dns, name, address) for address in found.values]))


async def _sources(patient: Patient) -> list[Advice]:
    """Each source is an address of this machine, and its name in EHLO and its reverse DNS name each other."""
    delivery = patient.settings.delivery
    checks = [
        _source(patient.dns, source.name, (source.hostname or delivery.hostname or "").lower().removesuffix("."), ip)
        for source in patient.settings.sources
        for ip in (source.ipv4, source.ipv6)
        if ip is not None
    ]
    return [advice for found in await asyncio.gather(*checks) for advice in found]


async def _source(dns: Dns, source: str, name: str, address: str) -> list[Advice]:
    where = f"source {source}"
    if not _is_ours(address):
        detail = f"{address} is not an address of this machine. Configure it on an interface, or correct the source."
        return [Advice(where, Level.PROBLEM, detail)]
    found = await dns.addresses(name)
    if found.known and address not in found.values:
        detail = f"{name} does not lead back to {address} in DNS. Add an A or AAAA record."
        return [Advice(where, Level.PROBLEM, detail), await _reverse(dns, name, address)]
    return [Advice(where, Level.OK, f"{address} is of this machine."), await _reverse(dns, name, address)]


def _is_ours(address: str) -> bool:
    """Tell whether connections can be made from an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


async def _reverse(dns: Dns, name: str, address: str) -> Advice:
    where = f"reverse DNS of {address}"
    if not ipaddress.ip_address(address).is_global:
        return Advice(where, Level.WARNING, f"{name} has the address {address}, which is not of the public Internet.")
    found = await dns.names(address)
    if not found.known:
        return Advice(where, Level.WARNING, f"It could not be looked up. {found.trouble}")
    if name in found.values:
        return Advice(where, Level.OK, f"It is {name}, as it should be.")
    there = f"is {', '.join(found.values)}" if found.values else "does not exist"
    return Advice(
        where,
        Level.PROBLEM,
        f"It {there}, and should be {name}. Ask whoever gave you the address to set its PTR record; "
        "many receivers refuse mail without it.",
    )


async def _way_back(patient: Patient) -> list[Advice]:
    """Bounces and complaints come back to where the return path's MX record leads."""
    domain = patient.settings.return_path.domain
    if domain is None:
        return []
    wanted = exchange_record(patient.settings)
    if wanted is None:
        detail = (
            f"exchange.enabled is off, so that bounces which come by mail to {domain} are not read here. Switch it on, "
            "and let port 25 and the MX record lead to this server."
        )
        return [Advice("way back", Level.WARNING, detail)]
    found = await patient.dns.exchanges(wanted.name)
    if not found.known:
        return [Advice("way back", Level.WARNING, f"The MX of {domain} could not be looked up. {found.trouble}")]
    if wanted.value not in found.values:
        there = f"is {', '.join(found.values)}" if found.values else "does not exist"
        detail = f"The MX record of {domain} {there}. Let it be {wanted.value}, so that bounces come back."
        return [Advice("way back", Level.PROBLEM, detail)]
    addresses = await patient.dns.addresses(wanted.value)
    if addresses.known and not addresses.values:
        detail = f"{wanted.value}, the MX of {domain}, has no address in DNS. Add an A record (and AAAA)."
        return [Advice("way back", Level.PROBLEM, detail)]
    return [Advice("way back", Level.OK, f"Bounces to {domain} come back to {wanted.value}.")]


def _proxy(settings: Settings) -> list[Advice]:
    """An https URL means a proxy, which has to be believed about who asks."""
    http = settings.http
    if http.trusted_proxies or not (http.public_url or "").startswith("https:"):
        return []
    detail = (
        "http.public_url is https, so that a proxy stands in front, but http.trusted_proxies is empty: every client "
        "seems to be the proxy, and API keys cannot be confined to networks. Name its address there."
    )
    return [Advice("proxy", Level.WARNING, detail)]


# --- the machine -----------------------------------------------------------------------------------------------------


async def _store(patient: Patient) -> list[Advice]:
    try:
        return await _engine(patient)
    except Unavailable as away:
        said = str(getattr(away.__cause__, "orig", away.detail)).partition("\n")[0]
        return [Advice("database", Level.PROBLEM, f"It does not answer ({said}). Start it, or correct database.url.")]


async def _engine(patient: Patient) -> list[Advice]:
    version = await patient.database.read(facts.version)
    if patient.database.engine_name == "postgresql":
        return [
            Advice("database", Level.OK, f"PostgreSQL {version}."),
            *_durability(await patient.database.read(hazards)),
            await _clock(patient),
        ]
    detail = f"SQLite {version}."
    if facts.can_lose_commits(version):
        detail += (
            " Before 3.51.3 it can lose commits when several processes write one file; Postroad lets one process write "
            "and keeps clear of that. Open the file with no other program while it runs."
        )
    return [Advice("database", Level.OK, detail), await _clock(patient)]


def _durability(found: Sequence[Hazard]) -> list[Advice]:
    if not found:
        return [Advice("durability", Level.OK, "What is committed is on disk, and on a standby where there is one.")]
    return [Advice("durability", Level.PROBLEM if each.grave else Level.WARNING, each.detail) for each in found]


async def _clock(patient: Patient) -> Advice:
    now = patient.clock.now()
    if now < _RELEASED:
        return Advice("clock", Level.PROBLEM, "The clock is years behind. Set it, and let NTP keep it right.")
    ahead = await patient.database.read(lambda c: facts.clock_ahead(c, patient.clock.now()))
    if abs(ahead) > _MOST_DRIFT:
        side = "ahead of" if ahead > 0 else "behind"
        return Advice(
            "clock",
            Level.WARNING,
            f"The database's clock is {abs(ahead) / SECOND:.1f} s {side} this machine's. Let NTP keep both right.",
        )
    return Advice("clock", Level.OK, "It agrees with the database's.")


def _disk(settings: Settings) -> Advice:
    limits = settings.limits
    usage = shutil.disk_usage(_existing(settings.data.directory))
    percent = 100 * usage.free / usage.total
    detail = f"{usage.free / _GIB:.1f} GiB ({percent:.0f} %) are free under {settings.data.directory}."
    if usage.free < limits.min_free_disk_octets or percent < limits.min_free_disk_percent:
        return Advice("disk", Level.PROBLEM, f"{detail} New messages are refused; make room.")
    if usage.free < 2 * limits.min_free_disk_octets or percent < 1.5 * limits.min_free_disk_percent:
        return Advice("disk", Level.WARNING, f"{detail} When it gets less, new messages will be refused.")
    return Advice("disk", Level.OK, detail)


def _existing(path: Path) -> Path:
    path = path.absolute()
    return path if path.exists() else _existing(path.parent)


# --- domains ---------------------------------------------------------------------------------------------------------


async def _domains(patient: Patient) -> list[DomainWithKeys]:
    """Return all domains, looked up now when they are few, and else as they were when last looked up."""
    senders = patient.senders
    try:
        found = await senders.everywhere()
        if len(found) > _LOOKED_UP:
            return found
        return list(await asyncio.gather(*[senders.inspect(each.domain.project_id, each.domain.id) for each in found]))
    except Unavailable:  # as is told of the database
        return []


def _domain(shown: DomainShown) -> Advice:
    wrong = [record for record in shown.records if record.state in {"missing", "wrong"}]
    where = f"domain {shown.name}"
    if shown.state != "verified":
        detail = f"It is {shown.state} and may not send in production. " + " ".join(
            [f"{record.name}: {record.advice}" for record in wrong if record.required]
        )
        return Advice(where, Level.PROBLEM, detail.strip())
    if wrong or shown.warnings:
        told = [
            *shown.warnings,
            *[f"{record.name} {record.type} is {record.state}: {record.advice}" for record in wrong],
        ]
        return Advice(where, Level.WARNING, " ".join(told))
    return Advice(where, Level.OK, "It is verified, and its records are as they should be.")
