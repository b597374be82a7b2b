"""Delivery reports as the standards have them (RFC 3464, RFC 6533, RFC 8098), with what their prose adds.

A report's fields are believed before its prose. Where they leave something out (a recipient, a reply, a reason) the
prose is asked, because many write there what they do not write into the fields.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from postroad.model.attempt import SmtpReply
from postroad.model.returned import Original, Report, ReportAction, ReportedRecipient
from postroad.pipeline.outcomes.returned import automatic, prose, quoted, replies
from postroad.pipeline.outcomes.returned.notice import Notice
from postroad.wire import dsn
from postroad.wire.dsn import DeliveryStatus, RecipientStatus
from postroad.wire.lenient import Entity

TEXT: Final = 2_048
FIELDS_TEXT: Final = 1_048_576
"""Characters of parts that are looked through for the fields of a report, over all parts of a mail."""
_STATUS_TYPES: Final = frozenset(("message/delivery-status", "message/global-delivery-status"))
_FIELDS = re.compile(r"^(?:final-recipient|original-recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ACTION_FIELD = re.compile(
    r"^(?:action|status)[ \t]*:[ \t]*(?:fail|delay|deliver|relay|expand|[245]\.)", re.IGNORECASE | re.MULTILINE
)
_LONG_ENOUGH: Final = 20
"""Characters of a diagnostic that need no prose beside them."""
_ANSWERED = re.compile(r"\(in\s+reply\s+to\s[^()]{3,40}\)")
_REJECTED: Final = (
    "reject",
    "refus",
    "quota",
    "mailbox is full",
    "over quota",
    "not accept",
    "undeliver",
    "not delivered",
)
_EMPTY_REPLY = re.compile(
    r"[\s(\[]*(?:service unavailable|unknown|delivery error|permanent failure|message rejected|failed)?[\s.)\]]*",
    re.IGNORECASE,
)


def standard(mail: Entity, notice: Notice, original: Original) -> Report | None:
    """Return the report that the machine's part of a mail makes, or None without such a part."""
    found: list[DeliveryStatus] = []
    recipients: dict[RecipientStatus, None] = {}
    for text in _machine_texts(mail):
        status = dsn.read(text)
        if status.recipients:
            found.append(status)
            recipients |= dict.fromkeys(status.recipients)
        if len(recipients) >= dsn.RECIPIENTS:
            break
    if not found:
        return None
    return _report(replace(found[0], recipients=tuple(recipients)[: dsn.RECIPIENTS]), mail, notice, original)


def rejected(mail: Entity, disposition: Entity, notice: Notice, original: Original) -> Report | None:
    """Return the report that a mail with a disposition notification makes when it says that the mail was refused.

    Dovecot and others answer so when a filter rejects a message or a mailbox is full; that it was displayed or deleted
    is no report.
    """
    words = f"{mail.get('subject')}\n{notice.text[:TEXT]}".lower()
    if not any(phrase in words for phrase in _REJECTED):
        return None
    status = dsn.read(disposition.text().replace("Disposition:", "Action: failed\nX-Disposition:"))
    if status.recipients:
        return _report(status, mail, notice, original)
    return Report(recipients=prose.recipients(mail, notice.text, original), original=original)


def _has_lost_its_boundaries(mail: Entity) -> bool:
    """Whether a mail says that it has a machine's part, and all of it is one text."""
    return mail.media_type == "multipart/report" and [part.fields for part in mail.children] == [()]


def _machine_texts(mail: Entity) -> Iterator[str]:
    """Yield the fields that the parts of a mail hold, those first that say by their type that they do.

    A part's text counts for the limit whether it holds any or not: to look is what takes the time. The texts of a
    person's own machine are not read at all, because many answer with the message below and no line between.
    """
    whole = _has_lost_its_boundaries(mail)
    parts = list(mail.walk())
    stated = [part for part in parts if part.media_type in _STATUS_TYPES]
    others = [] if automatic.marked(mail) else [part for part in parts if _may_hold_fields(part)]
    left = FIELDS_TEXT
    for part in (*stated, *others):
        if left <= 0:
            return
        text = part.text()
        left -= len(text)
        fields = text if part.media_type in _STATUS_TYPES else _fields_in(text, whole=whole)
        if fields is not None:
            yield fields


