"""What a killed server had in hand: it arrives, and twice only where nobody can know whether it did."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from integration.road.living import Api, Document, api_of, verified
from peers.dns import DnsServer, dns_server, mx, txt
from peers.fixtures import present
from peers.mta import Behaviour, Entry, MailSink, mail_sink
from peers.postgres import PostgresServer
from peers.postroad import PostroadServer, postroad_server, relaying
from peers.process import wait_until

AT_THE_DOT = 60
"""Connections to the sink, and so messages whose reply is awaited when the server is killed."""


@pytest.fixture(scope="module")
def resolver() -> Iterator[DnsServer]:
    records = [txt("bounces.bench.test", "v=spf1 ip4:127.0.0.1 -all"), mx("bounces.bench.test", "mail.bench.test")]
    with present(dns_server(records)) as server:
        yield server


@pytest.fixture
def sink() -> Iterator[MailSink]:
    """A recording mail server that takes its time over the last reply."""
    with mail_sink(Behaviour(latency_s=20)) as running:
        yield running


def settings(sink: MailSink, **more: str) -> dict[str, str]:
    return {
        **relaying(sink.port),
        "POSTROAD_LOG_LEVEL": "info",
        "POSTROAD_DELIVERY_COMPOSE_WORKERS": "1",
        "POSTROAD_DELIVERY_CONNECTIONS_PER_DESTINATION": str(AT_THE_DOT),
        "POSTROAD_STREAMS_RETRY_DELAYS_S": "1",
        "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "1",
        **{f"POSTROAD_{name.upper()}": value for name, value in more.items()},
    }


def send_many(api: Api, domain: str, count: int) -> dict[str, str]:
    """Send so many messages, and return message identifiers by recipient."""
    drafts = [
        {"from": f"hello@{domain}", "to": f"to{n}@customers.test", "subject": str(n), "text": "x"} for n in range(count)
    ]
    answer = api.post("/v1/messages/batch", json={"messages": drafts})
    assert answer.status_code == 202, answer.text
    return {item["deliveries"][0]["to"]: item["id"] for item in answer.json()["data"]}


def copies(sink: MailSink) -> dict[str, list[Entry]]:
    """What the sink accepted, by recipient."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in sink.ledger():
        found[entry.recipient].append(entry)
    return found


def all_ended(api: Api, sent: dict[str, str], *, timeout_s: float = 60) -> dict[str, Document]:
    """Wait until every message is delivered, and return the deliveries by recipient."""

    def delivered() -> bool:
        return sum(found["state"] == "delivered" for found in api.every_message()) >= len(sent)

    wait_until(delivered, timeout_s=timeout_s, what=f"{len(sent)} messages delivered", every_s=0.3)
    messages = [api.get(f"/v1/messages/{identifier}") for identifier in sent.values()]
    return {message["deliveries"][0]["to"]: message["deliveries"][0] for message in messages}


