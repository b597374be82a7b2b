"""What a node has in hand: how many deliveries, to which sites, and whose they are."""

from collections import Counter
from collections.abc import Mapping, Sequence

from postroad.model.clock import Clock
from postroad.model.delivery import Lease
from postroad.model.stream import PRECEDENCE
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.shaping.site import Site
from postroad.pipeline.suspensions import Suspensions
from postroad.store.messages import NewMessage


class InHand:
    """Leases that are not settled yet. Each counts for the site that it goes to, as far as that is known."""

    def __init__(self, most: int, shaping: Shaping, suspensions: Suspensions | None, clock: Clock) -> None:
        """Allow `most` deliveries in hand."""
        self._most = most
        self._shaping = shaping
        self._suspensions = suspensions
        self._clock = clock
        self._sites: dict[tuple[str, int], Site] = {}
        """By delivery and token: a lease that lapsed may still be in hand when the same delivery is leased again."""
        self._by_project: Counter[str] = Counter()
        self.total = 0
        self._promised = 0
        self._held_back = False
        self._short: dict[Site, int] = {}
        self.waiting: frozenset[str] = frozenset()
        """Projects that have mail waiting in the queue that is due."""

    @property
    def room(self) -> int:
        """How many more may be taken; 0 until it is worth a lease."""
        room = self._most - self.total - self._promised
        if room * 4 >= self._most:
            return room
        self._held_back = True
        return 0

    def promise(self, count: int, new: Sequence[NewMessage], now_s: float) -> bool:
        """Keep room for mail that is just being accepted, and tell whether there is any.

        While mail of other projects waits, a project has no more in hand this way than its share.
        """
        after = self.total + self._promised + count
        project = new[0].message.project_id
        if after > self._most or not self._fair(project, count, after):
            return False
        needed: Counter[tuple[Site, int]] = Counter()
        for one in new:
            message = one.message
            for delivery in one.deliveries:
                site = self._shaping.find(project, delivery.domain, message.mode.value)
                if self._waits(project, message.stream, site.name, delivery.domain):
                    return False
                needed[site, one.place] += 1
        now = self._clock.now()
        for (site, place), wanted in needed.items():
            if site.room(PRECEDENCE[place], project, now, now_s) < wanted:
                return False
        self._promised += count
        return True

    def _fair(self, project: str, count: int, after: int) -> bool:
        """Tell whether a project may have so many more while others wait, of whom a part is left for the queue."""
        others = len(self.waiting - {project})
        if not others:
            return True
        return after * 4 <= self._most * 3 and (self._by_project[project] + count) * (others + 1) <= self._most

    def _waits(self, project: str, stream: str, site: str, domain: str) -> bool:
        return self._suspensions is not None and self._suspensions.find(project, stream, site, domain) is not None

    def keep(self, count: int) -> None:
        """End a promise of that many, kept or not."""
        self._promised -= count

    def take(self, leases: Sequence[Lease]) -> None:
        """Count leases in."""
        for lease in leases:
            site = self._shaping.find(lease.project_id, lease.domain, lease.mode.value)
            site.held += 1
            self._sites[lease.delivery_id, lease.token] = site
        self._by_project.update([lease.project_id for lease in leases])
        self.total += len(leases)

    def give(self, lease: Lease, now_s: float) -> bool:
        """Count a settled lease out, and tell whether that makes room for what was held back."""
        self.total -= 1
        left = self._by_project[lease.project_id] - 1
        if left:
            self._by_project[lease.project_id] = left
        else:
            del self._by_project[lease.project_id]
        site = self._sites.pop((lease.delivery_id, lease.token))
        site.give(now_s)
        if self._short and site.held <= self._short.get(site, -1):
            del self._short[site]
            return True
        if self._held_back and (self._most - self.total) * 4 >= self._most:
            self._held_back = False
            return True
        return False

    def fell_short(self, held: Mapping[Site, int], waiting: frozenset[str]) -> bool:
        """Note which sites had no room for somebody, and which projects have mail that waits.

        `held` tells how much of each was in hand when the queue was looked at. Tells whether so much of one has been
        settled since, within the same commit perhaps, that nothing may come that would call for another look.
        """
        self.waiting = waiting
        self._short = {site: count // 2 for site, count in held.items()}
        eased = [site for site, most in self._short.items() if site.held <= most < held[site]]
        for site in eased:
            del self._short[site]
        return bool(eased)
