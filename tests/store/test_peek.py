"""A delivery as a lease would show it, without taking it; and what the engine says of itself."""

from __future__ import annotations

import pytest

from postroad.model.attempt import Attempt, Phase, SmtpReply
from postroad.model.clock import HOUR, Instant, after
from postroad.model.composition import Recipe
from postroad.model.delivery import Hold, State
from postroad.model.event import EventType
from postroad.model.ids import DeliveryId, ProjectId
from postroad.model.project import Project
from postroad.model.reason import Action, Class, Permanence, Reason, Scope
from postroad.model.verdict import Verdict
from postroad.store import facts
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, lease, peek
from postroad.store.messages import accept
from postroad.store.settlements import Settlement, settle
from stores import START, CountingMint, acceptance, new_message, state_of

HOLD = Hold(node="n1", boot="b1", duration=HOUR)
LATER = Reason(
    cls=Class.GREYLISTED, permanence=Permanence.TRANSIENT, scope=Scope.RATE, action=Action.RETRY, rule="r", detail="d"
)


def put(database: Database, mints: CountingMint, project: Project) -> DeliveryId:
    new = new_message(mints, project, "ann@x.test")
    database.write_now(lambda c: accept(c, [acceptance(project, new)]))
    return new.deliveries[0].id


def try_once(database: Database, at: Instant, recipe: Recipe | None, digest: bytes | None) -> None:
    (taken,) = database.write_now(lambda c: lease(c, LeaseRequest(now=at, limit=10, hold=HOLD)))
    tried = Attempt(phase=Phase.RCPT, reply=SmtpReply(450, "later"), started_at=at, finished_at=at)
    verdict = Verdict(state=State.DEFERRED, reason=LATER, next_at=at, failures=taken.failures + 1)
    ended = Settlement(lease=taken, verdict=verdict, at=at, attempt=tried, recipe=recipe, digest=digest)
    assert database.write_now(lambda c: settle(c, [ended])) == [True]


def test_a_delivery_is_shown_as_it_stands_and_stays_as_it_is(
    database: Database, project: Project, mints: CountingMint
) -> None:
    delivery = put(database, mints, project)
    found = database.read_now(lambda c: peek(c, project.id, delivery))
    assert found is not None
    shown, recipe, digest = found
    assert (shown.recipient, shown.token, shown.attempt, shown.content) == ("ann@x.test", 0, 0, b"content")
    assert (recipe, digest) == (None, None)
    assert state_of(database, delivery) == "queued"


def test_the_recipe_and_digest_are_those_of_the_last_attempt_that_had_octets(
    database: Database, project: Project, mints: CountingMint
) -> None:
    delivery = put(database, mints, project)
    recipes = [Recipe(("dkm_1",), ()), Recipe(("dkm_2",), (("List-Id", "<a>"),))]
    try_once(database, START, recipes[0], b"1" * 32)
    try_once(database, after(START, 1), recipes[1], b"2" * 32)
    try_once(database, after(START, 2), None, None)
    found = database.read_now(lambda c: peek(c, project.id, delivery))
    assert found is not None
    shown, recipe, digest = found
    assert (recipe, digest) == (recipes[1], b"2" * 32)
    assert (shown.attempt, shown.failures, shown.reason) == (3, 3, LATER)


@pytest.mark.parametrize("project_id", ["prj_stranger", None])
def test_a_delivery_of_another_project_or_none_is_not_shown(
    database: Database, project: Project, mints: CountingMint, project_id: str | None
) -> None:
    delivery = put(database, mints, project)
    if project_id is None:
        assert database.read_now(lambda c: peek(c, project.id, DeliveryId("dlv_nobody"))) is None
    else:
        assert database.read_now(lambda c: peek(c, ProjectId(project_id), delivery)) is None


def test_a_settlement_run_again_after_its_commit_suspects_nobody(
    database: Database, project: Project, mints: CountingMint
) -> None:
    """The connection may be lost between the commit and its answer: the unit then runs once more."""
    delivery = put(database, mints, project)
    (taken,) = database.write_now(lambda c: lease(c, LeaseRequest(now=START, limit=10, hold=HOLD)))
    tried = Attempt(phase=Phase.DOT, reply=SmtpReply(250, "ok"), started_at=START, finished_at=START)
    verdict = Verdict(state=State.DELIVERED, reason=LATER, failures=0, event=EventType.DELIVERED)
    ended = Settlement(lease=taken, verdict=verdict, at=START, attempt=tried)
    database.write_now(lambda c: settle(c, [ended]))
    database.write_now(lambda c: settle(c, [ended]))
    kinds = database.read_now(lambda c: c.exec_driver_sql("SELECT type FROM events ORDER BY seq").scalars().all())
    assert list(kinds) == ["message.accepted", "message.delivered"]
    assert state_of(database, delivery) == "delivered"


def test_the_engine_tells_its_version_and_its_clock(database: Database) -> None:
    version = database.read_now(facts.version)
    assert version.split(".")[0].isdigit()
    ahead = database.read_now(lambda c: facts.clock_ahead(c, START))
    assert (ahead == 0) == (database.engine_name == "sqlite")


@pytest.mark.parametrize(
    ("version", "can"), [("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("3.52.0", False), ("4.0", False)]
)
def test_old_sqlite_versions_are_known_to_lose_commits(version: str, can: bool) -> None:
    assert facts.can_lose_commits(version) is can
