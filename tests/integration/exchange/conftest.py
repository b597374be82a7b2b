"""A server whose bounces come back: real mail servers take its mail, fail to deliver it, and report to its exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.road.living import Api, api_of, serving, verified
from peers.certificate import write_certificate
from peers.dns import a, dns_server, mx, txt
from peers.exim import exim_server
from peers.fixtures import present
from peers.opensmtpd import opensmtpd_server
from peers.postfix import postfix_server
from peers.postroad import PostroadServer
from peers.process import LOOPBACK, free_port, workplace
from peers.refuser import refuser

RETURN_PATH = "bounces.bench.test"
REPLIES = {
    "nobody": "550 5.1.1 No such user here",
    "full": "552 5.2.2 Mailbox is full",
    "spam": "554 5.7.1 Message rejected: it looks like spam",
}
"""What the server behind each mail server says to RCPT, by how the local part begins."""
HOSTS = {"postfix": "127.0.0.11", "exim": "127.0.0.12", "opensmtpd": "127.0.0.13"}


@dataclass(frozen=True, slots=True)
class Circuit:
    """The server, its API, and how to have one of the mail servers running."""

    node: PostroadServer
    api: Api
    exchange_port: int
    mx_port: int
    inner_port: int
    sender: str = "hello@shop.test"


@pytest.fixture(scope="session")
def circuit() -> Iterator[Circuit]:
    """A server with its exchange, and DNS that leads to each of the mail servers."""
    mx_port, exchange_port = free_port("127.0.0.11"), free_port()
    records = [txt(RETURN_PATH, "v=spf1 ip4:127.0.0.1 -all"), mx(RETURN_PATH, "mail.bench.test")]
    for name, host in HOSTS.items():
        records += [mx(f"{name}.test", f"mx.{name}.test"), a(f"mx.{name}.test", host)]
    with ExitStack() as stack:
        dns = stack.enter_context(present(dns_server(records)))
        inner = stack.enter_context(refuser(REPLIES))
        certificate, key = write_certificate(stack.enter_context(workplace("exchange")), ["mail.bench.test"])
        more = {
            "POSTROAD_DELIVERY_MX_PORT": str(mx_port),
            "POSTROAD_DELIVERY_ALLOW_PRIVATE_ADDRESSES": "true",
            "POSTROAD_EXCHANGE_ENABLED": "true",
            "POSTROAD_EXCHANGE_HOST": LOOPBACK,
            "POSTROAD_EXCHANGE_PORT": str(exchange_port),
            "POSTROAD_EXCHANGE_TLS_CERTIFICATE": str(certificate),
            "POSTROAD_EXCHANGE_TLS_KEY": str(key),
        }
        node = stack.enter_context(serving(dns=dns, more=more))
        api = stack.enter_context(api_of(node, node.key()))
        verified(api, dns, "shop.test")
        yield Circuit(node, api, exchange_port, mx_port, inner)


@pytest.fixture(scope="session")
def postfix(circuit: Circuit) -> Iterator[Callable[[], str]]:
    settings = {
        "relay_domains": "postfix.test",
        "relay_transport": f"relay:[{LOOPBACK}]:{circuit.inner_port}",
        "relayhost": f"[{LOOPBACK}]:{circuit.exchange_port}",
        "smtp_tls_security_level": "may",
    }
    with present(postfix_server(host=HOSTS["postfix"], port=circuit.mx_port, settings=settings)) as server:
        yield server.log


@pytest.fixture(scope="session")
def exim(circuit: Circuit) -> Iterator[Callable[[], str]]:
    running = exim_server(
        "exim.test", host=HOSTS["exim"], port=circuit.mx_port, inner=circuit.inner_port, back=circuit.exchange_port
    )
    with present(running) as log:
        yield lambda: _end(log)


@pytest.fixture(scope="session")
def opensmtpd(circuit: Circuit) -> Iterator[Callable[[], str]]:
    running = opensmtpd_server(
        "opensmtpd.test",
        host=HOSTS["opensmtpd"],
        port=circuit.mx_port,
        inner=circuit.inner_port,
        back=circuit.exchange_port,
    )
    with present(running) as log:
        yield lambda: _end(log)


def _end(log: Path) -> str:
    return log.read_text()[-4000:] if log.exists() else ""
