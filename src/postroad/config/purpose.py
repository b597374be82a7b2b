"""What the two ways of running ask of the settings: `serve` refuses the unsafe ones, `dev` sets harmless ones."""

import ipaddress
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from postroad.config.exposure import exposed
from postroad.config.loading import Problem
from postroad.config.paths import RouteKind
from postroad.config.setting import check_address, split_endpoint
from postroad.config.tree import Settings

_SMTP_PORT = 25
_ROOT = 0
_EXAMPLES = (".example.com", ".example.net", ".example.org")
"""Set aside for documentation (RFC 2606 §3)."""


def for_development(settings: Settings) -> Settings:
    """Return the settings under which nothing leaves the machine and nothing has to be set up first.

    Mail is captured, unless the settings point at a simulated internet on this machine.
    """
    closed = _is_closed(settings)
    return replace(
        settings,
        limits=replace(settings.limits, min_free_disk_percent=0),
        delivery=replace(
            settings.delivery,
            route=RouteKind.MX if closed else RouteKind.CAPTURE,
            allow_private_addresses=closed,
            routes=(),
            relay_url=None,
            hostname=settings.delivery.hostname or "localhost",
        ),
        domains=replace(settings.domains, require_verified=False),
        webhooks=replace(settings.webhooks, allow_private_addresses=True),
        testing=replace(settings.testing, movable_clock=True),
    )


def check_production(settings: Settings) -> list[Problem]:
    """Return what makes the settings unsafe for `postroad serve`."""
    return list(_unsafe(settings))


def _unsafe(settings: Settings) -> Iterator[Problem]:
    yield from _identity(settings)
    yield from _placeholders(settings)
    yield from _routes(settings)
    yield from _reach(settings)
    yield from _exchange(settings)
    if settings.secrets.master_key is None:
        yield Problem(
            "secrets.master_key",
            "There is no master key, so that DKIM keys cannot be encrypted. Make one with `openssl rand -base64 32`, "
            "keep a copy in a safe place, and name its file in secrets.master_key_file.",
        )
    yield from (Problem("data.directory", sentence) for sentence in _directory(settings.data.directory))
    yield from exposed(settings)


def _identity(settings: Settings) -> Iterator[Problem]:
    name = (settings.delivery.hostname or "").removesuffix(".").lower()
    if "." not in name or name.endswith((".local", ".localhost", ".localdomain")) or check_address(name) is None:
        yield Problem(
            "delivery.hostname",
            "delivery.hostname must be this server's full public name, such as mail.example.com, because receivers "
            "compare it with the reverse DNS of its address.",
        )
    if "." not in (settings.return_path.domain or "").removesuffix("."):
        yield Problem(
            "return_path.domain",
            "return_path.domain is not a full domain, so that bounces have nowhere to go. Set it to one whose mail "
            "reaches this server, such as bounces.example.com.",
        )
    url = settings.http.public_url
    if url is None:
        yield Problem(
            "http.public_url",
            "http.public_url is not set, so that links in mail cannot be made. Set it to the URL at which others "
            "reach this server, such as https://mail.example.com.",
        )
    elif urlsplit(url).scheme != "https":
        yield Problem(
            "http.public_url",
            "http.public_url is not https, so that API keys and unsubscribe links would cross the network in the "
            "clear. Put a TLS proxy in front and give its https URL.",
        )


def _placeholders(settings: Settings) -> Iterator[Problem]:
    """Find names that still are those of the examples, where mail under them would reach strangers' servers."""
    if settings.delivery.route is not RouteKind.MX or settings.delivery.mx_port != _SMTP_PORT:
        return
    given = {
        "delivery.hostname": settings.delivery.hostname,
        "return_path.domain": settings.return_path.domain,
        "http.public_url": urlsplit(settings.http.public_url or "").hostname,
    }
    for setting, name in given.items():
        if name is not None and f".{name.removesuffix('.').lower()}".endswith(_EXAMPLES):
            yield Problem(setting, f"{setting} still has the name of the example, {name}. Put your own in its place.")


