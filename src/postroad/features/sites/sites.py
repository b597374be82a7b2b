"""Sites as they are shown, and the pins on their limits."""

from collections.abc import Iterable
from typing import Final

import msgspec

from postroad.model.clock import SECOND, Clock, Instant, to_rfc3339
from postroad.model.delivery import TERMINAL, Delivery
from postroad.model.errors import Flaw, Refused
from postroad.model.ids import DeliveryId
from postroad.model.message import Mode
from postroad.model.provider import PROVIDERS
from postroad.model.route import RelayRoute
from postroad.model.shaping import Change, Flow, Pin, What
from postroad.model.stream import StreamKind
from postroad.model.suspension import ANY, Suspension
from postroad.pipeline.deliver.failover import Relays, Rest
from postroad.pipeline.keeping import Keeper
from postroad.pipeline.outcomes.roads import Road
from postroad.pipeline.shaping.limits import BOUNDS, flaw_of
from postroad.pipeline.shaping.memory import Memory, SiteMemory, remember
from postroad.pipeline.shaping.shaping import Shaping, met_with
from postroad.pipeline.suspensions import Suspensions

_CHANGES: Final = 50
_ORDER: Final = {Flow.SUSPENDED: 0, Flow.PROBING: 1, Flow.RESTING: 2, Flow.FLOWING: 3}
_NAMES: Final = frozenset(name for name, _ in PROVIDERS)


