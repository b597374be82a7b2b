"""The listener on real sockets: bounded in number and time, and one connection's failure is its own."""

import asyncio
import contextlib
import socket
from typing import ClassVar

import pytest

from peers.certificate import write_certificate
from postroad.smtpd.certificate import Certificate
from postroad.smtpd.listener import Listener, refusal
from postroad.smtpd.visitors import Visitors
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.server_settings import ServerSettings

SETTINGS = ServerSettings(name="mx.test", message_octets=10_000, recipients=3)


class Agreeable:
    """Says yes to everything and keeps what it hears."""

    def __init__(self, ip):
        self.ip = ip
        self.content = bytearray()

    async def answer(self, machine, event):
        match event:
            case events.ContentPiece(octets=octets):
                self.content += octets
                return []
            case events.MailAsked() | events.RecipientAsked() | events.MessageAsked():
                return machine.accept()
        return []


class Buggy(Agreeable):
    async def answer(self, machine, event):
        match event:
            case events.MailAsked():
                raise LookupError("a bug")
        return await super().answer(machine, event)


class Slow(Agreeable):
    """Takes its time over a message."""

    def __init__(self, ip):
        super().__init__(ip)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def answer(self, machine, event):
        if isinstance(event, events.MessageAsked):
            self.asked.set()
            await self.go.wait()
        return await super().answer(machine, event)


class Client:
    """A client that reads replies and writes lines."""

    opened: ClassVar = []

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    async def reply(self):
        async with asyncio.timeout(10):
            while (line := await self.reader.readline())[3:4] == b"-":
                pass
        return line.decode().rstrip("\r\n")

    async def say(self, text):
        self.writer.write(text.encode())
        return await self.reply()

    async def rest(self):
        async with asyncio.timeout(10):
            return (await self.reader.read()).decode()


@pytest.fixture(autouse=True)
async def _hang_up():
    yield
    while Client.opened:
        writer = Client.opened.pop().writer
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def served(session=Agreeable, **options):
    """Run a listener; gives a function that connects, and the sessions that were made."""
    made = []

    def session_of(ip):
        made.append(session(ip))
        return made[-1]

    place = socket.create_server(("127.0.0.1", 0))
    port = place.getsockname()[1]

    async def connect():
        return Client(*await asyncio.open_connection("127.0.0.1", port))

    async with Listener(SETTINGS, session_of, **options).listening(place):
        yield connect, made


async def test_a_conversation_goes_through_to_its_end():
    async with served() as (connect, made):
        client = await connect()
        assert await client.reply() == "220 mx.test ESMTP"
        assert (await client.say("EHLO us.test\r\n")).startswith("250 ")
        assert (await client.say("MAIL FROM:<a@b.test>\r\n")).startswith("250 ")
        assert (await client.say("RCPT TO:<c@d.test>\r\n")).startswith("250 ")
        assert (await client.say("DATA\r\n")).startswith("354 ")
        assert (await client.say("Hi\r\n..\r\n.\r\n")).startswith("250 ")
        assert (await client.say("QUIT\r\n")).startswith("221 ")
        assert await client.rest() == ""
    assert bytes(made[0].content) == b"Hi\r\n.\r\n"
    assert made[0].ip == "127.0.0.1"


async def test_commands_that_come_together_are_answered_in_order():
    async with served() as (connect, made):
        client = await connect()
        together = "EHLO us\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nHi\r\n.\r\nQUIT\r\n"
        client.writer.write(together.encode())
        lines = (await client.rest()).splitlines()
        assert [line[:3] for line in lines if line[3] == " "] == ["220", "250", "250", "250", "354", "250", "221"]
    assert bytes(made[0].content) == b"Hi\r\n"


async def test_one_connection_too_many_is_told_to_come_back():
    async with served(most=2) as (connect, _):
        first, second = await connect(), await connect()
        assert (await first.reply(), await second.reply()) == ("220 mx.test ESMTP",) * 2
        third = await connect()
        assert (await third.rest()).startswith("421 4.3.2")
        assert (await first.say("QUIT\r\n")).startswith("221")
        await first.rest()
        again = await connect()
        assert await again.reply() == "220 mx.test ESMTP"


async def test_a_client_that_is_silent_is_let_go():
    async with served(idle_s=0.05) as (connect, _):
        client = await connect()
        assert "421 4.4.2" in await client.rest()


async def test_a_bug_ends_one_connection_and_no_other():
    async with served(Buggy) as (connect, _):
        broken, other = await connect(), await connect()
        await broken.reply()
        await broken.say("EHLO us\r\n")
        broken.writer.write(b"MAIL FROM:<a@b.test>\r\n")
        assert (await broken.rest()).startswith("421 4.3.0")
        assert await other.reply() == "220 mx.test ESMTP"
        assert (await other.say("NOOP\r\n")).startswith("250")


