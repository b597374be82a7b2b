"""A relay in one line: `smtp://user:password@host:587?security=starttls`."""

from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from postroad.config.setting import Secret, check_host_name

_SECURITY = ("smtp", "starttls", "smtps", "opportunistic")
_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465, "opportunistic": 25}
_KNOWN = {
    465: "servers speak TLS there from the first octet; write smtps://",
    587: "servers begin there without TLS; write smtp:// and ?security=starttls",
    25: "servers begin there without TLS; write smtp:// and ?security=starttls",
}


class Relay(msgspec.Struct, frozen=True):
    """A smarthost as its URL describes it."""

    host: str
    port: int
    security: str
    """`smtp` (never TLS), `starttls` (required), `smtps` (from the first octet) or `opportunistic`."""
    username: str | None = None
    password: Secret | None = None
    verify: bool = True
    """Whether the certificate must hold; `?verify=no` says that it need not."""


def parse_relay(url: str) -> Relay:
    """Return the relay that a URL describes.

    `smtps://` means TLS from the first octet, `smtp://` opportunistic STARTTLS unless `security` says otherwise.

    Raises:
        ValueError: the end of a sentence that says what is wrong with the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    security = query.pop("security", "smtps" if parts.scheme == "smtps" else "opportunistic")
    verify = query.pop("verify", "yes")
    host = parts.hostname or ""
    if parts.scheme not in {"smtp", "smtps"} or not host or parts.path.strip("/") or parts.fragment:
        raise ValueError(
            "must be a URL such as smtp://user:password@relay.example.com:587?security=starttls, in which special "
            "characters of user and password are written as %40 and so on"
        )
    if security not in _SECURITY or (parts.scheme == "smtps" and security != "smtps"):
        raise ValueError(f"has an unknown security; it is one of {', '.join(_SECURITY)} (smtps:// implies smtps)")
    if query or verify not in {"yes", "no"}:
        raise ValueError("takes no other parameters than security and verify=yes or verify=no")
    if ":" not in host and (flaw := check_host_name(host)):
        raise ValueError(flaw)
    password = Secret(unquote(parts.password)) if parts.password is not None else None
    user = unquote(parts.username) if parts.username else None
    if (user is None) != (password is None):
        raise ValueError("must have both a user name and a password, or neither")
    if user is not None and security == "smtp":
        raise ValueError(
            "has a password that would go over the network in the clear; write security=starttls or smtps://"
        )
    port = _port(parts, security)
    if (security == "smtps") != (port == _PORTS["smtps"]) and port in _KNOWN:
        raise ValueError(f"does not fit its port {port}: {_KNOWN[port]}")
    return Relay(host, port, security, user, password, verify == "yes")


def _port(parts: SplitResult, security: str) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return port or _PORTS[security]


def check_relay_url(text: str) -> str | None:
    """Check the URL of a relay."""
    try:
        parse_relay(text)
    except ValueError as flaw:
        return str(flaw)
    return None
