"""All sites of a process: who asks how much room there is, and who tells what became of a message."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from postroad.model.attempt import Attempt
from postroad.model.clock import HOUR, SECOND, Clock, Instant
from postroad.model.delivery import Lease
from postroad.model.shaping import Change, Flow, Pin, What
from postroad.model.stream import StreamKind
from postroad.model.traffic import Measure, Traffic
from postroad.model.verdict import Verdict
from postroad.pipeline.shaping.limits import Book, Limits, with_limits
from postroad.pipeline.shaping.memory import SiteMemory, recall, remember
from postroad.pipeline.shaping.signals import Signal, signal_of
from postroad.pipeline.shaping.site import Site, Slowness
from postroad.pipeline.shaping.warming import WarmUp

_SITES: Final = 20_000
_DOMAINS: Final = 50_000
_CHANGES: Final = 1000
_FORGOTTEN_AFTER: Final = HOUR
_BRIDGE: Final = 10 * SECOND
"""How long a suspension by rule is kept here, until the one that is written down is known everywhere."""
_WORDS: Final = 200
"""So much of a reply is told as a reason."""

Find = tuple[str, str, str]
"""Project, recipient domain and mode: what decides where mail goes, as far as the queue knows."""


class Suspend(Protocol):
    """Writes a suspension down for all nodes."""

    def __call__(self, *, site: str, project: str | None, traffic: Traffic, until: Instant, because: str) -> None:
        """Suspend a site, or one project's mail to it; returns at once."""
        ...


