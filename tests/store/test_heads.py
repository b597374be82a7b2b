"""Heads of lines: a look at the queue need not step over what has left it, and misses nothing for long."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, make_url, text

from postroad.model.clock import HOUR, MINUTE, SECOND, Instant, after
from postroad.model.delivery import Hold
from postroad.store import bulk, lines
from postroad.store.database import Database
from postroad.store.deliveries import LeaseRequest, Taken, take
from postroad.store.lines import Heads, Line
from postroad.store.messages import accept
from stores import START, acceptance, new_message

HERE = Hold(node="n1", boot="b1", duration=HOUR)
LATER = after(START, HOUR)


def fill(database, mints, project, count, *, at=START, place=0):
    found = []
    for n in range(count):
        new = new_message(mints, project, f"r{n}@x.test", at=Instant(at + n))
        found.append(type(new)(new.message, new.deliveries, new.content, place=place))
    for new in found:
        database.write_now(lambda c, new=new: accept(c, [acceptance(project, new, at=new.message.created_at)]))


def some(database: Database, heads: Heads, now: Instant, limit: int = 10) -> Taken:
    request = LeaseRequest(now=now, limit=limit, hold=HERE, heads=heads.known(now))
    found = database.write_now(lambda c: take(c, request))
    heads.learn(found.left, now)
    return found


def surveyed(database, heads):
    return database.read_now(lambda c: [(x.name, x.first_at) for x in lines.survey(c, heads=heads)])


def test_a_survey_with_heads_finds_the_same_lines(database, project, mints):
    fill(database, mints, project, 3)
    fill(database, mints, project, 2, place=1, at=after(START, SECOND))
    names = [f"0 {project.id}", f"1 {project.id}"]
    whole = [(names[0], START), (names[1], START + SECOND)]
    for known in ({}, {names[0]: START}, {names[1]: START}, {"0 prj_a": START, names[0]: START, "p0 prj_z x": START}):
        assert surveyed(database, known) == whole
    assert database.read_now(lambda c: lines.survey(c, beyond=names[0], heads=dict.fromkeys(names, START))) == [
        Line(names[1], Instant(START + SECOND))
    ]


def test_what_is_taken_with_heads_is_all_there_is(database, project, mints, monkeypatch):
    monkeypatch.setattr(lines, "_WORTH", 1)
    fill(database, mints, project, 35)
    heads = Heads()
    found = [len(some(database, heads, LATER).leases) for _ in range(5)]
    assert found == [10, 10, 10, 5, 0]
    fill(database, mints, project, 3, at=LATER)
    assert len(some(database, heads, after(LATER, MINUTE)).leases) == 3


def test_what_comes_in_before_a_head_is_found_within_half_a_minute(database, project, mints, monkeypatch):
    monkeypatch.setattr(lines, "_WORTH", 1)
    fill(database, mints, project, 20, at=after(START, MINUTE))
    heads = Heads()
    some(database, heads, LATER)
    some(database, heads, LATER)
    fill(database, mints, project, 1)
    assert len(some(database, heads, after(LATER, 31 * SECOND)).leases) == 1


def test_a_look_steps_over_nothing_that_was_taken_while_an_older_snapshot_is_open(
    database, project, mints, monkeypatch, store_url
):
    if database.engine_name == "sqlite":
        pytest.skip("SQLite keeps no entries for what was taken")
    monkeypatch.setattr(lines, "_WORTH", 1)
    fill(database, mints, project, 300)
    heads = Heads()
    engine = create_engine(make_url(store_url).set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as reader:
            reader.execute(text("SELECT 1 FROM projects")).all()
            for _ in range(28):
                some(database, heads, LATER)
            assert looked_at(database, {}) >= 270
            assert 1 <= looked_at(database, heads.known(LATER)) <= 50
    finally:
        engine.dispose()


def looked_at(database, heads):
    """Entries of the index that a survey steps over, in the scan of it that writers do."""

    def count(connection):
        asked = "SELECT pg_stat_get_xact_tuples_returned('ix_deliveries_line'::regclass)"
        before = bulk.run(connection, asked)[0][0]
        lines.survey(connection, heads=heads)
        return bulk.run(connection, asked)[0][0] - before

    return database.write_now(count)


def test_a_head_is_known_once_enough_have_left(monkeypatch):
    monkeypatch.setattr(lines, "_WORTH", 10)
    heads, line = Heads(), Line("0 prj_a", START)
    assert heads.known(LATER) == {}
    heads.learn({line: 9}, LATER)
    assert heads.known(LATER) == {}
    heads.learn({line: 1}, LATER)
    assert heads.known(LATER) == {"0 prj_a": START}
    assert heads.known(after(LATER, MINUTE)) == {}, "now and then the whole line is looked at"
    assert heads.known(after(LATER, MINUTE)) == {"0 prj_a": START}


def test_a_head_is_some_time_ago_because_clocks_differ():
    heads = Heads()
    heads.known(LATER)
    heads.learn({Line("0 prj_a", LATER): 1000}, LATER)
    assert heads.known(LATER) == {"0 prj_a": LATER - 10 * SECOND}


def test_so_many_heads_are_known_and_no_more(monkeypatch):
    monkeypatch.setattr(lines, "_MOST_HEADS", 2)
    monkeypatch.setattr(lines, "MOST_LINES", 3)
    heads = Heads()
    heads.known(LATER)
    for name in "abcd":
        heads.learn({Line(f"0 {name}", START): 500}, LATER)
    assert set(heads.known(LATER)) == {"0 c", "0 d"}
    heads.learn({Line("0 a", START): 499}, LATER)
    assert "0 a" not in heads.known(LATER), "counted anew"
