"""What comes back later: bounces in several dialects, complaints and automatic replies, made as their systems do."""

from email.utils import formatdate
from typing import Final

from postroad.simulator.personality import Returns

_BOUNDARY: Final = "simulated-4f2a91c7"
_HEAD_OCTETS: Final = 16_384


def come_back(returns: Returns, *, host: str, sender: str, recipient: str, octets: bytes, at_s: float) -> bytes:
    """Return the mail that comes back to `sender` for a message of these octets to `recipient`."""
    head = octets[: octets.find(b"\r\n\r\n") + 2][:_HEAD_OCTETS].decode("utf-8", "replace")
    made = _DIALECTS[returns](host, recipient, head)
    date = f"Date: {formatdate(at_s)}\nTo: <{sender}>\n"
    return (date + made).replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _report(kind: str, parts: list[tuple[str, str]]) -> str:
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/report; report-type={kind}; boundary="{_BOUNDARY}"', ""]
    for content_type, text in parts:
        lines += [f"--{_BOUNDARY}", f"Content-Type: {content_type}", "", text]
    return "\n".join([*lines, f"--{_BOUNDARY}--", ""])


def _postfix(host: str, recipient: str, head: str) -> str:
    text = (
        f"This is the mail system at host {host}.\n\nI'm sorry to have to inform you that your message could not\nbe "
        "delivered to one or more recipients.\n\n                   The mail system\n\n"
        f"<{recipient}>: user unknown. Command output: mail system: no mailbox here by that name\n"
    )
    status = (
        f"Reporting-MTA: dns; {host}\nX-Postfix-Queue-ID: 4XyZ1234abcd\n\n"
        f"Final-Recipient: rfc822; {recipient}\nOriginal-Recipient: rfc822;{recipient}\nAction: failed\n"
        "Status: 5.1.1\nDiagnostic-Code: x-unix; user unknown\n"
    )
    return f"From: MAILER-DAEMON@{host} (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n" + (
        "Auto-Submitted: auto-replied\n"
        + _report(
            "delivery-status",
            [
                (
                    "text/plain; charset=us-ascii",
                    text,
                ),
                ("message/delivery-status", status),
                ("text/rfc822-headers", head),
            ],
        )
    )


def _exim(host: str, recipient: str, head: str) -> str:
    return (
        f"From: Mail Delivery System <Mailer-Daemon@{host}>\n"
        "Subject: Mail delivery failed: returning message to sender\n"
        f"Auto-Submitted: auto-replied\nX-Failed-Recipients: {recipient}\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=us-ascii\n\n"
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. "
        f"The following address(es) failed:\n\n  {recipient}\n    host backend.{host} [192.0.2.1]\n"
        f"    SMTP error from remote mail server after RCPT TO:<{recipient}>:\n"
        f"    550 5.1.1 <{recipient}>: User unknown\n\n"
        f"------ This is a copy of the message's headers. ------\n\n{head}"
    )


def _exchange(host: str, recipient: str, head: str) -> str:
    status = (
        f"Reporting-MTA: dns;{host}\nReceived-From-MTA: dns;mail.example.test\n\n"
        f"Final-Recipient: rfc822;{recipient}\nAction: failed\nStatus: 5.1.10\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n"
    )
    return f"From: postmaster@{host}\nSubject: Undeliverable: your message\nAuto-Submitted: auto-replied\n" + _report(
        "delivery-status",
        [
            ("text/plain; charset=utf-8", f"Delivery has failed to these recipients or groups:\n\n{recipient}\n"),
            ("message/delivery-status", status),
            ("text/rfc822-headers", head),
        ],
    )


def _qmail(host: str, recipient: str, head: str) -> str:
    return (
        f"From: MAILER-DAEMON@{host}\nSubject: failure notice\n\nHi. This is the qmail-send program at {host}.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{recipient}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        "--- Below this line is a copy of the message.\n\n"
        f"{head}"
    )


def _complaint(host: str, recipient: str, head: str) -> str:
    found = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head.splitlines()}
    feedback = (
        f"Feedback-Type: abuse\nUser-Agent: Simulator/1.0\nVersion: 1\nOriginal-Rcpt-To: <{recipient}>\n"
        f"Reported-Domain: {found.get('from', '').rpartition('@')[2].strip('<> ')}\nSource-IP: 192.0.2.1\n"
    )
    return f"From: fbl@{host}\nSubject: Complaint about message from 192.0.2.1\n" + _report(
        "feedback-report",
        [
            ("text/plain; charset=us-ascii", "This is an email abuse report.\n"),
            ("message/feedback-report", feedback),
            ("text/rfc822-headers", head),
        ],
    )


def _auto_reply(host: str, recipient: str, head: str) -> str:
    subject = next((line[8:].strip() for line in head.splitlines() if line.lower().startswith("subject:")), "")
    return (
        f"From: <{recipient}>\nSubject: Automatic reply: {subject}\nAuto-Submitted: auto-replied\n"
        "X-Auto-Response-Suppress: All\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        f"I am out of the office until Monday, far away from {host}.\n"
    )


_DIALECTS: Final = {
    Returns.POSTFIX: _postfix,
    Returns.EXIM: _exim,
    Returns.EXCHANGE: _exchange,
    Returns.QMAIL: _qmail,
    Returns.COMPLAINT: _complaint,
    Returns.AUTO_REPLY: _auto_reply,
}
