"""The client against a real receiver on loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from peers.http import Answer as Scripted
from peers.http import HttpReceiver
from peers.process import free_port
from postroad.features.egress import Answer, BadUrl, Egress, Failure, Policy, Trouble, parse_target


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress(Policy(allow_private=True, timeout_s=5.0, response_octets=1000))
    yield client
    await client.aclose()


async def test_a_post_arrives_with_its_headers_and_body(egress: Egress, receiver: HttpReceiver) -> None:
    receiver.then(Scripted(201, b"thanks", {"X-Seen": "yes"}))
    answer = await egress.post(
        f"{receiver.url}/hook?x=1", headers={"content-type": "application/json"}, body=b'{"a":1}'
    )
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.headers["x-seen"], answer.cut) == (201, b"thanks", "yes", False)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?x=1", b'{"a":1}')
    assert request.headers["host"] == receiver.url.removeprefix("http://")
    assert request.headers["user-agent"].startswith("Postroad/")
    assert "authorization" not in request.headers


async def test_a_redirect_to_a_canary_is_not_followed(egress: Egress, receiver: HttpReceiver) -> None:
    with HttpReceiver() as canary:
        for status in (301, 302, 303, 307, 308):
            receiver.then(Scripted(status, b"", {"Location": f"{canary.url}/latest/meta-data/"}))
            answer = await egress.post(receiver.url, headers={}, body=b"")
            assert isinstance(answer, Answer)
            assert answer.status == status
        assert canary.requests == []


async def test_an_endless_answer_is_cut(egress: Egress, receiver: HttpReceiver) -> None:
    receiver.then(Scripted(200, b"x" * 5_000_000))
    answer = await egress.post(receiver.url, headers={}, body=b"")
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.cut) == (1000, True)
    assert isinstance(await egress.post(receiver.url, headers={}, body=b""), Answer)


async def test_a_slow_answer_is_a_timeout(receiver: HttpReceiver) -> None:
    egress = Egress(Policy(allow_private=True, timeout_s=0.1))
    receiver.then(Scripted(latency_s=0.5))
    outcome = await egress.post(receiver.url, headers={}, body=b"")
    assert outcome == Failure(Trouble.TIMEOUT, "The request took longer than is allowed.")
    await egress.aclose()


async def test_nobody_listening_is_unreachable(egress: Egress) -> None:
    outcome = await egress.post(f"http://127.0.0.1:{free_port()}/", headers={}, body=b"")
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.UNREACHABLE


async def test_a_connection_closed_without_a_word_is_a_failure(egress: Egress, receiver: HttpReceiver) -> None:
    receiver.then(Scripted(hang_up=True))
    outcome = await egress.post(receiver.url, headers={}, body=b"")
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.CLOSED


async def test_what_is_not_http_and_not_tls_is_told_apart(egress: Egress) -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()
        await reader.read(65536)
        writer.close()

    async with await asyncio.start_server(chatter, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        plain = await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"")
        tls = await egress.post(f"https://127.0.0.1:{port}/", headers={}, body=b"")
    assert isinstance(plain, Failure)
    assert plain.trouble is Trouble.PROTOCOL
    assert isinstance(tls, Failure)
    assert tls.trouble is Trouble.TLS


@pytest.mark.parametrize(
    ("url", "host", "authority", "path"),
    [
        ("https://Example.COM", "example.com", "example.com", "/"),
        ("https://example.com.:8443/a?b=c", "example.com", "example.com:8443", "/a?b=c"),
        ("https://bücher.example/x%20y", "xn--bcher-kva.example", "xn--bcher-kva.example", "/x%20y"),
        ("https://1.1.1.1:443/", "1.1.1.1", "1.1.1.1", "/"),
        ("https://[2606:4700:0::1111]/?q", "2606:4700::1111", "[2606:4700::1111]", "/?q"),
    ],
)
def test_a_url_is_read_in_one_way(url: str, host: str, authority: str, path: str) -> None:
    target = parse_target(url, Policy())
    assert (target.host, target.authority, target.path) == (host, authority, path)


def test_ports_that_are_not_allowed_are_named() -> None:
    with pytest.raises(BadUrl, match="80, 443, 8443"):
        parse_target("https://example.com:25/", Policy())
    with pytest.raises(BadUrl, match="port"):
        parse_target("http://127.0.0.1:0/", Policy(allow_private=True))
