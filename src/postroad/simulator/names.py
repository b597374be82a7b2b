"""The DNS of the simulated internet: a small authoritative server that poses as a resolver, over UDP and TCP."""

import asyncio
import contextlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from postroad.simulator.personality import Names, Personality

_TTL_S = 5
_TCP_IDLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Zone:
    """Who is who: `providers` by domain, the addresses of `hosts`, and the host that takes everybody else's mail."""

    providers: Mapping[str, Personality]
    hosts: Mapping[str, str]
    everybody: str

    def answer(self, question: bytes) -> bytes | None:
        """Return the answer to a question; None where there is to be none."""
        try:
            query = dns.message.from_wire(question)
            asked = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        name = asked.name.to_text(omit_final_dot=True).lower()
        provider = self._provider(name)
        state = Names.MX if provider is None else provider.names
        if state is Names.SILENT:
            return None
        if state is Names.FAILS:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif state is Names.ABSENT:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self._records(name, dns.rdatatype.to_text(asked.rdtype)):
            kind = dns.rdatatype.to_text(asked.rdtype)
            response.answer.append(dns.rrset.from_text(asked.name, _TTL_S, "IN", kind, *found))
        return response.to_wire()

    def _provider(self, name: str) -> Personality | None:
        """Return the provider whose domain a name is, or lies below."""
        labels = name.split(".")
        return next((p for n in range(len(labels)) if (p := self.providers.get(".".join(labels[n:])))), None)

    def _records(self, name: str, kind: str) -> Sequence[str]:
        if kind == "A":
            return [self.hosts[name]] if name in self.hosts else []
        if kind != "MX" or name in self.hosts or name.startswith("_"):
            return []
        provider = self.providers.get(name)
        if provider is None:
            return [f"10 {self.everybody}."]
        if provider.names is Names.NULL_MX:
            return ["0 ."]
        return [f"10 {host}." for host in provider.exchangers]


class NameServer(asyncio.DatagramProtocol):
    """Answers for a zone on one address."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._closed = asyncio.Event()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen on UDP and TCP; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve, host, port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, self.port))

    async def stop(self) -> None:
        """Stop listening."""
        if self._tcp is not None:
            self._tcp.close()
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is closed."""
        self._closed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer by."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | None, int]) -> None:
        """Answer one question."""
        answer = self._zone.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question over TCP (RFC 1035 §4.2.2)."""
        with contextlib.suppress(ConnectionError, TimeoutError, EOFError):
            async with asyncio.timeout(_TCP_IDLE_S):
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._zone.answer(await reader.readexactly(size))
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        writer.close()
