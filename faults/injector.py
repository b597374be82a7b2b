"""Send messages through the API and write down, synced, what was answered 202; keep asking until each is.

A request that was refused, cut off or told to wait is sent again with the same Idempotency-Key, as a careful client
does. Each message goes to a recipient of its own, by which its copies are known at the sink.
"""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import msgspec

from peers.process import LOOPBACK

_AGAIN = frozenset({409, 425, 429, 500, 502, 503, 504})
_TIMEOUT_S = 10.0
_PAUSE_S = 0.05
_LAST_S = 20.0
_ACK_S = 10.0


class Ack(msgspec.Struct, frozen=True):
    """One 202."""

    client_id: str
    recipient: str
    message_id: str
    delivery_id: str
    at_ns: int
    tries: int


class Refusal(Exception):  # noqa: N818 - a refusal is what it is
    """An answer that asking again will not change."""


class Client:
    """One client of the API over nodes that come and go; not shared among threads."""

    def __init__(self, ports: Sequence[int], key: str, seed: str) -> None:
        self._ports, self._key = ports, key
        self._chance = random.Random(seed)
        self.give_up_at = float("inf")
        """When asking again ends, whatever was said before (monotonic)."""
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request; raises OSError or HTTPException when there is no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                LOOPBACK, self._chance.choice(self._ports), timeout=_TIMEOUT_S
            )
        try:
            self._connection.request(
                method,
                path,
                body,
                {"authorization": f"Bearer {self._key}", "content-type": "application/json", **(headers or {})},
            )
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def insist(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], until: float
    ) -> tuple[int, bytes, int]:
        """Ask until there is an answer that holds; returns status, body and how often it was asked.

        Raises:
            TimeoutError: there was none before `until` (monotonic).
            Refusal: the answer is a refusal.
        """
        tries = 0
        while time.monotonic() < min(until, self.give_up_at):
            tries += 1
            try:
                status, answer = self.ask(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                status, answer = 0, b""
            if 200 <= status < 300:
                return status, answer, tries
            if status and status not in _AGAIN:
                raise Refusal(f"{method} {path}: {status} {answer[:500]!r}")
            if status:
                self.close()
            time.sleep(_PAUSE_S * (0.5 + self._chance.random()))
        raise TimeoutError(f"{method} {path} was not answered")

    def close(self) -> None:
        """Drop the connection; the next request may go to another node."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Injector:
    """Sends `count` messages with some threads, at most `rate` a second together."""

    def __init__(self, *, ports: Sequence[int], key: str, log: Path, seed: int, sender: str) -> None:
        self._ports, self._key, self._seed, self._sender = ports, key, seed, sender
        self._log = log
        self._file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock = threading.Lock()
        self._stopped = False
        self._clients: list[Client] = []
        self.acknowledged = 0

    def stop(self, last_s: float = _LAST_S) -> None:
        """Begin no more messages, and give up those that are not answered soon."""
        self._stopped = True
        for client in self._clients:
            client.give_up_at = time.monotonic() + last_s

    def await_ack(self, timeout_s: float = _ACK_S) -> None:
        """Wait for the next 202."""
        before, deadline = self.acknowledged, time.monotonic() + timeout_s
        while self.acknowledged == before and time.monotonic() < deadline:
            time.sleep(0.001)

    def recipient(self, number: int) -> str:
        return f"r{self._seed}-{number:06d}@sink.test"

    def send(self, count: int, *, threads: int, rate: float, patience_s: float) -> list[str]:
        """Send all; returns what went wrong for those never answered 202. Acks are in the log."""
        began = time.monotonic()
        until = began + count / rate + patience_s
        numbers = iter(range(count))

        def work(index: int) -> Iterator[str]:
            client = Client(self._ports, self._key, f"{self._seed}-{index}")
            self._clients.append(client)
            while (number := self._next(numbers)) is not None:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                try:
                    self._one(client, number, until)
                except (Refusal, TimeoutError) as error:
                    yield f"{self.recipient(number)}: {error}"
            client.close()

        with ThreadPoolExecutor(threads) as pool:
            try:
                found = list(pool.map(lambda index: list(work(index)), range(threads)))
            except BaseException:  # the run is to end, and the pool waits for its threads
                self.stop()
                raise
        return [problem for problems in found for problem in problems]

    def replay(self, acks: Sequence[Ack], *, patience_s: float = 30.0) -> dict[str, str]:
        """Ask again for what was answered; returns the message id of each answer by client id."""
        client = Client(self._ports, self._key, "replay")
        until = time.monotonic() + patience_s
        answers = {}
        for ack in acks:
            body, headers = self._request(int(ack.client_id.rpartition("-")[2]))
            _, answer, _ = client.insist("POST", "/v1/messages", body, headers, until)
            answers[ack.client_id] = str(msgspec.json.decode(answer)["id"])
        client.close()
        return answers

    def acks(self) -> list[Ack]:
        """What was answered 202, from the log."""
        decode = msgspec.json.Decoder(Ack).decode
        return [decode(line) for line in self._log.read_bytes().splitlines()]

    def close(self) -> None:
        os.close(self._file)

    def _next(self, numbers: Iterator[int]) -> int | None:
        with self._lock:
            return None if self._stopped else next(numbers, None)

    def _request(self, number: int) -> tuple[bytes, dict[str, str]]:
        document = {
            "from": self._sender,
            "to": [self.recipient(number)],
            "subject": f"Fault run {self._seed}, message {number}",
            "text": f"This is message {number}.\n" * 20,
            "html": f"<p>This is message {number}.</p>" * 20,
        }
        return msgspec.json.encode(document), {"idempotency-key": self._client_id(number)}

    def _client_id(self, number: int) -> str:
        return f"fault-{self._seed}-{number}"

    def _one(self, client: Client, number: int, until: float) -> None:
        body, headers = self._request(number)
        status, answer, tries = client.insist("POST", "/v1/messages", body, headers, until)
        if status != 202:
            raise Refusal(f"{status} instead of 202")
        document = msgspec.json.decode(answer)
        (delivery,) = cast("list[dict[str, str]]", document["deliveries"])
        ack = Ack(
            client_id=self._client_id(number),
            recipient=self.recipient(number),
            message_id=document["id"],
            delivery_id=delivery["id"],
            at_ns=time.time_ns(),
            tries=tries,
        )
        line = msgspec.json.encode(ack) + b"\n"
        with self._lock:
            os.write(self._file, line)
            os.fdatasync(self._file)
            self.acknowledged += 1