class Shaping:
    """The sites, made as they are met, and where domains were last found to belong."""

    def __init__(
        self,
        book: Book,
        *,
        clock: Clock,
        chance: Callable[[], float],
        node: str = "",
        warm_ups: Mapping[str, WarmUp] | None = None,
    ) -> None:
        """Begin with limits and nothing known; `warm_ups` are those of new addresses, by pool ("": the only one)."""
        self._warm_ups = warm_ups or {}
        self._book = book
        self._clock = clock
        self._chance = chance
        self._node = node
        self._sites: dict[str, Site] = {}
        self._found: dict[Find, Site] = {}
        self._pins: dict[str, dict[str, float]] = {}
        self.pinned: dict[str, dict[str, str]] = {}
        """By site and limit, who pinned it."""
        self._memories: dict[str, SiteMemory] = {}
        self._counts: dict[tuple[str, str, str], deque[Instant]] = {}
        self._rank, self._nodes = 0, 1
        self._suspend: Suspend | None = None
        self._on_stop: Callable[[str], None] | None = None
        self.learned: dict[str, str] = {}
        """Sites of domains that were found since this was last taken."""
        self.changes: list[Change] = []
        """What has changed and is not written down yet."""

    # Parts that are joined later

    def suspend_by(self, suspend: Suspend) -> None:
        """Have suspensions that rules ask for written down by `suspend`."""
        self._suspend = suspend

    def on_stop(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the name of a site whose mail stops."""
        self._on_stop = listener

    # Sites

    def site(self, name: str, *, domain: str = "", project: str = "", pool: str = "") -> Site:
        """Return a site; mail of a domain or a project with limits of its own has one of its own."""
        own_domain = own_project = ""
        if not self._book.plain:
            own_domain, own_project = self._book.apart(domain, project)
            name = (own_domain or name) + (f"/{own_project}" if own_project else "")
        if pool:
            name = f"{name}@{pool}"
        found = self._sites.get(name)
        return self._make(name) if found is None else found

    def known(self, name: str) -> Site | None:
        """Return a site by its name, if it was met."""
        return self._sites.get(name)

    def __iter__(self) -> Iterator[Site]:
        """Return the sites that were met lately."""
        return iter(tuple(self._sites.values()))

    def find(self, project: str, domain: str, mode: str) -> Site:
        """Return where mail was last found to go; what is not known yet counts as a site of its own."""
        found = self._found.get((project, domain, mode))
        return self.site(domain, domain=domain, project=project) if found is None else found

    def look(self, project: str, domain: str, mode: str) -> Site | None:
        """Return the same, or None where nothing is known at all. Any thread may ask."""
        return self._found.get((project, domain, mode)) or self._sites.get(domain)

    def learn(self, project: str, domain: str, mode: str, site: Site) -> None:
        """Note where mail goes."""
        if len(self._found) >= _DOMAINS:
            del self._found[next(iter(self._found))]
        self._found[project, domain, mode] = site
        self.learned[domain] = site.name

    def _make(self, name: str) -> Site:
        if len(self._sites) >= _SITES:
            self.forget(Instant(self._clock.now() + _FORGOTTEN_AFTER))
        site = Site(name, Limits(), self, pins={})
        self._sites[name] = site
        self._set(site)
        site.warm_up = self._warm_ups.get(name.partition("@")[2])
        site.kinds.clear()
        site.messages.tokens, site.dials.tokens = site.messages.rate, site.limits.connections_per_minute
        if (memory := self._memories.pop(name, None)) is not None:
            recall(site, memory)
        return site

    # Limits

    def limits_of(self, name: str) -> tuple[Limits, dict[str, float]]:
        """Return the limits of a site with its pins in their place, and the pins."""
        bare, _, pool = name.partition("@")
        bare, _, project = bare.partition("/")
        pins = self._pins.get(name, {})
        return with_limits(self._book.limits(bare, domain=bare, project=project, pool=pool), pins), pins

    def reload(self, book: Book) -> None:
        """Take other limits; sites keep what they have learned."""
        self._book = book
        self._found.clear()
        self._reset()

    def divide(self, rank: int, nodes: int) -> None:
        """Take this node's part of every limit: it is the one of that rank among so many."""
        if (rank, nodes) != (self._rank, self._nodes):
            self._rank, self._nodes = rank, nodes
            self._reset()

    def pin(self, pins: Iterable[Pin]) -> None:
        """Take all pins there are."""
        found: dict[str, dict[str, float]] = {}
        self.pinned = {}
        for each in pins:
            found.setdefault(each.site, {})[each.limit] = each.value
            self.pinned.setdefault(each.site, {})[each.limit] = each.author
        if found != self._pins:
            self._pins = found
            self._reset()

    def _reset(self) -> None:
        for site in self._sites.values():
            self._set(site)

    def _set(self, site: Site) -> None:
        limits, pins = self.limits_of(site.name)
        share = limits.connections // self._nodes + (self._rank < limits.connections % self._nodes)
        site.set(limits, pins, 1 / self._nodes, share)

    # What became of messages

    def settled(self, lease: Lease, kind: StreamKind, attempt: Attempt, verdict: Verdict) -> None:
        """Learn from an attempt at a delivery where its mail goes, and how the site fared."""
        if attempt.site is None:
            return
        pool = attempt.source or ""
        site = self.site(attempt.site, domain=lease.domain, project=lease.project_id, pool=pool)
        key = (lease.project_id, lease.domain, lease.mode.value)
        if self._found.get(key) is not site:
            self.learn(*key, site)
        self.heard(site, kind, lease.project_id, attempt, verdict)

    def heard(self, site: Site, kind: StreamKind, project: str, attempt: Attempt, verdict: Verdict) -> None:
        """Learn from an attempt that was judged."""
        site.used_at = attempt.finished_at
        signal = signal_of(attempt, verdict.reason)
        if site.warm_up is not None and signal is not Signal.NOTHING:
            site.count(self._clock.now())
        controller = site.kind(kind)
        if signal is Signal.GOOD:
            site.good(controller)
        elif signal is not Signal.NOTHING:
            now, because = self._clock.now(), met_with(attempt)
            if signal is Signal.UNREACHABLE:
                site.unreachable(now, self._chance(), because)
            else:
                site.failures = 0
                act = {
                    Signal.THROTTLED: controller.throttled,
                    Signal.BLOCKED: controller.refused,
                    Signal.BROKEN: controller.broken,
                }[signal]
                act(now, self._chance(), because)
            site.changed = True
            self._stop_if_shut(site, kind, now)
        if verdict.traffic is not None:
            self._measure(site, project, verdict.traffic, attempt)

    def _measure(self, site: Site, project: str, traffic: Traffic, attempt: Attempt) -> None:
        """Do what a rule asks for, once it was set off often enough."""
        now = self._clock.now()
        one = traffic.measure is Measure.SUSPEND_PROJECT
        if not self._set_off((site.name, traffic.rule, project if one else ""), traffic, now):
            return
        until = Instant(now + traffic.lasting)
        if traffic.measure is Measure.SLOW_DOWN:
            site.slow_down(Slowness(until, traffic.connections, traffic.per_minute, traffic.rule), now)
            return
        bridge = min(until, Instant(now + _BRIDGE))
        if one:
            site.held_projects[project] = bridge
        else:
            site.held_until = bridge
            self._stop(site)
        if self._suspend is not None:
            self._suspend(
                site=site.name,
                project=project if one else None,
                traffic=traffic,
                until=until,
                because=met_with(attempt),
            )

    def _set_off(self, whose: tuple[str, str, str], traffic: Traffic, now: Instant) -> bool:
        """Count a reply for a site and a rule, and for a project where it alone is to be suspended."""
        if traffic.after <= 1:
            return True
        if len(self._counts) > _SITES:
            self._counts.clear()
        times = self._counts.setdefault(whose, deque(maxlen=traffic.after))
        times.append(now)
        if len(times) < traffic.after or now - times[0] > traffic.within:
            return False
        times.clear()
        return True

    def _stop_if_shut(self, site: Site, kind: StreamKind, now: Instant) -> None:
        if site.flow(site.kind(kind), now) is Flow.SUSPENDED:
            self._stop(site)

    def _stop(self, site: Site) -> None:
        if self._on_stop is not None:
            self._on_stop(site.name)

    # What is written down

    def change(
        self, site: str, kind: StreamKind | None, what: What, sentence: str, connections: tuple[int, int] | None = None
    ) -> None:
        """Note a change; connections that are added one after another make one entry."""
        now = self._clock.now()
        last = self.changes[-1] if self.changes else None
        if (
            last is not None
            and what is last.what is What.RAISED
            and (last.site, last.kind) == (site, kind)
            and last.connections is not None
            and connections is not None
        ):
            self.changes.pop()
            connections = (last.connections[0], connections[1])
            sentence = f"Raised from {connections[0]} to {connections[1]} connections: all went well"
        entry = Change(
            at=now, site=site, kind=kind, what=what, sentence=f"{sentence}.", connections=connections, node=self._node
        )
        self.changes.append(entry)
        if len(self.changes) > _CHANGES:
            del self.changes[0]

    def taken_changes(self) -> list[Change]:
        """Return what has changed since this was last asked for."""
        taken, self.changes = self.changes, []
        return taken

    def taken_domains(self) -> dict[str, str]:
        """Return the sites of domains that were found since this was last asked for."""
        taken, self.learned = self.learned, {}
        return taken

    def give_back(self, changes: list[Change], states: Iterable[str], domains: Mapping[str, str]) -> None:
        """Take back what could not be written down, to be asked for again."""
        self.changes = (changes + self.changes)[-_CHANGES:]
        self.learned = {**domains, **self.learned}
        for name in states:
            if (site := self._sites.get(name)) is not None:
                site.changed = True

    def changed(self) -> dict[str, SiteMemory]:
        """Return what to write down of the sites that have changed since this was last asked for."""
        found = {}
        for site in self._sites.values():
            if site.changed:
                site.changed = False
                found[site.name] = remember(site)
        return found

    def recall(self, memories: Mapping[str, SiteMemory]) -> None:
        """Have what was written down at hand for when a site is met again."""
        self._memories.update(memories)
        for name in self._memories.keys() & self._sites.keys():
            recall(self._sites[name], self._memories.pop(name))

    def forget(self, now: Instant) -> None:
        """Drop the sites that nobody has used for an hour and that have no trouble to remember."""
        old = {
            name
            for name, site in self._sites.items()
            if not (site.busy or site.held or site.troubled) and now - site.used_at > _FORGOTTEN_AFTER
        }
        for name in old:
            del self._sites[name]
        self._found = {key: site for key, site in self._found.items() if site.name not in old}


def met_with(attempt: Attempt) -> str:
    """Return what an attempt met with, in the words of the peer if there are any."""
    reply = attempt.reply
    if reply is not None:
        words = " ".join([str(word) for word in (reply.code, reply.enhanced, reply.text) if word])
        return (words if len(words) <= _WORDS else f"{words[: _WORDS - 1].rstrip()}…").rstrip(".")
    return (attempt.detail or str(attempt.trouble)).rstrip(".")
