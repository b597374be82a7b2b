"""A URL as we understand it: one reading only, or refused.

Where readers of URLs disagree (white space, backslashes, user names, numbers as hosts) stand the ways around a check,
so all of that is refused instead of mended.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from postroad.features.egress.addresses import IPAddress, is_forbidden
from postroad.wire.address import AddressError, parse_domain

LONGEST: Final = 2048
_SAFE: Final = re.compile(r"[!-\[\]-~\u00a1-\U0010ffff]+")
_PATH: Final = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~|\[\]]*")
_STANDARD_PORTS: Final = {"http": 80, "https": 443}


class BadUrl(ValueError):  # noqa: N818 - a sentence for whoever gave the URL
    """A URL that nothing will be sent to; the text is a public sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator allows."""

    allow_private: bool = False
    """Whether loopback and private addresses may be reached, on any port and over http too."""
    ports: frozenset[int] = frozenset({443, 80, 8443})
    proxy: str | None = None
    """Forward proxy that all requests go through; it then resolves names and guards its network."""
    timeout_s: float = 20.0
    """For the whole request, from the resolver's first question to the last octet of the answer."""
    response_octets: int = 64 * 1024
    connections: int = 128


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `host` is an A-label name or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    """Path and query as they go over the wire."""
    address: IPAddress | None
    """The host, when it is an IP address."""

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _STANDARD_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, policy: Policy) -> Target:
    """Read an absolute URL and hold it against the policy, as far as that goes without resolving its name.

    Raises:
        BadUrl: It is not a URL that has one reading, or not one that the policy allows.
    """
    if len(url) > LONGEST:
        raise BadUrl(f"The URL is longer than {LONGEST} characters.")
    if not _SAFE.fullmatch(url):
        raise BadUrl("The URL holds white space, a backslash or a control character.")
    if "#" in url:
        raise BadUrl("The URL must not have a fragment.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise BadUrl("The URL cannot be read.") from problem
    _check_parts(parts, policy)
    host, address = _host(parts, policy)
    if port == 0:
        raise BadUrl("The URL's port must not be 0.")
    if port is None:
        port = _STANDARD_PORTS[parts.scheme]
    if not policy.allow_private and port not in policy.ports:
        raise BadUrl(f"The URL's port must be one of {', '.join(map(str, sorted(policy.ports)))}.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(path):
        raise BadUrl("The URL's path and query must be percent-encoded ASCII.")
    return Target(parts.scheme, host, port, path, address)


def _check_parts(parts: SplitResult, policy: Policy) -> None:
    if parts.scheme not in _STANDARD_PORTS:
        raise BadUrl("The URL must begin with https://.")
    if parts.scheme == "http" and not policy.allow_private:
        raise BadUrl("The URL must begin with https://; plain http is allowed only where private addresses are.")
    if "@" in parts.netloc:
        raise BadUrl("The URL must not hold a user name or password.")


def _host(parts: SplitResult, policy: Policy) -> tuple[str, IPAddress | None]:
    host = (parts.hostname or "").removesuffix(".")
    if not host:
        raise BadUrl("The URL names no host.")
    try:
        address = ipaddress.ip_address(host)  # the canonical spelling only: no octal, hexadecimal or short forms
    except ValueError as problem:
        if "[" in parts.netloc:
            raise BadUrl("The URL's address in brackets is not IPv6.") from problem
        return _name(host), None
    if "%" in host:
        raise BadUrl("The URL's address must not name a zone.")
    if is_forbidden(address, allow_private=policy.allow_private):
        raise BadUrl("The URL's address is not one that requests may be sent to.")
    return str(address), address


def _name(host: str) -> str:
    """Return a name in A-labels. One that ends in a number some resolvers take for an IPv4 address."""
    last = host.rpartition(".")[2].lower()
    if last.isdigit() or last.startswith("0x"):
        raise BadUrl("The URL's host is a number in an unusual spelling; write an IPv4 address as four decimals.")
    try:
        return parse_domain(host)
    except AddressError as problem:
        raise BadUrl("The URL's host is not a valid name.") from problem
