"""Delivery status notifications: the machine's part of a report (RFC 3464, RFC 6533; xtext of RFC 3461 §4).

`read` takes the text of a message/delivery-status part and returns what its fields say, per message and per recipient.
It takes reports as they are met: groups without an empty line between them or with empty lines inside, fields in any
order, address types left off, replies that go on at the beginning of a line. What a field means, and whether to believe
it, is for others to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

RECIPIENTS: Final = 200
"""Most recipients read of one report."""
_VALUE: Final = 4_000

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{2,60})[ \t]*:[ \t]*(.*)")
_PER_MESSAGE: Final = frozenset(
    ("reporting-mta", "original-envelope-id", "dsn-gateway", "received-from-mta", "arrival-date")
)
_PER_RECIPIENT: Final = frozenset(
    (
        *("original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code"),
        *("last-attempt-date", "final-log-id", "will-retry-until", "localized-recipient"),
    )
)
_BEGINS: Final = ("original-recipient", "final-recipient", "action", "status", "x-actual-recipient")
_NAMES: Final = ("original-recipient", "final-recipient")
_TYPED = re.compile(r"[A-Za-z0-9-]{1,40}[ \t]*;[ \t]*")
_STATUS = re.compile(r"(?<![0-9.])([245])\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9])", re.ASCII)
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_MUST_BE_XTEXT: Final = {"2B": "+", "3D": "=", "5C": "\\"}
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStatus:
    """One group of per-recipient fields (RFC 3464 §2.3); None where a field is missing or says nothing.

    Attributes:
        original: Original-Recipient without its type, undone of xtext.
        final: Final-Recipient without its type.
        action: In lower case, as it stands.
        status: The enhanced code that stands in Status.
        diagnostic_type: What Diagnostic-Code is in: `smtp`, `x-unix` …, in lower case.
        diagnostic: What follows it, unfolded.
        remote_mta: The name or address of Remote-MTA.
        retry_until: Will-Retry-Until.
    """

    original: str | None = None
    final: str | None = None
    action: str | None = None
    status: str | None = None
    diagnostic_type: str | None = None
    diagnostic: str | None = None
    remote_mta: str | None = None
    retry_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """A whole message/delivery-status."""

    reporting_mta: str | None = None
    envelope_id: str | None = None
    recipients: tuple[RecipientStatus, ...] = ()


def read(text: str) -> DeliveryStatus:
    """Return what the text of a message/delivery-status says; nothing when it is none."""
    message: dict[str, str] = {}
    recipients: list[dict[str, str]] = []
    for name, value, after_gap in _fields(text):
        if name in _PER_MESSAGE:
            message.setdefault(name, value)
            continue
        current = recipients[-1] if recipients else None
        if current is None or _begins_another(name, current, after_gap=after_gap):
            if name not in _BEGINS:
                continue
            if len(recipients) == RECIPIENTS:
                break
            current = {}
            recipients.append(current)
        current.setdefault(name, value)
    return DeliveryStatus(
        reporting_mta=untyped(message.get("reporting-mta", "")) or None,
        envelope_id=from_xtext(message.get("original-envelope-id", "")) or None,
        recipients=tuple(_recipient(group) for group in recipients),
    )


def from_xtext(text: str) -> str:
    """Undo xtext (RFC 3461 §4), as far as it is that.

    Many reports hold the address as it was before, where `+2` may be part of it: so only characters that must have
    been written so are undone, and all of the others only when nothing could be an address otherwise.
    """
    if "@" not in text and "+40" in text:
        return _XTEXT.sub(lambda found: chr(int(found[1], 16)), text)
    return _XTEXT.sub(lambda found: _MUST_BE_XTEXT.get(found[1], found[0]), text)


def untyped(value: str) -> str:
    """Return an address or a name without its type, angle brackets and comment: `rfc822; <ann@example.org>`."""
    value = value.strip()
    found = _TYPED.match(value)
    text = value[found.end() :] if found else value
    text = text.strip().removesuffix(";").strip()
    if text.startswith("<") and ">" in text:
        text = text[1 : text.index(">")]
    return text.partition(" (")[0].strip(" \t'\"")


def _begins_another(name: str, current: dict[str, str], *, after_gap: bool) -> bool:
    if name not in _BEGINS:
        return False
    if name in current:
        return after_gap or name in _NAMES
    return after_gap and name in _NAMES and any(known in current for known in _NAMES)


def _fields(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield name, unfolded value and whether an empty line stands before; other lines go on with the last value."""
    name, value, gap, after_gap = "", [""], False, False
    for line in text.split("\n"):
        if not line.strip():
            gap = True
            continue
        found = _FIELD.match(line)
        lowered = found[1].lower() if found else ""
        if found and (lowered in _PER_MESSAGE or lowered in _PER_RECIPIENT or lowered.startswith("x-")):
            if name:
                yield name, " ".join(value)[:_VALUE], after_gap
            name, value, after_gap, gap = lowered, [found[2].strip()], gap, False
        elif found and "-" in lowered:  # a field of another standard
            if name:
                yield name, " ".join(value)[:_VALUE], after_gap
            name = ""
        elif not gap:
            value.append(line.strip())
    if name:
        yield name, " ".join(value)[:_VALUE], after_gap


def _recipient(group: dict[str, str]) -> RecipientStatus:
    kind, semicolon, words = group.get("diagnostic-code", "").partition(";")
    if not semicolon or " " in kind.strip():
        kind, words = "", group.get("diagnostic-code", "")
    status = _STATUS.search(group.get("status", ""))
    action = group.get("action", "").strip().lower().split(" ")[0].strip("();,.")
    return RecipientStatus(
        original=_address(group.get("original-recipient", ""), xtext=True),
        final=_address(group.get("final-recipient", ""), xtext=False)
        or _address(group.get("x-actual-recipient", ""), xtext=False),
        action=action or None,
        status=f"{status[1]}.{int(status[2])}.{int(status[3])}" if status else None,
        diagnostic_type=kind.strip().lower() or None,
        diagnostic=words.strip() or None,
        remote_mta=untyped(group.get("remote-mta", "")) or None,
        retry_until=group.get("will-retry-until") or None,
    )


def _address(value: str, *, xtext: bool) -> str | None:
    text = untyped(value)
    if xtext:
        text = from_xtext(text)
    if value.lower().startswith("utf-8"):  # RFC 6533 §3: utf-8-addr-xtext and utf-8-addr-unitext
        text = _UNITEXT.sub(_character, text)
    return text or None


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"
