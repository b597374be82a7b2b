"""The load generator, the counting sink and the cost of processes measure what they say."""

from __future__ import annotations

import os
import smtplib
import threading
from urllib.parse import urlsplit

import msgspec
import pytest
from bench import cost
from bench.load import Load, Plan
from bench.sink import counting_sink

from peers.fixtures import present
from peers.http import Answer, HttpReceiver


def _plan(receiver: HttpReceiver, messages: int, batch: int, rate: float | None) -> Plan:
    port = urlsplit(receiver.url).port or 0
    return Plan("127.0.0.1", port, "pr_test_x", "t", messages, batch=batch, connections=4, rate=rate)


@pytest.mark.parametrize("rate", [None, 500.0])
def test_each_request_is_sent_once_and_its_answer_counted(receiver: HttpReceiver, rate: float | None) -> None:
    receiver.answer_by(lambda request: Answer(status=500 if b"t-0000007" in request.body else 202, body=b"{}"))
    load = Load(_plan(receiver, 50, 1, rate))
    load.go()
    outcome = load.outcome()
    assert outcome.statuses == {"202": 49, "500": 1}
    assert outcome.accepted() == 49
    assert "500" in outcome.sample
    assert len({request.body for request in receiver.requests}) == 50
    assert receiver.requests[0].headers["authorization"] == "Bearer pr_test_x"
    assert all(at > 0 for at in outcome.acknowledged_ns)
    assert 0 < outcome.latency_ms(0.5) <= outcome.latency_ms(0.99)


def test_batches_carry_every_message_once(receiver: HttpReceiver) -> None:
    receiver.answer_by(lambda _: Answer(status=202, body=b"{}"))
    load = Load(_plan(receiver, 25, 10, None))
    load.go()
    assert load.outcome().statuses == {"202": 3}
    bodies = [msgspec.json.decode(request.body)["messages"] for request in receiver.requests]
    assert sorted(len(body) for body in bodies) == [5, 10, 10]
    assert len({message["to"][0] for body in bodies for message in body}) == 25


def test_the_counting_sink_counts_final_dots() -> None:
    with present(counting_sink()) as sink:
        with smtplib.SMTP(sink.host, sink.port) as client:
            for number in range(3):
                client.sendmail("a@a.test", [f"{number}@b.test"], b"x\r\n")
        _, seen = sink.await_count(3, timeout_s=5)
    assert seen == 3


def test_cpu_and_memory_of_a_family_are_counted() -> None:
    before = cost.cpu_s(os.getpid())
    worker = threading.Thread(target=lambda: sum(n * n for n in range(3_000_000)))
    worker.start()
    worker.join()
    assert cost.cpu_s(os.getpid()) > before
    assert cost.resident_mib(os.getpid()) > 1
    assert os.getpid() in cost.family(os.getppid())
