"""The peers as pytest fixtures: heavy ones once per session and only when asked for, their contents fresh per test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import pytest

from peers.dns import DnsServer, dns_server
from peers.http import HttpReceiver, http_receiver
from peers.mta import Behaviour, MailSink, mail_sink
from peers.postfix import PostfixServer, postfix_server
from peers.postgres import PostgresServer, postgres_server
from peers.process import PartMissing

Peer = TypeVar("Peer")

MX_HOST = "127.0.0.2"
MX_DOMAINS = ("alpha.test", "beta.test", "xn--bcher-kva.test")


@contextmanager
def present(peer: AbstractContextManager[Peer]) -> Iterator[Peer]:
    """Enter a peer; where its program is missing, fail in CI and skip elsewhere."""
    try:
        running = peer.__enter__()
    except PartMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have every peer: {missing}")
        pytest.skip(str(missing))
    try:
        yield running
    finally:
        peer.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL cluster without fsync, shared by the session."""
    with present(postgres_server()) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    url = postgres.database()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def exchange() -> Iterator[PostfixServer]:
    """A Postfix that is the final destination of `MX_DOMAINS`, shared by the session: look for your own recipients."""
    with present(postfix_server(host=MX_HOST, domains=MX_DOMAINS)) as server:
        yield server


@pytest.fixture(scope="session")
def shared_dns() -> Iterator[DnsServer]:
    with present(dns_server()) as server:
        yield server


@pytest.fixture
def dns(shared_dns: DnsServer) -> DnsServer:
    """A resolver that knows nothing yet: `dns.change([...])`."""
    shared_dns.change([], servfail=(), silent=())
    return shared_dns


@pytest.fixture
def sink() -> Iterator[MailSink]:
    """A recording mail server that keeps the octets."""
    with mail_sink(Behaviour(keep=True)) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A receiver of webhooks."""
    with http_receiver() as running:
        yield running
