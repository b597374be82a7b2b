"""The operator's hands on the queue, through the socket of a running server and on the store itself."""

import pytest

from postroad.model.errors import Refused

MAIL = {"from": "Ann <ann@a.example>", "subject": "Hi", "text": "Hello"}


@pytest.fixture
def sent(told):
    """Three deliveries that wait."""
    for to in ("a@b.example", "b@b.example", "c@c.example"):
        told("message.send", message={**MAIL, "to": [to]})


def test_the_queue_is_listed_and_counted(told, sent):
    rows = told("queue.list", domain="b.example", limit=1)
    assert [row["to"] for row in rows["data"]] == ["a@b.example"]
    rest = told("queue.list", domain="b.example", after=rows["next"], project="default")
    assert ([row["to"] for row in rest["data"]], rest["next"]) == (["b@b.example"], None)
    shown = told("queue.show", delivery=rows["data"][0]["id"])
    assert shown == rows["data"][0]
    counted = told("queue.count")["data"]
    assert [(row["site"], row["total"], row["queued"], row["held"]) for row in counted] == [
        ("b.example", 2, 2, 0),
        ("c.example", 1, 1, 0),
    ]


def test_mail_is_held_and_released_by_what_fits(told, sent):
    planned = told("queue.change", action="hold", domain="b.example", dry_run=True)
    assert (planned["matched"], planned["changed"]) == (2, 0)
    held = told("queue.change", action="hold", domain="b.example", note="wait")
    assert (held["matched"], held["changed"], held["in_hand"], held["next"]) == (2, 2, 0, None)
    assert told("queue")["states"]["held"] == 2
    (row, _) = told("queue.list", states=["held"])["data"]
    assert (row["reason"], row["next_attempt_at"]) == ("It was held by hand: wait", None)
    assert told("queue.change", action="release", to="a@b.example")["changed"] == 1
    assert (
        told("queue.change", action="cancel", states=["held"], older_than_s=0, message=row["message_id"])["next"]
        is None
    )
    with pytest.raises(Refused, match="Release concerns what is held"):
        told("queue.change", action="release", states=["queued"])


def test_a_site_is_suspended_and_resumed(told, sent):
    made = told("queue.suspend", site="B.example", reason="They asked.", until="2090-01-01T00:00:00Z")
    assert (made["site"], made["project"], made["until"]) == ("b.example", "*", "2090-01-01T00:00:00.000000Z")
    assert told("queue.suspensions") == {"data": [made]}
    assert told("queue.suspensions", project="default") == {"data": [made]}
    assert told("queue.list", domain="b.example")["data"][0]["suspended"] == made
    assert told("queue.list", domain="c.example")["data"][0]["suspended"] is None
    assert told("queue.resume", site="b.example")["data"] == [made]
    with pytest.raises(Refused, match="Nothing of this is suspended"):
        told("queue.resume", site="b.example")


def test_a_project_is_suspended_and_resumed_by_identifier(told):
    made = told("queue.suspend", project="default", stream="broadcast")
    assert told("queue.resume", id=made["id"])["data"][0]["stream"] == "broadcast"
    with pytest.raises(Refused, match="There is no such suspension"):
        told("queue.resume", id=made["id"])


def test_what_cannot_be_is_named(told):
    with pytest.raises(Refused, match="states"):
        told("queue.list", states=["lost"])
    with pytest.raises(Refused, match="There is no project 'none'"):
        told("queue.list", project="none")
    with pytest.raises(Refused) as refused:
        told("queue.suspend", stream="broadcast")
    assert [flaw.pointer for flaw in refused.value.flaws] == ["/site", "/stream"]


def test_what_an_incident_did_can_be_undone_for_all_projects(told, settings):
    assert told("suppression.incidents") == {"data": []}
    told("suppression.add", address="ann@b.example")
    told("suppression.add", address="bob@b.example")
    newest = told("suppression.list", limit=1)
    assert (newest["data"][0]["address"], newest["data"][0]["incident"]) == ("bob@b.example", None)
    assert told("suppression.undo", site="b.example")["matched"] == 0
    removed = told("suppression.remove_all", addresses=["ann@b.example"])
    assert (removed["removed"], removed["sample"][0]["address"]) == (1, "ann@b.example")
    undone = told("suppression.undo", cause="manual", project="default", since="2001-01-01T00:00:00Z")
    assert (undone["removed"], undone["kept"]) == (1, 0)


def test_the_guard_is_shown_and_adjusted(told):
    assert told("guard.show")["thresholds"]["hard_bounce_pause"] == 0.05
    changed = told("guard.set", thresholds={"hard_bounce_pause": 0.1})
    assert (changed["thresholds"]["hard_bounce_pause"], list(changed["own"])) == (0.1, ["hard_bounce_pause"])
    assert list(told("guard.set", reset=True)["own"]) == []
    with pytest.raises(Refused, match="thresholds"):
        told("guard.set", thresholds={"what": 1})
