"""What a node has in hand: how many deliveries, of which domains, and which domains have their share."""

from collections import Counter
from collections.abc import Iterable, Sequence

from postroad.model.delivery import Lease

_SHARE = 64
_WINDOW_S = 1.0


class InHand:
    """Leases that are not settled yet. A domain that moves may have many, one that stands still a small share."""

    def __init__(self, most: int) -> None:
        """Allow `most` deliveries in hand."""
        self._most = most
        self._by_domain: Counter[str] = Counter()
        self._moved: Counter[str] = Counter()
        self._moved_before: Counter[str] = Counter()
        self._window_began_s = 0.0
        self.total = 0
        self._promised = 0
        self._held_back = False

    @property
    def room(self) -> int:
        """How many more may be taken; 0 until it is worth a lease."""
        room = self._most - self.total - self._promised
        if room * 4 >= self._most:
            return room
        self._held_back = True
        return 0

    def promise(self, count: int, domains: Iterable[str]) -> bool:
        """Keep room for mail that is just being accepted, and tell whether there is any."""
        if self.total + self._promised + count > self._most:
            return False
        if any(self._by_domain[domain] >= self._share(domain) for domain in domains):
            return False
        self._promised += count
        return True

    def keep(self, count: int) -> None:
        """End a promise of that many, kept or not."""
        self._promised -= count

    def take(self, leases: Sequence[Lease]) -> None:
        """Count leases in."""
        self._by_domain.update([lease.domain for lease in leases])
        self.total += len(leases)

    def give(self, lease: Lease, now_s: float) -> bool:
        """Count a settled lease out, and tell whether that makes room for what was held back."""
        self._turn(now_s)
        self.total -= 1
        left = self._by_domain[lease.domain] - 1
        if left:
            self._by_domain[lease.domain] = left
        else:
            del self._by_domain[lease.domain]
        self._moved[lease.domain] += 1
        if self._held_back and left * 2 <= self._share(lease.domain) and (self._most - self.total) * 4 >= self._most:
            self._held_back = False
            return True
        return False

    def full(self, now_s: float) -> tuple[str, ...]:
        """Return the domains that have their share: as many as they settled in the last second, and some."""
        self._turn(now_s)
        full = tuple([domain for domain, count in self._by_domain.items() if count >= self._share(domain)])
        self._held_back = bool(full)
        return full

    def _share(self, domain: str) -> int:
        return max(_SHARE, self._moved_before[domain], self._moved[domain])

    def _turn(self, now_s: float) -> None:
        """Begin a new window when the last one is over."""
        if now_s - self._window_began_s >= _WINDOW_S:
            fresh = now_s - self._window_began_s < 2 * _WINDOW_S
            self._moved_before = self._moved if fresh else Counter()
            self._moved = Counter()
            self._window_began_s = now_s
