"""The short way of hot requests: the same answers as over ASGI, whatever way their octets come."""

import asyncio
import contextlib
import gc
import gzip
import json
import socket
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import uvicorn

from doors import House
from postroad.config.tree import Http
from postroad.http import protocol
from postroad.http.door import Door
from postroad.http.protocol import server_of

DRAFT = {"from": "a@sender.example", "to": "bob@example.com", "subject": "Hi", "text": "Hello"}
HASTY = Http(head_s=0.2)
ONE, BATCH = "/v1/messages", "/v1/messages/batch"
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # connections do not know of the store
VARYING = {b"date", b"x-request-id", b"ratelimit"}


@dataclass(slots=True)
class Line:
    """A client that writes octets as it likes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def response(self) -> tuple[int, dict[bytes, bytes], bytes]:
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head[:-4].split(b"\r\n")
            headers = dict(line.split(b": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers[b"content-length"]))
        assert len(headers) == len(lines), "a header stands twice"
        return int(first.split()[1]), headers, body

    async def ended(self) -> bool:
        async with asyncio.timeout(20):
            return await self.reader.read(1) == b""


@dataclass(slots=True)
class Street:
    """A door that listens."""

    house: House
    server: uvicorn.Server
    port: int
    lines: list[Line]

    async def line(self) -> Line:
        made = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self.lines.append(made)
        return made

    def request(
        self, body: bytes, *more: bytes, path: str = ONE, secret: str | None = None, version: str = "1.1"
    ) -> bytes:
        head = [f"POST {path} HTTP/{version}".encode(), b"Host: postroad.test"]
        head += [f"Authorization: Bearer {secret or self.house.secret}".encode()]
        head += more if any(one.startswith(b"Transfer") for one in more) else [b"Content-Length: %d" % len(body), *more]
        return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.fixture
def http() -> Http:
    """The settings of the street's server."""
    return Http()


