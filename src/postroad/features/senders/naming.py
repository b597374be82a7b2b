"""What a sending domain may be called, and how it may be set up. Pure."""

from typing import Final

import msgspec

from postroad.model.domain import DomainSettings
from postroad.model.errors import Refused
from postroad.wire.address import AddressError, parse_domain

_LONGEST_NAME: Final = 200
"""Of a domain: selectors and hosts of ours must fit in front of it (RFC 1035 §2.3.4)."""


def checked_domain(text: str) -> str:
    """Return a domain name in A-labels.

    Raises:
        Refused: mail cannot be sent from it.
    """
    try:
        name = parse_domain(text.strip().removesuffix("."))
    except AddressError as problem:
        raise Refused.field("/name", str(problem)) from problem
    if "." not in name:
        raise Refused.field("/name", "A sending domain has at least two labels, such as example.com.")
    if len(name) > _LONGEST_NAME:
        raise Refused.field("/name", f"A sending domain has at most {_LONGEST_NAME} octets.")
    return name


def checked_settings(settings: DomainSettings) -> DomainSettings:
    """Return settings with their labels in lower case.

    Raises:
        Refused: a label that is none, or one for two purposes.
    """
    made = msgspec.structs.replace(
        settings, return_path=settings.return_path.lower(), tracking=settings.tracking.lower()
    )
    for field, label in (("return_path", made.return_path), ("tracking", made.tracking)):
        inner = label.replace("-", "a")
        if not (label.isascii() and inner.isalnum() and len(label) <= 40) or label[0] == "-" or label[-1] == "-":
            raise Refused.field(f"/settings/{field}", "This is one label of a host name: a-z, 0-9 and - within.")
    if made.return_path == made.tracking:
        raise Refused.field("/settings/tracking", "Bounces and tracked links need hosts of their own.")
    return made
