"""What every experiment stands on: a DNS, nodes of Postroad with a verified domain, and somebody who asks."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import cast

import msgspec

from faults import sabotage
from faults.frame import ROOT, Options
from faults.injector import Client
from peers.dns import DnsServer, Record, dns_server
from peers.postgres import PostgresServer, postgres_server
from peers.postroad import PostroadServer, postroad_server

DOMAIN = "faults.test"
SENDER = f"Faults <faults@{DOMAIN}>"
TERMINAL = frozenset({"delivered", "bounced", "expired", "suppressed", "canceled", "rejected"})
SHORT = {
    "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "1.5",
    "POSTROAD_STREAMS_RETRY_DELAYS_S": "0.6,1,2",
    "POSTROAD_DELIVERY_LEASE_S": "45",
}
"""The waits of production, shortened; no rule is switched off."""
TIMEOUTS = ("CONNECT", "BANNER", "EHLO", "TLS", "AUTH", "MAIL", "RCPT", "DATA", "BLOCK", "DOT")


def to_exchangers(port: int, timeout_s: float = 2.0) -> dict[str, str]:
    """Settings for mail to scripted servers on loopback, with every timeout of a phase the same."""
    return {
        "POSTROAD_DELIVERY_MX_PORT": str(port),
        "POSTROAD_DELIVERY_ALLOW_PRIVATE_ADDRESSES": "true",
        **{f"POSTROAD_DELIVERY_TIMEOUTS_{name}_S": str(timeout_s) for name in TIMEOUTS},
    }


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to one recipient that was answered 202."""

    recipient: str
    message_id: str
    delivery_id: str
    at: float
    """When it was answered (monotonic)."""


