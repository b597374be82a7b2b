"""The sending domains of all projects: made, proven, rotated; and what the pipeline asks of them for every message."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from postroad.config import Settings
from postroad.features.accounts.memory import Memory
from postroad.features.senders.inspection import Dns, inspect
from postroad.features.senders.naming import checked_domain, checked_settings
from postroad.features.senders.pairs import Private, generate, opened, sealed_pair
from postroad.features.senders.shown import DomainShown, shown
from postroad.features.senders.speaking import return_path, self_and_parents, signing, speaker
from postroad.features.senders.standing import judged, pace_of, seen_keys
from postroad.features.senders.telling import events_of
from postroad.features.senders.wanted import house_of
from postroad.model.clock import MINUTE, Clock, Instant, after
from postroad.model.composition import SigningKey
from postroad.model.domain import DkimKey, Domain, DomainSettings, DomainState, RecordState
from postroad.model.errors import Refused, Unavailable
from postroad.model.ids import DomainId, Mint, ProjectId
from postroad.model.message import Mode
from postroad.model.project import Caller
from postroad.pipeline.dressing import Outfit
from postroad.store import audit
from postroad.store import domains as store
from postroad.store.database import Database
from postroad.store.vault import Vault
from postroad.wire.address import AddressError, parse_domain

_log = structlog.get_logger("postroad.senders")
_CHECKS_AT_ONCE: Final = 10
_CLAIM: Final = 5 * MINUTE
_LOOK_EVERY_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class DomainWithKeys:
    """A domain and all its DKIM keys, retired ones too."""

    domain: Domain
    keys: list[DkimKey]


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Who speaks for a sender's domain: a domain of the project, its keys ready to sign, and where bounces go."""

    domain: Domain | None
    outfit: Outfit


