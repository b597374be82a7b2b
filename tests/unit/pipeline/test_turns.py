"""Whose turn it is in the queue."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from postroad.model.clock import MINUTE, SECOND
from postroad.model.stream import StreamKind
from postroad.model.suspension import Suspension, SuspensionCause
from postroad.pipeline.shaping.limits import Book, Limits
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Waiting
from postroad.pipeline.turns import Turns
from postroad.store.lines import Candidate, Line
from stores import START, StillClock

MAIL = StreamKind.TRANSACTIONAL


@dataclass
class View:
    """Suspensions as a test lays them out."""

    found: list[Suspension] = field(default_factory=list)
    what: Waiting = field(default_factory=Waiting)

    def find(self, project, stream, *sites):
        return next((each for each in self.found if each.covers(project, stream, sites)), None)

    def waiting(self):
        return self.what


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def shaping(clock):
    return Shaping(Book(Limits()), clock=clock, chance=lambda: 0.0)


@pytest.fixture
def view():
    return View()


@pytest.fixture
def turns(shaping, view, clock):
    return Turns(shaping, view, clock)


def suspension(**subject):
    return Suspension(id="ssp_1", cause=SuspensionCause.OPERATOR, reason="x", author="cli", created_at=START, **subject)


def line(name, first_at=START):
    return Line(name, first_at)


def mail(domain="x.test", project="a", stream="transactional"):
    return Candidate("dlv_1", project, domain, stream, "live")


def shut(shaping, clock, name):
    site = shaping.site(name)
    for _ in range(5):
        site.unreachable(clock.now(), 0.0, "x")
    return site


def names(ranks):
    return [[each.name for each, _ in rank] for rank in ranks]


def test_transactional_mail_ranks_before_broadcast(turns):
    found = [line("1 a"), line("0 b"), line("0 a")]
    assert names(turns.choose(0.0).ranks(found)) == [["0 a", "0 b"], ["1 a"]]


def test_projects_take_turns(turns):
    found = [line("0 a"), line("0 b"), line("0 c")]
    first = turns.choose(0.0)
    assert names(first.ranks(found)) == [["0 a", "0 b", "0 c"]]
    assert first.wait_for(found[0], mail(project="a")) is None
    second = turns.choose(0.0)
    assert names(second.ranks(found)) == [["0 b", "0 c", "0 a"]]
    assert second.wait_for(found[2], mail(project="c")) is None
    assert names(turns.choose(0.0).ranks(found)) == [["0 a", "0 b", "0 c"]]


def test_what_has_waited_for_its_site_goes_before_what_has_not(turns, shaping):
    shaping.site("mx.test")
    found = [line("0 a"), line("p0 a mx.test")]
    assert names(turns.choose(0.0).ranks(found)) == [["p0 a mx.test", "0 a"]]


def test_a_line_for_a_site_that_takes_nothing_has_no_turn(turns, shaping, clock):
    shut(shaping, clock, "mx.test")
    found = [line("0 a"), line("p0 a mx.test")]
    choosing = turns.choose(0.0)
    assert names(choosing.ranks(found)) == [["0 a"]]
    assert choosing.short
    assert turns.wait_us(0.0) == MINUTE


def test_after_the_pause_one_message_is_taken_to_try_with(turns, shaping, clock):
    site = shut(shaping, clock, "mx.test")
    clock.pass_by(MINUTE)
    choosing = turns.choose(60.0)
    assert choosing.ranks([line("p0 a mx.test")]) == [[(line("p0 a mx.test"), 1)]]
    assert choosing.wait_for(line("p0 a mx.test"), mail("mx.test")) is None
    assert choosing.wait_for(line("p0 a mx.test"), mail("mx.test")) == "mx.test"
    site.held += 1
    assert turns.choose(60.0).ranks([line("p0 a mx.test")]) == []


def test_mail_to_a_site_without_room_waits_for_it_by_its_name(turns, shaping, clock):
    site = shut(shaping, clock, "google")
    shaping.learn("a", "x.test", "live", site)
    choosing = turns.choose(0.0)
    assert choosing.wait_for(line("0 a"), mail()) == "google"
    assert choosing.wait_for(line("0 b"), mail(project="b")) is None


def test_a_choice_counts_what_it_has_let_through(turns, shaping):
    shaping.site("x.test")
    choosing = turns.choose(0.0)
    found = [choosing.wait_for(line("0 a"), mail()) for _ in range(65)]
    assert found == [None] * 64 + ["x.test"]


def test_a_domain_that_nothing_is_known_of_gets_a_share_too(turns):
    choosing = turns.choose(0.0)
    assert [choosing.wait_for(line("0 a"), mail("new.test")) for _ in range(65)].count(None) == 64


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ({"site": "x.test"}, "x.test"),
        ({"stream": "news"}, "~news"),
        ({"site": "x.test", "stream": "news"}, "x.test~news"),
        ({"site": "x.test", "project_id": "a"}, "x.test"),
    ],
)
def test_what_is_suspended_waits_in_a_line_that_has_no_turn_until_it_is_lifted(turns, view, subject, key):
    view.found.append(suspension(**subject))
    choosing = turns.choose(0.0)
    assert choosing.wait_for(line("1 a"), mail(stream="news")) == key
    assert choosing.wait_for(line("1 b"), mail("other.test", "b", "other")) is None
    parked = line(f"p1 a {key}")
    assert choosing.ranks([parked]) == []
    view.found.clear()
    assert names(turns.choose(0.0).ranks([parked])) == [[parked.name]]


def test_a_project_that_is_suspended_has_no_turn_and_with_everything_nobody_has(turns, view):
    found = [line("0 a"), line("0 b")]
    view.what = Waiting(projects=frozenset({"a"}))
    choosing = turns.choose(0.0)
    assert names(choosing.ranks(found)) == [["0 b"]]
    assert choosing.projects == {"b"}
    view.what = Waiting(everything=True)
    assert turns.choose(0.0).ranks(found) == []


def test_a_slow_rate_says_when_to_come_back(clock):
    shaping = Shaping(Book(Limits(messages_per_second=0.1)), clock=clock, chance=lambda: 0.0)
    site = shaping.site("x.test")
    site.messages.fill(0.0)
    site.messages.tokens = 0.0
    turns = Turns(shaping, None, clock)
    assert turns.choose(0.0).wait_for(line("0 a"), mail()) == "x.test"
    assert turns.wait_us(0.0) == 8 * SECOND
    assert list(turns.last.short) == [(site, MAIL)]


def test_with_nothing_short_there_is_nothing_to_come_back_for(turns):
    turns.choose(0.0)
    assert turns.wait_us(0.0) is None
