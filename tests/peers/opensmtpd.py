"""A private OpenSMTPD, unpacked rather than installed: it takes mail and hands it to a server behind it.

Debian 12 builds it against OpenSSL 3, with which its own side of TLS fails in every handshake (OpenSMTPD issue 1171):
who meets it has to do what an MTA does on the Internet when opportunistic TLS is broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peers.apart import start_apart, unpacked
from peers.certificate import write_certificate
from peers.process import LOOPBACK, answers, free_port, workplace

_USERS = ("opensmtpd", "opensmtpq")


def _configuration(place: Path, host: str, port: int, domain: str, inner: int, back: int) -> str:
    return f"""\
pki mail.test cert "{place}/etc/certificate.pem"
pki mail.test key "{place}/etc/key.pem"
listen on {host} port {port} tls pki mail.test hostname mx.{domain}
action "inner" relay host smtp://{LOOPBACK}:{inner}
action "back" relay host smtp://{LOOPBACK}:{back}
match from any for domain "{domain}" action "inner"
match from any for any action "back"
"""


@contextmanager
def opensmtpd_server(domain: str, *, host: str, port: int | None = None, inner: int, back: int) -> Iterator[Path]:
    """Run OpenSMTPD for a domain: its mail goes to port `inner`, what it sends itself to port `back`; gives its log.

    Raises `PartMissing` where it is not unpacked.
    """
    with ExitStack() as stack:
        place = stack.enter_context(workplace("opensmtpd"))
        packages = unpacked(place)
        (place / "etc").mkdir()
        write_certificate(place / "etc", [f"mx.{domain}"])
        (place / "lib" / "opensmtpd" / "empty").mkdir(parents=True)
        (place / "spool" / "smtpd").mkdir(parents=True)
        (place / "spool" / "smtpd").chmod(0o711)
        chosen = port or free_port(host)
        settings = place / "etc" / "smtpd.conf"
        settings.write_text(_configuration(place, host, chosen, domain, inner, back))
        settings.chmod(0o644)
        over = {
            "/var/spool": place / "spool",
            "/var/lib": place / "lib",
            "/usr/libexec": packages / "usr" / "libexec",
        }
        running = start_apart(
            "opensmtpd",
            [packages / "usr" / "sbin" / "smtpd", "-d", "-f", settings],
            place=place,
            users=_USERS,
            over=over,
        )
        stack.callback(running.stop)
        running.ready_when(lambda: answers(host, chosen))
        yield place / "log"
