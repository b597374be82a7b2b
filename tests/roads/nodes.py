"""One node: the real shaping, turns and hand of a process, and what the model knows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.delivery import Hold, Lease
from postroad.model.shaping import Flow, Pin
from postroad.model.stream import StreamKind
from postroad.pipeline.in_hand import InHand
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.pipeline.turns import Turns
from postroad.store.database import Database
from roads.expected import Watch
from stores import START, StillClock

LIMITS = Limits(connections=6, start=3, messages_per_second=5.0)
LEASE = 5 * MINUTE
MOST = 40
"""In hand."""


@dataclass(slots=True, eq=False)
class Node:
    """A process: `start` makes it anew, with nothing remembered."""

    name: str
    database: Database
    clock: StillClock
    runs: int = 0
    up: bool = False
    rank: int = 0
    nodes: int = 1
    held: list[Lease] = field(default_factory=list)
    """In hand and not begun."""
    begun: list[Lease] = field(default_factory=list)
    """In hand, with an attempt under way."""
    watches: dict[str, Watch] = field(default_factory=dict)
    passed_over: Counter[tuple[StreamKind, str]] = field(default_factory=Counter)
    """How often mail of a kind and a project was passed over in a row, though it might have gone."""
    shaping: Shaping = field(init=False)
    suspensions: Suspensions = field(init=False)
    turns: Turns = field(init=False)
    hand: InHand = field(init=False)

    def start(self) -> None:
        self.runs += 1
        self.up = True
        self.held, self.begun, self.watches = [], [], {}
        self.passed_over = Counter()
        self.shaping = Shaping(Book(LIMITS), clock=self.clock, chance=lambda: 0.5, node=self.name)
        self.suspensions = Suspensions(self.database, self.clock)
        self.turns = Turns(self.shaping, self.suspensions, self.clock)
        self.hand = InHand(MOST, self.shaping, self.suspensions, self.clock)

    @property
    def hold(self) -> Hold:
        return Hold(node=self.name, boot=f"b{self.runs}", duration=LEASE)

    @property
    def now_s(self) -> float:
        return (self.clock.now() - START) / SECOND

    @property
    def in_hand(self) -> list[Lease]:
        return self.held + self.begun

    @property
    def rate(self) -> float:
        return LIMITS.messages_per_second / self.nodes

    def divide(self, rank: int, nodes: int) -> None:
        self.rank, self.nodes = rank, nodes
        self.shaping.divide(rank, nodes)
        for watch in self.watches.values():
            watch.tokens = LIMITS.messages_per_second  # what was left of the old part: at most all of it

    def watch(self, site: str) -> Watch:
        if site not in self.watches:
            self.watches[site] = Watch(tokens=self.rate, at_s=self.now_s)
        return self.watches[site]

    def share(self, site: str, pins: Iterable[Pin]) -> int:
        """This node's part of the connections to a site, as the model reckons it."""
        limit = next((int(pin.value) for pin in pins if pin.site == site), LIMITS.connections)
        return limit // self.nodes + (self.rank < limit % self.nodes)

    def troubled(self) -> bool:
        """Whether anything but the turn may keep mail back."""
        return any(site.troubled or site.connections == 0 for site in self.shaping)

    def shut(self, site: str, kind: StreamKind) -> bool:
        """Whether the site takes nothing of a kind from this node, by the model and by the node itself."""
        now = self.clock.now()
        if self.watch(site).shut(kind, now):
            return True
        met = self.shaping.known(site)
        if met is None:
            return False
        controller = met.kinds.get(kind)
        breakers = [met.breaker] if controller is None else [met.breaker, controller.breaker]
        return any(each.flow is Flow.SUSPENDED and each.until > now for each in breakers)

    def probing(self, site: str, kind: StreamKind) -> bool:
        """Whether the site gets one message at a time to find out whether it takes any."""
        met = self.shaping.known(site)
        if met is None or self.shut(site, kind):
            return False
        controller = met.kinds.get(kind)
        breakers = [met.breaker] if controller is None else [met.breaker, controller.breaker]
        return any(each.flow is not Flow.FLOWING for each in breakers)

    def pauses(self) -> Iterable[Instant]:
        """Until when each pause lasts."""
        for site in self.shaping:
            for breaker in [site.breaker, *[each.breaker for each in site.kinds.values()]]:
                if breaker.flow is Flow.SUSPENDED:
                    yield breaker.until
