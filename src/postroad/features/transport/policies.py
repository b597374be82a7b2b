"""MTA-STS policies: found by DNS, fetched over HTTPS, and kept for as long as they say (RFC 8461)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from postroad.features.egress import Answer, Failure, Trouble
from postroad.model.clock import DAY, HOUR, MINUTE, SECOND, Clock, Instant, after
from postroad.pipeline.deliver.policy import Reports, Session
from postroad.pipeline.deliver.resolve import DnsTrouble, Resolver
from postroad.store import transport
from postroad.store.database import Database
from postroad.store.transport import KeptPolicy
from postroad.wire import mtasts
from postroad.wire.mtasts import Mode, StsError, StsPolicy
from postroad.wire.tlsrpt import PolicyType, Result

_log = structlog.get_logger("postroad.transport")
_KNOWN: Final = 50_000
_LOOK_AGAIN: Final = 10 * MINUTE
"""How soon DNS is asked again whether a domain has a policy, and which."""
_FETCH_AGAIN: Final = 5 * MINUTE
"""How soon a policy that could not be fetched is tried again (RFC 8461 §3.3)."""
_REFRESH: Final = DAY
_USED_WITHIN: Final = 30 * DAY
"""A policy of a domain that nobody has written to for longer is left to expire."""
_BATCH: Final = 20

Fetch = Callable[[str], Awaitable[Answer | Failure]]
"""Gets a URL, over HTTPS that holds, without redirects, and only so much of it."""


@dataclass(slots=True)
class _Known:
    """What is known of a domain, and when to look again; `kept` is None when it has no policy."""

    kept: KeptPolicy | None
    look_at: Instant


class StsKeeper:
    """Knows the policies of all domains; many who ask for the same share one look."""

    def __init__(
        self, *, database: Database, clock: Clock, resolver: Resolver, fetch: Fetch, reports: Reports, port: int = 443
    ) -> None:
        """Take what policies are found with; `port` is where they are fetched, another than 443 in tests only."""
        self._database = database
        self._clock = clock
        self._resolver = resolver
        self._fetch = fetch
        self._reports = reports
        self._port = port
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looking: dict[str, asyncio.Task[_Known]] = {}

    async def find(self, domain: str) -> StsPolicy | None:
        """Return the policy of a domain that is in force, or None.

        The first time, DNS and perhaps a web server are waited for; later it is known.
        """
        known = self._known.get(domain)
        if known is None or known.look_at <= self._clock.now():
            task = self._looking.get(domain)
            if task is None:
                task = self._looking[domain] = asyncio.create_task(self._look(domain))
                task.add_done_callback(lambda _: self._looking.pop(domain, None))
            known = await asyncio.shield(task)
        kept = known.kept
        return None if kept is None or kept.expires_at <= self._clock.now() else _policy(kept)

    async def refresh(self) -> int:
        """Fetch policies again that were fetched a day ago, and return how many there were (RFC 8461 §10.2)."""
        now = self._clock.now()
        due = await self._database.read(
            lambda connection: transport.policies_to_refresh(
                connection, now, used_since=after(now, -_USED_WITHIN), limit=_BATCH
            )
        )
        for kept in due:
            fetched = await self._get(kept.domain, kept.policy_id, kept.used_at)
            if fetched is None:
                await self._touch(kept, after(now, HOUR), kept.used_at)
            else:
                await self._keep(fetched)
        return len(due)

    async def _look(self, domain: str) -> _Known:
        """Ask DNS which policy a domain has now, and fetch it if it is another than the one that is kept."""
        now = self._clock.now()
        kept = await self._stored(domain)
        found = await self._resolver.texts(f"_mta-sts.{domain}")
        published = None if isinstance(found, DnsTrouble) else mtasts.find_id(found)
        if published is None or (kept is not None and kept.policy_id == published and kept.expires_at > now):
            # without a record a policy that is kept holds all the same: taking it away would be too easy
            return self._know(domain, await self._used(kept, now), after(now, _LOOK_AGAIN))
        fetched = await self._get(domain, published, now)
        if fetched is None:
            return self._know(domain, await self._used(kept, now), after(now, _FETCH_AGAIN))
        await self._keep(fetched)
        return self._know(domain, fetched, after(now, _LOOK_AGAIN))

    async def _stored(self, domain: str) -> KeptPolicy | None:
        known = self._known.get(domain)
        if known is not None:
            return known.kept
        return await self._database.read(lambda connection: transport.policy_of(connection, domain))

    async def _used(self, kept: KeptPolicy | None, now: Instant) -> KeptPolicy | None:
        """Note now and then that a policy is of use."""
        if kept is not None and kept.used_at < after(now, -DAY):
            await self._touch(kept, kept.refresh_at, now)
        return kept

    async def _touch(self, kept: KeptPolicy, refresh_at: Instant, used_at: Instant) -> None:
        await self._database.write(
            lambda connection: transport.touch_policy(connection, kept.domain, refresh_at=refresh_at, used_at=used_at)
        )

    async def _get(self, domain: str, policy_id: str, used_at: Instant) -> KeptPolicy | None:
        """Fetch a policy; a failure is counted for the domain's report."""
        answer = await self._fetch(mtasts.policy_url(domain, self._port))
        found = _read(answer)
        if isinstance(found, tuple):
            result, detail = found
            _log.info("sts_fetch_failed", domain=domain, result=result.value)
            self._reports.note(Session(domain, PolicyType.STS, (), (), result, detail=detail))
            return None
        now = self._clock.now()
        return KeptPolicy(
            domain=domain,
            policy_id=policy_id,
            mode=found.mode.value,
            mx=found.mx,
            max_age_s=found.max_age_s,
            expires_at=after(now, found.max_age_s * SECOND),
            refresh_at=after(now, min(_REFRESH, found.max_age_s * SECOND // 2)),
            used_at=used_at,
        )

    async def _keep(self, kept: KeptPolicy) -> None:
        await self._database.write(lambda connection: transport.save_policy(connection, kept))
        known = self._known.get(kept.domain)
        if known is not None:
            known.kept = kept

    def _know(self, domain: str, kept: KeptPolicy | None, look_at: Instant) -> _Known:
        known = self._known[domain] = _Known(kept, look_at)
        self._known.move_to_end(domain)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return known


def _policy(kept: KeptPolicy) -> StsPolicy:
    return StsPolicy(Mode(kept.mode), kept.mx, kept.max_age_s)


def _read(answer: Answer | Failure) -> StsPolicy | tuple[Result, str]:
    """Return the policy in an answer, or why there is none (RFC 8461 §3.3)."""
    if isinstance(answer, Failure):
        result = Result.STS_WEBPKI_INVALID if answer.trouble is Trouble.TLS else Result.STS_POLICY_FETCH_ERROR
        return result, answer.detail
    if answer.status != 200:
        return Result.STS_POLICY_FETCH_ERROR, f"The policy's server answered {answer.status}."
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        return Result.STS_POLICY_INVALID, "The policy file is not text/plain."
    if answer.cut:
        return Result.STS_POLICY_INVALID, "The policy file is larger than 64 KiB."
    try:
        return mtasts.read_policy(answer.body)
    except StsError as flaw:
        return Result.STS_POLICY_INVALID, str(flaw)
