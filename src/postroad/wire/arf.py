"""Feedback reports: the machine's part of a complaint (RFC 5965, RFC 6591, RFC 6650).

`read` takes the text of a message/feedback-report part and returns its fields. The large providers leave out what they
like (most of all the recipient), so every field but the type may be missing.
"""

import re
from dataclasses import dataclass
from typing import Final

from postroad.wire.dsn import from_xtext, untyped

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{2,60})[ \t]*:[ \t]*(.*)")
_REPEATED: Final = 50
_VALUE: Final = 2_000
_TYPE = re.compile(r"[a-z0-9-]{1,40}")
_ADDRESS = re.compile(r"<?([^\s<>@]{1,200}@[^\s<>@,;]{1,255})>?")

_BLOTTED = re.compile(r"[xX]{4,}|.{0,200}\*.{0,200}|\[?redacted\]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A whole message/feedback-report.

    Attributes:
        kind: Feedback-Type in lower case; `other` when it is none.
        recipients: The addresses of Original-Rcpt-To and, for opt-outs, Removal-Recipient.
        mail_from: The address of Original-Mail-From; empty for the null path.
        arrived: Arrival-Date, or Received-Date as some write it.
    """

    kind: str
    recipients: tuple[str, ...] = ()
    mail_from: str | None = None
    source_ip: str | None = None
    arrived: str | None = None
    reported_domains: tuple[str, ...] = ()
    user_agent: str | None = None
    envelope_id: str | None = None
    incidents: int = 1


def read(text: str) -> Feedback | None:
    """Return what the text of a message/feedback-report says; None when it has no Feedback-Type."""
    fields = _fields(text)
    if "feedback-type" not in fields:
        return None
    kind = _TYPE.match(fields["feedback-type"][0].lower())
    named = [*fields.get("original-rcpt-to", ()), *fields.get("removal-recipient", ())]
    found = [address for value in named if (address := address_in(value))]
    mail_from = fields.get("original-mail-from")
    incidents = fields.get("incidents", ["1"])[0]
    return Feedback(
        kind=kind[0] if kind else "other",
        recipients=tuple(dict.fromkeys(found)),
        mail_from=None if mail_from is None else address_in(mail_from[0]) or "",
        source_ip=_first(fields, "source-ip"),
        arrived=_first(fields, "arrival-date") or _first(fields, "received-date"),
        reported_domains=tuple(fields.get("reported-domain", ())),
        user_agent=_first(fields, "user-agent"),
        envelope_id=_first(fields, "original-envelope-id"),
        incidents=int(incidents) if re.fullmatch("[1-9][0-9]{0,6}", incidents) else 1,
    )


def address_in(value: str) -> str | None:
    """Return the address that a field holds, without type, brackets and xtext; None where it was blotted out."""
    found = _ADDRESS.search(from_xtext(untyped(value[:_VALUE])))
    if found is None or _BLOTTED.fullmatch(found[1].rpartition("@")[0]):
        return None
    return found[1]


def _first(fields: dict[str, list[str]], name: str) -> str | None:
    return fields[name][0] or None if name in fields else None


def _fields(text: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in text.split("\n"):
        found = _FIELD.match(line)
        if found is not None:
            last = fields.setdefault(found[1].lower(), [])
            last += [found[2].strip()[:_VALUE]] * (len(last) < _REPEATED)
        elif last is not None and line[:1] in {" ", "\t"} and len(last[-1]) < _VALUE:
            last[-1] = f"{last[-1]} {line.strip()}".strip()[:_VALUE]
    return fields
