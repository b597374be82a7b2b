"""What the model expects: of each delivery its row, of each site what it may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from postroad.model.clock import MINUTE, SECOND, Instant
from postroad.model.delivery import DUE, TERMINAL, Lease, State
from postroad.model.shaping import Flow
from postroad.model.stream import StreamKind
from postroad.pipeline.shaping.signals import Signal
from postroad.pipeline.shaping.site import Site

COLUMNS = (
    "state", "next_at", "lease_token", "attempts", "failures", "in_doubt", "lease_node", "lease_boot", "lease_until",
)  # fmt: skip
THROTTLES, AWAY = 3, 5
"""So many within a minute, and so many in a row, end in a pause."""


@dataclass(slots=True)
class Expected:
    """A delivery as it must stand in the store."""

    id: str
    project: str
    site: str
    kind: StreamKind
    state: State
    next_at: Instant | None
    token: int = 0
    attempts: int = 0
    failures: int = 0
    in_doubt: int = 0
    node: str | None = None
    boot: str | None = None
    until: Instant | None = None
    suspected: int = 0
    """How many events must say that a copy too many may have gone out."""

    def row(self) -> tuple[object, ...]:
        return (
            self.state.value, self.next_at, self.token, self.attempts, self.failures, self.in_doubt,
            self.node, self.boot, self.until,
        )  # fmt: skip

    def due(self, now: Instant) -> bool:
        return self.state in DUE and self.next_at is not None and self.next_at <= now

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    def leased(self, lease: Lease, node: str, boot: str) -> None:
        self.state, self.token, self.attempts = State.SENDING, lease.token, lease.attempt
        self.node, self.boot, self.until = node, boot, lease.until

    def let_go(self, state: State, next_at: Instant | None) -> None:
        self.state, self.next_at, self.node, self.boot, self.until = state, next_at, None, None, None


def compare(expected: dict[str, Expected], found: dict[str, tuple[object, ...]]) -> None:
    """Fail with a sentence that says which law is broken."""
    assert found.keys() == expected.keys(), "no delivery is lost, and none is made up"
    for name, each in expected.items():
        row = each.row()
        if found[name] == row:
            continue
        assert not each.ended, f"an end is final: {row} became {found[name]}"
        differs = [column for column, a, b in zip(COLUMNS, row, found[name], strict=True) if a != b]
        raise AssertionError(f"a delivery stands as it was left, but for {', '.join(differs)}: {row}, {found[name]}")


@dataclass(slots=True)
class Watch:
    """What one node must have made of what one site said: a second opinion on breaker and controller."""

    away: int = 0
    throttles: dict[StreamKind, list[Instant]] = field(default_factory=dict)
    lowered_at: dict[StreamKind, Instant] = field(default_factory=dict)
    shut_until: dict[StreamKind | None, Instant] = field(default_factory=dict)
    """Until when nothing may begin at the least; None stands for all kinds."""
    tokens: float = 0.0
    at_s: float = 0.0
    under_way: int = 0

    def shut(self, kind: StreamKind, now: Instant) -> bool:
        return any(self.shut_until.get(key, Instant(0)) > now for key in (None, kind))

    def begin(self, rate: float, now_s: float) -> None:
        """Count a message that begins against the rate."""
        self.tokens = min(self.tokens + (now_s - self.at_s) * rate, max(rate, 1.0))
        self.at_s = now_s
        assert self.tokens > 1 - 1e-6, "no more messages begin than the rate allows"
        self.tokens -= 1
        self.under_way += 1

    def before(self, site: Site, kind: StreamKind, now: Instant) -> tuple[Flow, Flow, int]:
        """How the site flows before it hears what became of a message."""
        controller = site.kind(kind)
        site.flow(controller, now)
        return site.breaker.flow, controller.breaker.flow, controller.window

    def heard(self, site: Site, kind: StreamKind, signal: Signal, now: Instant, before: tuple[Flow, Flow, int]) -> None:
        """Check that the site made of a signal what it must."""
        whole, mine, window = before
        controller = site.kind(kind)
        self.under_way -= 1
        self.away = self.away + 1 if signal is Signal.UNREACHABLE else 0
        if signal is Signal.UNREACHABLE:
            if whole is Flow.PROBING or (self.away >= AWAY and whole is Flow.FLOWING):
                self._paused(None, site.breaker.flow, site.breaker.until, now)
            assert controller.window == window, "who is away is not asked for less at a time"
            return
        if signal is Signal.GOOD:
            assert window <= controller.window <= window + 1, "what goes well adds one connection at most"
            return
        assert controller.window <= window, "trouble never adds connections"
        lowered_at = self.lowered_at.get(kind, Instant(-MINUTE))
        if signal is Signal.THROTTLED and window > 1 and now - lowered_at >= 10 * SECOND and mine is Flow.FLOWING:
            assert controller.window <= max(window // 2, 1), "who asks for less gets half"
        if controller.window < window:
            self.lowered_at[kind] = now
        recent = [at for at in self.throttles.get(kind, []) if now - at < MINUTE]
        if signal is Signal.THROTTLED and mine is Flow.FLOWING:
            recent.append(now)
        self.throttles[kind] = recent
        if mine is Flow.PROBING or len(recent) >= THROTTLES:
            self._paused(kind, controller.breaker.flow, controller.breaker.until, now)
            self.throttles[kind] = []

    def _paused(self, key: StreamKind | None, flow: Flow, until: Instant, now: Instant) -> None:
        assert flow is Flow.SUSPENDED, "too much trouble makes a pause"
        assert until - now >= MINUTE, "a pause takes a minute at the least"
        self.shut_until[key] = Instant(now + MINUTE)
