"""The exchange over sockets: what is not ours is refused at RCPT, and what is taken is stored before the 250."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peers.certificate import write_certificate
from postroad.model.errors import Unavailable
from postroad.smtpd.certificate import Certificate
from postroad.smtpd.exchange import Exchange
from postroad.smtpd.listener import Listener
from postroad.store import inbound
from postroad.wire import verp
from postroad.wire.smtp.server_settings import ServerSettings
from unit.inbound.conftest import KEY, Yard


class Client:
    """A client that reads replies and writes lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        async with asyncio.timeout(20):
            while (line := await self.reader.readline())[3:4] == b"-":
                pass
        return line.decode().rstrip("\r\n")

    async def say(self, text: str) -> str:
        self.writer.write(f"{text}\r\n".encode())
        return await self.reply()

    async def deliver(self, recipient: str, content: str, sender: str = "") -> str:
        for line in ("EHLO there.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
            last = await self.say(line)
            if last[0] in "45":
                return last
        return await self.say(f"{content}\r\n.")


@contextlib.asynccontextmanager
async def exchange(yard: Yard, *, tls: Path | None = None, kept: int = 4096) -> AsyncIterator[Client]:
    """Run the exchange, and connect to it."""
    place = socket.create_server(("127.0.0.1", 0))
    settings = ServerSettings(name="mx.test", starttls=tls is not None, message_octets=100_000)
    certificate = None if tls is None else Certificate(*write_certificate(tls, ["mx.test"]))
    listener = Listener(
        settings,
        lambda ip: Exchange(yard.arrivals, ip=ip, kept_octets=kept),
        tls=None if certificate is None else certificate.context,
    )
    async with listener.listening(place):
        client = Client(*await asyncio.open_connection("127.0.0.1", place.getsockname()[1]))
        assert (await client.reply()).startswith("220 ")
        try:
            yield client
        finally:
            client.writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await client.writer.wait_closed()


def kept(yard: Yard) -> list[tuple[str, str, bytes]]:
    found = yard.database.read_now(inbound.listed)
    rows = [yard.database.read_now(lambda c, name=mail.id: inbound.one(c, name)) for mail in reversed(found)]
    return [(row[0].sender, row[0].recipient, row[1]) for row in rows if row is not None]


async def test_a_mail_to_a_return_path_is_stored_when_the_250_comes(yard: Yard) -> None:
    (delivery,) = yard.delivered("ann@example.net")
    path = f"{verp.make(delivery, KEY)}@bounces.test"
    async with exchange(yard) as client:
        answer = await client.deliver(path, "Subject: failed\r\n\r\n..Hi")
        (found,) = yard.database.read_now(inbound.listed)
        assert answer == f"250 2.0.0 Kept as {found.id}"
    assert kept(yard) == [("", path, b"Subject: failed\r\n\r\n.Hi\r\n")]
    assert (found.ip, found.hello, found.tls, found.size) == ("127.0.0.1", "there.test", None, 24)


@pytest.mark.parametrize(
    "recipient", ["ann@bounces.test", "b+x@bounces.test", "abuse@elsewhere.test", "postmaster@elsewhere.test"]
)
async def test_an_address_that_is_not_ours_is_refused_at_rcpt(yard: Yard, recipient: str) -> None:
    async with exchange(yard) as client:
        assert await client.deliver(recipient, "Hi") == "550 5.1.1 There is no such address here"
        assert (await client.say("DATA")).startswith("554 5.5.1")
    assert kept(yard) == []


async def test_a_forged_and_a_stale_return_path_get_the_same_answer(yard: Yard) -> None:
    (delivery,) = yard.delivered("ann@example.net")
    forged, stale = verp.make(delivery, b"other" * 8), verp.make(delivery, KEY)
    yard.pass_by(46 * 86_400)
    async with exchange(yard) as client:
        answers = {await client.deliver(f"{local}@bounces.test", "Hi") for local in (forged, stale)}
    assert answers == {"550 5.1.1 There is no such address here"}
    assert kept(yard) == []


async def test_only_the_beginning_of_a_large_mail_is_kept_and_its_size_told(yard: Yard) -> None:
    async with exchange(yard, kept=16) as client:
        content = "Subject: large\r\n\r\n" + "x" * 60 + "\r\n" * 100
        assert (await client.deliver("abuse@bounces.test", content, "fbl@provider.test")).startswith("250 ")
    assert kept(yard) == [("fbl@provider.test", "abuse@bounces.test", b"Subject: large\r\n")]
    assert yard.database.read_now(inbound.listed)[0].size == 280


async def test_a_mail_beyond_the_limit_is_refused(yard: Yard) -> None:
    async with exchange(yard) as client:
        assert (await client.deliver("abuse@bounces.test", "x" * 60 + "\r\n" * 60_000)).startswith("552 5.3.4")
    assert kept(yard) == []


async def test_several_recipients_are_several_mails(yard: Yard) -> None:
    async with exchange(yard) as client:
        for line in ("EHLO there.test", "MAIL FROM:<>", "RCPT TO:<abuse@bounces.test>", "RCPT TO:<Postmaster>", "DATA"):
            await client.say(line)
        assert (await client.say("Hi\r\n.")).startswith("250 ")
    assert [recipient for _, recipient, _ in kept(yard)] == ["abuse@bounces.test", "Postmaster@mx.test"]


async def test_a_store_that_is_away_is_a_reason_to_come_back(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("store_unavailable", "The store cannot be written now.", retry_after_s=2)

    async with exchange(yard) as client:
        monkeypatch.setattr(yard.arrivals, "keep", away)
        assert await client.deliver("abuse@bounces.test", "Hi") == "451 4.3.0 The store cannot be written now."
        monkeypatch.undo()
        assert (await client.deliver("abuse@bounces.test", "Hi")).startswith("250 ")


async def test_a_transaction_that_was_dropped_leaves_nothing_behind(yard: Yard) -> None:
    async with exchange(yard) as client:
        for line in ("EHLO there.test", "MAIL FROM:<old@x.test>", "RCPT TO:<abuse@bounces.test>", "RSET"):
            assert (await client.say(line)).startswith("250")
        assert (await client.deliver("fbl@bounces.test", "Hi")).startswith("250 ")
    assert [(sender, recipient) for sender, recipient, _ in kept(yard)] == [("", "fbl@bounces.test")]


async def test_mail_comes_over_starttls_and_says_so(yard: Yard, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with exchange(yard, tls=tmp_path) as client:
        await client.say("EHLO there.test")
        assert (await client.say("STARTTLS")).startswith("220 2.0.0")
        await client.writer.start_tls(context)
        assert (await client.say("MAIL FROM:<>")).startswith("503 "), "what was said before TLS is forgotten"
        assert (await client.deliver("abuse@bounces.test", "Hi")).startswith("250 ")
    assert yard.database.read_now(inbound.listed)[0].tls == "STARTTLS"
