"""The road: a server under production settings, a Postfix that its mail goes to, and the DNS that leads there."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from integration.road.living import Api, Document, api_of, serving, signatures, verified
from peers.dns import DnsServer, a, dns_server, mx, txt
from peers.fixtures import present
from peers.mta import Behaviour, MailSink, mail_sink
from peers.postfix import Arrived, PostfixServer, postfix_server
from peers.postgres import PostgresServer
from peers.postroad import PostroadServer
from peers.process import wait_until

INBOX = "inbox.test"
INBOX_HOST = "127.0.0.2"
SLOW = "slow.test"
SLOW_HOST = "127.0.0.3"
_UNKNOWN = "regexp:{{!/^nobody/ inbox/}}"
"""Everybody at the Postfix has a mailbox but those called `nobody…`."""
_PLAIN_LOCAL_PARTS = {"allow_percent_hack": "no", "swap_bangpath": "no", "recipient_delimiter": ""}


@dataclass(frozen=True, slots=True)
class Road:
    """The server and what lies around it; `domain` is verified and may send."""

    node: PostroadServer
    api: Api
    dns: DnsServer
    postfix: PostfixServer
    sink: MailSink
    domain: str
    shown: Document
    """The domain as its check showed it."""

    @property
    def sender(self) -> str:
        return f"hello@{self.domain}"

    def meet(self, behaviour: Behaviour) -> None:
        """Have the slow server behave like this towards new connections; those there are, it closes."""
        self.sink.behave(behaviour)
        self.sink.stop()
        self.sink.start()

    def arrived(self, header_id: str, count: int = 1) -> list[Arrived]:
        """Wait until so many copies of a message lie in the Maildir."""
        wanted = f"<{header_id}>".encode()

        def copies() -> list[Arrived]:
            return [mail for mail in self.postfix.mail() if wanted in mail.octets.partition(b"\r\n\r\n")[0]]

        wait_until(lambda: len(copies()) >= count, timeout_s=30, what=f"{count} of {header_id}", every_s=0.05)
        return copies()

    def delivered(self, **draft: object) -> tuple[Document, list[Arrived]]:
        """Send from our domain, and return the message once delivered and every copy that arrived, duly signed."""
        sent = self.api.send(**{"sender": self.sender, **draft})
        message = self.api.ended(sent, "delivered")
        copies = self.arrived(message["header_id"], len(message["deliveries"]))
        for copy in copies:
            assert signatures(copy.octets, self.dns) == {"rsa-sha256": self.domain, "ed25519-sha256": self.domain}
        return message, copies


@pytest.fixture(scope="session")
def postfix() -> Iterator[PostfixServer]:
    settings = {"virtual_mailbox_maps": _UNKNOWN, **_PLAIN_LOCAL_PARTS}
    with present(postfix_server(host=INBOX_HOST, domains=(INBOX, "xn--bcher-kva.test"), settings=settings)) as server:
        yield server


@pytest.fixture(scope="session")
def slow(postfix: PostfixServer) -> Iterator[MailSink]:
    """A mail server that puts off whoever is called `later`, at the port that all exchangers listen on."""
    with mail_sink(Behaviour(keep=True), host=SLOW_HOST, port=postfix.port) as sink:
        yield sink


@pytest.fixture(scope="session")
def internet() -> Iterator[DnsServer]:
    records = [
        *(mx(INBOX, f"mx.{INBOX}"), mx("xn--bcher-kva.test", f"mx.{INBOX}"), a(f"mx.{INBOX}", INBOX_HOST)),
        *(mx(SLOW, f"mx.{SLOW}"), a(f"mx.{SLOW}", SLOW_HOST)),
        mx("null.test", ".", 0),
        *(txt("bounces.bench.test", "v=spf1 ip4:127.0.0.1 -all"), mx("bounces.bench.test", "mail.bench.test")),
    ]
    with present(dns_server(records)) as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def road(request: pytest.FixtureRequest, internet: DnsServer, postfix: PostfixServer, slow: MailSink) -> Iterator[Road]:
    """A server on each engine, its mail routed by MX records, with a domain verified over the API."""
    more = {
        "POSTROAD_DELIVERY_MX_PORT": str(postfix.port),
        "POSTROAD_DELIVERY_ALLOW_PRIVATE_ADDRESSES": "true",
        "POSTROAD_STREAMS_RETRY_DELAYS_S": "1",
    }
    engine = str(request.param)
    if engine == "postgresql":
        cluster: PostgresServer = request.getfixturevalue("postgres")
        more["POSTROAD_DATABASE_URL"] = cluster.database()
    with ExitStack() as stack:
        node = stack.enter_context(serving(dns=internet, more=more))
        api = stack.enter_context(api_of(node, node.key()))
        domain = f"{engine}-shop.test"
        shown = verified(api, internet, domain)
        yield Road(node, api, internet, postfix, slow, domain, shown)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the servers of a test that failed."""
    report = yield
    if report.failed:
        for name, found in item.funcargs.items():
            for node in found if isinstance(found, list) else [getattr(found, "node", found)]:
                if isinstance(node, PostroadServer):
                    report.sections.append((f"the end of the log of {name} {node.directory}", node.log(8000)))
    return report
