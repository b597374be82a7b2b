"""Addresses and domains that somebody asks for, in the one spelling in which they are stored.

Who looks for `Ann <ann@bücher.example>` means the mail that is there, however its recipient was written when it came.
"""

from postroad.model.errors import Refused
from postroad.wire.address import AddressError, parse_address, parse_mailbox


def stored_address(text: str | None, pointer: str) -> str | None:
    """Return an address, with or without a name, as it is stored; None where none was asked for.

    Raises:
        Refused: it is none; the flaw is at `pointer`.
    """
    try:
        return None if text is None else parse_address(text).mailbox.address
    except AddressError as problem:
        raise Refused.field(pointer, str(problem)) from problem


def stored_domain(text: str | None, pointer: str) -> str | None:
    """Return a domain, or an address literal in its brackets, as it is stored; None where none was asked for.

    Raises:
        Refused: it is none; the flaw is at `pointer`.
    """
    try:
        return None if text is None else parse_mailbox(f"x@{text}").domain
    except AddressError as problem:
        raise Refused.field(pointer, str(problem)) from problem
