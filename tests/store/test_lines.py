"""The queue is stood in by lines: nobody is held back by mail that has to wait, and every project has its turn."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from postroad.model.clock import HOUR, MINUTE, after
from postroad.model.delivery import Hold
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.model.stream import PRECEDENCE, StreamKind
from postroad.store import audit, bulk, lines, projects
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, Taken, next_due, take
from postroad.store.messages import accept
from stores import START, CountingMint, acceptance, new_message

HERE = Hold(node="n1", boot="b1", duration=HOUR)


@dataclass
class Rooms:
    """A chooser with so much room for each domain; lines stand in the order of their names, by kind."""

    room: dict[str, int]
    full: dict[str, int] = field(default_factory=dict)

    def __call__(self):
        return Rooms(dict(self.room))

    def ranks(self, found):
        kinds = sorted({line.kind for line in found}, key=PRECEDENCE.index)
        open_ = [line for line in found if not line.parked or self.room.get(line.key, 99)]
        return [
            [(line, self.room.get(line.key, 99) if line.parked else 99) for line in open_ if line.kind is kind]
            for kind in kinds
        ]

    def wait_for(self, line, candidate):
        left = self.room.get(candidate.domain, 1000)
        if left == 0:
            return candidate.domain
        self.room[candidate.domain] = left - 1
        return None


@pytest.fixture
def other(database: Database, mints: CountingMint) -> Project:
    """A second project."""
    made = Project(id=ProjectId(mints("prj")), name="other", created_at=START)
    entry = audit.Entry(project_id=made.id, at=START, actor="test", action="project.created", subject=made.id)
    database.write_now(lambda connection: projects.insert(connection, made, entry))
    return made


def fill(database, mints, project, count, domain="x.test", *, place=0, **options):
    found = []
    for n in range(count):
        new = new_message(mints, project, f"r{n}@{domain}", **options)
        new = type(new)(new.message, new.deliveries, new.content, place=place)
        found.append(new)
    database.write_now(lambda c: accept(c, [acceptance(project, *found)]))


def taken(database, *, limit=10, now=START, room=None) -> Taken:
    request = LeaseRequest(now=now, limit=limit, hold=HERE, choose=Rooms(room or {}))
    return database.write_now(lambda c: take(c, request))


def standing(database: Database) -> dict[str, int]:
    rows = database.read_now(
        lambda c: bulk.run(c, "SELECT line, count(*) FROM deliveries WHERE state = 'queued' GROUP BY line")
    )
    return dict(rows)


def test_a_survey_steps_from_line_to_line(database, project, other, mints):
    fill(database, mints, project, 3)
    fill(database, mints, project, 2, place=1)
    fill(database, mints, other, 1, send_at=after(START, HOUR))
    found = database.read_now(lines.survey)
    assert [(line.name, line.first_at) for line in found] == [
        (f"0 {project.id}", START),
        (f"0 {other.id}", START + HOUR),
        (f"1 {project.id}", START),
    ]
    assert (found[2].kind, found[2].project, found[2].parked, found[2].key) == (
        StreamKind.BROADCAST, project.id, False, "",
    )  # fmt: skip
    assert len(database.read_now(lambda c: lines.survey(c, most=2))) == 2
    assert database.read_now(lambda c: lines.survey(c, beyond=found[1].name)) == found[2:]
    assert database.read_now(lambda c: next_due(c, START)) == START + HOUR


def test_an_empty_queue_has_no_lines(database):
    assert database.read_now(lines.survey) == []
    assert taken(database).leases == []


def test_projects_share_what_there_is(database, project, other, mints):
    fill(database, mints, project, 100)
    fill(database, mints, other, 3)
    found = taken(database, limit=10).leases
    assert [sum(x.project_id == each.id for x in found) for each in (project, other)] == [5, 3]


def test_what_one_project_leaves_another_may_have(database, project, other, mints):
    fill(database, mints, project, 2)
    fill(database, mints, other, 100)
    found = taken(database, limit=10).leases
    assert [sum(x.project_id == each.id for x in found) for each in (project, other)] == [2, 8]


def test_transactional_mail_goes_first_and_leaves_a_little(database, project, mints):
    fill(database, mints, project, 100, place=1)
    fill(database, mints, project, 100, place=0)
    first = taken(database, limit=16).leases
    assert len(first) == 16
    names = database.read_now(lambda c: bulk.run(c, "SELECT line, count(*) FROM deliveries WHERE state = 'sending' "
                                                    "GROUP BY line ORDER BY line"))  # fmt: skip
    assert names == [(f"0 {project.id}", 14), (f"1 {project.id}", 2)]


def test_mail_that_has_to_wait_is_sent_into_a_line_of_its_own(database, project, mints):
    fill(database, mints, project, 150, "dead.test")
    fill(database, mints, project, 5, "live.test")
    room = {"dead.test": 0}
    first = taken(database, room=room)
    assert first.parked == 84
    assert standing(database) == {f"0 {project.id}": 71, f"p0 {project.id} dead.test": 84}
    second = taken(database, room=room)
    assert [x.domain for x in first.leases + second.leases] == ["live.test"] * 5
    assert standing(database) == {f"p0 {project.id} dead.test": 150}
    assert taken(database, room=room) == Taken(leases=[], next_at=None, parked=0)


def test_no_one_is_sent_away_while_others_can_be_taken(database, project, mints):
    fill(database, mints, project, 5, "dead.test")
    fill(database, mints, project, 50, "live.test")
    found = taken(database, limit=10, room={"dead.test": 0})
    assert (len(found.leases), found.parked) == (10, 0)


def test_when_there_is_room_again_the_line_moves_as_far_as_that_goes(database, project, mints):
    fill(database, mints, project, 20, "dead.test")
    taken(database, room={"dead.test": 0})
    found = taken(database, room={"dead.test": 3}).leases
    assert len(found) == 3
    names = database.read_now(lambda c: bulk.run(c, "SELECT DISTINCT line FROM deliveries WHERE state = 'sending'"))
    assert names == [(f"0 {project.id}",)]
    assert standing(database) == {f"p0 {project.id} dead.test": 17}


def test_what_runs_out_of_time_while_it_waits_is_taken_to_be_told_so(database, project, mints):
    fill(database, mints, project, 3, "dead.test", expires_at=after(START, MINUTE))
    fill(database, mints, project, 3, "dead.test")
    room = {"dead.test": 0}
    taken(database, room=room)
    assert taken(database, room=room).leases == []
    late = taken(database, room=room, now=after(START, MINUTE)).leases
    assert [x.expires_at for x in late] == [START + MINUTE] * 3


def test_a_paused_project_has_no_turn(database, project, other, mints):
    fill(database, mints, project, 1)
    fill(database, mints, other, 1)
    entry = audit.Entry(project_id=project.id, at=START, actor="test", action="x", subject=project.id)
    database.write_now(lambda c: projects.pause(c, project.id, START, entry))
    assert [x.project_id for x in taken(database).leases] == [other.id]


def test_with_more_lines_than_are_looked_at_the_next_look_goes_on(database, project, other, mints, monkeypatch):
    monkeypatch.setattr(lines, "MOST_LINES", 1)
    fill(database, mints, project, 1)
    fill(database, mints, other, 1)
    found = []
    beyond = ""
    for _ in range(3):
        request = LeaseRequest(now=START, limit=10, hold=HERE, beyond=beyond)
        looked = database.write_now(lambda c, request=request: take(c, request))
        found += [x.project_id for x in looked.leases]
        beyond = looked.beyond
    assert found == sorted([project.id, other.id])
    assert beyond == ""
