"""Streams: each kind of mail with its own schedule, expiry and unsubscribe rules.

The two built-in streams follow the settings. A project may change them for itself, and add its own, which follow the
built-in stream of their kind in whatever they do not set.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from postroad.config import Settings
from postroad.features.accounts.memory import Memory
from postroad.model.clock import DAY, SECOND, Clock
from postroad.model.errors import Flaw, Refused
from postroad.model.ids import ProjectId
from postroad.model.stream import BUILT_IN, RetrySchedule, Stream, StreamKind
from postroad.store import audit
from postroad.store import streams as store
from postroad.store.database import Database
from postroad.store.streams import StreamSettings

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_LONGEST: Final = 30 * DAY
_SHORTEST: Final = SECOND
_MOST: Final = 100
_MOST_DELAYS: Final = 50


class StreamChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a project sets for a stream; None leaves it as it is. Durations are microseconds."""

    expire_after: int | None = None
    retry_delays: tuple[int, ...] | None = None
    retry_jitter: float | None = None
    unsubscribe: bool | None = None
    require_tls: bool | None = None


def built_in_streams(settings: Settings) -> dict[str, Stream]:
    """Return the two streams that every project has, as the settings would have them."""
    asked = settings.streams
    retry = RetrySchedule(
        delays=tuple([round(delay * SECOND) for delay in asked.retry_delays_s]), jitter=asked.retry_jitter
    )
    expiry = {
        StreamKind.TRANSACTIONAL: asked.transactional_expire_s * SECOND,
        StreamKind.BROADCAST: asked.broadcast_expire_s * SECOND,
    }
    return {
        name: msgspec.structs.replace(stream, expire_after=expiry[stream.kind], retry=retry)
        for name, stream in BUILT_IN.items()
    }


class Streams:
    """The streams of all projects."""

    def __init__(self, database: Database, clock: Clock, built_in: Mapping[str, Stream]) -> None:
        """Build the service over the built-in streams, one of each kind."""
        self._database = database
        self._clock = clock
        self._built_in = dict(built_in)
        self._of_kind = {stream.kind: stream for stream in built_in.values()}
        self._memory: Memory[ProjectId, dict[str, Stream]] = Memory(self._load, clock)

    async def get(self, project_id: ProjectId, name: str) -> Stream:
        """Return a stream of a project.

        Raises:
            Refused: it has none of that name (`unknown_stream`).
        """
        stream = (await self._memory.get(project_id)).get(name)
        if stream is None:
            raise Refused.field("/stream", f"There is no stream called {name!r}.", code="unknown_stream")
        return stream

    async def listed(self, project_id: ProjectId) -> list[Stream]:
        """Return the streams of a project, the built-in ones first."""
        return list((await self._memory.get(project_id)).values())

    async def create(
        self, project_id: ProjectId, name: str, kind: StreamKind, change: StreamChange, *, actor: str
    ) -> Stream:
        """Make a stream.

        Raises:
            Refused: a name or duration that cannot be; it exists (`already_exists`); there are too many.
        """
        if _NAME.fullmatch(name) is None:
            raise Refused.field(
                "/name", "A stream's name has 1 to 64 of a-z, 0-9, - and _, with a letter or digit at both ends."
            )
        existing = await self._load(project_id)
        if name in existing:
            raise _taken(name)
        if len(existing) >= _MOST:
            raise Refused("invalid_request", f"A project has at most {_MOST} streams.")
        settings = self._merged(StreamSettings(kind=kind), change)
        entry = self._entry(project_id, actor, "stream.created", name, settings)
        if not await self._database.write(lambda c: store.insert(c, project_id, name, settings, entry)):
            raise _taken(name)
        self._memory.forget(project_id)
        return self._stream(name, settings)

    async def update(self, project_id: ProjectId, name: str, change: StreamChange, *, actor: str) -> Stream:
        """Change a stream; mail accepted before keeps the expiry it was given.

        Raises:
            Refused: a duration that cannot be; there is no such stream (`not_found`).
        """
        stored = await self._database.read(lambda c: store.of_project(c, project_id))
        settings = stored.get(name)
        if settings is None:
            if name not in self._built_in:
                raise Refused("not_found", f"There is no stream called {name!r}.")
            settings = StreamSettings(kind=self._built_in[name].kind)
        merged = self._merged(settings, change)
        entry = self._entry(project_id, actor, "stream.updated", name, merged)
        await self._database.write(lambda c: store.replace(c, project_id, name, merged, entry))
        self._memory.forget(project_id)
        return self._stream(name, merged)

    def _merged(self, settings: StreamSettings, change: StreamChange) -> StreamSettings:
        _check(change)
        retry = settings.retry
        if change.retry_delays is not None or change.retry_jitter is not None:
            before = retry or self._of_kind[settings.kind].retry
            retry = RetrySchedule(
                delays=before.delays if change.retry_delays is None else change.retry_delays,
                jitter=before.jitter if change.retry_jitter is None else change.retry_jitter,
            )
        return StreamSettings(
            kind=settings.kind,
            expire_after=settings.expire_after if change.expire_after is None else change.expire_after,
            retry=retry,
            unsubscribe=settings.unsubscribe if change.unsubscribe is None else change.unsubscribe,
            require_tls=settings.require_tls if change.require_tls is None else change.require_tls,
        )

    def _stream(self, name: str, settings: StreamSettings) -> Stream:
        """Return a stream with what its kind's built-in stream says wherever nothing is set."""
        model = self._of_kind[settings.kind]
        return Stream(
            name=name,
            kind=settings.kind,
            expire_after=model.expire_after if settings.expire_after is None else settings.expire_after,
            retry=model.retry if settings.retry is None else settings.retry,
            unsubscribe=model.unsubscribe if settings.unsubscribe is None else settings.unsubscribe,
            require_tls=model.require_tls if settings.require_tls is None else settings.require_tls,
        )

    async def _load(self, project_id: ProjectId) -> dict[str, Stream]:
        stored = await self._database.read(lambda c: store.of_project(c, project_id))
        return {**self._built_in, **{name: self._stream(name, settings) for name, settings in stored.items()}}

    def _entry(
        self, project_id: ProjectId, actor: str, action: str, name: str, settings: StreamSettings
    ) -> audit.Entry:
        return audit.Entry(
            project_id=project_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            subject=name,
            data=msgspec.to_builtins(settings),
        )


def _check(change: StreamChange) -> None:
    flaws: list[Flaw] = []
    if change.expire_after is not None and not _SHORTEST <= change.expire_after <= _LONGEST:
        flaws.append(Flaw("/expire_after_s", "A stream's mail expires after 1 second to 30 days."))
    if change.retry_delays is not None and (
        not 1 <= len(change.retry_delays) <= _MOST_DELAYS
        or not all(0 < delay <= _LONGEST for delay in change.retry_delays)
    ):
        flaws.append(Flaw("/retry_delays_s", f"These are 1 to {_MOST_DELAYS} delays of up to 30 days each."))
    if change.retry_jitter is not None and not 0 <= change.retry_jitter <= 0.9:
        flaws.append(Flaw("/retry_jitter", "The share by which delays vary is from 0 to 0.9."))
    if flaws:
        raise Refused("invalid_request", "The stream is not valid.", flaws=flaws)


def _taken(name: str) -> Refused:
    return Refused.field("/name", f"There is a stream called {name!r} already.", code="already_exists")
