"""Suppressions: addresses that a project no longer mails, each with its cause and its evidence."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import ProjectId, SuppressionId
from postroad.model.reason import Reason


class Cause(StrEnum):
    """Why an address is on the list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    IMPORT = "import"


WHOLE_PROJECT = "*"
"""The scope of a suppression that holds for every stream; any other scope is a stream's name."""


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a project's suppression list."""

    id: SuppressionId
    project_id: ProjectId
    scope: str
    address: str
    cause: Cause
    author: str
    """Who put it there: `system`, or the identifier of the API key, or `cli`."""
    created_at: Instant
    expires_at: Instant | None = None
    evidence: Reason | None = None
    """The reason of the verdict that caused it."""
    message_id: str | None = None
    delivery_id: str | None = None
    note: str = ""
    site: str | None = None
    """Where the mail went, of what was put there automatically."""
    incident: str | None = None
    """Names all that the same rule put on lists at the same site in one stretch of time, so that it can be undone."""
    probe_at: Instant | None = None
    """When it lets one delivery through, to see whether the cause has passed; None: never, or one is under way."""
    probe_delivery: str | None = None
    """The delivery that was let through."""


def fold(address: str) -> str:
    """Return the form of an addr-spec under which suppressions compare: both parts in lower case."""
    return address.lower()
