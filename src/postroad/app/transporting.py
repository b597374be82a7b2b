"""What is known of recipients' TLS: the parts put together from the settings."""

import ssl

from postroad.app.timekeeping import steady
from postroad.config import Settings, split_endpoint
from postroad.features.egress import Egress
from postroad.features.egress import Policy as EgressPolicy
from postroad.features.egress.network import dns_resolver
from postroad.features.transport import BrokenKeeper, StsKeeper, TlsReports, Transport
from postroad.model.clock import Clock
from postroad.pipeline.deliver import TlsContexts
from postroad.pipeline.deliver.policy import Knowledge
from postroad.pipeline.deliver.resolve import Resolver
from postroad.store.database import Database
from postroad.wire import mtasts

_FETCH_S = 60.0  # RFC 8461 §3.3
_FETCHES = 32


def transport_of(settings: Settings, database: Database, clock: Clock) -> tuple[Transport, Egress]:
    """Return what is kept of transport security, and the client by which policies are fetched."""
    delivery, tls = settings.delivery, settings.tls
    resolvers = tuple(split_endpoint(text, 53) for text in delivery.resolvers)
    # Any domain that mail is sent to may name the host: private addresses are closed here as they are to SMTP.
    policy = EgressPolicy(
        allow_private=delivery.allow_private_addresses,
        ports=frozenset({tls.mta_sts_port}),
        timeout_s=_FETCH_S,
        response_octets=mtasts.MOST_OCTETS,
        connections=_FETCHES,
    )
    authorities = None if tls.authorities is None else str(tls.authorities)
    egress = Egress(
        policy,
        resolve=dns_resolver(resolvers, timeout_s=delivery.dns_timeout_s),
        tls=ssl.create_default_context(cafile=authorities),
    )
    reports = TlsReports(database, clock, organization=delivery.hostname or "localhost", contact=tls.report_from)
    keeper = StsKeeper(
        database=database,
        clock=clock,
        resolver=resolver_of(settings, clock),
        fetch=egress.get,
        reports=reports,
        port=tls.mta_sts_port,
    )
    return Transport(keeper if tls.mta_sts else None, BrokenKeeper(database, clock), reports), egress


def resolver_of(settings: Settings, clock: Clock) -> Resolver:
    """Return what asks the DNS for the records in which domains tell of their TLS."""
    delivery = settings.delivery
    resolvers = tuple(split_endpoint(text, 53) for text in delivery.resolvers)
    return Resolver(resolvers, timeout_s=delivery.dns_timeout_s, trust_ad=False, time_s=steady(clock))


def knowledge(transport: Transport) -> Knowledge:
    """Return what a deliverer may ask and tell."""
    return Knowledge(transport.policies, transport.reports, transport.broken)


def contexts_of(settings: Settings) -> TlsContexts:
    """Return the contexts with which mail servers are spoken to."""
    authorities = settings.tls.authorities
    return TlsContexts(None if authorities is None else str(authorities))
