"""unbound on loopback: a resolver whose whole Internet is the records a test gives it."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from peers.process import LOOPBACK, Running, free_port, program, start, wait_until, workplace

_READY = "generation.peers.invalid."
_TTL_S = 1
_FORBIDDEN = "127.255.255.254"
"""An address unbound may not ask: what is forwarded there fails at once, with SERVFAIL."""
_OURS = ("test", "invalid", "example", "127.in-addr.arpa", "1.0.0.ip6.arpa")
"""Names unbound answers for by itself unless told not to."""


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; `data` as in a zone file, except that TXT data is plain text that gets split and quoted."""

    name: str
    kind: str
    data: str

    def line(self) -> str:
        """The record as a line of a zone file."""
        data = _quoted(self.data) if self.kind.upper() == "TXT" else self.data
        return f"{self.name.rstrip('.')}. {_TTL_S} IN {self.kind.upper()} {data}\n"


def a(name: str, address: str = LOOPBACK) -> Record:
    return Record(name, "AAAA" if ":" in address else "A", address)


def mx(name: str, host: str, preference: int = 10) -> Record:
    """An MX record; `mx(name, ".", 0)` is the null MX of RFC 7505."""
    return Record(name, "MX", f"{preference} {host.rstrip('.')}.")


def txt(name: str, text: str) -> Record:
    return Record(name, "TXT", text)


def cname(name: str, target: str) -> Record:
    return Record(name, "CNAME", f"{target.rstrip('.')}.")


def _quoted(text: str) -> str:
    octets = text.encode()
    pieces = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return " ".join(f'"{"".join(_escaped(octet) for octet in piece)}"' for piece in pieces)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


@dataclass(slots=True)
class DnsServer:
    """A running resolver at `host:port`, UDP and TCP."""

    directory: Path
    host: str
    port: int
    records: tuple[Record, ...] = ()
    servfail: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    signed: bool = False
    """Whether the zone is signed and unbound validates it; names in `insecure` it then takes without."""
    insecure: tuple[str, ...] = ()
    _running: Running | None = None
    _generations: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def address(self) -> str:
        """`host:port`, as settings take it."""
        return f"{self.host}:{self.port}"

    def change(
        self,
        records: Sequence[Record] | None = None,
        *,
        servfail: Sequence[str] | None = None,
        silent: Sequence[str] | None = None,
    ) -> None:
        """Replace the records, the names that fail and those that never answer; None leaves a set as it is.

        Returns when the resolver answers from the new set, its cache emptied.
        """
        self.records = self.records if records is None else tuple(records)
        self.servfail = self.servfail if servfail is None else tuple(servfail)
        self.silent = self.silent if silent is None else tuple(silent)
        generation = self._write()
        assert self._running is not None
        self._running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._serves(generation), timeout_s=10, what=f"unbound serving {generation}")

    def add(self, *records: Record) -> None:
        """Add records to those that are there."""
        self.change([*self.records, *records])

    def _start(self) -> None:
        generation = self._write()
        command: list[str | Path] = [program("unbound"), "-d", "-p", "-c", self.directory / "unbound.conf"]
        self._running = start("unbound", command, log=self.directory / "log")
        self._running.ready_when(lambda: self._serves(generation))

    def _stop(self) -> None:
        if self._running is not None:
            self._running.stop()

    def _write(self) -> str:
        generation = f"generation {next(self._generations)}"
        serial = "invalid. hostmaster.invalid. 1 3600 600 86400 1"
        zone = [f". {_TTL_S} IN SOA {serial}\n", f". {_TTL_S} IN NS ns.peers.invalid.\n"]
        zone += [record.line() for record in (a("ns.peers.invalid", self.host), txt(_READY, generation), *self.records)]
        text = "".join(zone)
        anchor = ""
        if self.signed:
            text, anchor = _sign(text)
        (self.directory / "zone").write_text(text)
        (self.directory / "anchor").write_text(anchor)
        (self.directory / "unbound.conf").write_text(self._configuration())
        return generation

    def _configuration(self) -> str:
        failing = "".join(
            f'forward-zone:\n  name: "{name}"\n  forward-addr: {_FORBIDDEN}\n  forward-first: no\n'
            for name in self.servfail
        )
        ours = "".join(f'  local-zone: "{name}" nodefault\n' for name in _OURS)
        unsigned = "".join(f'  domain-insecure: "{name}"\n' for name in self.insecure)
        validation = f'  trust-anchor-file: "{self.directory}/anchor"\n{unsigned}' if self.signed else ""
        silent = "".join(f'  local-zone: "{name}" always_deny\n' for name in self.silent)
        return f"""\
server:
  interface: {self.host}
  port: {self.port}
  access-control: 127.0.0.0/8 allow
  access-control: ::1/128 allow
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: "{self.directory}"
  pidfile: "{self.directory}/pid"
  module-config: "{"validator " if self.signed else ""}iterator"
{validation}  num-threads: 1
  do-not-query-localhost: no
  do-not-query-address: {_FORBIDDEN}
  cache-max-ttl: {_TTL_S}
  cache-max-negative-ttl: {_TTL_S}
  infra-host-ttl: 1
{ours}{silent}remote-control:
  control-enable: no
auth-zone:
  name: "."
  zonefile: "{self.directory}/zone"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
{failing}"""

    def _serves(self, generation: str) -> bool:
        question = dns.message.make_query(_READY, dns.rdatatype.TXT)
        with suppress(dns.exception.DNSException, OSError):
            answer = dns.query.udp(question, self.host, port=self.port, timeout=0.25)
            return any(generation in rrset.to_text() for rrset in answer.answer)
        return False


def _sign(text: str) -> tuple[str, str]:
    """Return a zone signed by a fresh key, and the key as a trust anchor."""
    zone = dns.zone.from_text(text, ".", relativize=False)
    private = ec.generate_private_key(ec.SECP256R1())
    key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    dns.dnssec.sign_zone(
        zone,
        keys=[(private, key)],
        add_dnskey=True,
        dnskey_ttl=3600,
        inception=now - timedelta(hours=1),
        expiration=now + timedelta(days=1),
    )
    return zone.to_text(relativize=False), f". 3600 IN DNSKEY {key.to_text()}\n"


@contextmanager
def dns_server(
    records: Sequence[Record] = (), *, host: str = LOOPBACK, signed: bool = False, insecure: Sequence[str] = ()
) -> Iterator[DnsServer]:
    """Run a resolver that knows `records` and answers NXDOMAIN to the rest; raises `PartMissing` without unbound.

    With `signed`, all is under DNSSEC but the names in `insecure`.
    """
    program("unbound")
    with workplace("dns") as place:
        server = DnsServer(place, host, free_port(host), tuple(records), signed=signed, insecure=tuple(insecure))
        server._start()
        try:
            yield server
        finally:
            server._stop()
