"""The events that a check of a domain leads to. Pure."""

import msgspec

from postroad.model.clock import Instant
from postroad.model.domain import DomainState, RecordState
from postroad.model.event import EventType, NewEvent
from postroad.store.domains import Checked


def events_of(checked: Checked, at: Instant) -> list[NewEvent]:
    """Return what a check has to tell: a state that was reached, keys that sign from now on."""
    domain = checked.domain
    told: dict[str, object] = {"id": domain.id, "name": domain.name, "state": domain.state}
    events: list[tuple[EventType, dict[str, object]]] = []
    if domain.state is not checked.before.state:
        kind = EventType.DOMAIN_VERIFIED if domain.state is DomainState.VERIFIED else EventType.DOMAIN_FAILED
        wrong = [
            {"name": f.record.name, "state": f.state, "advice": f.advice}
            for f in domain.findings
            if f.state is not RecordState.OK
        ]
        events.append((kind, {"domain": told, "records": wrong}))
    events += [
        (
            EventType.DOMAIN_KEY_ACTIVATED,
            {"domain": told, "key": {"id": key.id, "selector": key.selector, "algorithm": key.algorithm}},
        )
        for key in checked.activated
    ]
    return [
        NewEvent(project_id=domain.project_id, type=kind, at=at, data=msgspec.json.encode(data))
        for kind, data in events
    ]
