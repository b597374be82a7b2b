"""What `/metrics` shows of the road; the HTTP door adds its own. The names are in docs/reference/metrics.md."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from postroad.app.house import House
from postroad.model.provider import PROVIDERS

_PROVIDERS = frozenset(name for name, _ in PROVIDERS)


def collect(registry: CollectorRegistry, house: House) -> None:
    """Let `registry` read the house whenever somebody asks."""
    registry.register(_Road(house))


class _Road(Collector):
    """Reads what the parts count anyway."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they stand."""
        house = self._house
        store = house.database.counters
        yield _counter("postroad_store_transactions", "Write transactions that were committed.", store.transactions)
        yield _counter("postroad_store_units", "Units of work in them.", store.units)
        yield _counter("postroad_store_failures", "Write transactions that failed.", store.failures)
        yield _counter("postroad_store_busy_seconds", "Time that the writers worked.", store.busy_s)
        yield _gauge("postroad_store_waiting", "Units of work that wait or run.", house.database.waiting)
        yield _gauge("postroad_deliveries_waiting", "Deliveries that wait, as last counted.", house.room.waiting)
        yield _gauge("postroad_deliveries_in_hand", "Deliveries leased by this node.", house.sending.in_hand)
        yield _gauge("postroad_low_disk", "1 while the door is shut for lack of disk.", house.room.low_disk)
        hazards = len(house.lookout.known)
        yield _gauge("postroad_store_hazards", "What makes commits less than durable; the log says what.", hazards)
        yield from _sites(house)
        settled = CounterMetricFamily(
            "postroad_deliveries_settled", "Attempts settled by this node, by the state they led to.", labels=("state",)
        )
        for state, count in house.sending.settled.items():
            settled.add_metric((state.value,), count)
        yield settled
        inbound = CounterMetricFamily(
            "postroad_inbound_mail",
            "Mail that came back and was read by this node, by what it was taken for and what came of it.",
            labels=("taken_for", "effect"),
        )
        for (taken, effect), count in house.inbound.counted.items():
            inbound.add_metric((taken.value, effect.value), count)
        yield inbound
        yield _counter(
            "postroad_inbound_quarantined", "Mail that could not be read and was put aside.", house.inbound.quarantined
        )


def _sites(house: House) -> Iterator[Metric]:
    """Yield how mail flows to the providers by name, and to all others together, so that labels stay few."""
    flowing = GaugeMetricFamily(
        "postroad_site_connections", "Connections that mail may have now, by site and kind.", labels=("site", "kind")
    )
    in_flight = GaugeMetricFamily("postroad_site_in_flight", "Messages under way, by site.", labels=("site",))
    paused = GaugeMetricFamily("postroad_sites_paused", "Sites that take nothing for now.", labels=("site",))
    connections: Counter[tuple[str, str]] = Counter()
    busy: Counter[str] = Counter()
    shut: Counter[str] = Counter()
    now = house.clock.now()
    for site in house.shaping:
        name = site.name if site.name in _PROVIDERS else "other"
        busy[name] += site.busy
        for kind, controller in site.kinds.items():
            window = site.window(controller, now)
            connections[name, kind.value] += window
            shut[name] += window == 0
    for (name, kind_name), count in connections.items():
        flowing.add_metric((name, kind_name), count)
    for name, count in busy.items():
        in_flight.add_metric((name,), count)
        paused.add_metric((name,), shut[name])
    yield from (flowing, in_flight, paused)


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, words, value=value)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)