def _routes(settings: Settings) -> Iterator[Problem]:
    delivery = settings.delivery
    if delivery.route is RouteKind.CAPTURE or any(rule.route is RouteKind.CAPTURE for rule in delivery.routes):
        yield Problem(
            "delivery.route",
            "The capture route would keep mail instead of sending it. Use mx or relay; test keys capture in any case.",
        )
    if delivery.route is RouteKind.RELAY and delivery.relay_url is None and not settings.relays:
        yield Problem(
            "delivery.relay_url",
            "delivery.route is relay, but delivery.relay_url is not set. Give it, such as "
            "smtp://user:password@relay.example.com:587?security=starttls.",
        )
    if any(rule.route is RouteKind.RELAY and not (rule.relay_url or rule.relays) for rule in delivery.routes):
        yield Problem(
            "delivery.routes", "A rule of delivery.routes has route relay without a relay_url or relays. Give it one."
        )


def _reach(settings: Settings) -> Iterator[Problem]:
    # The Internet's exchangers listen on port 25: who speaks to another port is in a closed network of their own.
    if settings.delivery.allow_private_addresses and settings.delivery.mx_port == _SMTP_PORT:
        yield Problem(
            "delivery.allow_private_addresses",
            "delivery.allow_private_addresses lets anybody's MX record point into your network. Set it to false, and "
            "reach an internal server as a relay; or, in a closed network, give its exchangers a port of their own "
            "with delivery.mx_port.",
        )
    if settings.testing.movable_clock and not _is_closed(settings):
        yield Problem(
            "testing.movable_clock",
            "testing.movable_clock lets anybody with a key move time, which is for tests alone. Set it to false; in a "
            "closed network of tests, set delivery.resolvers to loopback addresses and delivery.mx_port to another "
            "port than 25.",
        )
    if settings.webhooks.allow_private_addresses:
        yield Problem(
            "webhooks.allow_private_addresses",
            "webhooks.allow_private_addresses lets webhook endpoints reach into your network. Set it to false.",
        )
    if not _is_loopback(settings.http.host) and not settings.http.trusted_proxies:
        yield Problem(
            "http.trusted_proxies",
            f"http.host is {settings.http.host}, where plaintext HTTP is reachable from outside. Listen on 127.0.0.1 "
            "behind a TLS proxy, or name the proxy's address in http.trusted_proxies.",
        )
    if not settings.domains.require_verified:
        yield Problem(
            "domains.require_verified",
            "domains.require_verified is off, so that anybody with a key may send as any domain. Set it to true.",
        )


def _exchange(settings: Settings) -> Iterator[Problem]:
    exchange = settings.exchange
    if (exchange.tls_certificate is None) != (exchange.tls_key is None):
        yield Problem(
            "exchange.tls_certificate",
            "Of exchange.tls_certificate and exchange.tls_key only one is set. Give both, or neither.",
        )
    for name, file in (("exchange.tls_certificate", exchange.tls_certificate), ("exchange.tls_key", exchange.tls_key)):
        if exchange.enabled and file is not None and not os.access(file, os.R_OK):
            yield Problem(name, f"{file} cannot be read. Let the user that runs Postroad read it.")


def _directory(directory: Path) -> Iterator[str]:
    """Return what is wrong with the data directory, where there is one already."""
    try:
        found = directory.stat()
    except FileNotFoundError:
        return  # it is made at the start
    except OSError as error:
        remedy = "Choose another in data.directory, or let the user that runs Postroad into it."
        yield f"{directory} cannot be used: {error.strerror}. {remedy}"
        return
    if not stat.S_ISDIR(found.st_mode):
        yield f"{directory} is a file. Name a folder in data.directory."
        return
    if stat.S_IMODE(found.st_mode) & 0o007:
        yield f"Everybody on this machine can enter {directory}, which holds mail and keys. Run: chmod 0750 {directory}"
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield f"{directory} cannot be written. Give it to the user that runs Postroad with chown."
    if os.geteuid() == _ROOT and found.st_uid != _ROOT:
        yield (
            f"{directory} belongs to another user, and this is root: the files it makes there would be closed to that "
            "user. Run Postroad as the user who owns the directory."
        )


def _is_closed(settings: Settings) -> bool:
    """Tell whether mail can only go to a simulated internet: with a DNS of this machine, and to no port of others."""
    delivery = settings.delivery
    local = all(_is_loopback(split_endpoint(text, 53)[0]) for text in delivery.resolvers)
    return (
        delivery.route is RouteKind.MX
        and not delivery.routes
        and delivery.mx_port != _SMTP_PORT
        and bool(delivery.resolvers)
        and local
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
