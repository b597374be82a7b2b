"""A private Exim, unpacked rather than installed: it takes mail over STARTTLS and hands it to a server behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peers.apart import start_apart, uid_of, unpacked
from peers.certificate import write_certificate
from peers.process import LOOPBACK, PeerFailed, answers, free_port, workplace

_USERS = ("Debian-exim",)


def _configuration(place: Path, binary: Path, host: str, port: int, domain: str, inner: int, back: int) -> str:
    return f"""\
primary_hostname = mx.{domain}
exim_path = {binary}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {place}/spool
log_file_path = {place}/spool/%slog
pid_file_path = {place}/spool/pid
local_interfaces = {host}
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {place}/etc/certificate.pem
tls_privatekey = {place}/etc/key.pem
domainlist ours = {domain}
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
deliver_drop_privilege = true
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
begin acl
acl_rcpt:
  accept domains = +ours
  deny message = relay not permitted
acl_data:
  accept
begin routers
alias:
  driver = redirect
  domains = +ours
  local_parts = ^alias
  allow_fail
  data = :fail: This account has been disabled
full:
  driver = accept
  domains = +ours
  local_parts = ^quota
  transport = full
ours:
  driver = manualroute
  domains = +ours
  route_list = * {LOOPBACK}::{inner}
  self = send
  transport = inner
back:
  driver = manualroute
  route_list = * {LOOPBACK}::{back}
  self = send
  transport = back
begin transports
full:
  driver = appendfile
  file = {place}/spool/full
  quota = 1
  user = Debian-exim
inner:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
back:
  driver = smtp
  allow_localhost
begin retry
begin rewrite
"""


@contextmanager
def exim_server(domain: str, *, host: str, port: int | None = None, inner: int, back: int) -> Iterator[Path]:
    """Run Exim for a domain: its mail goes to port `inner`, what it sends itself to port `back`; gives its log.

    Local parts beginning with `alias` fail in Exim itself, those with `quota` have a mailbox that is full. Raises
    `PartMissing` where it is not unpacked.
    """
    with ExitStack() as stack:
        place = stack.enter_context(workplace("exim"))
        binary = unpacked(place) / "usr" / "sbin" / "exim4"
        for name in ("etc", "spool"):
            (place / name).mkdir()
        owner = uid_of(_USERS, "Debian-exim")
        os.chown(place / "spool", owner, owner)
        _, key = write_certificate(place / "etc", [f"mx.{domain}"])
        os.chown(key, owner, owner)
        chosen = port or free_port(host)
        settings = place / "etc" / "exim.conf"
        settings.write_text(_configuration(place, binary, host, chosen, domain, inner, back))
        settings.chmod(0o644)
        running = start_apart("exim", [binary, "-C", settings, "-bdf"], place=place, users=_USERS, over={})
        stack.callback(running.stop)
        try:
            running.ready_when(lambda: answers(host, chosen))
        except PeerFailed as error:
            log = place / "spool" / "mainlog"
            raise PeerFailed(f"{error}\n{log.read_text() if log.exists() else ''}") from None
        yield place / "spool" / "mainlog"
