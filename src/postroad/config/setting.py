"""What a setting is made of: its description, its bounds, and the kind of value that must never be shown."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

Check = Callable[[str], str | None]
"""From a value to what is wrong with it, as the end of a sentence that begins with the setting's name."""

_LABEL = re.compile(r"\A[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\Z", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"(?<=password=)[^&]*", re.IGNORECASE)
_POSTGRESQL = re.compile(
    r"postgres(ql)?://([^:/@]*(:[^@]*)?@)?(\[[^]@]*\]|[^]\[:/?@]*)(:[0-9]{1,5})?([/?][^#]*)?", re.DOTALL
)
MASTER_KEY_OCTETS = 32
_ADMIN_KEY = re.compile(r"(?=.{32,512}\Z)[A-Za-z0-9._~+/-]+=*")  # what a Bearer token is made of (RFC 6750 §2.1)


@dataclass(frozen=True, slots=True)
class Say:
    """What is said about one setting, in the annotation of its field; `check` is asked for every text in it."""

    description: str
    low: float | None = None
    high: float | None = None
    check: Check | None = None


class Secret:
    """A text that is neither printed, logged nor compared by accident; in a URL only the password is secret."""

    __slots__ = ("_text", "file")

    def __init__(self, text: str, file: Path | None = None) -> None:
        self._text = text
        self.file = file
        """The file that it was read from, if it came from one."""

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def masked(self) -> str:
        """Return the text with whatever is secret in it replaced."""
        if "://" not in self._text:
            return "********"
        scheme, rest = self._text.split("://", 1)
        authority, slash, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        name = user.partition(":")[0] + ":********" if ":" in user else user
        return _SECRET_PARAMETER.sub("********", f"{scheme}://{name}{at}{host}{slash}{path}")

    def __repr__(self) -> str:
        return f"Secret({self.masked()!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def check_host_name(text: str) -> str | None:
    """Check a host name of ASCII labels (RFC 1123 §2.1; underscores as DNS allows them)."""
    labels = text.removesuffix(".").split(".")
    if len(text) > 253 or not all(_LABEL.match(label) for label in labels):
        return "must be a host name such as mail.example.com (international names in their xn-- form)"
    return None


def check_address(text: str) -> str | None:
    """Check an IP address."""
    return _flaw(ipaddress.ip_address, text, "must be an IP address such as 192.0.2.1 or 2001:db8::1")


def check_ipv4(text: str) -> str | None:
    """Check an IPv4 address."""
    return _flaw(ipaddress.IPv4Address, text, "must be an IPv4 address such as 192.0.2.1")


def check_ipv6(text: str) -> str | None:
    """Check an IPv6 address."""
    return _flaw(ipaddress.IPv6Address, text, "must be an IPv6 address such as 2001:db8::1")


def _flaw(read: Callable[[str], object], text: str, sentence: str) -> str | None:
    """Return `sentence` where `read` cannot make anything of a text."""
    try:
        read(text)
    except ValueError:
        return sentence
    return None


def check_mailbox(text: str) -> str | None:
    """Check what an address looks like; where it is used says more."""
    if re.fullmatch(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+", text) is None:
        return "must be an address such as tls-reports@example.com"
    return None


def check_network(text: str) -> str | None:
    """Check an IP address or a range of them."""
    return _flaw(ipaddress.ip_network, text, "must hold IP addresses or ranges such as 10.0.0.0/8 or 2001:db8::/32")


def check_web_url(text: str) -> str | None:
    """Check an absolute http or https URL without a query."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return "must be a URL such as https://mail.example.com"
    return None


def check_database_url(text: str) -> str | None:
    """Check that a database is of a kind we speak to, and its place readable."""
    if text.startswith("sqlite:///"):
        return None
    if not text.startswith(("postgresql://", "postgres://")):
        return "must begin with sqlite:/// or postgresql://"
    if _POSTGRESQL.fullmatch(text) is None:
        return (
            "must be a URL such as postgresql://user:password@db.example.com:5432/postroad, in which special "
            "characters of the password are written as %40 and so on"
        )
    return None


def check_blobs_url(text: str) -> str | None:
    """Check that a blob store is of a kind we speak to, and has a name."""
    scheme, mark, place = text.partition("://")
    if not mark or scheme not in {"file", "s3", "gs", "az"}:
        return "must begin with file:///, s3://, gs:// or az://"
    if scheme == "file" and not place.startswith("/"):
        return "must name its folder from the root on, such as file:///srv/postroad/blobs"
    if not place.partition("/")[0] and scheme != "file":
        return f"must name its bucket or container, such as {scheme}://my-bucket/postroad"
    return None


def check_master_key(text: str) -> str | None:
    """Check that a master key is base64 of 32 octets."""
    try:
        octets = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != MASTER_KEY_OCTETS:
        return "must be base64 of 32 octets; make one with: openssl rand -base64 32"
    return None


def check_admin_key(text: str) -> str | None:
    """Check that an admin key can be sent as a Bearer token and is too long to be guessed."""
    if _ADMIN_KEY.fullmatch(text) is None:
        return (
            "must have at least 32 characters, of letters, digits and . _ ~ + / -; make one with: openssl rand -hex 32"
        )
    return None


def check_endpoint(text: str) -> str | None:
    """Check an IP address with an optional port, such as `127.0.0.1:5353` or `[::1]:53`."""
    sentence = "must hold IP addresses with an optional port, such as 127.0.0.1:5353 or [::1]:53"
    return _flaw(lambda given: split_endpoint(given, 53), text, sentence)


def split_endpoint(text: str, port: int) -> tuple[str, int]:
    """Return address and port of an endpoint, with `port` where it names none.

    Raises:
        ValueError: it is not an IP address with an optional port.
    """
    try:
        return str(ipaddress.ip_address(text.strip("[]"))), port
    except ValueError:
        host, _, digits = text.rpartition(":")
    number = int(digits)
    if not 0 < number < 1 << 16:
        raise ValueError(text)
    return str(ipaddress.ip_address(host.strip("[]"))), number
