"""What must hold for any octets whatever: each target returns when it does, and raises when it does not."""

from collections.abc import Callable
from typing import Final

import msgspec

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Permanence
from postroad.model.returned import Complaint, Report, ReportAction, Returned
from postroad.pipeline.outcomes.classify import classify
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned
from postroad.wire import arf as wire_arf
from postroad.wire import dsn as wire_dsn
from postroad.wire.smtp.errors import PeerError
from postroad.wire.smtp.replies import LINE_OCTETS, REPLY_OCTETS, Reply, ReplyReader

TEXT: Final = 2_048
_HEAD: Final = (
    "From: MAILER-DAEMON@mx.example\r\nTo: b+x@bounce.shop.example\r\nSubject: Undelivered Mail\r\n"
    'Content-Type: multipart/report; report-type={kind}; boundary="fuzz"\r\n\r\n--fuzz\r\n\r\n'
    "<ann@example.org>: it did not work\r\n--fuzz\r\nContent-Type: message/{kind}\r\n\r\n"
)
_TAIL: Final = (
    b"\r\n--fuzz\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@shop.example>\r\n\r\n--fuzz--\r\n"
)
_SLACK: Final = len(_HEAD) + len(_TAIL)


def replies(octets: bytes) -> None:
    """Read octets as what a server said, at once and octet by octet, and classify each reply in every phase."""
    whole = _said(octets, len(octets) or 1)
    if len(octets) <= 2_000:
        assert whole == _said(octets, 1), "the replies depend on how they were cut"
    for reply in whole[0]:
        assert 200 <= reply.code <= 599
        assert sum(len(line) for line in reply.lines) <= REPLY_OCTETS
        enhanced = None if reply.enhanced is None else str(reply.enhanced)
        for phase in Phase:
            _check_class(SmtpReply(reply.code, reply.text, enhanced), phase)


def dsn(octets: bytes) -> None:
    """Read octets as the machine's part of a delivery report, and as a whole mail that came back."""
    status = wire_dsn.read(octets.decode("utf-8", "replace"))
    assert len(status.recipients) <= wire_dsn.RECIPIENTS
    _check(read_returned(_HEAD.format(kind="delivery-status").encode() + octets + _TAIL), len(octets) + _SLACK)
    _check(read_returned(octets), len(octets))
    _check(read_returned(octets, envelope_from=""), len(octets))


def arf(octets: bytes) -> None:
    """Read octets as the machine's part of a feedback report, and as a whole mail that came back."""
    feedback = wire_arf.read(octets.decode("utf-8", "replace"))
    if feedback is not None:
        assert 1 <= len(feedback.kind) <= 40
        assert feedback.incidents >= 1
    mail = read_returned(_HEAD.format(kind="feedback-report").encode() + octets + _TAIL)
    assert feedback is None or b"\n--fuzz" in octets or b"\r" in octets or isinstance(mail, Complaint)
    _check(mail, len(octets) + _SLACK)
    _check(read_returned(octets), len(octets))


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"replies": replies, "dsn": dsn, "arf": arf}


def _said(octets: bytes, step: int) -> tuple[list[Reply], bool]:
    """Return the replies in octets that come in pieces, and whether the server stopped making sense."""
    reader = ReplyReader()
    found: list[Reply] = []
    try:
        for at in range(0, len(octets), step):
            reader.feed(octets[at : at + step])
            while (reply := reader.next()) is not None:
                found.append(reply)
    except PeerError:
        return found, True
    assert not reader.pending or len(octets) <= REPLY_OCTETS + LINE_OCTETS
    return found, False


def _check_class(reply: SmtpReply, phase: Phase) -> None:
    finding = classify(reply, phase)
    if reply.code // 100 == 4:
        assert finding.permanence is Permanence.TRANSIENT
        assert finding.action is not Action.SUPPRESS


def _check(mail: Returned, size: int) -> None:
    """Check what was read: bounded by the limits, fit to be stored, and no delay or delivery that suppresses."""
    stored = msgspec.json.encode(mail)
    assert len(stored) <= 20_000 + 4_000 * 200 + 12 * size
    if isinstance(mail, Report):
        assert mail.recipients
        for one in mail.recipients:
            assert len(one.text) <= TEXT
            finding = classify_report(one)
            assert one.action is ReportAction.FAILED or finding.action is Action.IGNORE
            assert finding.permanence is not Permanence.TRANSIENT or finding.action is not Action.SUPPRESS
