"""Who we are measured against: Postfix signing with OpenDKIM, Postfix taking mail in, and a naive Python sender."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.sink import CountingSink
from peers.postfix import PostfixServer, postfix_server
from peers.process import LOOPBACK, Running, program, start, workplace

BODY_OCTETS = 5500
SESSIONS = 5
STALLED_S = 20.0

_TUNED = {
    "in_flow_delay": "0",
    "default_process_limit": "100",
    "smtp_destination_concurrency_limit": "20",
    "initial_destination_concurrency": "20",
    "smtp_connection_cache_on_demand": "yes",
    "qmgr_message_active_limit": "50000",
    "qmgr_message_recipient_limit": "50000",
    "smtpd_tls_security_level": "none",
    "smtp_tls_security_level": "none",
    "receive_override_options": "no_address_mappings, no_header_body_checks",
    "smtpd_client_restrictions": "permit",
    "smtpd_recipient_restrictions": "permit_mynetworks, reject",
    "smtpd_peername_lookup": "no",
    "smtp_send_xforward_command": "no",
}


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many messages in how long."""

    messages: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds if self.seconds > 0 else 0.0


@contextmanager
def opendkim(domain: str = "bench.test", *, threads: int | None = None) -> Iterator[Path]:
    """Run OpenDKIM signing `domain` with RSA-2048; gives the milter's Unix socket."""
    with workplace("opendkim") as place:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (place / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        (place / "key.pem").chmod(0o600)
        (place / "opendkim.conf").write_text(
            f"Syslog no\nBackground no\nMode s\nUMask 000\nCanonicalization relaxed/relaxed\n"
            f"Socket local:{place}/socket\nDomain {domain}\nSelector bench\nKeyFile {place}/key.pem\n"
            f"SignatureAlgorithm rsa-sha256\nInternalHosts 127.0.0.1\nRequireSafeKeys no\nAutoRestart no\n"
        )
        command: list[str | Path] = [program("opendkim"), "-f", "-x", place / "opendkim.conf"]
        running = start("opendkim", command, log=place / "log")
        running.ready_when((place / "socket").exists)
        try:
            yield place / "socket"
        finally:
            running.stop()


@contextmanager
def postfix_signing(sink: CountingSink, settings: Mapping[str, str] | None = None) -> Iterator[PostfixServer]:
    """Postfix, tuned, signing every message by OpenDKIM over a Unix socket and relaying to the sink."""
    with ExitStack() as stack:
        socket = stack.enter_context(opendkim())
        relay = {
            "relayhost": f"[{sink.host}]:{sink.port}",
            "smtpd_milters": f"unix:{socket}",
            "milter_default_action": "tempfail",
            "milter_protocol": "6",
        }
        yield stack.enter_context(postfix_server(settings={**_TUNED, **relay, **(settings or {})}))


@contextmanager
def postfix_relay(port: int) -> Iterator[PostfixServer]:
    """Postfix, tuned, relaying without a signature."""
    with postfix_server(settings={**_TUNED, "relayhost": f"[{LOOPBACK}]:{port}"}) as server:
        yield server


@contextmanager
def postfix_intake() -> Iterator[PostfixServer]:
    """Postfix, tuned, that takes mail durably and keeps it: everything is deferred without being tried."""
    hold = {"defer_transports": "smtp", "relayhost": "[127.0.0.1]:9"}
    with postfix_server(settings={**_TUNED, **hold}) as server:
        yield server


def source(server: PostfixServer, count: int, *, sessions: int = SESSIONS, octets: int = BODY_OCTETS) -> Running:
    """Start smtp-source sending `count` messages to a Postfix."""
    command: list[str | Path] = [program("smtp-source"), "-d", "-s", str(sessions), "-m", str(count), "-l", str(octets)]
    command += ["-f", "sender@bench.test", "-t", "someone@sink.test", f"{server.host}:{server.port}"]
    return start("smtp-source", command, log=server.directory / "source.log")


def measure_relay(server: PostfixServer, sink: CountingSink, count: int) -> Throughput:
    """From the first message offered to the last one in the sink."""
    before, began = sink.count(), time.monotonic()
    sender = source(server, count)
    last, seen = sink.await_count(before + count, timeout_s=STALLED_S)
    sender.stop()
    return Throughput(seen - before, last - began)


def measure_intake(server: PostfixServer, count: int) -> Throughput:
    """From the first message offered to the last one answered 250; then the queue is emptied."""
    began = time.monotonic()
    sender = source(server, count)
    status = sender.process.wait(600)
    seconds = time.monotonic() - began
    if status != 0:
        raise RuntimeError(f"smtp-source failed: {sender.tail()}")
    server.control("postsuper", "-d", "ALL")
    return Throughput(count, seconds)
