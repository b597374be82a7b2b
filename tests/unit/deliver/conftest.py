"""A little Internet on loopback: scripted mail servers and a DNS server that knows what it is told."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import uvloop

from peers.certificate import write_certificate
from postroad.config.tree import Timeouts
from postroad.model.clock import Instant
from postroad.model.composition import Composed
from postroad.pipeline.deliver import Deliverer, DeliverSettings, TlsContexts

OFFER = "250-fake\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES"
ANSWERS = {
    "BANNER": "220 fake",
    "EHLO": OFFER,
    "HELO": "250 fake",
    "STARTTLS": "220 go",
    "AUTH": "235 2.7.0 ok",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "DOT": "250 2.0.0 queued",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


class FakeServer:
    """A mail server that follows a script: for each phase an answer, or `close`, `rst`, `stall`, or `DROP:answer`.

    A list gives the behaviours of successive occasions; the last one stays.
    """

    def __init__(self, certificate=None):
        self.script = {}
        self.certificate = certificate
        self.context = None
        self.peers = []
        self.messages = []
        self.commands = []
        self.connections = 0
        self.open = 0
        self.delay_s = 0.0
        self.most_open = 0
        self.port = 0
        self._stalls = set()
        self._writers = set()
        self._server = None

    async def start(self, host="127.0.0.1", port=0, **options):
        self._server = await asyncio.start_server(self._serve, host, port, limit=2**16, **options)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = list(self._stalls)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _next(self, phase):
        behaviour = self.script.get(phase, ANSWERS[phase])
        if isinstance(behaviour, list):
            return behaviour.pop(0) if len(behaviour) > 1 else behaviour[0]
        return behaviour

    async def _act(self, phase, writer):
        behaviour = self._next(phase)
        if behaviour == "close":
            raise ConnectionAbortedError
        if behaviour == "rst":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionAbortedError
        if behaviour == "stall":
            await asyncio.sleep(60)
        last = behaviour.startswith("DROP:")
        writer.write(behaviour.removeprefix("DROP:").encode() + b"\r\n")
        if last:
            await writer.drain()
            raise ConnectionAbortedError
        return behaviour

    async def _serve(self, reader, writer):
        self._stalls.add(asyncio.current_task())
        self._writers.add(writer)
        self.connections += 1
        self.peers.append(writer.get_extra_info("peername")[0])
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError, ssl.SSLError):
            await self._converse(reader, writer)
        self.open -= 1
        with contextlib.suppress(Exception):
            writer.close()
            await writer.wait_closed()
        self._writers.discard(writer)
        self._stalls.discard(asyncio.current_task())

    async def _converse(self, reader, writer):
        await self._act("BANNER", writer)
        taken = set()
        while line := await reader.readline():
            verb = line[:4].upper().decode().strip()
            self.commands.append(line.decode().rstrip("\r\n"))
            if verb == "STAR":
                if (await self._act("STARTTLS", writer)).startswith("220"):
                    context = self.context
                    if context is None:
                        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                        context.load_cert_chain(*self.certificate)
                    await writer.start_tls(context)
                continue
            await asyncio.sleep(self.delay_s)
            if verb in ("RCPT", "DATA") and not taken.issuperset({"MAIL"} if verb == "RCPT" else {"MAIL", "RCPT"}):
                writer.write(b"503 5.5.1 out of order\r\n")
                continue
            answer = await self._act(verb, writer)
            if verb in ("MAIL", "RCPT"):
                taken = (taken - {verb} if verb == "RCPT" else set()) | ({verb} if answer.startswith("2") else set())
            if verb == "QUIT":
                return
            if verb == "DATA" and answer.startswith("354"):
                await self._content(reader, writer)

    async def _content(self, reader, writer):
        if "MIDBODY" in self.script:
            await reader.readexactly(1000)
            ANSWERS["MIDBODY"] = ""
            await self._act("MIDBODY", writer)
        content = bytearray()
        while not content.endswith(b"\r\n.\r\n"):
            if not (piece := await reader.read(65536)):
                raise EOFError
            content += piece
        self.messages.append(bytes(content))
        await self._act("DOT", writer)


class FakeDns(asyncio.DatagramProtocol):
    """A DNS server: `records[name, kind]` is a list of data, an rcode's name, or `silent`."""

    def __init__(self):
        self.records = {}
        self.flags = dns.flags.Flag(0)
        self.questions = []
        self.port = 0

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, peer):
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA | self.flags
        found = self.records.get((name, kind))
        if found == "silent":
            return
        if isinstance(found, str):
            response.set_rcode(dns.rcode.from_text(found))
        elif found is not None:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(response.to_wire(), peer)


class ImpatientDeliverer(Deliverer):
    """Fails a test that would hang."""

    async def deliver(self, *arguments, **options):
        return await asyncio.wait_for(super().deliver(*arguments, **options), 5)


class StandingClock:
    def now(self):
        return Instant(1_700_000_000_000_000)


def pytest_asyncio_loop_factories(config, item):
    """Run everything here on both event loops: their transports differ in what they tell, and when."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls"), ["mx.test", "localhost", "127.0.0.1"])


@pytest.fixture
async def server(certificate):
    fake = await FakeServer(certificate).start()
    yield fake
    await fake.stop()


@pytest.fixture
async def start_server(certificate):
    """Start more servers: on another host, or with TLS from the first octet."""
    started = []

    async def start(tls=False, **options):
        if tls:
            options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            options["ssl"].load_cert_chain(*certificate)
        fake = await FakeServer(certificate).start(**options)
        started.append(fake)
        return fake

    yield start
    for fake in started:
        await fake.stop()


@pytest.fixture
async def names():
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(FakeDns, local_addr=("127.0.0.1", 0))
    fake.records = {("d.test", "MX"): ["10 mx.test."], ("mx.test", "A"): ["127.0.0.1"]}
    yield fake
    transport.close()


@pytest.fixture
async def make(names, server, certificate):
    """Make deliverers; all are drained at the end."""
    made = []

    def build(**changes):
        timeouts = {"quit_s": 0.5} | changes.pop("timeouts", {})
        chance = changes.pop("chance", lambda: 0.5)
        comes_back = changes.pop("comes_back", None)
        tls = changes.pop("tls", None)
        shaping = changes.pop("shaping", None)
        time_s = changes.pop("time_s", time.monotonic)
        clock = changes.pop("clock", StandingClock())
        settings = {
            "hostname": "us.example",
            "mx_port": server.port,
            "resolvers": (("127.0.0.1", names.port),),
            "dns_timeout_s": 4.0,
            "allow_private_addresses": True,
            "messages_per_second": 1_000_000,
        } | changes
        deliverer = ImpatientDeliverer(
            DeliverSettings(timeouts=Timeouts(**timeouts), **settings),
            clock=clock,
            chance=chance,
            contexts=TlsContexts(str(certificate[0])),
            tls=tls,
            comes_back=comes_back,
            shaping=shaping,
            time_s=time_s,
        )
        made.append(deliverer)
        return deliverer

    yield build
    for deliverer in made:
        await asyncio.wait_for(deliverer.drain(), 5)


@pytest.fixture
def unanswering_port():
    """A port where connections are neither made nor refused: its backlog is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.fixture
def message():
    def compose(rcpt_to="b@d.test", octets=b"Subject: a\r\n\r\n.b\r\n", smtputf8=False, **tls):
        return Composed("a@us.example", rcpt_to, octets, smtputf8, b"", **tls)

    return compose