def attempts_by_node(url: str) -> list[tuple[str, int]]:
    """How many attempts each node made."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT node, count(*) FROM attempts GROUP BY node").fetchall()


def test_a_server_that_is_told_to_stop_finishes_what_it_began_and_hands_the_rest_back(
    resolver: DnsServer, sink: MailSink
) -> None:
    sink.behave(Behaviour(latency_s=1.5))
    with postroad_server(dns=resolver, more=settings(sink)) as node:
        node.start()
        key = node.key()
        with api_of(node, key) as api:
            verified(api, resolver, "stopped.test")
            sent = send_many(api, "stopped.test", 200)
            sink.await_entries(AT_THE_DOT)
            began = time.monotonic()
            assert node.stop() == 0
            assert time.monotonic() - began < 10
            assert states(node) == {"delivered": len(copies(sink)), "queued": len(sent) - len(copies(sink))}
            sink.behave(Behaviour())
            node.start()
            deliveries = all_ended(api, sent)
    assert {name: len(entries) for name, entries in copies(sink).items()} == dict.fromkeys(sent, 1)
    assert not any(found["possible_duplicate"] for found in deliveries.values())


def states(node: PostroadServer) -> dict[str, int]:
    """How many deliveries stand in which state on a server that does not run."""
    with closing(sqlite3.connect(f"file:{node.directory}/data/postroad.db?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())


def test_after_a_kill_everything_arrives_and_only_doubtful_mail_twice(resolver: DnsServer, sink: MailSink) -> None:
    with postroad_server(dns=resolver, more=settings(sink, streams_in_doubt_delay_s="6")) as node:
        node.start()
        key = node.key()
        with api_of(node, key) as api:
            verified(api, resolver, "killed.test")
            sent = send_many(api, "killed.test", 200)
            sink.await_entries(AT_THE_DOT)
            node.kill()
            doubtful = set(copies(sink))
            assert len(doubtful) == AT_THE_DOT
            sink.behave(Behaviour())
            node.start()
            deliveries = all_ended(api, sent)
            arrived = copies(sink)
        assert not node.orphans()
    assert set(arrived) == set(sent)
    assert {name for name, entries in arrived.items() if len(entries) > 1} == doubtful
    assert {name for name, found in deliveries.items() if found["possible_duplicate"]} == doubtful
    assert {len(arrived[name]) for name in doubtful} == {2}
    for entries in arrived.values():
        assert len({(entry.message_id, entry.sha256, entry.sender) for entry in entries}) == 1
    # What nobody can have got goes out at once, long before the wait for what somebody may have got is over.
    assert max(arrived[name][0].at_ns for name in set(sent) - doubtful) < min(
        arrived[name][1].at_ns for name in doubtful
    )


def test_two_nodes_share_the_work_and_send_nothing_twice(
    resolver: DnsServer, sink: MailSink, postgres: PostgresServer, tmp_path: object
) -> None:
    sink.behave(Behaviour(latency_s=0.05))
    shared = {
        **settings(sink, delivery_connections_per_destination="5", delivery_concurrency="40"),
        "POSTROAD_DATABASE_URL": postgres.database(),
        "POSTROAD_BLOBS_URL": f"file://{tmp_path}/blobs",
    }
    with (
        postroad_server(dns=resolver, more=shared) as first,
        postroad_server(dns=resolver, more=shared) as second,
    ):
        first.start(wait=False)
        second.start()
        first.await_ready()
        with api_of(first, first.key()) as api:
            verified(api, resolver, "shared.test")
            sent = send_many(api, "shared.test", 300)
            deliveries = all_ended(api, sent)
            arrived = copies(sink)
            workers = set(attempts_by_node(shared["POSTROAD_DATABASE_URL"]))
    assert {name: len(entries) for name, entries in arrived.items()} == dict.fromkeys(sent, 1)
    assert not any(found["possible_duplicate"] for found in deliveries.values())
    assert {found["attempts"] for found in deliveries.values()} == {1}
    assert len(workers) == 2, workers
    assert min(count for _, count in workers) > 30


def test_the_leases_of_a_dead_node_are_taken_over_by_the_other(
    resolver: DnsServer, sink: MailSink, postgres: PostgresServer, tmp_path: object
) -> None:
    shared = {
        **settings(sink, delivery_concurrency="120", delivery_lease_s="6"),
        "POSTROAD_DATABASE_URL": postgres.database(),
        "POSTROAD_BLOBS_URL": f"file://{tmp_path}/blobs",
    }
    with (
        postroad_server(dns=resolver, more=shared) as first,
        postroad_server(dns=resolver, more=shared) as second,
    ):
        first.start()
        with api_of(first, first.key()) as api:
            verified(api, resolver, "taken-over.test")
            sent = send_many(api, "taken-over.test", 200)
        sink.await_entries(AT_THE_DOT)
        first.kill()
        doubtful = set(copies(sink))
        sink.behave(Behaviour())
        second.start()
        with api_of(second, second.key("second")) as api:
            deliveries = all_ended(api, sent)
            arrived = copies(sink)
    assert set(arrived) == set(sent)
    twice = {name for name, entries in arrived.items() if len(entries) > 1}
    flagged = {name for name, found in deliveries.items() if found["possible_duplicate"]}
    assert doubtful == twice <= flagged
    assert {len(entries) for entries in arrived.values()} == {1, 2}
