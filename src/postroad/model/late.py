"""Late facts: what came back by mail about a delivery, how far it is believed, and what follows from it.

A terminal state never changes. What is learnt later becomes a fact of its own beside the delivery, an event and, where
it is certain enough, an entry of the suppression list.
"""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.delivery import State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, InboundId, MessageId, ProjectId
from postroad.model.reason import Reason
from postroad.model.suppression import Cause


class Taken(StrEnum):
    """What a mail was taken for."""

    BOUNCE = "bounce"
    DELAY = "delay"
    """The receiving side still tries."""
    RECEIPT = "receipt"
    """The receiving side reports that it delivered the message, or handed it on."""
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"
    UNSUBSCRIBE = "unsubscribe"
    OTHER = "other"


class Proof(StrEnum):
    """How it is known which delivery a mail is about, the surest first."""

    RETURN_PATH = "return_path"
    """By the address that only we could have made: of this mail, or quoted in it."""
    HEADER = "header"
    """By the header that only we could have written, in the message that came back."""
    MESSAGE_ID = "message_id"
    """By the Message-ID, which anybody can write who has seen it: never enough to suppress or to settle."""

    @property
    def certain(self) -> bool:
        """Whether nobody else could have made it up."""
        return self is not Proof.MESSAGE_ID


class Effect(StrEnum):
    """What came of a mail."""

    SETTLED = "settled"
    """It ended a delivery that was still open."""
    TOLD = "told"
    """It was written to the log of events."""
    NOTED = "noted"
    """It was kept beside the delivery, and changed nothing."""
    REPEATED = "repeated"
    """The same had been reported before."""
    UNMATCHED = "unmatched"
    """It is about no delivery that is known here."""


class MailState(StrEnum):
    """Where a mail that came in stands."""

    PENDING = "pending"
    DONE = "done"
    QUARANTINED = "quarantined"
    """Reading it failed too often: it is kept for a person to look at."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as a report meets it."""

    delivery_id: DeliveryId
    message_id: MessageId
    project_id: ProjectId
    recipient: str
    stream: str
    state: State
    attempts: int
    updated_at: Instant


class LateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a report for a delivery."""

    kind: Taken
    reason: Reason | None = None
    """None: nothing is kept beside the delivery."""
    event: EventType | None = None
    state: State | None = None
    """What a delivery that is not terminal becomes."""
    suppress: Cause | None = None
    wait: bool = False
    """An attempt is being made just now: judge again once it has ended."""


class LateFact(msgspec.Struct, frozen=True, kw_only=True):
    """A late fact as it is kept."""

    delivery_id: DeliveryId
    kind: Taken
    at: Instant
    proof: Proof
    reason: Reason
    inbound_id: InboundId


class NewMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that is being taken for one recipient."""

    id: InboundId
    at: Instant
    sender: str
    """Of the envelope; empty for the null path."""
    recipient: str
    ip: str
    hello: str
    tls: str | None
    size: int
    """As it came; `raw` may be only the beginning."""
    raw: bytes
    token: DeliveryId | None
    """The delivery that the recipient's address proves."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that came in, without its octets, and what became of it."""

    id: InboundId
    at: Instant
    sender: str
    recipient: str
    ip: str
    hello: str
    tls: str | None
    size: int
    state: MailState
    tries: int
    taken_for: Taken | None
    effect: Effect | None
    proof: Proof | None
    project_id: ProjectId | None
    message_id: MessageId | None
    delivery_id: DeliveryId | None
