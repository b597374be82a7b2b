"""The injector and the observer against a stand-in for the API that refuses, hangs up and repeats itself."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
from faults.injector import Ack, Injector
from faults.observer import Observer

from peers.http import Answer, HttpReceiver, Request


class _Api:
    """Accepts by Idempotency-Key; refuses one first try in four, cuts one off before the commit and one after."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}
        self._turns = itertools.count()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        url = urlsplit(request.path)
        if request.method == "POST":
            with self._lock:
                return self._accept(request.headers["idempotency-key"])
        if url.path == "/v1/events":
            after = int(parse_qs(url.query).get("after", ["0"])[0])
            events = [
                {"id": f"evt_{number}", "type": "message.delivered", "data": {"delivery_id": f"dlv_{key}"}}
                for number, key in enumerate(self.messages, 1)
            ]
            page = events[after : after + 7]
            return _json(200, {"data": page, "next": str(after + len(page))})
        key = url.path.rpartition("msg_")[2]
        return _json(200, {"deliveries": [{"id": f"dlv_{key}", "state": "delivered", "possible_duplicate": True}]})

    def _accept(self, key: str) -> Answer:
        turn = next(self._turns) % 4 if key not in self.messages else 3
        if turn == 0:
            return Answer(status=503)
        if turn == 1:
            return Answer(hang_up=True)
        self.messages[key] = f"msg_{key}"
        if turn == 2:
            return Answer(hang_up=True)
        return _json(202, {"id": f"msg_{key}", "deliveries": [{"id": f"dlv_{key}"}]})


def _json(status: int, document: object) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(document))


def test_every_message_is_answered_once_however_the_server_behaves(tmp_path: Path, receiver: HttpReceiver) -> None:
    api = _Api()
    receiver.answer_by(api.answer)
    port = int(receiver.url.rpartition(":")[2])
    injector = Injector(ports=[port], key="k", log=tmp_path / "acks", seed=3, sender="a@b.test")
    assert injector.send(40, threads=4, rate=1000, patience_s=20) == []
    acks = injector.acks()
    assert injector.replay(acks[:5]) == {ack.client_id: ack.message_id for ack in acks[:5]}
    injector.close()
    assert len({ack.recipient for ack in acks}) == len(api.messages) == 40
    assert max(ack.tries for ack in acks) > 1


def test_a_refusal_is_told_and_not_asked_again(tmp_path: Path, receiver: HttpReceiver) -> None:
    receiver.answer_by(lambda _: Answer(status=422, body=b"no"))
    port = int(receiver.url.rpartition(":")[2])
    injector = Injector(ports=[port], key="k", log=tmp_path / "acks", seed=3, sender="a@b.test")
    (problem,) = injector.send(1, threads=1, rate=1000, patience_s=5)
    injector.close()
    assert "422" in problem
    assert injector.acks() == []
    assert len(receiver.requests) == 1


def test_the_observer_reads_all_states_and_the_whole_feed(tmp_path: Path, receiver: HttpReceiver) -> None:
    api = _Api()
    receiver.answer_by(api.answer)
    port = int(receiver.url.rpartition(":")[2])
    injector = Injector(ports=[port], key="k", log=tmp_path / "acks", seed=4, sender="a@b.test")
    injector.send(20, threads=2, rate=1000, patience_s=20)
    observer = Observer([port], "k")
    told = observer.await_end(injector.acks(), timeout_s=5)
    noticed = observer.feed()
    observer.close()
    injector.close()
    assert len(told) == 20
    assert {state.possible_duplicate for state in told.values()} == {True}
    assert [event.id for event in noticed] == [f"evt_{number}" for number in range(1, 21)]


def test_the_observer_waits_for_no_message_that_the_server_does_not_know(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    receiver.answer_by(lambda _: _json(404, {}))
    ack = Ack("fault-1", "r@sink.test", "msg_1", "dlv_1", at_ns=1, tries=1)
    observer = Observer([int(receiver.url.rpartition(":")[2])], "k")
    told = observer.await_end([ack], timeout_s=60)
    observer.close()
    assert told["dlv_1"].state == "unknown"
    assert len(receiver.requests) == 1