class Attempt(msgspec.Struct, frozen=True):
    """What the API says of one attempt, as far as the experiments need it."""

    number: int
    outcome: str | None = None
    phase: str | None = None
    trouble: str | None = None
    ip: str | None = None
    mx: str | None = None
    tls: dict[str, object] | None = None
    reply: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one delivery at the end."""

    state: str
    possible_duplicate: bool
    reason: Mapping[str, object]
    attempts: Sequence[Attempt]
    events: Sequence[str]


@dataclass(slots=True)
class Stage:
    """The nodes and who asks them."""

    nodes: list[PostroadServer]
    dns: DnsServer
    postgres: PostgresServer | None
    key: str = ""
    _client: Client | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def node(self) -> PostroadServer:
        """The first node."""
        return self.nodes[0]

    @property
    def client(self) -> Client:
        """A client of all nodes, for one thread."""
        if self._client is None:
            self._client = Client([node.port for node in self.nodes], self.key, "stage")
        return self._client

    def open(self, *, broken: bool = False) -> None:
        """Start the nodes, verify the domain, make a key; a broken build takes over once a sound one has done that."""
        self.node.start()
        self.node.verified_domain(DOMAIN, self.dns)
        self.key = self.node.key()
        if broken:
            self.node.stop()
            for node in self.nodes:
                node.module = "faults.sabotage"
            self.node.start()
        for node in self.nodes[1:]:
            node.start()

    def send(self, recipient: str, *, subject: str = "Fault", text: str = "Hello.\n", until_s: float = 20) -> Sent:
        """Send one message; raises as `Client.insist` does."""
        document = {"from": SENDER, "to": [recipient], "subject": subject, "text": text}
        headers = {"idempotency-key": f"stage-{next(self._numbers)}-{recipient}"}
        body = msgspec.json.encode(document)
        _, answer, _ = self.client.insist("POST", "/v1/messages", body, headers, time.monotonic() + until_s)
        found = msgspec.json.decode(answer)
        return Sent(recipient, found["id"], found["deliveries"][0]["id"], time.monotonic())

    def send_many(self, recipients: Sequence[str], *, subject: str = "Fault", text: str = "Hello.\n") -> list[Sent]:
        """Send one message to each, in batches."""
        sent: list[Sent] = []
        for start in range(0, len(recipients), 200):
            part = recipients[start : start + 200]
            batch = [{"from": SENDER, "to": [each], "subject": subject, "text": text} for each in part]
            body = msgspec.json.encode({"messages": batch})
            headers = {"idempotency-key": f"stage-{next(self._numbers)}"}
            _, answer, _ = self.client.insist("POST", "/v1/messages/batch", body, headers, time.monotonic() + 60)
            now = time.monotonic()
            for each, found in zip(part, msgspec.json.decode(answer)["data"], strict=True):
                sent.append(Sent(each, found["id"], found["deliveries"][0]["id"], now))
        return sent

    def get(self, path: str) -> dict[str, object]:
        """Read something."""
        _, body, _ = self.client.insist("GET", path, None, {}, time.monotonic() + 30)
        return cast("dict[str, object]", msgspec.json.decode(body))

    def state(self, sent: Sent) -> str:
        """Where a delivery stands."""
        deliveries = cast("list[dict[str, object]]", self.get(f"/v1/messages/{sent.message_id}")["deliveries"])
        return str(deliveries[0]["state"])

    def see(self, sent: Sent) -> Seen:
        """Read all there is about a delivery."""
        message = self.get(f"/v1/messages/{sent.message_id}")
        (delivery,) = cast("list[dict[str, object]]", message["deliveries"])
        path = f"/v1/messages/{sent.message_id}/deliveries/{sent.delivery_id}/attempts"
        attempts = msgspec.convert(self.get(path)["data"], list[Attempt])
        events = cast("list[dict[str, object]]", message["events"])
        return Seen(
            state=str(delivery["state"]),
            possible_duplicate=bool(delivery.get("possible_duplicate")),
            reason=cast("dict[str, object]", delivery.get("reason") or {}),
            attempts=attempts,
            events=[str(event["type"]) for event in events],
        )

    def await_states(
        self, sent: Sequence[Sent], states: frozenset[str] = TERMINAL, *, timeout_s: float
    ) -> dict[str, str]:
        """Wait until all stand in one of `states` or the time is over; returns the state by delivery."""
        deadline = time.monotonic() + timeout_s
        found: dict[str, str] = {}
        left = list(sent)
        while left:
            for each in left:
                found[each.delivery_id] = self.state(each)
            left = [each for each in left if found[each.delivery_id] not in states]
            if time.monotonic() > deadline:
                break
            time.sleep(0.25 if left else 0)
        return found

    def see_all(self, sent: Sequence[Sent], states: frozenset[str] = TERMINAL, *, timeout_s: float) -> dict[str, Seen]:
        """Wait as `await_states` does, then read all about each; by recipient."""
        self.await_states(sent, states, timeout_s=timeout_s)
        return {each.recipient: self.see(each) for each in sent}


@contextmanager
def stage(
    options: Options,
    settings: Mapping[str, str],
    *,
    records: Sequence[Record] = (),
    nodes: int = 1,
    defect: str | None = None,
    dns: DnsServer | None = None,
    opened: bool = True,
) -> Iterator[Stage]:
    """Set everything up and, unless told otherwise, open it; `defect` names how the nodes are broken."""
    with ExitStack() as stack:
        server = stack.enter_context(dns_server(records)) if dns is None else dns
        more = {**SHORT, **settings}
        postgres = None
        if options.engine == "postgresql" and "POSTROAD_DATABASE_URL" not in more:
            postgres = stack.enter_context(postgres_server(durable=True))
            more["POSTROAD_DATABASE_URL"] = postgres.database()
        if defect is not None:
            more |= {sabotage.VARIABLE: defect, "PYTHONPATH": python_path()}
        started = []
        for _ in range(nodes):
            node = stack.enter_context(postroad_server(dns=server, more=more))
            started.append(node)
        made = Stage(started, server, postgres)
        if opened:
            made.open(broken=defect is not None)
        try:
            yield made
        finally:
            if made._client is not None:
                made._client.close()
            for number, node in enumerate(started):
                if options.directory.is_dir():
                    (options.directory / f"server-{number}.log").write_text(node.log(1_000_000))


def python_path() -> str:
    """Where `faults` and what it imports are found by a process of its own."""
    given = os.environ.get("PYTHONPATH")
    return ":".join([*([given] if given else []), str(ROOT / "src"), str(ROOT), str(ROOT / "tests")])


def wait_for(happened: Callable[[], bool], timeout_s: float, every_s: float = 0.05) -> bool:
    """Wait until something is so; tells whether it was in time."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