class LimitShown(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a site."""

    name: str
    value: float
    pinned_by: str | None
    """Who pinned it; null when it is what the files and settings say."""


class KindShown(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of mail flows to a site."""

    kind: StreamKind
    flow: Flow
    connections: int
    """How many connections it may have now."""
    until: str | None
    """When a pause ends."""
    because: str | None


class ChangeShown(msgspec.Struct, frozen=True, kw_only=True):
    """One change of how a site is sent to."""

    at: str
    site: str
    kind: StreamKind | None
    what: What
    sentence: str
    node: str


class SiteShown(msgspec.Struct, frozen=True, kw_only=True):
    """A site: what may be asked of it, and what is asked of it now."""

    site: str
    flow: Flow
    sentence: str
    until: str | None
    kinds: list[KindShown]
    in_flight: int
    """Messages under way from the node that answers."""
    limits: list[LimitShown]
    changes: list[ChangeShown]
    """The newest first; none in lists."""


class Sites:
    """What is known of sites, and the pins."""

    def __init__(
        self, shaping: Shaping, keeper: Keeper, clock: Clock, suspensions: Suspensions, relays: Relays
    ) -> None:
        """Build the service."""
        self._shaping = shaping
        self._keeper = keeper
        self._clock = clock
        self._suspensions = suspensions
        self._relays = relays

    async def listed(self, *, only_providers: bool = False) -> list[SiteShown]:
        """Return the sites that were met lately, are pinned or rest, those in trouble first."""
        known = await self._memories()
        shown = [
            self._with_suspension(self._shown(name, memory, ()))
            for name, memory in known.items()
            if not only_providers or name in _NAMES
        ]
        return sorted(shown, key=lambda each: (_ORDER[each.flow], each.site))

    async def show(self, name: str, *, only_providers: bool = False) -> SiteShown:
        """Return one site with its last changes.

        Raises:
            Refused: nothing is known of it (`not_found`).
        """
        name = name.strip().lower()
        known = await self._memories()
        changes = await self._keeper.changes(name, _CHANGES)
        met = not only_providers and (name in known or bool(changes))
        if not met and name not in _NAMES:
            raise Refused("not_found", f"Nothing is known of a site {name!r}; the list has those that were met lately.")
        return self._with_suspension(self._shown(name, known.get(name, SiteMemory({})), changes))

    async def changes(self, limit: int) -> list[ChangeShown]:
        """Return the newest changes of all sites, the newest first."""
        return [_change(each) for each in await self._keeper.changes(None, limit)]

    async def roads(
        self, deliveries: Iterable[Delivery], *, paused_at: Instant | None = None
    ) -> dict[DeliveryId, Road]:
        """Return how mail flows to where each delivery goes, of those that have not ended.

        Args:
            deliveries: of one project.
            paused_at: since when the project is paused, which keeps all of them back.
        """
        live = [each for each in deliveries if each.state not in TERMINAL and each.mode is Mode.LIVE]
        if not live:
            return {}
        known, noted = await self._memories(), await self._keeper.sites_of([each.domain for each in live])
        found: dict[DeliveryId, Road] = {}
        for each in live:
            site = self._shaping.look(each.project_id, each.domain, each.mode.value)
            name = site.name if site is not None else noted.get(each.domain, each.domain)
            shown = self._shown(name, known.get(name, SiteMemory({})), ())
            suspension = self._suspensions.find(each.project_id, each.stream, name, each.domain)
            if paused_at is not None:
                found[each.id] = _paused(name, paused_at)
            else:
                found[each.id] = _suspended(name, suspension) if suspension is not None else _road(shown)
        return found

    async def pin(self, name: str, limits: dict[str, float], *, author: str) -> SiteShown:
        """Fix limits of a site, and return it.

        Raises:
            Refused: a limit is none, or its value is out of bounds.
        """
        name = _name(name)
        flaws = [
            Flaw(f"/limits/{limit}", f"{limit} {flaw}.")
            for limit, value in limits.items()
            if (flaw := flaw_of(limit, value)) is not None
        ]
        if flaws or not limits:
            detail = flaws[0].detail if flaws else f"Say which limit: {', '.join(BOUNDS)}."
            raise Refused("invalid_request", detail, flaws=flaws)
        for limit, value in limits.items():
            await self._keeper.pin(Pin(site=name, limit=limit, value=value, author=author, at=self._clock.now()))
        return await self.show(name)

    async def unpin(self, name: str, limits: Iterable[str], *, author: str) -> SiteShown:
        """Let limits of a site be found again, all of them when none is named, and return it.

        Raises:
            Refused: none of them was pinned (`not_found`).
        """
        name = _name(name)
        gone = [await self._keeper.unpin(name, limit, author) for limit in tuple(limits) or tuple(BOUNDS)]
        if not any(gone):
            raise Refused("not_found", f"No such limit of {name} is pinned.")
        return await self.show(name)

    def _with_suspension(self, shown: SiteShown) -> SiteShown:
        """Return a site as somebody sees it who asks how mail of any project flows there."""
        whole = self._suspensions.find(ANY, ANY, shown.site)
        if whole is not None:
            road = _suspended(shown.site, whole)
            return msgspec.structs.replace(shown, flow=road.flow, sentence=road.sentence, until=road.until)
        if self._suspensions.partly(shown.site):
            return msgspec.structs.replace(shown, sentence=f"{shown.sentence} Some of it is suspended.")
        return shown

    async def _memories(self) -> dict[str, SiteMemory]:
        """Return what is known of every site: here as it is now, elsewhere as it was last written down."""
        found = await self._keeper.states()
        for site in self._shaping:
            mine = remember(site)
            known = found.get(site.name)
            if known is None or mine.trouble >= known.trouble or site.changed:
                found[site.name] = mine
        for name in (*self._shaping.pinned, *(_place(rest.relay) for rest, _ in self._relays.resting())):
            found.setdefault(name, SiteMemory({}))
        return found

    def _shown(self, name: str, memory: SiteMemory, changes: Iterable[Change]) -> SiteShown:
        limits, pins = self._shaping.limits_of(name)
        authors = self._shaping.pinned.get(name, {})
        now = self._clock.now()
        kinds = [
            _kind(kind, each.window, _worst(memory.breaker, each.breaker), pins) for kind, each in memory.kinds.items()
        ]
        worst = min(
            [memory.breaker, *[each.breaker for each in memory.kinds.values()]], key=lambda each: _ORDER[each.flow]
        )
        site = self._shaping.known(name)
        slow = memory.slow_until is not None and memory.slow_until > now
        shown = SiteShown(
            site=name,
            flow=worst.flow,
            sentence=_sentence(worst, memory if slow else None),
            until=to_rfc3339(worst.until) if worst.flow is Flow.SUSPENDED else None,
            kinds=sorted(kinds, key=lambda each: each.kind),
            in_flight=0 if site is None else site.busy,
            limits=[
                LimitShown(name=limit, value=float(getattr(limits, limit)), pinned_by=authors.get(limit))
                for limit in BOUNDS
            ],
            changes=[_change(each) for each in changes],
        )
        rests = [(rest, left_s) for rest, left_s in self._relays.resting() if _place(rest.relay) == _whole(name)]
        return _resting(shown, *max(rests, key=lambda each: each[1]), now) if rests else shown


def _place(relay: RelayRoute) -> str:
    """Return the site of a relay."""
    place = f"{relay.host}:{relay.port}"
    return place if relay.source is None else f"{place}@{relay.source.name}"


def _whole(name: str) -> str:
    """Return the name of a site without the project whose mail counts apart there."""
    place, at, source = name.partition("@")
    return place.partition("/")[0] + at + source


def _resting(shown: SiteShown, rest: Rest, left_s: float, now: Instant) -> SiteShown:
    """Return a site as one that is asked after others; where mail waits anyway, that is told before."""
    until = to_rfc3339(Instant(round(now / SECOND + left_s) * SECOND))  # to the second: the clocks are read in turn
    why = f"because: {met_with(rest.attempt)}"
    sentence = f"The relay {rest.relay.name} rests until {until}, and others are asked first, {why}."
    if shown.flow is not Flow.FLOWING:
        return msgspec.structs.replace(shown, sentence=f"{shown.sentence} {sentence}")
    return msgspec.structs.replace(shown, flow=Flow.RESTING, sentence=sentence, until=until)


def _suspended(site: str, suspension: Suspension) -> Road:
    until = None if suspension.until is None else to_rfc3339(suspension.until)
    sentence = f"Suspended by {suspension.author}: {suspension.reason}"
    return Road(site=site, flow=Flow.SUSPENDED, sentence=sentence, connections=None, until=until)


def _paused(site: str, since: Instant) -> Road:
    sentence = f"The project has been paused since {to_rfc3339(since)}; `POST /v1/project/resume` lets its mail go on."
    return Road(site=site, flow=Flow.SUSPENDED, sentence=sentence, connections=None, until=None)


def _road(shown: SiteShown) -> Road:
    most = max([kind.connections for kind in shown.kinds], default=None)
    return Road(site=shown.site, flow=shown.flow, sentence=shown.sentence, connections=most, until=shown.until)


def _name(text: str) -> str:
    name = text.strip().lower()
    if not name or len(name) > 500 or any(character.isspace() for character in name):
        raise Refused("invalid_request", "A site is named as the list of sites names it, such as google.")
    return name


def _worst(one: Memory, other: Memory) -> Memory:
    return min(one, other, key=lambda each: _ORDER[each.flow])


def _kind(kind: StreamKind, window: int, breaker: Memory, pins: dict[str, float]) -> KindShown:
    return KindShown(
        kind=kind,
        flow=breaker.flow,
        connections=int(pins.get("connections", window)),
        until=to_rfc3339(breaker.until) if breaker.flow is Flow.SUSPENDED else None,
        because=breaker.because or None if breaker.flow is not Flow.FLOWING else None,
    )


def _sentence(worst: Memory, slow: SiteMemory | None) -> str:
    match worst.flow:
        case Flow.SUSPENDED:
            return f"Mail waits until {to_rfc3339(worst.until)} because: {worst.because}."
        case Flow.PROBING:
            return f"One message at a time is tried, after: {worst.because}."
        case Flow.FLOWING if slow is not None and slow.slow_until is not None:
            return f"Slowed down by the rule {slow.slow_rule} until {to_rfc3339(slow.slow_until)}."
        case _:
            return "Mail flows."


def _change(change: Change) -> ChangeShown:
    return ChangeShown(
        at=to_rfc3339(change.at),
        site=change.site,
        kind=change.kind,
        what=change.what,
        sentence=change.sentence,
        node=change.node,
    )
