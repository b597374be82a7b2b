"""nginx on loopback, in front of whatever it is told of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.certificate import write_certificate
from peers.process import LOOPBACK, answers, free_port, program, start, workplace

NAME = "mail.example.com"


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running proxy, and the certificate by which it is known."""

    port: int
    certificate: Path


@contextmanager
def nginx(site: str) -> Iterator[Nginx]:
    """Run nginx with the text of a site, whose port 443 and files of `mail.example.com` are replaced by ours.

    Raises:
        PartMissing: there is no nginx.
    """
    binary = program("nginx")
    with workplace("nginx") as place:
        certificate, key = write_certificate(place, [NAME])
        port = free_port()
        for told, ours in (
            ("listen 443 ", f"listen {LOOPBACK}:{port} "),
            ("listen [::]:443 ssl http2;", ""),
            (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate)),
            (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(key)),
        ):
            if told not in site:
                raise ValueError(f"the site does not say {told!r}")
            site = site.replace(told, ours)
        configuration = place / "nginx.conf"
        configuration.write_text(_AROUND.format(place=place, site=site))
        command: list[str | Path] = [binary, "-c", configuration, "-e", place / "log", "-g", "daemon off;"]
        running = start("nginx", command, log=place / "log")
        try:
            running.ready_when(lambda: answers(LOOPBACK, port))
            yield Nginx(port, certificate)
        finally:
            running.stop()


_AROUND = """
pid {place}/pid;
worker_processes 1;
master_process off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
{site}
}}
"""
