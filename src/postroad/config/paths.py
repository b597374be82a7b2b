"""Settings of the ways that mail takes: our own addresses, pools of them, and relays with their order."""

from enum import StrEnum
from typing import Annotated

import msgspec

from postroad.config.relay import check_relay_url
from postroad.config.setting import Say, Secret, check_host_name, check_ipv4, check_ipv6
from postroad.config.shaping import check_day


class RouteKind(StrEnum):
    """Where mail goes next."""

    MX = "mx"
    RELAY = "relay"
    CAPTURE = "capture"


class Family(StrEnum):
    """Over which kind of address mail exchangers and relays are spoken to."""

    MIXED = "mixed"
    IPV4_FIRST = "ipv4_first"
    IPV6_FIRST = "ipv6_first"
    IPV4_ONLY = "ipv4_only"
    IPV6_ONLY = "ipv6_only"


class Source(msgspec.Struct, frozen=True):
    """One of our addresses, from which mail goes out."""

    name: Annotated[str, Say("Name, shown with attempts and sites, and used by pools and rules.")] = ""
    ipv4: Annotated[str | None, Say("IPv4 address of this machine.", check=check_ipv4)] = None
    ipv6: Annotated[str | None, Say("IPv6 address of this machine.", check=check_ipv6)] = None
    hostname: Annotated[
        str | None,
        Say("Name said in EHLO, which the reverse DNS should give; unset: delivery.hostname.", check=check_host_name),
    ] = None
    warm_up_since: Annotated[
        str | None,
        Say(
            "First day, such as 2026-11-22, of a new address that is to be warmed up; unset: it is known.",
            check=check_day,
        ),
    ] = None


class Pool(msgspec.Struct, frozen=True):
    """Sources among which mail is divided."""

    name: Annotated[str, Say("Name, used by delivery.pool and rules.")] = ""
    sources: Annotated[tuple[str, ...], Say("Names of its sources.")] = ()
    weights: Annotated[
        tuple[int, ...], Say("Share of each source, in the same order; without, all get the same.", 0, 1000)
    ] = ()
    family: Annotated[
        Family, Say("mixed, ipv4_first, ipv6_first, ipv4_only or ipv6_only: how exchangers and relays are reached.")
    ] = Family.MIXED


class NamedRelay(msgspec.Struct, frozen=True):
    """A relay that rules may name."""

    name: Annotated[str, Say("Name, shown with attempts, and used by rules.")] = ""
    url: Annotated[
        Secret | None,
        Say("The relay, such as smtp://user:password@host:587?security=starttls.", check=check_relay_url),
    ] = None
    priority: Annotated[
        int, Say("Of several relays the one with the lowest number takes the mail, the next when it is away.", 0, 1000)
    ] = 10


class RouteRule(msgspec.Struct, frozen=True):
    """One exception to `delivery.route`; of several that fit, the first in the file holds."""

    route: Annotated[RouteKind, Say("Where this mail goes: mx, relay or capture.")]
    project: Annotated[str, Say("Name or identifier of the project it holds for; * for all.")] = "*"
    domain: Annotated[str, Say("Recipient domain it holds for; *.example.com for those below it, * for all.")] = "*"
    sender: Annotated[str, Say("Sending domain it holds for; *.example.com for those below it, * for all.")] = "*"
    stream: Annotated[str, Say("Stream it holds for; * for all.")] = "*"
    provider: Annotated[
        str | None,
        Say("Provider it holds for, as the name that all mail exchangers end in, such as outlook.com or google.com."),
    ] = None
    name: Annotated[str, Say("Name of the relay, shown with attempts.")] = "relay"
    relay_url: Annotated[Secret | None, Say("The relay, when route is relay.", check=check_relay_url)] = None
    relays: Annotated[
        tuple[str, ...], Say("Names of relays, when route is relay: the first that can be reached takes the mail.")
    ] = ()
    pool: Annotated[str | None, Say("Pool or source that mail goes out from; unset: as delivery.pool.")] = None
    family: Annotated[Family | None, Say("How exchangers and relays are reached; unset: as the pool has it.")] = None
