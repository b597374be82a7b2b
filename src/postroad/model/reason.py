"""Structured reasons: why a delivery stands where it stands, from the taxonomy of outcomes.

Three axes (permanence, scope, action) and one class. A reason is made where the decision is made, stored with it, and
told in words only at the end, by `explain`.
"""

from enum import StrEnum

import msgspec


class Class(StrEnum):
    """What kind of cause decided an outcome."""

    INVALID_RECIPIENT = "invalid_recipient"
    INACTIVE_MAILBOX = "inactive_mailbox"
    BAD_DOMAIN = "bad_domain"
    MAILBOX_FULL = "mailbox_full"
    MESSAGE_TOO_LARGE = "message_too_large"
    CONTENT_REJECTED = "content_rejected"
    REPUTATION_BLOCK = "reputation_block"
    POLICY = "policy"
    AUTH_FAILED = "auth_failed"
    RATE_LIMITED = "rate_limited"
    GREYLISTED = "greylisted"
    UNREACHABLE = "unreachable"
    DNS_FAILURE = "dns_failure"
    TLS_REQUIRED_FAILED = "tls_required_failed"
    PROTOCOL_ERROR = "protocol_error"
    EXPIRED = "expired"
    IN_DOUBT = "in_doubt"
    SMTPUTF8_UNSUPPORTED = "smtputf8_unsupported"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"
    COMPLAINT = "complaint"
    """The recipient reported the message as unwanted."""
    SUPPRESSED = "suppressed"
    CANCELED = "canceled"
    RENDERING = "rendering"
    LOCAL = "local"
    """Our own doing: drain, crash, a hold."""
    ACCEPTED = "accepted"
    """The peer took the message."""
    UNKNOWN = "unknown"


class Permanence(StrEnum):
    """Whether trying again can help."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whom the cause concerns."""

    RECIPIENT = "recipient"
    DOMAIN = "domain"
    CONTENT = "content"
    SENDER_AUTH = "sender_auth"
    IP_REPUTATION = "ip_reputation"
    RATE = "rate"
    LOCAL = "local"


class Action(StrEnum):
    """What follows from the cause."""

    NONE = "none"
    SUPPRESS = "suppress"
    RETRY = "retry"
    STOP = "stop"
    FIX_SENDER = "fix_sender"
    SLOW_DOWN = "slow_down"
    IGNORE = "ignore"


class Basis(StrEnum):
    """What kind of evidence decided the class of a reply, the most trusted first."""

    RULE = "rule"
    """A rule of a rules file, which knows this provider's words."""
    ENHANCED = "enhanced"
    """The enhanced status code (RFC 3463)."""
    CODE = "code"
    """The basic code of the reply (RFC 5321 §4.2)."""
    TEXT = "text"
    """Words that mean the same at many servers."""


class Confidence(StrEnum):
    """How much the class of a reply is worth."""

    HIGH = "high"
    """A rule, an enhanced code that means one thing, or one that the words confirm."""
    MEDIUM = "medium"
    """The words, or a code that usually means this."""
    LOW = "low"
    """A guess from the basic code, or evidence that contradicts itself: never enough to suppress."""


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why, for people and for code alike. `evidence` is what the rule decided on: the reply, DNS facts."""

    cls: Class = msgspec.field(name="class")
    permanence: Permanence
    scope: Scope
    action: Action
    rule: str
    """Stable name of the deciding rule, such as `smtp.rcpt.5xx` or `suppression.accept`."""
    detail: str
    """One public sentence."""
    basis: Basis | None = None
    """What kind of evidence in a reply decided; None when it was not the words or codes of a reply."""
    confidence: Confidence | None = None
    """How sure the class is; None when it is a fact and not read from a reply."""
    evidence: dict[str, str | int | None] = {}
