"""API keys: made and revoked by their project, and asked on every request who calls."""

import asyncio
import contextlib
import ipaddress
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import structlog

from postroad.features.accounts import secret as form
from postroad.features.accounts.memory import Memory
from postroad.features.accounts.projects import checked_name
from postroad.model.clock import MINUTE, Clock, Instant
from postroad.model.errors import Flaw, Refused, Unavailable
from postroad.model.ids import KeyId, Mint, ProjectId
from postroad.model.message import Mode
from postroad.model.project import ApiKey, Caller, KeyLimits, KeyScope, Project
from postroad.store import audit
from postroad.store import keys as store
from postroad.store.database import Database
from postroad.wire.address import AddressError, parse_domain

_log = structlog.get_logger("postroad.accounts")
_NOTE_EVERY: Final = MINUTE
_FLUSH_S: Final = 10.0
_MOST_LIMITS: Final = 100
_PATTERN = re.compile(r"[!->A-Z^-~\\]*@[*A-Za-z0-9.-]+|\*")
"""Without `?`, `[` and `]`, which the comparison would take for patterns too."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, and its secret, which is nowhere else and cannot be shown again."""

    key: ApiKey
    secret: str


class Keys:
    """The API keys of all projects."""

    def __init__(self, database: Database, clock: Clock, mint: Mint) -> None:
        """Build the service; run `record_uses_forever` beside it."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._memory: Memory[bytes, tuple[ApiKey, Project] | None] = Memory(self._load, clock)
        self._noted: dict[KeyId, Instant] = {}
        self._unwritten: dict[KeyId, Instant] = {}

    async def authenticate(self, secret: str, ip: str) -> Caller:
        """Return who calls with this secret from this address.

        A key that is unknown, revoked, expired or malformed takes the same path and gets the same answer.

        Raises:
            Refused: `unauthorized`, or `forbidden` when the key may not be used from this address.
        """
        found = await self._memory.get(form.digest(secret))
        now = self._clock.now()
        if found is None or not _alive(found[0], now):
            raise _unauthorized(secret)
        key, project = found
        if key.limits.networks and not _within(ip, key.limits.networks):
            raise Refused("forbidden", "This API key may not be used from this address.")
        if now - self._noted.get(key.id, key.last_used_at or 0) >= _NOTE_EVERY:
            self._noted[key.id] = self._unwritten[key.id] = now
        return Caller(project=project, key=key, ip=ip)

    async def create(
        self,
        project_id: ProjectId,
        name: str,
        *,
        mode: Mode = Mode.LIVE,
        scope: KeyScope = KeyScope.FULL,
        limits: KeyLimits | None = None,
        expires_at: Instant | None = None,
        actor: str,
    ) -> NewKey:
        """Make a key; its secret is in the answer and never again.

        Raises:
            Refused: a name, limit or expiry that cannot be.
        """
        secret = form.make(mode, secrets.token_bytes(form.ENTROPY_OCTETS))
        key = await self.adopt(project_id, name, secret, scope=scope, limits=limits, expires_at=expires_at, actor=actor)
        return NewKey(key, secret)

    async def adopt(
        self,
        project_id: ProjectId,
        name: str,
        secret: str,
        *,
        scope: KeyScope = KeyScope.FULL,
        limits: KeyLimits | None = None,
        expires_at: Instant | None = None,
        actor: str,
    ) -> ApiKey:
        """Make a key with a secret that is there already; its mode is the one the secret names.

        Raises:
            Refused: a secret, name, limit or expiry that cannot be.
        """
        if not form.well_formed(secret):
            raise Refused("invalid_request", "This is not an API key of Postroad.")
        at = self._clock.now()
        if expires_at is not None and expires_at <= at:
            raise Refused.field("/expires_at", "This lies in the past.")
        key = ApiKey(
            id=KeyId(self._mint("key")),
            project_id=project_id,
            name=checked_name(name),
            mode=form.mode_of(secret),
            scope=scope,
            limits=checked_limits(limits or KeyLimits()),
            created_at=at,
            expires_at=expires_at,
        )
        digest = form.digest(secret)
        entry = audit.Entry(
            project_id=project_id,
            at=at,
            actor=actor,
            action="key.created",
            subject=key.id,
            data={"name": key.name, "mode": key.mode, "scope": key.scope},
        )
        await self._database.write(lambda c: store.insert(c, key, digest, entry))
        self._memory.forget(digest)
        return key

    async def listed(self, project_id: ProjectId, *, after: str = "", limit: int = 100) -> list[ApiKey]:
        """Return up to `limit` keys in the order they were made, revoked ones too, behind the identifier `after`."""
        return await self._database.read(lambda c: store.listed(c, project_id, after=after, limit=limit))

    async def get(self, project_id: ProjectId, key_id: KeyId) -> ApiKey:
        """Return a key of a project.

        Raises:
            Refused: there is none (`not_found`).
        """
        return _found(await self._database.read(lambda c: store.one(c, project_id, key_id)))

    async def holds(self, key: ApiKey) -> bool:
        """Whether a key that was let in is alive still, as the store has it now; for what goes on for long."""
        found = await self._database.read(lambda c: store.one(c, key.project_id, key.id))
        return found is not None and _alive(found, self._clock.now())

    async def revoke(self, project_id: ProjectId, key_id: KeyId, *, actor: str) -> ApiKey:
        """End a key: at once on this node, within five seconds on all others.

        Raises:
            Refused: there is none (`not_found`).
        """
        entry = audit.Entry(
            project_id=project_id, at=self._clock.now(), actor=actor, action="key.revoked", subject=key_id
        )
        key = _found(await self._database.write(lambda c: store.revoke(c, project_id, key_id, entry)))
        self._memory.forget_where(lambda _, found: found is not None and found[0].id == key_id)
        return key

    async def owner(self, secret: str) -> ApiKey | None:
        """Return the key that a secret belongs to, dead or alive, as the store has it now."""
        found = await self._load(form.digest(secret))
        return None if found is None else found[0]

    def forget_project(self, project_id: ProjectId) -> None:
        """Read the project's keys again: the project itself, which goes with them, has changed."""
        self._memory.forget_where(lambda _, found: found is not None and found[1].id == project_id)

    async def record_uses(self) -> None:
        """Write when keys were last used: those that were used since the last time, in one statement."""
        uses, self._unwritten = self._unwritten, {}
        if not uses:
            return
        try:
            await self._database.write(lambda c: store.note_uses(c, uses))
        except Unavailable:
            self._unwritten = {**uses, **self._unwritten}

    async def record_uses_forever(self, every_s: float = _FLUSH_S) -> None:
        """Keep writing when keys were last used, until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(every_s)
                try:
                    await self.record_uses()
                except Exception:  # noqa: BLE001 - a role's loop: it logs and goes on
                    _log.exception("key_uses_not_recorded")
        finally:
            with contextlib.suppress(Unavailable):
                await self.record_uses()

    async def _load(self, digest: bytes) -> tuple[ApiKey, Project] | None:
        return await self._database.read(lambda c: store.by_digest(c, digest))


def checked_limits(limits: KeyLimits) -> KeyLimits:
    """Return limits with domains in A-labels, patterns in lower case and networks in their usual spelling.

    Raises:
        Refused: one of them is none.
    """
    flaws: list[Flaw] = []
    made: dict[str, tuple[str, ...]] = {}
    for name, read in (("from_domains", _domain), ("recipients", _pattern), ("networks", _network)):
        given: tuple[str, ...] = getattr(limits, name)
        if len(given) > _MOST_LIMITS:
            flaws.append(Flaw(f"/limits/{name}", f"A key has at most {_MOST_LIMITS} of these."))
            continue
        made[name] = ()
        for place, text in enumerate(given):
            try:
                made[name] += (read(text),)
            except ValueError as problem:
                flaws.append(Flaw(f"/limits/{name}/{place}", str(problem)))
    if flaws:
        raise Refused("invalid_request", "The limits of the key are not valid.", flaws=flaws)
    return KeyLimits(**made)


def _domain(text: str) -> str:
    try:
        return parse_domain(text)
    except AddressError as problem:
        raise ValueError(str(problem)) from problem


def _pattern(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not domain.isascii():
        below = "*." if domain.startswith("*.") else ""
        text = f"{local}@{below}{_domain(domain.removeprefix(below))}"
    if _PATTERN.fullmatch(text) is None or len(text) > 320:
        raise ValueError(
            "A pattern is an address in which * stands for any characters, such as *@example.com; ?, [ and ] are not "
            "for patterns."
        )
    return text.lower()


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("A network is an IP address or a range such as 192.0.2.0/24 or 2001:db8::/32.") from None


def _alive(key: ApiKey, now: Instant) -> bool:
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


@lru_cache(4096)
def _within(ip: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address written as IPv6 counts as IPv4."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)


def _unauthorized(secret: str) -> Refused:
    if secret.startswith("pr_") and not form.well_formed(secret):
        return Refused("unauthorized", "This API key is mistyped or cut off: its checksum does not fit.")
    return Refused("unauthorized", "This API key is not valid: it is unknown, revoked or expired.")


def _found(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise Refused("not_found", "There is no such API key.")
    return key