def _may_hold_fields(part: Entity) -> bool:
    return part.media_type.startswith(("text/", "application/octet-stream")) and not quoted.is_copy(part)


def _fields_in(text: str, *, whole: bool) -> str | None:
    """Return the fields in a text of servers that gave it the wrong type, or None.

    It is read up to the copy of the message, unless `whole`: what is in there is what somebody else wrote.
    """
    if not _holds_fields(text):
        return None
    before = text if whole else quoted.cut(text)[0]
    return before if _holds_fields(before) else None


def _holds_fields(text: str) -> bool:
    return _FIELDS.search(text) is not None and _ACTION_FIELD.search(text) is not None


def _report(status: DeliveryStatus, mail: Entity, notice: Notice, original: Original) -> Report:
    told = prose.recipients(mail, notice.text, original)
    named = {one.final.lower(): one for one in told if one.final}
    only = told[0] if len(status.recipients) == 1 else None
    recipients = tuple(
        _recipient(one, named.get((one.final or one.original or "").lower(), only), mail, notice, original)
        for one in status.recipients
    )
    return Report(
        recipients=recipients,
        original=original,
        envelope_id=status.envelope_id,
        reporting_mta=status.reporting_mta,
        standard=True,
    )


def _recipient(
    one: RecipientStatus, told: ReportedRecipient | None, mail: Entity, notice: Notice, original: Original
) -> ReportedRecipient:
    said = one.diagnostic or ""
    reply = replies.find(said[:8_000])
    if told is not None and (reply is None or _says_nothing(reply)):
        better = told.diagnostic
        reply = better if better is not None and not (reply and _says_nothing(better)) else reply
    address = next((known for known in (one.original, one.final) if known and "@" in known), None)
    if address is None:
        people = [told.address] if told and told.address else list(original.recipients[:1])
        address = people[0] if people else one.final or one.original
    return ReportedRecipient(
        address=address,
        final=one.final,
        original=one.original,
        action=_action(one, told, mail, notice.text),
        status=_status(one, said, told),
        diagnostic=reply,
        text=_words(said, told.text if told is not None else ""),
        remote_mta=one.remote_mta,
        retry_until=one.retry_until,
    )


def _words(said: str, prose_text: str) -> str:
    """Return the words about the cause: those of the diagnostic and what it answered, or all that there are."""
    if len(said) <= _LONG_ENOUGH:
        return f"{said}\n{prose_text}".strip()[:TEXT]
    answered = _ANSWERED.search(prose_text)
    return f"{said[: TEXT - 60]} {answered[0]}" if answered else said[:TEXT]


def _says_nothing(reply: SmtpReply) -> bool:
    return _EMPTY_REPLY.fullmatch(reply.text[:200]) is not None and (reply.enhanced or "0.0").endswith("0.0")


def _status(one: RecipientStatus, said: str, told: ReportedRecipient | None) -> str | None:
    """Return the code of the report, or one with more to say that its words hold."""
    if one.status is not None and not one.status.endswith(".0.0"):
        return one.status
    return replies.status_in(said) or (told.status if told is not None else None) or one.status


def _action(one: RecipientStatus, told: ReportedRecipient | None, mail: Entity, said: str) -> ReportAction:
    stated = one.action or ""
    if stated.startswith("delay") and not one.retry_until and prose.given_up(mail.get("subject"), said):
        return ReportAction.FAILED  # OpenSMTPD says "delayed" of an envelope that has expired
    for action in ReportAction:
        if stated.startswith(action.value[:5]):
            return action
    if stated:
        return ReportAction.FAILED
    if one.status is not None and one.status.startswith("2"):
        return ReportAction.DELIVERED
    return told.action if told is not None else prose.action_of(mail.get("subject"), "")
