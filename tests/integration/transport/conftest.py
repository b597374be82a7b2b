"""A recipient's domain with all that secures its mail: Postfix, a signed zone behind unbound, a policy over HTTPS."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import pytest_asyncio

from peers.certificate import write_certificate
from peers.dns import DnsServer, a, dns_server, mx
from peers.fixtures import present
from peers.postfix import PostfixServer, postfix_server
from peers.process import LOOPBACK
from postroad.app.transporting import contexts_of, knowledge, transport_of
from postroad.config import Settings
from postroad.config.tls import Tls
from postroad.config.tree import Delivery
from postroad.features.transport import Transport
from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.pipeline.deliver import Deliverer, DeliverSettings
from postroad.store.database import Database
from stores import database, postgres_template, sqlite_template, store_url

__all__ = ["database", "postgres_template", "sqlite_template", "store_url"]

DOMAIN = "safe.test"
HOST = f"mx.{DOMAIN}"
MX_HOST = "127.0.0.4"
POLICY = f"version: STSv1\nmode: enforce\nmx: {HOST}\nmax_age: 86400\n"


@dataclass(slots=True)
class PolicyServer:
    """A web server with a certificate that holds; what it answers may change."""

    port: int
    certificate: Path
    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    body: str = POLICY
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def policy_server(tmp_path: Path) -> Iterator[PolicyServer]:
    certificate, key = write_certificate(tmp_path, [f"mta-sts.{DOMAIN}", f"mta-sts.forged.{DOMAIN}"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.paths.append(f"{self.headers['host']}{self.path}")
            octets = served.body.encode()
            self.send_response(served.status)
            self.send_header("content-type", served.kind)
            self.send_header("content-length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Stay silent."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served = PolicyServer(server.server_address[1], certificate)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="session")
def postfix() -> Iterator[PostfixServer]:
    with present(postfix_server(host=MX_HOST, domains=(DOMAIN, f"forged.{DOMAIN}"))) as server:
        yield server


@pytest.fixture(scope="session")
def signed() -> Iterator[DnsServer]:
    with present(dns_server(signed=True, insecure=("unsigned.test",))) as server:
        yield server


@pytest.fixture
def zone(signed: DnsServer) -> DnsServer:
    """A signed zone in which the domain has a mail exchanger and a policy server, but no policy yet."""
    signed.change([mx(DOMAIN, HOST), a(HOST, MX_HOST), a(f"mta-sts.{DOMAIN}")], servfail=())
    return signed


class MovingClock:
    """A clock that shows the time, and more when told."""

    def __init__(self, now: Instant) -> None:
        self.at = now

    def now(self) -> Instant:
        return self.at


@dataclass(slots=True)
class Sender:
    """What sends: a deliverer with what is known of TLS."""

    deliverer: Deliverer
    transport: Transport
    clock: MovingClock

    def message(self, domain: str = DOMAIN, *, subject: str = "a", **tls: bool) -> Composed:
        octets = f"Subject: {subject}\r\n\r\nHello\r\n".encode()
        return Composed("a@us.example", f"b@{domain}", octets, smtputf8=False, sha256=b"", **tls)


@pytest.fixture
def settings(zone: DnsServer, postfix: PostfixServer, policy_server: PolicyServer, tmp_path: Path) -> Settings:
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(postfix.certificate.read_bytes() + policy_server.certificate.read_bytes())
    return Settings(
        delivery=Delivery(
            hostname="us.example",
            mx_port=postfix.port,
            resolvers=(zone.address,),
            allow_private_addresses=True,
        ),
        tls=Tls(authorities=authorities, mta_sts_port=policy_server.port),
    )


@pytest_asyncio.fixture
async def sender(settings: Settings, zone: DnsServer, database: Database) -> AsyncIterator[Sender]:
    clock = MovingClock(Instant(time.time_ns() // 1000))
    transport, egress = transport_of(settings, database, clock)
    delivery = settings.delivery
    deliverer = Deliverer(
        DeliverSettings(
            hostname="us.example",
            mx_port=delivery.mx_port,
            resolvers=((zone.host, zone.port),),
            allow_private_addresses=True,
        ),
        clock=clock,
        chance=lambda: 0.5,
        contexts=contexts_of(settings),
        tls=knowledge(transport),
    )
    yield Sender(deliverer, transport, clock)
    await deliverer.drain()
    await egress.aclose()