async def test_clients_that_vanish_leave_nothing_behind():
    async with served(most=1) as (connect, _):
        for _ in range(5):
            client = await connect()
            while not (await client.reply()).startswith("220"):
                client = await connect()
            client.writer.write(b"EHLO us\r\nMAIL FROM:<a@b.test>\r\nDATA\r\n")
            client.writer.transport.abort()
            await asyncio.sleep(0.02)
        client = await connect()
        assert await client.reply() == "220 mx.test ESMTP"


async def test_a_line_that_never_ends_is_cut_off():
    async with served() as (connect, _):
        client = await connect()
        await client.reply()
        client.writer.write(b"A" * 100_000)
        answer = ""
        with contextlib.suppress(ConnectionError):
            answer = await client.rest()
        assert answer == "" or answer.startswith("500 5.5.2")


async def test_a_stop_says_421_between_commands():
    async with served() as (connect, _):
        client = await connect()
        await client.reply()
        await client.say("EHLO us\r\n")
    assert (await client.rest()).startswith("421 4.3.2")


async def test_a_stop_answers_nothing_for_a_message_it_did_not_take():
    """A 250 would be a lie and a 421 a guess: the client keeps the message (RFC 1047)."""
    async with served(Slow) as (connect, made):
        client = await connect()
        await client.reply()
        for line in ("EHLO us", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"):
            assert (await client.say(f"{line}\r\n")).startswith("250")
        assert (await client.say("DATA\r\n")).startswith("354")
        client.writer.write(b"Hi\r\n.\r\n")
        async with asyncio.timeout(10):
            await made[0].asked.wait()
    assert await client.rest() == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Plain.", "5.6.0 Plain."),
        ("a\r\n250 ok", "5.6.0 a??250 ok"),
        ("für \x00", "5.6.0 f?r ?"),
        ("x" * 1000, "5.6.0 " + "x" * 400),
    ],
)
def test_a_refusal_is_one_line_of_printable_ascii(text, line):
    reply = refusal(554, "5.6.0", text)
    assert (reply.code, reply.lines) == (554, (line,))


async def test_who_speaks_before_the_greeting_is_turned_away():
    async with served(greeting_delay_s=5.0) as (connect, made):
        client = await connect()
        client.writer.write(b"EHLO early.test\r\n")
        assert await client.rest() == "554 5.5.1 You spoke before the greeting\r\n"
    assert made == [] or not made[0].content


async def test_who_waits_for_the_greeting_gets_it():
    async with served(greeting_delay_s=0.05) as (connect, _):
        client = await connect()
        assert await client.reply() == "220 mx.test ESMTP"


async def test_one_client_s_connections_are_limited_and_it_may_come_again():
    async with served(visitors=Visitors(1, 100)) as (connect, _):
        first = await connect()
        await first.reply()
        second = await connect()
        assert (await second.rest()).startswith("421 4.7.0")
        assert (await first.say("QUIT\r\n")).startswith("221")
        await first.rest()
        again = await connect()
        assert await again.reply() == "220 mx.test ESMTP"


async def test_a_conversation_ends_however_busy_it_is():
    async with served(conversation_s=0.3) as (connect, _):
        client = await connect()
        await client.reply()
        async with asyncio.timeout(20):
            while not (line := await client.say("NOOP\r\n")).startswith("421"):
                await asyncio.sleep(0.01)
        assert line.startswith("421 4.4.2 This conversation")


@contextlib.asynccontextmanager
async def served_with_tls(tmp_path):
    certificate = Certificate(*write_certificate(tmp_path, ["mx.test"]))
    settings = ServerSettings(name="mx.test", starttls=True)
    place = socket.create_server(("127.0.0.1", 0))

    async def connect():
        return Client(*await asyncio.open_connection("127.0.0.1", place.getsockname()[1]))

    async with Listener(settings, Agreeable, tls=certificate.context).listening(place):
        yield connect


@pytest.mark.parametrize("behind", ["RSET\r\n", "MAIL FROM:<evil@x.test>\r\n"])
async def test_plain_text_behind_starttls_ends_the_conversation(tmp_path, behind):
    async with served_with_tls(tmp_path) as connect:
        client = await connect()
        await client.reply()
        await client.say("EHLO us\r\n")
        client.writer.write(f"STARTTLS\r\n{behind}".encode())
        assert await client.rest() == "", "not even the 220 is said"


async def test_a_handshake_that_fails_is_that_connection_s_own_trouble(tmp_path):
    async with served_with_tls(tmp_path) as connect:
        client = await connect()
        await client.reply()
        await client.say("EHLO us\r\n")
        assert (await client.say("STARTTLS\r\n")).startswith("220")
        client.writer.write(b"this is no handshake\r\n")
        async with asyncio.timeout(20):
            await client.reader.read()
        again = await connect()
        assert await again.reply() == "220 mx.test ESMTP"
