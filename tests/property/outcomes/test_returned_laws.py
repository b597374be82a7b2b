"""Laws of returned mail: any octets are read, in time in proportion, and what is no failure is no bounce."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.attempt import SmtpReply
from postroad.model.reason import Action, Permanence
from postroad.model.returned import Report, ReportAction, ReportedRecipient
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned

HEADS = {
    "prose": "From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n",
    "html": "From: MAILER-DAEMON@x.example\nSubject: failure\nContent-Type: text/html\n\n",
    "report": "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\nhi\n--b\n"
    "Content-Type: message/delivery-status\n\n",
    "header": "From: MAILER-DAEMON@x.example\nX-Failed-Recipients: ",
    "nothing": "",
}
SHAPES = [
    *("a", "@", "a@", "a@b.example ", "<a@b.example>:\n", "550 ", "said: 550 x\n", "5.0.0 ", "Received: x\n", "<", "|"),
    *("original message\n", "From: x\n", "\n", " ", "(", "<!--", "<style", "<a", "&amp;", "--b\n", "=?utf-8?q?"),
    *("Final-Recipient: rfc822; a@b.example\nAction: failed\n\n", "Diagnostic-Code: smtp; 550 x\n y\n", "\\x{41}"),
    *("Feedback-Type: abuse\n", "(generated from ", "Message-ID: <a@b.example> ", "copy of the message ", "+2B", "ア"),
    *(
        '<a href="mailto:a@b.example',
        "<a mailto:a@b.example>",
        "mailbox ",
        "full ",
        "user unknown ",
        "--b\nContent-Type: x\n",
    ),
    "Content-Type: message/rfc822\n\n",
]
OCTETS = 60_000

pieces = st.sampled_from([*SHAPES, *HEADS.values(), "Subject: out of office\n", "Auto-Submitted: auto-replied\n"])
mails = (
    st.lists(pieces | st.text(max_size=20), max_size=12).map("".join).map(lambda text: text.encode("utf-8", "replace"))
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("head", list(HEADS))
def test_hostile_length_costs_time_in_proportion(head: str, shape: str) -> None:
    octets = (HEADS[head] + shape * (OCTETS // len(shape))).encode()
    assert any(_cost_s(octets) < 0.5 for _ in range(3))


def _cost_s(octets: bytes) -> float:
    """Processor time of this thread alone; the least of a few is free of what else the process has to do."""
    begun = time.thread_time()
    found = read_returned(octets)
    if isinstance(found, Report):
        for one in found.recipients:
            classify_report(one)
    return time.thread_time() - begun


@given(mails | st.binary(max_size=300), st.sampled_from([None, "", "ann@example.org"]))
def test_any_octets_are_read(octets: bytes, envelope_from: str | None) -> None:
    found = read_returned(octets, envelope_from=envelope_from)
    if isinstance(found, Report):
        assert found.recipients


words = st.sampled_from(["user unknown", "mailbox full", "spam", "timed out", "expired", "不存在", ""]) | st.text(
    max_size=30
)
codes = st.none() | st.builds("{}.{}.{}".format, st.sampled_from("245"), st.integers(0, 9), st.integers(0, 40))
quoted = st.none() | st.builds(SmtpReply, st.integers(400, 599), words, codes)


@given(st.builds(ReportedRecipient, action=st.sampled_from(ReportAction), status=codes, diagnostic=quoted, text=words))
def test_only_a_lasting_failure_suppresses_and_nothing_is_tried_again(one: ReportedRecipient) -> None:
    finding = classify_report(one)
    assert finding.action is not Action.RETRY
    if one.action is not ReportAction.FAILED:
        assert finding.action is Action.IGNORE
    if finding.action is Action.SUPPRESS:
        assert finding.permanence is Permanence.PERMANENT
