"""The corpus of replies, each quoted in a delivery report: three days later it means what it means on the wire."""

import json
from collections.abc import Iterator
from pathlib import Path

from postroad.model.returned import Report
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned
from shipped import shipped_rules

CORPUS = Path(__file__).parent.parent / "replies" / "corpus"
COMMANDS = {"rcpt": "RCPT TO", "mail": "MAIL FROM", "data": "DATA", "dot": "end of DATA", "ehlo": "EHLO"}
PERMANENCE = {"permanent": "hard", "transient": "soft", "unknown": "neither"}


def quoted() -> Iterator[tuple[dict[str, str], set[str], bytes]]:
    """Yield each entry and the classes that are right with a report about it, as Postfix writes them."""
    for path in sorted(CORPUS.glob("*.jsonl")):
        head, *entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        for entry in entries:
            server = entry.get("mx", head["mx"])
            right = {entry["class"]} if isinstance(entry["class"], str) else set(entry["class"])
            lines = [line for line in entry["wire"].split("\r\n") if line]
            reply = " ".join([f"{lines[0][:3]} {lines[0][4:]}", *(line[4:] for line in lines[1:])])
            command = COMMANDS.get(entry["phase"])
            said = f"said: {reply} (in reply to {command} command)" if command else f"refused to talk to me: {reply}"
            yield (
                entry,
                right,
                (
                    "From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail Returned to Sender\r\n"
                    "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n"
                    f"<ann@rcpt.example>: host {server}[203.0.113.5] {said}\r\n\r\n--b\r\n"
                    "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n"
                    f"Final-Recipient: rfc822; ann@rcpt.example\r\nAction: failed\r\nStatus: {reply[0]}.0.0\r\n"
                    f"Remote-MTA: dns; {server}\r\nDiagnostic-Code: smtp; {reply}\r\n\r\n--b--\r\n"
                ).encode(),
            )


def test_a_quoted_reply_means_what_it_means_on_the_wire() -> None:
    total = classes = permanences = 0
    for entry, right, octets in quoted():
        returned = read_returned(octets)
        assert isinstance(returned, Report)
        finding = classify_report(returned.recipients[0], rules=shipped_rules())
        total += 1
        classes += finding.cls in right
        permanences += PERMANENCE[finding.permanence] == entry["permanence"]
    assert total > 500
    assert classes / total >= 0.97
    assert permanences / total >= 0.97
