"""SMTP replies inside other people's sentences: `said: 550 5.1.1 <ann@example.org>: unknown (in reply to RCPT TO)`.

Only numbers that stand where a reply begins are taken for one: at the beginning of a line, after a colon, a bracket, an
arrow or a word that announces it. Work is linear in the text.
"""

import re
from typing import Final

from postroad.model.attempt import Phase, SmtpReply

TEXT: Final = 2_048
"""Characters of a reply that are kept."""

_CODE = re.compile(
    r"(?<![0-9A-Za-z.@/_+-])(?<![0-9\]]:)([45][0-57][0-9])(?=[ \t\n#:;,)\]'\"-]|\.[ \n]|"
    r"\Z)(?![ \t]?(?:[KkMG]?[Bb]\b|bytes))"
)
_OPENS: Final = frozenset(":;\"'([<>=-|*#\n,")
_ANNOUNCES: Final = frozenset(
    (
        *("said", "says", "error", "errors", "code", "status", "reply", "response", "responded", "returned", "smtp"),
        *("answer", "answered", "with", "reason", "diagnostic", "got", "received", "fehler", "erreur", "failed"),
        *("rejected", "message", "was", "is", "fehlercode", "antwort", "réponse", "respuesta", "risposta", "resposta"),
    )
)
_VALID: Final = frozenset(
    (
        *(401, 402, 403, 404, 405, 420, 421, 422, 430, 431, 432, 441, 442, 443, 444, 445, 446, 447, 448, 449, 450, 451),
        *(452, 453, 454, 455, 456, 457, 458, 459, 460, 471, 472, 473, 474, 499, 500, 501, 502, 503, 504, 505, 506, 507),
        *(508, 509, 510, 511, 512, 513, 515, 517, 520, 521, 522, 523, 525, 530, 531, 532, 533, 534, 535, 538, 540, 541),
        *(542, 543, 544, 546, 547, 549, 550, 551, 552, 553, 554, 555, 556, 557, 558, 559, 560, 569, 570, 571, 572, 573),
        *(574, 576, 577, 578, 579),
    )
)
_STATUS = re.compile(r"(?<![0-9.])([245])\.([0-9]{1,3})\.([0-9]{1,3})(?!\.?[0-9])", re.ASCII)
_LEADING_STATUS = re.compile(
    r"[\s#(\[:-]{0,8}([245])\.([0-9]{1,3})\.([0-9]{1,3})[)\]:]?(?!\.?[0-9])[\s-]{0,8}", re.ASCII
)
_LINE_CODE = re.compile(r"(?:<<<\s?)?[45][0-9]{2}[- ](?:#?[45]\.[0-9]{1,3}\.[0-9]{1,3}[ -]?)?")
_ANOTHER = re.compile(r"(?:<<<\s?)?([2-5][0-9]{2})[- ]")
"""What a line of another reply begins with."""
_AFTER: Final = (
    (Phase.RCPT, ("reply to rcpt to", "after rcpt", ">>> rcpt", "rcpt to:", "rcpt to command", "response to rcpt")),
    (Phase.MAIL, ("reply to mail from", "after mail from", ">>> mail", "response to mail from")),
    (
        Phase.DOT,
        ("reply to end of data", "after end of data", "after sending data", "after data", ">>> data", "to the data"),
    ),
    (Phase.EHLO, ("reply to ehlo", "reply to helo", "after helo", "after ehlo", ">>> helo", ">>> ehlo")),
    (Phase.BANNER, ("while receiving the initial server greeting", "after initial connection", "initial greeting")),
)


def find(text: str) -> SmtpReply | None:
    """Return the first reply that a text quotes; one about the order of commands only when it is the only one."""
    second: SmtpReply | None = None
    for found in _CODE.finditer(text):
        if int(found[1]) in _VALID and _stands_as_reply(text, found.start(), found.end()):
            reply = _reply(int(found[1]), text[found.end() : found.end() + TEXT])
            if reply.code != 503:
                return reply
            second = second or reply
    return second


def phase(text: str) -> Phase:
    """Return in which phase a report says that the reply came; the end of the data when it does not say."""
    lowered = text[: 2 * TEXT].lower()
    for known, phrases in _AFTER:
        if any(phrase in lowered for phrase in phrases):
            return known
    return Phase.DOT


def status_in(text: str) -> str | None:
    """Return the enhanced code in a text that says most: the first whose numbers are not all nought, else the first."""
    first = None
    for found in _STATUS.finditer(text[: 2 * TEXT]):
        code = f"{found[1]}.{int(found[2])}.{int(found[3])}"
        if found[2] != "0" and found[1] != "2":
            return code
        first = first or code
    return first


def _stands_as_reply(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 40) : start].rstrip(" \t")
    if not before or before[-1] in _OPENS or _LEADING_STATUS.match(text, end):
        return True
    return before.rsplit(None, 1)[-1].strip("'\"(").lower() in _ANNOUNCES


def _reply(code: int, rest: str) -> SmtpReply:
    lines: list[str] = []
    for number, line in enumerate(rest.split("\n")):
        stripped = line.strip()
        if number and (not stripped or stripped.startswith((">>>", "---", "***")) or line.lower().startswith(_FIELDS)):
            break
        another = _ANOTHER.match(stripped) if number else None
        if another is not None and int(another[1]) != code:
            break
        lines.append(_LINE_CODE.sub("", stripped, count=1) if number else stripped)
    said = " ".join(lines).lstrip("-: \t#),'\"")
    found = _LEADING_STATUS.match(said)
    stated = status_in(said)
    return SmtpReply(code, said[found.end() :] if found else said, stated if stated and stated[0] != "2" else None)


_FIELDS: Final = (
    "remote-mta:",
    "reporting-mta:",
    "final-recipient:",
    "status:",
    "last-attempt",
    "action:",
    "return-path:",
)
