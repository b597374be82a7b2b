"""What is written down of a site, so that a restart goes on where it was and does not begin by trying its luck."""

from typing import Final

import msgspec

from postroad.model.clock import Instant
from postroad.model.shaping import Flow
from postroad.model.stream import StreamKind
from postroad.pipeline.shaping.breaker import Breaker
from postroad.pipeline.shaping.site import Site, Slowness
from postroad.pipeline.shaping.warming import Day

_NEVER: Final = Instant(0)


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written down of a breaker: enough to go on after a restart."""

    flow: Flow = Flow.FLOWING
    until: Instant = _NEVER
    openings: int = 0
    because: str = ""


class KindMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written down of one kind of mail."""

    window: int
    breaker: Memory = Memory()


class SiteMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written down of a site."""

    kinds: dict[StreamKind, KindMemory]
    breaker: Memory = Memory()
    slow_until: Instant | None = None
    slow_connections: int | None = None
    slow_per_minute: float | None = None
    slow_rule: str = ""
    day: int = 0
    sent: int = 0
    """Messages of that day, while the address is warmed up."""

    @property
    def trouble(self) -> int:
        """How much stands in the way, for comparing what nodes have met: pauses first, then few connections."""
        flows = [self.breaker.flow, *[kind.breaker.flow for kind in self.kinds.values()]]
        shut = sum([flow is not Flow.FLOWING for flow in flows])
        return shut * 10_000 - min([kind.window for kind in self.kinds.values()], default=0)


def remember(site: Site) -> SiteMemory:
    """Return what to write down of a site."""
    slow = site.slowness
    return SiteMemory(
        {kind: KindMemory(each.window, _memory(each.breaker)) for kind, each in site.kinds.items()},
        _memory(site.breaker),
        None if slow is None else slow.until,
        None if slow is None else slow.connections,
        None if slow is None else slow.per_minute,
        "" if slow is None else slow.rule,
        site.day.number,
        site.day.sent,
    )


def recall(site: Site, memory: SiteMemory) -> None:
    """Bring a new site to where it was when it was written down."""
    site.breaker = _breaker(memory.breaker)
    site.day = Day(memory.day, memory.sent)
    for kind, each in memory.kinds.items():
        controller = site.kind(kind)
        controller.window = max(min(each.window, site.connections), 1)
        controller.breaker = _breaker(each.breaker)
    if memory.slow_until is not None:
        site.obey(Slowness(memory.slow_until, memory.slow_connections, memory.slow_per_minute, memory.slow_rule))


def _memory(breaker: Breaker) -> Memory:
    # a probe may have died with the process: the pause is over, and the next look begins anew
    flow = Flow.SUSPENDED if breaker.flow is Flow.PROBING else breaker.flow
    return Memory(flow, breaker.until, breaker.openings, breaker.because)


def _breaker(memory: Memory) -> Breaker:
    return Breaker(memory.flow, memory.until, memory.openings, 0, memory.because)
