"""List headers: how a reader's mail program offers to unsubscribe (RFC 2369, RFC 8058, RFC 2919)."""

import re
from typing import Final

from postroad.wire.address import AddressError, parse_domain
from postroad.wire.headers import HeaderError

ONE_CLICK: Final = "List-Unsubscribe=One-Click"
_URI = re.compile(r"[!#-;=?-\[\]_a-z~]{1,900}")  # RFC 3986's characters, without those that end a list item
_LABEL = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*"
)


def unsubscribe_headers(https_url: str, mailto: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return List-Unsubscribe and List-Unsubscribe-Post for one-click unsubscription (RFC 8058 §3.1).

    Args:
        https_url: Where a POST unsubscribes at once; the token in it is opaque.
        mailto: A `mailto:` URI that does the same by mail, for readers that know only RFC 2369.

    Raises:
        HeaderError: The first is no `https` URI, or the second no `mailto` URI.
    """
    if not https_url.startswith("https://") or not _is_uri(https_url):
        raise HeaderError("The unsubscribe link must be an https URI.")
    value = f"<{https_url}>"
    if mailto is not None:
        if not mailto.startswith("mailto:") or not _is_uri(mailto):
            raise HeaderError("The unsubscribe address must be a mailto URI.")
        value += f", <{mailto}>"
    return ("List-Unsubscribe", value), ("List-Unsubscribe-Post", ONE_CLICK)


def list_id_header(label: str, domain: str) -> tuple[str, str]:
    """Return List-Id, such as `<news.example.org>` (RFC 2919 §2).

    Raises:
        HeaderError: The label or domain is malformed.
    """
    try:
        host = parse_domain(domain)
    except AddressError as problem:
        raise HeaderError(str(problem)) from problem
    if len(label) + len(host) + 1 > 255 or _LABEL.fullmatch(label) is None:
        raise HeaderError("A list label is made of ASCII letters, digits, hyphens, underscores and dots.")
    return "List-Id", f"<{label.lower()}.{host}>"


def _is_uri(text: str) -> bool:
    # A comma is legal in a URI, but some readers split the header at every comma.
    return _URI.fullmatch(text) is not None and "," not in text
