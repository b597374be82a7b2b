"""Queue, leases and controller together, in any order: what may never happen, and what must go on happening."""

from hypothesis import HealthCheck, Phase, settings

from roads.machine import Road

TestRoad = Road.TestCase
TestRoad.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a verdict at once; add Phase.shrink to look for a short one
)
