"""Projects and their API keys."""

from enum import StrEnum

import msgspec

from postroad.model.clock import Instant
from postroad.model.ids import KeyId, ProjectId
from postroad.model.message import Mode


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant: everything but the server's own settings belongs to a project."""

    id: ProjectId
    name: str
    created_at: Instant
    paused_at: Instant | None = None
    """Set: nothing of the project is leased until it is resumed."""


class KeyScope(StrEnum):
    """What a key may do."""

    FULL = "full"
    SEND = "send"
    READ = "read"


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key is confined to; an empty tuple confines nothing."""

    from_domains: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    """Patterns with `*`, such as `*@example.com`; every recipient must match one."""
    networks: tuple[str, ...] = ()
    """IP ranges in CIDR form from which the key may be used."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as stored; the secret itself is never kept, only its SHA-256."""

    id: KeyId
    project_id: ProjectId
    name: str
    mode: Mode
    scope: KeyScope
    limits: KeyLimits = KeyLimits()
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a project through one of its keys, from an address."""

    project: Project
    key: ApiKey
    ip: str
