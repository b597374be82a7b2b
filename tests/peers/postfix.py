"""A private Postfix: a receiving MX whose mail can be read back, or a relay to measure against.

Postfix's own configuration, queue and data directories are the instance's own, so several may run side by side beside
a system's Postfix. It needs root, as Postfix does.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from peers.certificate import write_certificate
from peers.process import LOOPBACK, PartMissing, PeerFailed, Running, answers, free_port, program, run, start, workplace

_DAEMONS = "/usr/lib/postfix/sbin"
_OWNER = "postfix"

_SERVICES = """\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
virtual   unix  - n n -     - virtual
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as Postfix stored it, with what Postfix added taken off again."""

    sender: str
    recipient: str
    received: str
    """The `Received` field of this Postfix: shows ESMTPS, the client and the TLS parameters."""
    octets: bytes
    """The message as it was sent to Postfix, with CRLF line ends."""


@dataclass(slots=True)
class PostfixServer:
    """A running instance listening on `host:port`."""

    directory: Path
    host: str
    port: int
    certificate: Path
    _running: Running

    @property
    def pid(self) -> int:
        """The process id of Postfix's `master`."""
        return self._running.pid

    def mail(self) -> list[Arrived]:
        """Every message delivered so far, oldest first."""
        new = self.directory / "mail" / "inbox" / "new"
        files = sorted(new.iterdir(), key=lambda file: file.stat().st_mtime_ns) if new.is_dir() else []
        return [_read(file) for file in files]

    def await_mail(self, count: int, *, timeout_s: float = 30.0) -> list[Arrived]:
        """Wait until at least `count` messages were delivered; raises `TimeoutError` with the end of the log."""
        deadline = time.monotonic() + timeout_s
        while len(arrived := self.mail()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(arrived)} of {count} messages arrived within {timeout_s:g} s\n{self.log()}")
            time.sleep(0.05)
        return arrived

    def log(self, octets: int = 6000) -> str:
        """The end of Postfix's mail log."""
        log = self.directory / "maillog"
        return log.read_bytes()[-octets:].decode(errors="replace") if log.exists() else self._running.tail()

    def queued(self) -> int:
        """How many messages lie in the incoming, active, deferred and hold queues."""
        spools = [self.directory / "queue" / name for name in ("incoming", "active", "deferred", "hold")]
        return sum(len(files) for spool in spools for _, _, files in os.walk(spool))

    def control(self, *command: str) -> str:
        """Run a Postfix command (`postsuper`, `postqueue`, `postfix`) against this instance."""
        return run([program(command[0]), "-c", self.directory / "etc", *command[1:]])


@lru_cache(maxsize=128)
def _read(file: Path) -> Arrived:
    """Take Return-Path, X-Original-To, Delivered-To and our Received field off a Maildir file, which never changes."""
    found: dict[str, str] = {}
    rest = file.read_bytes()
    while "received" not in found:
        line, _, rest = rest.partition(b"\n")
        while rest[:1] in {b" ", b"\t"}:
            more, _, rest = rest.partition(b"\n")
            line += b"\n" + more
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError(f"not a field that Postfix adds: {line!r}")
        found[name.decode("ascii").lower()] = value.strip().decode("utf-8", "replace")
    return Arrived(
        sender=found.get("return-path", "").strip("<>"),
        recipient=found.get("delivered-to", ""),
        received=found["received"],
        octets=rest.replace(b"\n", b"\r\n"),
    )


def _main(place: Path, host: str, domains: Sequence[str], settings: Mapping[str, str]) -> str:
    certificate, key = write_certificate(place / "etc", [f"mx.{domains[0]}" if domains else "mx.test", host])
    everything = {
        "compatibility_level": "3.6",
        "queue_directory": f"{place}/queue",
        "data_directory": f"{place}/data",
        "daemon_directory": _DAEMONS,
        "mail_owner": _OWNER,
        "setgid_group": "postdrop",
        "maillog_file": f"{place}/maillog",
        "maillog_file_prefixes": str(place),
        "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C",
        "myhostname": f"mx.{domains[0]}" if domains else "mx.test",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8 [::1]/128",
        "inet_interfaces": "loopback-only",
        "inet_protocols": "all",
        "alias_maps": "",
        "alias_database": "",
        "local_recipient_maps": "",
        "smtputf8_enable": "yes",
        "message_size_limit": str(60 << 20),
        "mailbox_size_limit": "0",
        "virtual_mailbox_limit": "0",
        "virtual_mailbox_domains": ", ".join(domains),
        "virtual_mailbox_maps": "static:inbox/",
        "virtual_mailbox_base": f"{place}/mail",
        "virtual_uid_maps": "static:5000",
        "virtual_gid_maps": "static:5000",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(certificate),
        "smtpd_tls_key_file": str(key),
        "smtpd_tls_received_header": "yes",
        "smtpd_tls_loglevel": "1",
        "smtpd_peername_lookup": "no",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
        "smtpd_forbid_bare_newline": "yes",
        "disable_dns_lookups": "yes",
        "strict_rfc821_envelopes": "no",
        **settings,
    }
    return "".join(f"{name} = {value}\n" for name, value in everything.items())


def _lay_out(place: Path, host: str, port: int, domains: Sequence[str], settings: Mapping[str, str]) -> None:
    for name in ("etc", "queue", "data", "mail"):
        (place / name).mkdir()
    shutil.chown(place / "data", _OWNER, _OWNER)
    os.chown(place / "mail", 5000, 5000)
    (place / "etc" / "main.cf").write_text(_main(place, host, domains, settings))
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    (place / "etc" / "master.cf").write_text(f"{listen} inet n - n - - smtpd\n{_SERVICES}")


@contextmanager
def postfix_server(
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    domains: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[PostfixServer]:
    """Run Postfix as the final destination of `domains` (any local part), with `settings` over its main.cf.

    `host` may be any address of 127.0.0.0/8, so that several exchanges share one port. With no domains and a
    `relayhost` among the settings it is a relay. Raises `PartMissing` without Postfix or without root.
    """
    master = program("master", _DAEMONS)
    if os.geteuid() != 0:
        raise PartMissing("Postfix needs root")
    with ExitStack() as stack:
        place = stack.enter_context(workplace("postfix"))
        chosen = port or free_port(host)
        _lay_out(place, host, chosen, domains, settings or {})
        configuration = place / "etc"
        run([program("postfix"), "-c", configuration, "check"])
        running = start(
            "postfix",
            [master, "-c", configuration, "-d"],
            log=place / "log",
            environment={"MAIL_CONFIG": str(configuration)},
            own_group=True,
            cwd=place / "queue",
        )
        server = PostfixServer(place, host, chosen, place / "etc" / "certificate.pem", running)
        stack.callback(_stop, running)
        try:
            running.ready_when(lambda: answers(host, chosen))
        except PeerFailed as error:
            raise PeerFailed(f"{error}\n{server.log()}") from None
        yield server


def _stop(running: Running) -> None:
    """End master, and with it the process group of daemons it started."""
    running.stop(signal.SIGTERM, timeout_s=10)