class Senders:
    """The sending domains."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        mint: Mint,
        vault: Vault,
        dns: Dns,
        settings: Settings,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """Build the service; run `recheck_forever` beside it on every node.

        Args:
            database: where domains and keys are kept.
            clock: the server's.
            mint: makes identifiers.
            vault: seals private keys.
            dns: answers what names say now.
            settings: the server's.
            told: called after each commit that may have written an event.
        """
        self._database = database
        self._clock = clock
        self._mint = mint
        self._vault = vault
        self._dns = dns
        self._house = house_of(settings)
        self._pace = pace_of(settings)
        self._prefix = settings.domains.selector_prefix
        self._require_verified = settings.domains.require_verified
        self._told = told
        self._memory: Memory[tuple[ProjectId, str], _Speaker] = Memory(self._load, clock)

    # --- what the pipeline asks ---------------------------------------------------------------------------------------

    async def check(self, caller: Caller, from_domain: str) -> None:
        """Refuse mail from a domain that the caller's project has not proven; test mail never leaves, so any will do.

        Raises:
            Refused: `domain_not_verified`, with what to do about it.
        """
        if not self._require_verified or caller.key.mode is not Mode.LIVE:
            return
        domain = (await self._memory.get((caller.project.id, from_domain))).domain
        if domain is None:
            raise Refused.field(
                "/from",
                f"{from_domain} is not a sending domain of this project. Add it with POST /v1/domains or `postroad "
                "domain create`, publish the DNS records it gives, and send again once it is verified.",
                code="domain_not_verified",
            )
        if domain.state is not DomainState.VERIFIED:
            raise Refused.field(
                "/from",
                f"{domain.name} is not verified: its DNS does not show its DKIM record. GET /v1/domains/{domain.id} "
                "says which records are wanted and what was found.",
                code="domain_not_verified",
            )

    async def outfit(self, project_id: ProjectId, domain: str) -> Outfit:
        """Return what mail from a domain is signed with, and the domain that its bounces come back to.

        Raises:
            Unavailable: the keys cannot be opened, or the store cannot be read, now.
        """
        return (await self._memory.get((project_id, domain))).outfit

    async def signing_keys(self, project_id: ProjectId, from_domain: str) -> tuple[SigningKey, ...]:
        """Return the keys to sign mail from a domain with, none when nothing speaks for it.

        Raises:
            Unavailable: the keys cannot be opened, or the store cannot be read, now.
        """
        return (await self.outfit(project_id, from_domain)).keys

    async def keys(self, project_id: ProjectId, identifiers: tuple[str, ...]) -> tuple[SigningKey, ...]:
        """Return keys by their identifiers and in their order, those retired or of deleted domains too."""
        found = await self._database.read(lambda c: store.keys_by_id(c, project_id, identifiers))
        by_id: dict[str, DkimKey] = {key.id: key for key in found}
        return tuple([opened(by_id[key_id], self._vault) for key_id in identifiers if key_id in by_id])

    # --- what people do -----------------------------------------------------------------------------------------------

    async def create(
        self, project_id: ProjectId, name: str, *, settings: DomainSettings | None = None, actor: str
    ) -> DomainWithKeys:
        """Make a sending domain with a pair of DKIM keys, to be published.

        Raises:
            Refused: it is no domain name that can send, or the project has it (`already_exists`).
        """
        name = checked_domain(name)
        at = self._clock.now()
        domain = Domain(
            id=DomainId(self._mint("dom")),
            project_id=project_id,
            name=name,
            state=DomainState.PENDING,
            created_at=at,
            next_check_at=after(at, MINUTE),
            settings=checked_settings(settings or DomainSettings()),
        )
        pair = self._pair(await asyncio.to_thread(generate), domain, at)
        entry = self._entry(domain, actor, "domain.created")
        keys = await self._database.write(lambda c: store.create(c, domain, pair, entry))
        if keys is None:
            raise Refused.field("/name", f"The project has the domain {name} already.", code="already_exists")
        self._changed(project_id)
        return DomainWithKeys(domain, keys)

    async def listed(self, project_id: ProjectId, *, after: str = "", limit: int = 100) -> list[DomainWithKeys]:
        """Return up to `limit` domains in the order they were made, behind the identifier `after`."""
        domains = await self._database.read(lambda c: store.listed(c, project_id, after=after, limit=limit))
        return await self._with_keys(domains)

    async def everywhere(self) -> list[DomainWithKeys]:
        """Return the domains of all projects, for whoever runs the installation."""
        return await self._with_keys(await self._database.read(store.everywhere))

    async def get(self, project_id: ProjectId, id_or_name: str) -> DomainWithKeys:
        """Return a domain of a project by its identifier or name.

        Raises:
            Refused: there is none (`not_found`).
        """
        wanted = id_or_name.lower()
        if not wanted.startswith("dom_"):
            try:
                wanted = parse_domain(id_or_name)
            except AddressError:
                raise _unknown() from None
        domain = await self._database.read(lambda c: store.one(c, project_id, wanted))
        if domain is None:
            raise _unknown()
        return (await self._with_keys([domain]))[0]

    async def configure(
        self, project_id: ProjectId, id_or_name: str, settings: DomainSettings, *, actor: str
    ) -> DomainWithKeys:
        """Change what may be set for a domain.

        Raises:
            Refused: a setting that cannot be; there is no such domain (`not_found`).
        """
        domain = (await self.get(project_id, id_or_name)).domain
        settings = checked_settings(settings)
        entry = self._entry(domain, actor, "domain.updated", msgspec.to_builtins(settings))
        await self._database.write(lambda c: store.set_settings(c, domain, settings, entry))
        self._changed(project_id)
        return await self.get(project_id, domain.id)

    async def delete(self, project_id: ProjectId, id_or_name: str, *, actor: str) -> None:
        """Take a domain away: its mail is refused from now on; its keys are kept for mail already sent.

        Raises:
            Refused: there is none (`not_found`).
        """
        domain = (await self.get(project_id, id_or_name)).domain
        entry = self._entry(domain, actor, "domain.deleted")
        await self._database.write(lambda c: store.delete(c, domain, entry))
        self._changed(project_id)

    async def rotate(self, project_id: ProjectId, id_or_name: str, *, actor: str) -> DomainWithKeys:
        """Make a new pair of DKIM keys; each signs once DNS shows it, and until then the old one does.

        Raises:
            Refused: new keys wait already (`conflict`); there is no such domain (`not_found`).
        """
        domain = (await self.get(project_id, id_or_name)).domain
        pair = self._pair(await asyncio.to_thread(generate), domain, self._clock.now())
        entry = self._entry(domain, actor, "domain.rotated")
        if await self._database.write(lambda c: store.rotate(c, domain, pair, entry)) is None:
            raise Refused(
                "conflict", f"{domain.name} has keys that wait for their DNS records already. Publish those first."
            )
        self._changed(project_id)
        return await self.get(project_id, domain.id)

    async def inspect(self, project_id: ProjectId, id_or_name: str) -> DomainWithKeys:
        """Look a domain's records up in DNS now, and let what follows from it follow.

        Raises:
            Refused: there is no such domain (`not_found`).
        """
        found = await self.get(project_id, id_or_name)
        await self._check(found)
        return await self.get(project_id, found.domain.id)

    def shown(self, found: DomainWithKeys) -> DomainShown:
        """Return a domain as it is told."""
        return shown(found.domain, found.keys, self._house)

    # --- verification -------------------------------------------------------------------------------------------------

    async def recheck_forever(self, every_s: float = _LOOK_EVERY_S) -> None:
        """Look at each domain when its time has come, until cancelled. Nodes share the work."""
        while True:
            try:
                busy = await self.recheck_due()
            except Unavailable:
                busy = False
            except Exception:  # noqa: BLE001 - a role's loop: it logs and goes on
                _log.exception("domains_not_checked")
                busy = False
            if not busy:
                await asyncio.sleep(every_s)

    async def recheck_due(self) -> bool:
        """Check the domains that are due, a few at once, and tell whether there may be more."""
        now = self._clock.now()
        due = await self._database.write(lambda c: store.claim_due(c, now, after(now, _CLAIM), limit=_CHECKS_AT_ONCE))
        await asyncio.gather(*[self._check(found) for found in await self._with_keys(due)])
        return len(due) == _CHECKS_AT_ONCE

    async def _check(self, found: DomainWithKeys) -> None:
        findings = await inspect(found.domain, found.keys, self._house, self._dns)
        at, pace, seen = self._clock.now(), self._pace, seen_keys(found.keys, findings)
        unseen = [key for key in found.keys if key not in seen]
        checked = await self._database.write(
            lambda c: store.record_check(
                c,
                found.domain.id,
                seen,
                at,
                judge=lambda before: judged(before, unseen, findings, at, pace),
                tell=lambda checked: events_of(checked, at),
            )
        )
        if checked is not None:
            self._changed(found.domain.project_id)
            _log.info(
                "domain_checked",
                domain_id=found.domain.id,
                state=checked.domain.state,
                records={f.record.name: f.state for f in findings if f.state is not RecordState.OK},
            )

    # --- within -------------------------------------------------------------------------------------------------------

    async def _load(self, asked: tuple[ProjectId, str]) -> _Speaker:
        project_id, name = asked
        domains = await self._database.read(lambda c: store.named(c, project_id, self_and_parents(name)))
        domain = speaker(domains, name)
        if domain is None:
            return _Speaker(None, Outfit((), self._house.return_path, speaks=not self._require_verified))
        keys = await self._database.read(lambda c: store.keys_of(c, [domain.id]))
        private = tuple([opened(key, self._vault) for key in signing(keys, proven_only=self._require_verified)])
        return _Speaker(
            domain, Outfit(private, return_path(domain, self._house.return_path), domain.settings.require_tls)
        )

    def _pair(self, private: Private, domain: Domain, at: Instant) -> Callable[[int], list[DkimKey]]:
        return lambda number: sealed_pair(
            private, domain, number, self._prefix, at=at, vault=self._vault, mint=self._mint
        )

    async def _with_keys(self, domains: Sequence[Domain]) -> list[DomainWithKeys]:
        if not domains:
            return []
        keys = await self._database.read(lambda c: store.keys_of(c, [domain.id for domain in domains]))
        return [DomainWithKeys(domain, [key for key in keys if key.domain_id == domain.id]) for domain in domains]

    def _changed(self, project_id: ProjectId) -> None:
        self._memory.forget_where(lambda key, _: key[0] == project_id)
        self._told()

    def _entry(self, domain: Domain, actor: str, action: str, data: dict[str, object] | None = None) -> audit.Entry:
        return audit.Entry(
            project_id=domain.project_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            subject=domain.id,
            data={"name": domain.name, **(data or {})},
        )


def _unknown() -> Refused:
    return Refused("not_found", "There is no such domain.")
