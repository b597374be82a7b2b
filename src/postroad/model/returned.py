"""What comes back by mail: reports on deliveries, complaints, answers of machines, as facts without judgement.

`pipeline.outcomes.returned.read_returned` makes one of these from the octets of a mail that came to a return path, to a
complaint address, or to nowhere in particular. Nothing in here has been believed yet: whose delivery it is about is
found by the return path it came to, then by `Original.delivery_token`, then by `Original.message_id`, and an address
or a date in it is what somebody wrote.
"""

from enum import StrEnum

import msgspec

from postroad.model.attempt import SmtpReply

DELIVERY_HEADER = "X-Postroad-Delivery"
"""The header of our own in an outgoing message whose value is the token of its delivery."""


class ReportAction(StrEnum):
    """What became of the message for one recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    """Not yet delivered and still tried: no bounce."""
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Original(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back of the message that it is about: whatever of its header was quoted, undone of MIME."""

    message_id: str | None = None
    """With angle brackets, as it was sent."""
    delivery_token: str | None = None
    """The value of `DELIVERY_HEADER`."""
    return_path: str | None = None
    """Its envelope sender, where the copy has a Return-Path."""
    sender: str | None = None
    """The address of its From."""
    recipients: tuple[str, ...] = ()
    """The addresses of its To, and of Delivered-To and X-Original-To before them."""
    subject: str | None = None
    feedback_id: str | None = None
    list_id: str | None = None


class ReportedRecipient(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says about one recipient.

    `address` is whom the message was sent to, as well as the report lets us know: the original recipient, else the
    final one, else one found in the text; None when it names nobody.
    """

    address: str | None = None
    final: str | None = None
    """Final-Recipient: where it went in the end, behind aliases and forwards."""
    original: str | None = None
    """Original-Recipient: the address that the sender gave, undone of xtext."""
    action: ReportAction = ReportAction.FAILED
    status: str | None = None
    """The Status field, or a code found in the text: `5.1.1`."""
    diagnostic: SmtpReply | None = None
    """The reply of the mail server that refused, where one was quoted."""
    text: str = ""
    """Words about the cause: the rest of Diagnostic-Code, or what the report says in prose; at most 2 KiB."""
    remote_mta: str | None = None
    """The mail server that said so."""
    retry_until: str | None = None
    """Will-Retry-Until as it stands, in reports of delay."""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A delivery status notification, standard or not: a bounce when one of its recipients failed."""

    recipients: tuple[ReportedRecipient, ...]
    """At least one."""
    original: Original = Original()
    envelope_id: str | None = None
    """Original-Envelope-Id (RFC 3461 §4.4), undone of xtext."""
    reporting_mta: str | None = None
    standard: bool = False
    """Whether it came as RFC 3464 asks; otherwise it was read from prose."""
    enclosed: bool = False
    """Whether it is a message within the mail that came: the mail may be about another delivery than it is."""
    others: tuple["Report", ...] = ()
    """Reports on other messages within the same mail. Only what came back in such a report says whom it is about."""


class Complaint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feedback report (RFC 5965), or one of those that look different.

    Providers redact recipients, so `original` and the address it came to say more than `recipients`.
    """

    feedback_type: str
    """In lower case: `abuse`, `fraud`, `virus`, `not-spam`, `opt-out`, `opt-out-list`, `auth-failure`, `other` …"""
    recipients: tuple[str, ...] = ()
    """Original-Rcpt-To, those that are addresses."""
    mail_from: str | None = None
    source_ip: str | None = None
    arrived: str | None = None
    """Arrival-Date or Received-Date as it stands."""
    reported_domains: tuple[str, ...] = ()
    user_agent: str | None = None
    incidents: int = 1
    envelope_id: str | None = None
    original: Original = Original()
    standard: bool = False
    enclosed: bool = False
    """As of a report."""

    @property
    def by_recipient(self) -> bool:
        """Whether a recipient has asked, by it, to get no more such mail."""
        return self.feedback_type in {"abuse", "fraud", "phishing", "opt-out", "opt-out-list", "other"}


class ReplyKind(StrEnum):
    """What sort of automatic answer it is."""

    VACATION = "vacation"
    AUTO_REPLY = "auto_reply"
    """Any other answer of a machine: a ticket, an acknowledgement."""
    ADDRESS_CHANGE = "address_change"
    """The recipient has a new address, or has left; the old one still took the message."""
    RECEIPT = "receipt"
    """A disposition notification (RFC 8098): read, displayed, deleted."""
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    """A person's mail client, or a person, asks to be taken off (RFC 2369 §3.2)."""


class AutoReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that is no bounce, whatever its subject."""

    kind: ReplyKind
    sender: str | None = None
    """The address of its From: mostly the recipient."""
    original: Original = Original()
    """What it refers to: In-Reply-To stands for the message's id when nothing was quoted."""
    text: str = ""
    """The beginning of what it says, at most 2 KiB."""


class Challenge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The recipient's side asks the sender to prove being human before it hands the message over."""

    sender: str | None = None
    original: Original = Original()
    text: str = ""


class Unrecognised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mail that is none of these: a person's answer, spam, a mail that cannot be read."""

    sender: str | None = None
    subject: str | None = None
    original: Original = Original()
    why: str = ""
    """One sentence, when it could not be read."""


Returned = Report | Complaint | AutoReply | Challenge | Unrecognised
