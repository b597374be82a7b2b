"""Complaints: feedback reports (RFC 5965), and those of providers that have their own way of saying it."""

import re
from collections.abc import Iterator
from typing import Final

from postroad.model.returned import DELIVERY_HEADER, Complaint, Original
from postroad.pipeline.outcomes.returned import addresses, automatic, quoted
from postroad.pipeline.outcomes.returned.notice import Notice
from postroad.wire import arf
from postroad.wire.lenient import Entity

_MICROSOFT = re.compile(r"complaint about message from \[?([0-9A-Fa-f.:]{3,45})", re.IGNORECASE)
_SUBJECTS: Final = ("abuse report", "spam report", "spam complaint", "email feedback report", "complaint about message")
_EMPTY: Final = "\n\n"
_TYPE_LINE = re.compile(r"^[ \t]{0,4}feedback-type[ \t]{0,4}:", re.IGNORECASE | re.MULTILINE)


def read(mail: Entity, notice: Notice, original: Original) -> Complaint | None:
    """Return the complaint that a mail is, or None when it is none."""
    answers = automatic.marked(mail)
    for part in mail.walk():
        standard = part.media_type == "message/feedback-report"
        text = part.text() if standard else None if answers else _inline(part)
        feedback = None if text is None else arf.read(text)
        if feedback is not None:
            return _standard(feedback, original, standard=standard)
    return _microsoft(mail, original) or _forwarded(mail, notice, original)


def _inline(part: Entity) -> str | None:
    """Return a text that holds the fields of a feedback report, as of servers that gave it the wrong type.

    In the copy of a message they are what its author wrote. Some of them look like the header that a copy begins with,
    so that the lines that one is believed to begin with count as long as no line between them is empty.
    """
    if not part.media_type.startswith("text/") or quoted.is_copy(part):
        return None
    text = part.text()
    if _TYPE_LINE.search(text) is None:
        return None
    before = quoted.cut(text)[0]
    rest = text[len(before) :].lstrip("\n")
    return text if _TYPE_LINE.search(f"{before}\n{rest.partition(_EMPTY)[0]}") else None


def _standard(feedback: arf.Feedback, original: Original, *, standard: bool) -> Complaint:
    return Complaint(
        feedback_type=feedback.kind,
        recipients=feedback.recipients,
        mail_from=feedback.mail_from,
        source_ip=feedback.source_ip,
        arrived=feedback.arrived,
        reported_domains=feedback.reported_domains,
        user_agent=feedback.user_agent,
        incidents=feedback.incidents,
        envelope_id=feedback.envelope_id,
        original=original,
        standard=standard,
    )


def _microsoft(mail: Entity, original: Original) -> Complaint | None:
    """Read a mail of the Junk Mail Reporting Program: the message as an attachment, all else in its header."""
    found = _MICROSOFT.search(mail.get("subject"))
    copies = [part for part in _messages(mail) if part.get("x-hmxmroriginalrecipient")]
    if found is None and (not copies or any(part.media_type.endswith("delivery-status") for part in mail.walk())):
        return None
    recipients = [address for part in copies for address in addresses.every(part.get("x-hmxmroriginalrecipient"))]
    return Complaint(
        feedback_type="abuse",
        recipients=tuple(dict.fromkeys(recipients)),
        source_ip=found[1] if found and not found[1].endswith(".") else None,  # its end is blotted out in some
        user_agent="JMRP",
        original=original,
    )


def _messages(mail: Entity) -> Iterator[Entity]:
    """Yield the parts of a mail and the messages within; what is in one of our own is nobody's complaint on it."""
    for part in mail.walk():
        yield part
        for inner in part.children if part.media_type.startswith("message/") else ():
            yield from (inner,) if inner.get(DELIVERY_HEADER.lower()) else _messages(inner)


def _forwarded(mail: Entity, notice: Notice, original: Original) -> Complaint | None:
    """Read a complaint that is a forwarded message and a subject that says what it is."""
    subject = mail.get("subject").lower()
    if notice.copy is None or not any(known in subject for known in _SUBJECTS) or subject.startswith("re:"):
        return None
    return Complaint(feedback_type="abuse", original=original)
