"""A server under production settings: verified TLS by wish, sources and relays, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from integration.road.conftest import INBOX, INBOX_HOST
from integration.road.living import Api, Document, api_of, serving, verified
from peers.dns import DnsServer, a, dns_server, mx
from peers.fixtures import present
from peers.postfix import PostfixServer
from peers.postroad import PostroadServer
from peers.process import LOOPBACK, free_port, wait_until

_DOMAIN = "safe-shop.test"
_RELAYED = "relayed.test"


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    records = [
        *(mx(INBOX, f"mx.{INBOX}"), a(f"mx.{INBOX}", INBOX_HOST)),
        *(mx("other.test", "mx.other.test"), a("mx.other.test", INBOX_HOST)),
        *(mx(_RELAYED, f"mx.{INBOX}"), mx("bounces.bench.test", "mail.bench.test")),
    ]
    with present(dns_server(records)) as server:
        yield server


@pytest.fixture(scope="module")
def node(names: DnsServer, postfix: PostfixServer) -> Iterator[PostroadServer]:
    """A server that trusts the Postfix's certificate, sends from an address of its own, and has two relays."""
    spare = f"smtp://{INBOX_HOST}:{postfix.port}?security=smtp"
    relays = [
        {"name": "away", "url": f"smtp://{LOOPBACK}:{free_port(LOOPBACK)}", "priority": 1},
        {"name": "spare", "url": spare, "priority": 2},
    ]
    more = {
        "POSTROAD_DELIVERY_MX_PORT": str(postfix.port),
        "POSTROAD_DELIVERY_ALLOW_PRIVATE_ADDRESSES": "true",
        "POSTROAD_DELIVERY_POOL": "out",
        "POSTROAD_DELIVERY_ROUTES": json.dumps([{"route": "relay", "domain": _RELAYED, "relays": ["away", "spare"]}]),
        "POSTROAD_SOURCES": json.dumps([{"name": "out", "ipv4": "127.0.0.9", "hostname": "out.bench.test"}]),
        "POSTROAD_RELAYS": json.dumps(relays),
        "POSTROAD_TLS_AUTHORITIES": str(postfix.certificate),
    }
    with ExitStack() as stack:
        yield stack.enter_context(serving(dns=names, more=more))


@pytest.fixture(scope="module")
def api(node: PostroadServer, names: DnsServer) -> Iterator[Api]:
    with api_of(node, node.key()) as found:
        verified(found, names, _DOMAIN)
        yield found


def attempt_of(api: Api, sent: Document, state: str) -> tuple[Document, Document]:
    """Wait until the message's delivery stands in a state; return the delivery and its last attempt."""
    found: list[Document] = []

    def there() -> bool:
        found[:] = [api.get(f"/v1/messages/{sent['id']}")]
        return bool(found[0]["deliveries"][0]["state"] == state)

    wait_until(there, timeout_s=30, what=f"{state}, instead of {found}")
    return found[0]["deliveries"][0], found[0]["latest_attempt"]


def send(api: Api, to: str, **draft: object) -> Document:
    return api.send(sender=f"a@{_DOMAIN}", to=to, subject="Hello", text="Hello\n", **draft)


def test_mail_that_requires_tls_arrives_verified_from_its_source(api: Api, postfix: PostfixServer) -> None:
    sent = send(api, f"ann@{INBOX}", require_tls=True)
    _, attempt = attempt_of(api, sent, "delivered")
    assert (attempt["tls_policy"], attempt["source"]) == ("required", "out")
    assert attempt["tls"]["verified"] is True
    assert attempt["tls"]["subject"] == f"CN=mx.{INBOX}"
    mail = next(mail for mail in reversed(postfix.mail()) if mail.recipient == f"ann@{INBOX}")
    assert "out.bench.test" in mail.received
    assert "127.0.0.9" in mail.received


def test_without_a_certificate_that_holds_it_waits(api: Api) -> None:
    sent = send(api, "ann@other.test", require_tls=True)
    delivery, attempt = attempt_of(api, sent, "deferred")
    assert delivery["reason"]["class"] == "tls_required_failed"
    assert attempt["tls_policy"] == "required"
    answer = api.get(f"/v1/messages/{sent['id']}/explain")["recipients"][0]
    assert answer["decision"]["class"] == "tls_required_failed"
    assert "requires verified TLS" in answer["last_attempt"]["tls_told"]


def test_the_next_relay_takes_over(api: Api) -> None:
    _, attempt = attempt_of(api, send(api, f"ann@{_RELAYED}"), "delivered")
    assert attempt["route"] == "spare"
    assert attempt["conversation"][0]["text"].startswith("<relay away:")


def test_sessions_are_counted_for_reports(api: Api, node: PostroadServer) -> None:
    attempt_of(api, send(api, f"ann@{INBOX}"), "delivered")
    reports = node.tell("tlsrpt", "--domain", INBOX)["data"]
    assert isinstance(reports, list)
    assert reports[0]["policies"][0]["policy"]["policy-type"] == "no-policy-found"
    assert reports[0]["policies"][0]["summary"]["total-successful-session-count"] >= 1
    assert node.tell("tls", "broken")["data"] == []
