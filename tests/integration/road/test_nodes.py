"""Nodes that share the work, and what a stopped or killed one had in hand: it arrives, and twice only in doubt."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from integration.road.living import Api, Document, api_of, errors_in, verified
from peers.dns import DnsServer, dns_server, mx, txt
from peers.fixtures import present
from peers.mta import Behaviour, Entry, MailSink, mail_sink
from peers.postgres import PostgresServer
from peers.postroad import PostroadServer, postroad_server, relaying
from peers.process import wait_until

LIVE = ("queued", "sending", "deferred")
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
        "POSTROAD_SHAPING_START_CONNECTIONS": str(AT_THE_DOT),
        "POSTROAD_SHAPING_CONNECTIONS_PER_MINUTE": "100000",
        "POSTROAD_STREAMS_RETRY_DELAYS_S": "1",
        "POSTROAD_STREAMS_IN_DOUBT_DELAY_S": "1",
        **{f"POSTROAD_{name.upper()}": value for name, value in more.items()},
    }


def send_many(api: Api, domain: str, count: int, **more: object) -> dict[str, str]:
    """Send so many messages, and return message identifiers by recipient."""
    drafts = [
        {**more, "from": f"hello@{domain}", "to": f"to{n}@customers.test", "subject": str(n), "text": "x"}
        for n in range(count)
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

    def ended() -> bool:
        return not any(api.get(f"/v1/messages?state={state}&limit=1")["data"] for state in LIVE)

    wait_until(ended, timeout_s=timeout_s, what=f"the end of {len(sent)} messages", every_s=0.2)
    deliveries = [api.get(f"/v1/messages/{identifier}")["deliveries"][0] for identifier in sent.values()]
    assert {found["state"] for found in deliveries} == {"delivered"}
    return {found["to"]: found for found in deliveries}


def attempts_by_node(url: str) -> dict[str, int]:
    """How many attempts each node made."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT node, count(*) FROM attempts GROUP BY node").fetchall())


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
    with postroad_server(dns=resolver, more=settings(sink, streams_in_doubt_delay_s="4")) as node:
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


def shared_by_two(postgres: PostgresServer, sink: MailSink, place: Path, **more: str) -> dict[str, str]:
    """Settings of nodes that share a database and blobs."""
    shared = {"POSTROAD_DATABASE_URL": postgres.database(), "POSTROAD_BLOBS_URL": f"file://{place}/blobs"}
    return {**settings(sink, **more), **shared}


def test_two_nodes_share_the_work_and_send_nothing_twice(
    resolver: DnsServer, sink: MailSink, postgres: PostgresServer, tmp_path: Path
) -> None:
    sink.behave(Behaviour(latency_s=0.05, keep=True))
    shared = shared_by_two(
        postgres, sink, tmp_path, delivery_connections_per_destination="5", delivery_concurrency="40"
    )
    with (
        postroad_server(dns=resolver, more=shared) as first,
        postroad_server(dns=resolver, more=shared) as second,
    ):
        first.start(wait=False)
        second.start()
        first.await_ready()
        with api_of(first, first.key()) as api:
            verified(api, resolver, "shared.test")
            file = {"filename": "terms.txt", "blob": api.upload(b"Terms\r\n"), "content_type": "text/plain"}
            sent = send_many(api, "shared.test", 300, attachments=[file])
            deliveries = all_ended(api, sent)
        entries = sink.ledger()
        contents = {sink.octets(entry).count(base64.b64encode(b"Terms\r\n")) for entry in entries}
        attempts = attempts_by_node(shared["POSTROAD_DATABASE_URL"])
    assert sorted(entry.recipient for entry in entries) == sorted(sent)
    assert contents == {1}
    assert not any(found["possible_duplicate"] for found in deliveries.values())
    assert {found["attempts"] for found in deliveries.values()} == {1}
    assert len(attempts) == 2
    assert min(attempts.values()) > 30, attempts


def test_one_node_takes_requests_and_another_delivers(
    resolver: DnsServer, sink: MailSink, postgres: PostgresServer, tmp_path: Path
) -> None:
    sink.behave(Behaviour())
    shared = shared_by_two(postgres, sink, tmp_path)
    with (
        postroad_server(dns=resolver, more=shared, command=("serve", "--role", "http")) as door,
        postroad_server(dns=resolver, more=shared, command=("serve", "--role", "delivery")) as rider,
    ):
        door.start()
        with api_of(door, door.key()) as api:
            verified(api, resolver, "roles.test")
            sent = send_many(api, "roles.test", 5)
            assert {api.get(f"/v1/messages/{identifier}")["state"] for identifier in sent.values()} == {"queued"}
            rider.start(wait=False)
            all_ended(api, sent)
            assert not rider.ready()
            assert rider.stop() == 0
            assert not errors_in(rider.log(100_000))
    assert sorted(entry.recipient for entry in sink.ledger()) == sorted(sent)


def test_the_leases_of_a_dead_node_are_taken_over_by_the_other(
    resolver: DnsServer, sink: MailSink, postgres: PostgresServer, tmp_path: Path
) -> None:
    sink.behave(Behaviour(latency_s=2))
    shared = shared_by_two(postgres, sink, tmp_path, delivery_lease_s="6", delivery_concurrency="100")
    url = shared["POSTROAD_DATABASE_URL"]
    with (
        postroad_server(dns=resolver, more=shared) as dead,
        postroad_server(dns=resolver, more=shared) as other,
    ):
        dead.start(wait=False)
        other.start()
        dead.await_ready()
        with api_of(other, other.key()) as api:
            verified(api, resolver, "taken-over.test")
            with api_of(dead, str(api.client.headers["authorization"]).split()[1]) as first:
                sent = send_many(first, "taken-over.test", 200)
            wait_until(lambda: len(held_by(dead, url) & set(copies(sink))) > 10, timeout_s=30, what="mail at the dot")
            dead.kill()
            time.sleep(0.5)  # for what it had written to the network
            held = held_by(dead, url)
            doubtful = held & set(copies(sink))
            sink.behave(Behaviour())
            deliveries = all_ended(api, sent)
            arrived = copies(sink)
    assert set(arrived) == set(sent)
    assert {name for name, entries in arrived.items() if len(entries) > 1} == doubtful
    assert {len(arrived[name]) for name in doubtful} == {2}
    # What a dead node noted, only it can read: of all that it held, any may have arrived.
    assert {name for name, found in deliveries.items() if found["possible_duplicate"]} == held


def held_by(node: PostroadServer, url: str) -> set[str]:
    """The recipients that a node has leases on."""
    name = (node.directory / "data" / "node").read_text().strip()
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT recipient FROM deliveries WHERE lease_node = %s", (name,)).fetchall()
    return {row[0] for row in rows}
