"""Which hosts take mail for a domain, in the order to try them (RFC 5321 §5.1)."""

from dataclasses import dataclass

from postroad.model.attempt import Exchanger, Trouble
from postroad.model.provider import site_of
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver, is_host_name
from postroad.pipeline.deliver.settings import Chance, DeliverSettings

__all__ = ["Plan", "plan", "site_of"]

_HOSTS = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """The hosts to try, best first, and the site that all exchangers make up."""

    site: str
    hosts: tuple[str, ...]
    exchangers: tuple[Exchanger, ...]
    """The same with their preferences."""


async def plan(domain: str, resolver: Resolver, settings: DeliverSettings, chance: Chance) -> Plan | DnsTrouble:
    """Find the mail exchangers of a domain.

    Without MX records the domain itself is the host (RFC 5321 §5.1); with the null MX there is none (RFC 7505).
    """
    if domain.startswith("["):
        return DnsTrouble(Trouble.FORBIDDEN_ADDRESS, "Mail to an IP address instead of a domain is not delivered.")
    found = await resolver.exchanges(domain)
    if isinstance(found, DnsTrouble):
        return found
    if not found:
        return Plan(domain, (domain,), (Exchanger(0, domain),))
    if all(not exchange.host for exchange in found):
        return DnsTrouble(Trouble.NULL_MX, f"{domain} accepts no mail (null MX).")
    hosts = [exchange for exchange in found if is_host_name(exchange.host)]
    if not hosts:
        return DnsTrouble(Trouble.DNS_FAILURE, f"No MX record of {domain} names a host.")
    foreign = _before_ourselves(hosts, settings)
    if not foreign:
        return DnsTrouble(Trouble.FORBIDDEN_ADDRESS, f"The mail exchanger of {domain} is this server itself.")
    ordered = tuple(sorted(foreign, key=lambda exchange: (exchange.preference, chance()))[:_HOSTS])
    return Plan(site_of(exchange.host for exchange in hosts), tuple(each.host for each in ordered), ordered)


def _before_ourselves(hosts: list[Exchanger], settings: DeliverSettings) -> list[Exchanger]:
    """Leave out ourselves and whatever is not better than we are, or mail would loop (RFC 5321 §5.1)."""
    ours = [exchange.preference for exchange in hosts if exchange.host in settings.own_names]
    return [exchange for exchange in hosts if not ours or exchange.preference < min(ours)]
