"""The message that a returned mail is about: from the copy that came with it, or from what is quoted in its text."""

import re
from typing import Final

from postroad.model.returned import DELIVERY_HEADER, Original
from postroad.pipeline.outcomes.returned import addresses
from postroad.wire import lenient
from postroad.wire.lenient import Entity

_COPIES: Final = frozenset(
    (
        *("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/partial"),
        *("text/rfc822-header", "message/rfc822-headers", "text/rfc822"),
    )
)
_HEADERS: Final = frozenset(
    (
        *("return-path", "received", "message-id", "from", "to", "cc", "subject", "date", "mime-version", "sender"),
        *("content-type", "content-transfer-encoding", "dkim-signature", "delivered-to", "reply-to", "x-mailer"),
        *("x-original-to", "feedback-id", "list-id", "list-unsubscribe", "arc-seal", "authentication-results"),
        *("received-spf", "envelope-to", "references", "in-reply-to", "thread-topic", "user-agent"),
        *("domainkey-signature", "precedence", "importance", "x-priority", "x-received", DELIVERY_HEADER.lower()),
    )
)
_TELLING: Final = frozenset(("received", "return-path", "mime-version", "dkim-signature", "message-id", "content-type"))
_NAME = re.compile(r"([ \t]{0,8}(?:[>|][ \t]?){0,8})([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,4}:(?!//)")
_CUT = re.compile(
    r"below this line is a copy|below is (?:a|the) (?:copy|original)|this is a copy of (?:the|your)|"
    r"(?:original|unsent|returned|undelivered|bounced|rejected) (?:message|mail)(?: headers?| text| body)? ?"
    r"(?:follows|is following|below|-{2,}|begins|attached below)|-{3,} ?(?:original|returned|unsent) (?:message|mail)|"
    r"original message headers?:|message headers? follows?|headers? of (?:the|your) (?:original )?message|"
    r"copy of (?:the|your) (?:original )?message[^.\n]{0,40}(?:follows|below|attached|:)|"
    r"(?:the )?original message (?:headers? )?(?:was|were) as follows|first [0-9]{1,6} (?:lines|bytes) of|"
    r"(?:the )?header of the original message|your (?:original )?message (?:reads|was as follows|follows)|"
    r"text of (?:the|your) message|content of (?:the|your) (?:original )?message|-{2,} ?message (?:header|text|body)|"
    r"kopie der nachricht|urspr(?:ü|ue)ngliche nachricht|message d'origine|message original|mensaje original|"
    r"messaggio originale|mensagem original|исходное (?:сообщение|письмо)|元のメッセージ|原始邮件|原邮件|"
    r"returned message (?:header|body|text)|message contents? follows",
    re.IGNORECASE,
)


def copied(mail: Entity) -> Entity | None:
    """Return the header, and what there is of the body, of the message that came back as a part of its own."""
    for part in mail.walk():
        if part is mail:
            continue
        if part.children and part.media_type in {"message/rfc822", "message/global"}:
            return part.children[0]
        named = part.parameters.get("name", "").lower().endswith((".eml", ".hdr", ".msg", "header.txt", "headers.txt"))
        if part.media_type in _COPIES or named:
            return lenient.read_header(part.octets().replace(b"\r\n", b"\n").lstrip(b"\n"))
    return None


_FAILS = re.compile(r"deliver|fail|reject|bounce|return|refus|zugestellt|remis|entreg|recapit|consegn", re.IGNORECASE)
_LABEL = re.compile(r"^[ \t]{0,8}(?:recipient address|reason)[ \t]?:", re.IGNORECASE | re.MULTILINE)


def is_copy(part: Entity) -> bool:
    """Tell whether a part is a message, or the header of one, as something else than a part to be read."""
    return part.media_type in _COPIES or is_attached(part)


def is_attached(part: Entity) -> bool:
    """Tell whether a part is a file that holds a message, as mail programs attach one."""
    named = part.parameters.get("name", "").lower().endswith((".eml", ".msg"))
    return named and part.media_type in {"application/octet-stream", "text/plain"}


def cut(text: str) -> tuple[str, Entity | None]:
    """Cut the copy of the message off a text; return what stands before it, and the header of the copy."""
    lines = text.split("\n")
    start = _copy_begins(lines)
    if start is None:
        return text, None
    first = next((at for at in range(start, min(start + 12, len(lines))) if _name(lines[at])), len(lines))
    found = _NAME.match(lines[first]) if first < len(lines) else None
    margin = found[1] if found else ""
    header = "\n".join(line.removeprefix(margin) for line in lines[first:])
    return _told(lines, start, first), lenient.read_header(header.encode("utf-8", "replace"))


def _told(lines: list[str], start: int, first: int) -> str:
    """Return what is said beside a copy: before it, or behind its header where that stands first and alone.

    PMDF and what came of it say which message they mean, and then what is the matter with it. Only what has their
    labels is taken for that, because behind a header most often stands what somebody wrote.
    """
    before = "\n".join(lines[:start])
    if _FAILS.search(before):
        return before
    end = next((at for at in range(first, len(lines)) if not lines[at].strip()), len(lines))
    behind = "\n".join(lines[end : end + 20])
    return f"{before}\n{behind}" if _FAILS.search(behind) and _LABEL.search(behind) else before


def original(copy: Entity | None, mail: Entity) -> Original:
    """Return what is known of the message: of its copy, and of the fields of a mail that answers it."""
    if copy is None:
        copy = Entity()
    answered = mail.get("in-reply-to") or mail.get("x-original-message-id")
    if not answered:
        answered = (mail.get("references").split() or [""])[-1]
    people = [
        address
        for name in ("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to")
        for value in copy.all(name)
        for address in addresses.every(value)
    ]
    return Original(
        message_id=_id(copy.get("message-id")) or _id(answered),
        delivery_token=copy.get(DELIVERY_HEADER.lower())[:200] or None,
        return_path=addresses.first(copy.get("return-path")),
        sender=addresses.first(copy.get("from")),
        recipients=tuple(dict.fromkeys(people)),
        subject=copy.get("subject")[:500] or None,
        feedback_id=copy.get("feedback-id")[:500] or None,
        list_id=copy.get("list-id")[:500] or None,
    )


def _id(value: str) -> str | None:
    start, end = value.find("<"), value.find(">")
    if 0 <= start < end:
        return value[start : end + 1][:500]
    word = (value.split() or [""])[0]
    return f"<{word[:500]}>" if "@" in word else None


def _copy_begins(lines: list[str]) -> int | None:
    """Return the line at which the copy of a message begins: one that says so, or a header."""
    for at, line in enumerate(lines):
        if len(line) < 200 and _CUT.search(line) and any(_name(later) for later in lines[at + 1 : at + 12]):
            return at
        if _name(line) and _is_header(lines, at):
            return at
    return None


def _is_header(lines: list[str], at: int) -> bool:
    names = [name for line in lines[at : at + 14] if (name := _name(line))]
    return len(set(names)) >= 3 and not _TELLING.isdisjoint(names)


def _name(line: str) -> str | None:
    """Return the name of a header field that a line, quoted or not, begins with; None for any other line."""
    found = _NAME.match(line)
    name = found[2].lower() if found else ""
    return name if name in _HEADERS else None
