"""Our own server as a process with a client of its API, the records of its sending domain in DNS, and what to check."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dkim
import httpx
from dns.message import make_query
from dns.query import udp_with_fallback
from dns.rdatatype import TXT

from peers.dns import DnsServer, Record
from peers.postroad import PostroadServer, postroad_server

Document = dict[str, Any]

TERMINAL = frozenset({"delivered", "bounced", "expired", "suppressed", "canceled", "rejected"})
QUICK = {"POSTROAD_DELIVERY_COMPOSE_WORKERS": "0"}
"""Starts without processes of its own that compose; one test runs with them."""
PATIENCE_S = 30.0
"""How long a test waits for what takes a moment on an idle machine; many of them run at once on two cores."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API under one key."""

    client: httpx.Client

    def send(self, **draft: object) -> Document:
        """Send a message and return the answer; `sender` stands for `from`."""
        answer = self.post("/v1/messages", json=_draft(draft))
        assert answer.status_code == 202, answer.text
        return answer.json()

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.client.post(path, **request)

    def get(self, path: str) -> Document:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, **draft: object) -> Document:
        """Return the problem that a message is refused with."""
        answer = self.post("/v1/messages", json=_draft(draft))
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.json()

    def when(
        self, sent: Document, holds: Callable[[Document], bool], *, timeout_s: float = PATIENCE_S, every_s: float = 0.05
    ) -> Document:
        """Return the message once `holds` is true of it; fails with what it was instead."""
        deadline = time.monotonic() + timeout_s
        while not holds(message := self.get(f"/v1/messages/{sent['id']}")):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_s:g} s: {message}")
            time.sleep(every_s)
        return message

    def ended(self, sent: Document, state: str, *, timeout_s: float = PATIENCE_S) -> Document:
        """Return the message once every delivery has come to its end, which must be `state`."""
        message = self.when(
            sent, lambda found: all(each["state"] in TERMINAL for each in found["deliveries"]), timeout_s=timeout_s
        )
        assert {each["state"] for each in message["deliveries"]} == {state}, message
        return message

    def raw(self, message: Document, at: int = 0) -> bytes:
        """Return the octets of a delivery."""
        answer = self.client.get(f"/v1/messages/{message['id']}/deliveries/{message['deliveries'][at]['id']}/raw")
        assert answer.status_code == 200, answer.text
        return answer.content

    def attempts(self, message: Document, at: int = 0) -> list[Document]:
        """Return the attempts of a delivery."""
        return self.get(f"/v1/messages/{message['id']}/deliveries/{message['deliveries'][at]['id']}/attempts")["data"]

    def upload(self, octets: bytes) -> str:
        """Keep octets as a blob and return its name."""
        answer = self.post("/v1/blobs", content=octets)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"blob": hashlib.sha256(octets).hexdigest(), "size": len(octets)}
        return str(answer.json()["blob"])


def _draft(draft: Mapping[str, object]) -> Document:
    return {"from" if name == "sender" else name: value for name, value in draft.items()}


@contextmanager
def api_of(server: PostroadServer, key: str) -> Iterator[Api]:
    """A client of a server."""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client:
        yield Api(client)


@contextmanager
def serving(
    *, dns: DnsServer | None = None, more: Mapping[str, str] | None = None, command: tuple[str, ...] = ("serve",)
) -> Iterator[PostroadServer]:
    """A server that runs on a fresh data directory; at the end it is stopped, which must go as it should."""
    settings = {**QUICK, "POSTROAD_LOG_LEVEL": "info", **(more or {})}
    with postroad_server(dns=dns, more=settings, command=command) as node:
        node.start()
        yield node
        assert node.stop() == 0
        assert not errors_in(node.log(1_000_000))


def errors_in(log: str) -> list[str]:
    """The errors in a log, but for the alarm that the tests' PostgreSQL syncs nothing."""
    return [line for line in log.splitlines() if '"level": "error"' in line and "commits_not_durable" not in line]


def verified(api: Api, dns: DnsServer, domain: str) -> Document:
    """Create a sending domain over the API, put what it wants into DNS, and have it verified."""
    created = api.post("/v1/domains", json={"name": domain})
    assert created.status_code == 201, created.text
    assert created.json()["state"] == "pending"
    dns.add(*(Record(each["name"], each["type"], each["value"]) for each in created.json()["records"]))
    checked = api.post(f"/v1/domains/{domain}/check")
    assert (checked.status_code, checked.json()["state"]) == (200, "verified"), checked.text
    return checked.json()


def texts(dns: DnsServer, name: str) -> list[bytes]:
    """Return the TXT records of a name as the resolver tells them."""
    answer, _ = udp_with_fallback(make_query(name, TXT), dns.host, port=dns.port, timeout=5)
    return [b"".join(record.strings) for rrset in answer.answer for record in rrset if record.rdtype == TXT]


def signatures(octets: bytes, dns: DnsServer) -> dict[str, str]:
    """Verify every DKIM signature with dkimpy and the keys in DNS; returns the signing domains by algorithm."""

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        found = texts(dns, name.decode())
        return found[0] if found else None

    examined = dkim.DKIM(octets, minkey=1024)
    count = sum(name.lower() == b"dkim-signature" for name, _ in examined.headers)
    found: dict[str, str] = {}
    for index in range(count):
        assert examined.verify(index, dnsfunc=look_up), (index, octets[:2000])
        found[examined.signature_fields[b"a"].decode()] = examined.signature_fields[b"d"].decode()
    return found
