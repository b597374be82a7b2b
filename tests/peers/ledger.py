"""What a recording sink writes down, and how it is told to misbehave; shared by the sink and its readers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Phase = Literal["banner", "ehlo", "mail", "rcpt", "data", "dot"]


class Rule(msgspec.Struct, frozen=True):
    """At `phase`, for a `share` of the occasions, answer `reply` instead of success.

    `reply` is an SMTP reply, or `close` (hang up without a word), or `lose` (at `dot` only: record the message as
    accepted, then hang up before the 250). With `first`, the rule holds only for that many occasions for each
    recipient (at `rcpt`) or for each sink (elsewhere).
    """

    phase: Phase
    reply: str
    share: float = 1.0
    first: int | None = None


class Behaviour(msgspec.Struct, frozen=True):
    """How the sink behaves; the default is a fast and friendly server."""

    rules: tuple[Rule, ...] = ()
    latency_s: float = 0.0
    """Time between the final dot and its reply."""
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 67108864", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    durable: bool = True
    """Whether the ledger is on disk before the 250."""
    keep: bool = False
    """Whether the octets of every message are kept, for `MailSink.octets`."""
    seed: int = 1
    generation: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One accepted recipient of one accepted message."""

    at_ns: int
    number: int
    """Counts the messages of one life of the sink."""
    life: int
    """The sink's process id, so that (life, number) is unique in a ledger."""
    message_id: str
    sender: str
    recipient: str
    sha256: str
    size: int
    answered: bool
    """False when the 250 was withheld on purpose."""


def read_ledger(file: Path) -> list[Entry]:
    """Read a ledger; a last line without its end was never answered for and is left out."""
    decode = msgspec.json.Decoder(Entry).decode
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    return [decode(line) for line in lines]
