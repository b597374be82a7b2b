"""Whose delivery a mail is about: by the address that proves it, else by what of ours came back in it.

Anybody may write to the exchange, and mail quotes mail. What only we could have made (return paths, our header) proves
a delivery wherever it stands; a Message-ID proves nothing, and is used only where nothing better is there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from postroad.model.ids import DeliveryId, MessageId
from postroad.model.late import Proof, Standing
from postroad.model.returned import Complaint, Original, Report, Returned
from postroad.model.suppression import fold
from postroad.store import Connection, late
from postroad.wire import verp

_OUR_HEADER_ID: Final = re.compile(r"<?(([0-9a-hjkmnp-tv-z]{26})@[^<>\s]{1,255})>?")


@dataclass(frozen=True, slots=True)
class Match:
    """A delivery that a mail is about, and how that is known."""

    delivery_id: DeliveryId
    proof: Proof
    of_envelope: bool = False
    """Whether the address that the mail came to proves it, and nothing in the mail does."""


def proven(returned: Returned, token: DeliveryId | None, key: bytes) -> Match | None:
    """Return the delivery that a mail proves to be about.

    The address that a mail came to says what the mail is about, and what came back in it says so only where there is
    no such address. A report within the mail may be about another delivery: it is asked first.

    Args:
        returned: what was read out of it.
        token: the delivery that the address it came to was made for.
        key: under which return paths are made.
    """
    by_address = None if token is None else Match(token, Proof.RETURN_PATH, of_envelope=True)
    if isinstance(returned, Report | Complaint) and returned.enclosed:
        return _proven_within(returned, key) or by_address
    return by_address or _proven_within(returned, key)


def _proven_within(returned: Returned, key: bytes) -> Match | None:
    for path in _return_paths(returned):
        found = verp.read(path.strip("<> ").rpartition("@")[0], key)
        if found is not None:
            return Match(DeliveryId(found), Proof.RETURN_PATH)
    written = returned.original.delivery_token
    found = None if written is None else verp.read(written.strip(), key)
    return None if found is None else Match(DeliveryId(found), Proof.HEADER)


def by_message_id(connection: Connection, returned: Returned) -> Match | None:
    """Return the delivery of the message whose Message-ID a mail quotes, if one recipient fits or there is only one.

    Found are the identifiers that we made, which name the message; one that an application chose is not looked for.
    """
    quoted = _OUR_HEADER_ID.fullmatch((returned.original.message_id or "").strip())
    if quoted is None:
        return None
    found = late.by_header_id(connection, MessageId(f"msg_{quoted[2]}"), quoted[1])
    named = {fold(address) for address in _recipients(returned)}
    fitting = [standing for standing in found if fold(standing.recipient) in named] or _only(found)
    return Match(fitting[0].delivery_id, Proof.MESSAGE_ID) if fitting else None


def _only(found: list[Standing]) -> list[Standing]:
    return found if len(found) == 1 else []


def _return_paths(returned: Returned) -> Iterator[str]:
    if isinstance(returned, Complaint) and returned.mail_from is not None:
        yield returned.mail_from
    if returned.original.return_path is not None:
        yield returned.original.return_path


def _recipients(returned: Returned) -> Iterator[str]:
    original: Original = returned.original
    yield from original.recipients
    match returned:
        case Report(recipients=recipients):
            for found in recipients:
                yield from (address for address in (found.address, found.original, found.final) if address)
        case Complaint(recipients=addresses):
            yield from addresses
        case _:
            if returned.sender is not None:
                yield returned.sender
