"""What shaping keeps: states, pins, changes, and who is alive."""

from __future__ import annotations

from postroad.model.clock import DAY, SECOND, after
from postroad.model.shaping import Change, Pin, What
from postroad.model.stream import StreamKind
from postroad.store import audit, bulk, shaping
from postroad.store.database import Database
from stores import START


def a_change(site: str, number: int = 1) -> Change:
    return Change(
        at=after(START, number), site=site, kind=StreamKind.BROADCAST, what=What.LOWERED, sentence=f"{number}.",
        connections=(10, 5), node="n1",
    )  # fmt: skip


def test_states_are_kept_by_node_and_the_last_word_holds(database: Database) -> None:
    many = {f"mx{n}.test": b'{"kinds":{}}' for n in range(100)}
    database.write_now(lambda c: shaping.save(c, "n1", many, START))
    database.write_now(lambda c: shaping.save(c, "n1", {"mx1.test": b"{}"}, START))
    database.write_now(lambda c: shaping.save(c, "n2", {"other.test": b"{}"}, START))
    assert database.write_now(lambda c: shaping.saved(c, "n1", START)) == many | {"mx1.test": b"{}"}


def test_what_nobody_has_used_for_a_day_is_forgotten(database: Database) -> None:
    database.write_now(lambda c: shaping.save(c, "n1", {"mx.test": b"{}"}, START))
    assert database.write_now(lambda c: shaping.saved(c, "n1", after(START, DAY + 1))) == {}


def test_changes_are_read_newest_first_and_are_bounded(database: Database, monkeypatch) -> None:
    monkeypatch.setattr(shaping, "_MOST_CHANGES", 3)
    for number in range(1, 6):
        entry = a_change("a.test" if number % 2 else "b.test", number)
        database.write_now(lambda c, entry=entry: shaping.add_changes(c, [entry]))
    found = database.read_now(lambda c: shaping.changes(c, None, limit=10))
    assert [change.sentence for change in found] == ["5.", "4.", "3."]
    assert found[0] == a_change("a.test", 5)
    assert [x.sentence for x in database.read_now(lambda c: shaping.changes(c, "a.test", limit=1))] == ["5."]


def test_a_pin_is_replaced_listed_and_taken_away_with_its_audit(database: Database) -> None:
    for value in (2.0, 3.0):
        pin = Pin(site="google", limit="connections", value=value, author="cli", at=START)
        database.write_now(lambda c, pin=pin: shaping.put_pin(c, pin))
    assert database.read_now(shaping.pins) == [pin]
    gone = [
        database.write_now(lambda c: shaping.remove_pin(c, "google", "connections", author="cli", at=START))
        for _ in range(2)
    ]
    assert gone == [True, False]
    assert database.read_now(shaping.pins) == []
    actions = [entry.action for entry in database.read_now(lambda c: audit.entries(c, None))]
    assert actions == ["site.unpinned", "site.pinned", "site.pinned"]


def test_nodes_are_alive_while_they_say_so(database: Database, clock) -> None:
    assert database.write_now(lambda c: shaping.alive(c, "n2", START)) == ["n2"]
    assert database.write_now(lambda c: shaping.alive(c, "n1", START)) == ["n1", "n2"]
    database.write_now(
        lambda c: bulk.run(c, "UPDATE nodes SET seen_at = seen_at - ? WHERE name = 'n2'", (60 * SECOND,))
    )
    assert database.write_now(lambda c: shaping.alive(c, "n1", START)) == ["n1"]
    database.write_now(lambda c: shaping.gone(c, "n1"))
    assert database.write_now(lambda c: shaping.alive(c, "n3", START)) == ["n3"]
