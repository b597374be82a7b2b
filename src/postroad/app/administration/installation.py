"""The installation as a whole: its database, its queue, its health."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from postroad.app.administration.operation import Answer, Nothing, Operation, operation, time_of
from postroad.app.administration.sending_domains import told
from postroad.app.foreign import foreign_secrets
from postroad.config import split_endpoint
from postroad.features.senders import Lookup
from postroad.features.senders.doctor import Advice, Level, Patient, examine
from postroad.model.clock import SECOND
from postroad.model.errors import Unavailable
from postroad.store import migrate as migrations
from postroad.store.overview import overview

if TYPE_CHECKING:
    from postroad.app.house import House

_DESTINATIONS: Final = 20


async def migrate(house: "House", given: Nothing) -> Answer:
    """Say at which step the schema stands; whoever opens the house takes it to the newest."""
    return {
        "database": house.database.engine_name,
        "revision": await house.database.read(migrations.current),
    }


async def doctor(house: "House", given: Nothing) -> Answer:
    """Look at the whole installation: what would keep its mail from arriving, and what to do about it."""
    delivery = house.settings.delivery
    dns = Lookup(tuple([split_endpoint(text, 53) for text in delivery.resolvers]), timeout_s=delivery.dns_timeout_s)
    found = await examine(
        Patient(settings=house.settings, database=house.database, clock=house.clock, dns=dns, senders=house.senders),
        [*await _master_key(house), await _blobs(house)],
    )
    return {
        "findings": [
            {"name": each.name, "state": each.state.value, "detail": f"{each.name}: {each.detail}"}
            for each in found.findings
        ]
        + _rules(house),
        "domains": [told(domain) for domain in found.domains],
    }


async def _master_key(house: "House") -> list[Advice]:
    """Return what is to be said of the master key: nothing where it fits, or where there is none."""
    try:
        trouble = await foreign_secrets(house)
    except Unavailable:  # as is told of the database
        trouble = None
    return [] if trouble is None else [Advice("master key", Level.PROBLEM, trouble)]


async def _blobs(house: "House") -> Advice:
    """Return how the blob store is, which is tried with a small object."""
    trouble = await house.blobs.examine()
    if trouble is not None:
        return Advice("blob store", Level.PROBLEM, trouble)
    return Advice("blob store", Level.OK, "It can be written, read and cleaned.")


def _rules(house: "House") -> list[dict[str, str]]:
    """Return how the files of rules about replies are, in the form of findings."""
    flawed = [str(flaw) for flaws in house.rules.flaws.values() for flaw in flaws]
    standing = {"name": "rules", "state": "ok", "detail": f"rules: {house.rules.standing()}"}
    remedy = "Put the file right; what it held when it was read last stays in force. `postroad rules test` tries it."
    problems = [{"name": "rules", "state": "problem", "detail": f"rules: {each}", "remedy": remedy} for each in flawed]
    return [*problems, standing]


async def queue(house: "House", given: Nothing) -> Answer:
    """Return what waits, since when and for whom."""
    found = await house.database.read(lambda connection: overview(connection, destinations=_DESTINATIONS))
    now = house.clock.now()
    late = None if found.first_due_at is None else now - found.first_due_at
    return {
        "states": {state.value: count for state, count in found.states.items()},
        "complete": found.complete,
        "oldest_due_s": None if late is None or late < 0 else round(late / SECOND, 3),
        "destinations": [
            {
                "domain": each.domain,
                "waiting": each.waiting,
                "deferred": each.deferred,
                "next_attempt_at": time_of(each.next_attempt_at),
            }
            for each in found.destinations
        ],
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "migrate": operation(Nothing, migrate),
    "doctor": operation(Nothing, doctor),
    "queue": operation(Nothing, queue),
}