@pytest_asyncio.fixture
async def street(house: House, http: Http) -> AsyncIterator[Street]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = server_of(house.app, http, drain_s=5)
    await server.startup(sockets=[listener])
    running = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0)
    made = Street(house, server, listener.getsockname()[1], [])
    yield made
    for line in made.lines:
        line.writer.close()
    server.should_exit = True
    await running
    await server.shutdown(sockets=[listener])


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which way requests went."""
    seen: list[str] = []
    short, long = Door.answer, Door.__call__

    async def answer(self, *given):
        seen.append("short")
        return await short(self, *given)

    async def call(self, *given):
        seen.append("long")
        await long(self, *given)

    monkeypatch.setattr(Door, "answer", answer)
    monkeypatch.setattr(Door, "__call__", call)
    return seen


def draft(**more: object) -> bytes:
    return json.dumps(DRAFT | more).encode()


@pytest.mark.parametrize(
    ("path", "body", "more", "secret"),
    [
        (ONE, draft(), (), None),
        (ONE, draft(to="not an address"), (), None),
        (ONE, b"{", (), None),
        (ONE, draft(), (), "pr_live_unknown"),
        (ONE, draft(), (b"X-Request-Id: mine-1",), None),
        (ONE, draft(), (b"Content-Encoding: br",), None),
        (ONE, gzip.compress(draft()), (b"Content-Encoding: gzip",), None),
        (ONE, b"not gzip", (b"Content-Encoding: gzip",), None),
        (ONE, draft(), (b"Idempotency-Key: a", b"Idempotency-Key: b"), None),
        (ONE, draft(), (b"Connection: close",), None),
        (BATCH, json.dumps({"messages": [DRAFT, {"from": 1}]}).encode(), (), None),
        (BATCH, b"[]", (), None),
    ],
)
async def test_both_ways_answer_alike(
    street: Street, ways: list[str], path: str, body: bytes, more: tuple[bytes, ...], secret: str | None
) -> None:
    answers = []
    for cut in (None, -1):
        line = await street.line()
        octets = street.request(body, *more, path=path, secret=secret)
        await line.send(octets[:cut])
        if cut is not None:
            await asyncio.sleep(0.05)
            await line.send(octets[cut:])
        status, headers, content = await line.response()
        assert set(headers) >= VARYING - {b"ratelimit"}
        kept = {name: value for name, value in headers.items() if name not in VARYING}
        told = json.loads(content)
        told.pop("request_id", None)
        answers.append((status, kept, set(headers), list(told)))
        if b"connection" in kept:
            assert await line.ended()
    assert answers[0] == answers[1]
    assert ways == ["short", "long"]


async def test_a_connection_carries_many_requests(street: Street, ways: list[str]) -> None:
    line = await street.line()
    names = set()
    for _ in range(5):
        await line.send(street.request(draft()))
        status, headers, body = await line.response()
        assert status == 202
        names.add(json.loads(body)["id"])
        names.add(headers[b"x-request-id"])
    assert len(names) == 10
    assert ways == ["short"] * 5


async def test_requests_sent_behind_one_another_are_answered_in_order(street: Street, ways: list[str]) -> None:
    line = await street.line()
    await line.send(b"".join([street.request(draft(), b"X-Request-Id: r%d" % n) for n in range(4)]))
    for n in range(4):
        status, headers, _ = await line.response()
        assert (status, headers[b"x-request-id"]) == (202, b"r%d" % n)
    assert ways == ["short", "long", "long", "long"]


async def test_a_chunked_body_goes_the_short_way_when_it_is_there(street: Street, ways: list[str]) -> None:
    body = draft()
    line = await street.line()
    await line.send(street.request(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), b"Transfer-Encoding: chunked"))
    assert (await line.response())[0] == 202
    assert ways == ["short"]


@pytest.mark.parametrize("cut", [None, -1])
async def test_what_follows_the_chunks_is_no_header(street: Street, cut: int | None) -> None:
    body, key = draft(), f"Authorization: Bearer {street.house.secret}".encode()
    octets = street.request(
        b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(body), body, key), b"Transfer-Encoding: chunked", secret="none"
    ).replace(b"Authorization: Bearer none\r\n", b"")
    line = await street.line()
    await line.send(octets[:cut])
    if cut is not None:
        await asyncio.sleep(0.05)
        await line.send(octets[cut:])
    assert (await line.response())[0] == 401


async def test_who_waits_for_100_gets_it(street: Street, ways: list[str]) -> None:
    body = draft()
    line = await street.line()
    octets = street.request(body, b"Expect: 100-continue")
    await line.send(octets[: -len(body)])
    async with asyncio.timeout(20):
        assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await line.send(body)
    assert (await line.response())[0] == 202
    assert ways == ["long"]


async def test_http_1_0_is_answered_and_closed(street: Street) -> None:
    line = await street.line()
    await line.send(street.request(draft(), version="1.0"))
    status, headers, _ = await line.response()
    assert (status, headers[b"connection"]) == (202, b"close")
    assert await line.ended()


async def test_a_body_beyond_the_limit_is_refused(street: Street) -> None:
    most = street.house.services.settings.http.max_body_octets
    line = await street.line()
    await line.send(street.request(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % (most + 1)) + b"{")
    status, _, body = await line.response()
    assert (status, json.loads(body)["code"]) == (413, "payload_too_large")


async def test_what_is_no_http_is_refused(street: Street) -> None:
    line = await street.line()
    await line.send(b"GARBAGE\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await line.reader.readline()).startswith(b"HTTP/1.1 400")
    assert (await line.reader.read()).endswith(b"Invalid HTTP request received.")


async def test_a_client_that_goes_away_costs_nobody_their_mail(street: Street, ways: list[str]) -> None:
    line = await street.line()
    await line.send(street.request(draft(subject="Left alone")))
    line.writer.transport.abort()
    other = await street.line()
    await other.send(street.request(draft()))
    assert (await other.response())[0] == 202
    assert street.house.app.in_flight == 0
    assert ways == ["short", "short"]


async def test_too_many_requests_at_once_are_turned_away(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(street.house.app, "_max_requests", 0)
    line = await street.line()
    await line.send(street.request(draft()))
    status, headers, body = await line.response()
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (503, b"1", "overloaded")


async def test_a_bug_is_a_500_that_says_nothing(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*given: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(street.house.services.intake, "accept", broken)
    line = await street.line()
    await line.send(street.request(draft()))
    status, _, body = await line.response()
    assert (status, json.loads(body)["code"]) == (500, "internal_error")
    assert b"secret" not in body


async def test_a_connection_that_idles_holds_no_mail(street: Street) -> None:
    line = await street.line()
    await line.send(street.request(draft(text="x" * 40_000)))
    assert (await line.response())[0] == 202
    (protocol,) = street.server.server_state.connections
    assert protocol.cycle.body == b""


async def test_a_connection_that_has_ended_is_freed_at_once(street: Street, ways: list[str]) -> None:
    line = await street.line()
    await line.send(street.request(draft()))
    assert (await line.response())[0] == 202
    protocol = weakref.ref(next(iter(street.server.server_state.connections)))
    gc.disable()
    try:
        line.writer.close()
        async with asyncio.timeout(20):
            while protocol() is not None:
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
    assert ways == ["short"]


async def test_an_answer_that_is_given_up_closes_its_connection(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def endless(*given: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(street.house.services.intake, "accept", endless)
    line = await street.line()
    await line.send(street.request(draft()))
    await asyncio.wait_for(begun.wait(), 20)
    for task in street.server.server_state.tasks:
        task.cancel()
    assert await line.ended()


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_head_without_an_end_is_refused(street: Street, before: bytes) -> None:
    line = await street.line()
    await line.send(before + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
    if before:
        assert (await line.response())[0] == 200
    with contextlib.suppress(ConnectionError):  # it is closed while this still writes
        for _ in range(40):
            await line.send(b"a" * 65_536)
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            assert (await line.reader.read(12)) in (b"HTTP/1.1 431", b"")
    assert street.house.app.in_flight == 0


@pytest.mark.parametrize("field", [b"X: ", b"X: y\r\n" * 10_000])
async def test_what_follows_the_chunks_without_an_end_is_refused(street: Street, field: bytes) -> None:
    line = await street.line()
    await line.send(street.request(b"", b"Transfer-Encoding: chunked") + b"0\r\n")
    with contextlib.suppress(ConnectionError):  # it is closed while this still writes
        for _ in range(200):
            await line.send(field + b"a" * 65_536 if field.endswith(b" ") else field)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while await line.reader.read(65_536):
                pass
        while street.server.server_state.connections:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("http", [HASTY])
async def test_empty_lines_behind_a_request_are_no_reason_to_stay(street: Street) -> None:
    line = await street.line()
    await line.send(street.request(draft()))
    assert (await line.response())[0] == 202
    await line.send(b"\r\n")
    assert await line.ended()


async def test_the_rest_of_a_request_that_was_answered_has_its_time_too(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "READ_TIMEOUT_S", 0.05)
    line = await street.line()
    octets = street.request(draft(), secret="pr_live_unknown")
    await line.send(octets[:-9])
    assert (await line.response())[0] == 401
    await line.send(octets[-9:-4])
    assert await line.ended()


async def test_after_the_rest_of_a_request_that_was_answered_comes_the_next(street: Street) -> None:
    line = await street.line()
    octets = street.request(draft(), secret="pr_live_unknown")
    await line.send(octets[:-9])
    assert (await line.response())[0] == 401
    await line.send(octets[-9:-4])
    await asyncio.sleep(0.01)
    await line.send(octets[-4:] + street.request(draft()))
    assert (await line.response())[0] == 202


async def test_a_long_head_that_is_none_too_long_is_taken(street: Street) -> None:
    line = await street.line()
    await line.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
    await asyncio.sleep(0.01)
    for _ in range(60):
        await line.send(b"a" * 1024)
    await line.send(b"\r\n\r\n")
    assert (await line.response())[0] == 200


@pytest.mark.parametrize("http", [HASTY])
@pytest.mark.parametrize("begun", [b"", b"\r\n", b"G", b"GET /healthz HTTP/1.1\r\nHost"])
async def test_a_client_that_never_ends_its_head_is_let_go(street: Street, begun: bytes) -> None:
    line = await street.line()
    await line.send(begun)
    assert await line.ended()


@pytest.mark.parametrize("http", [HASTY])
async def test_a_body_may_take_longer_than_a_head(street: Street) -> None:
    line = await street.line()
    octets = street.request(draft())
    await line.send(octets[:-1])
    await asyncio.sleep(0.5)
    await line.send(octets[-1:])
    assert (await line.response())[0] == 202
