"""The exchange of a house: who takes the mail that comes back, and what is made of it."""

import ssl
from typing import TYPE_CHECKING

from postroad.config import Settings
from postroad.features.accounts import Streams
from postroad.features.inbound import Addresses, Arrivals, Inbound, InboundSettings, Reader
from postroad.features.suppressions import Suppressions
from postroad.model.clock import DAY, Clock
from postroad.model.ids import Mint
from postroad.pipeline.outcomes.rules import Rulebook
from postroad.smtpd.certificate import Certificate
from postroad.smtpd.exchange import Exchange
from postroad.smtpd.listener import Listener
from postroad.smtpd.visitors import Visitors
from postroad.store.database import Database
from postroad.store.wakeup import WakeUp
from postroad.wire.smtp.server_settings import ServerSettings

if TYPE_CHECKING:
    from postroad.app.house import House

_RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8


class CertificateUnusable(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """The certificate that is set cannot be used."""


def mail_back(
    *,
    settings: Settings,
    database: Database,
    clock: Clock,
    mint: Mint,
    key: bytes,
    streams: Streams,
    suppressions: Suppressions,
    told: WakeUp,
    node: str,
    rulebook: Rulebook,
) -> tuple[Arrivals, Inbound]:
    """Return who keeps mail as it comes in, and who reads it; `key` is that of return paths."""
    arrived = WakeUp()
    arrivals = Arrivals(
        database, clock, mint, addresses=Addresses(settings, key, hostname_of(settings)), arrived=arrived.ring
    )
    inbound = Inbound(
        database=database,
        clock=clock,
        mint=mint,
        reader=Reader(settings.exchange.read_timeout_s),
        streams=streams,
        suppressions=suppressions,
        key=key,
        arrived=arrived,
        told=told.ring,
        rulebook=rulebook,
        settings=InboundSettings(
            node=node,
            window=int(settings.exchange.window_days * DAY),
            spare_transactional=settings.exchange.spare_transactional,
            reserved_domain=settings.testing.reserved_domain.lower(),
        ),
    )
    return arrivals, inbound


def hostname_of(settings: Settings) -> str:
    """Return the name under which the exchange is known."""
    return settings.exchange.hostname or settings.delivery.hostname or "localhost"


def exchange(house: "House") -> Listener:
    """Return the listener of a house.

    Raises:
        CertificateUnusable: its files cannot be read, or do not belong together.
    """
    settings = house.settings.exchange
    certificate = _certificate(house.settings)

    def session(ip: str) -> Exchange:
        return Exchange(house.arrivals, ip=ip, kept_octets=settings.kept_octets)

    return Listener(
        ServerSettings(
            name=hostname_of(house.settings),
            starttls=certificate is not None,
            message_octets=settings.message_octets,
            recipients=_RECIPIENTS,
        ),
        session,
        most=settings.connections,
        idle_s=settings.idle_s,
        visitors=Visitors(settings.connections_per_client, settings.connections_per_minute),
        greeting_delay_s=settings.greeting_delay_s,
        conversation_s=settings.conversation_s,
        tls=None if certificate is None else certificate.context,
    )


def _certificate(settings: Settings) -> Certificate | None:
    chain, key = settings.exchange.tls_certificate, settings.exchange.tls_key
    if chain is None or key is None:
        return None
    try:
        return Certificate(chain, key)
    except (OSError, ssl.SSLError) as problem:
        raise CertificateUnusable(
            f"the certificate of the exchange cannot be used ({problem}); correct exchange.tls_certificate and "
            "exchange.tls_key, or leave both out to go without TLS"
        ) from problem
