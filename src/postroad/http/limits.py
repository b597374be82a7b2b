"""Rate limits: one token bucket for each API key, in this process's memory.

They guard the server against runaway loops; they are not a meter. The headers are those of the IETF's draft on rate
limit fields: `RateLimit-Policy: "key";q=…;w=…` and `RateLimit: "key";r=…;t=…`.
"""

import time
from collections.abc import Callable

from postroad.model.errors import Unavailable

_MOST_KEYS = 10_000


class Buckets:
    """Token buckets by name."""

    def __init__(self, *, per_second: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._monotonic = monotonic
        self._levels: dict[str, tuple[float, float]] = {}
        self._policy = f'"key";q={burst};w={max(1, round(burst / per_second))}'.encode()

    def take(self, name: str) -> tuple[float, float]:
        """Take one token and return how many are left and the seconds until the bucket is full.

        Raises:
            Unavailable: `rate_limited`, there is none.
        """
        now = self._monotonic()
        level, since = self._levels.get(name, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._per_second)
        if level < 1:
            self._levels[name] = (level, now)
            wait = (1 - level) / self._per_second
            raise Unavailable(
                "rate_limited", "This API key asks too fast; slow down and try again.", retry_after_s=int(wait) + 1
            )
        if name not in self._levels and len(self._levels) >= _MOST_KEYS:
            self._forget(now)
        self._levels[name] = (level - 1, now)
        return level - 1, (self._burst - level + 1) / self._per_second

    def charge(self, name: str, told: list[tuple[bytes, bytes]]) -> None:
        """Take one token, and add to `told` where the client stands, in a refusal too.

        Raises:
            Unavailable: `rate_limited`, there is none.
        """
        try:
            told += self.headers(*self.take(name))
        except Unavailable:
            told += self.headers(0, (self._burst - self._levels[name][0]) / self._per_second)
            raise

    def headers(self, left: float, full_after_s: float) -> list[tuple[bytes, bytes]]:
        """Return the header fields that tell a client where it stands."""
        return [
            (b"ratelimit-policy", self._policy),
            (b"ratelimit", b'"key";r=%d;t=%d' % (int(left), int(full_after_s) + 1)),
        ]

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again, or all when none is: forgetting is lenient, growing is not."""
        self._levels = {
            name: (level, since)
            for name, (level, since) in self._levels.items()
            if level + (now - since) * self._per_second < self._burst
        }
        if len(self._levels) >= _MOST_KEYS:
            self._levels = {}
