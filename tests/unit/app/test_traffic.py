"""Limits from settings and files, read again when they change, and suspensions that rules ask for."""

from __future__ import annotations

import asyncio
import os

import pytest
from msgspec.structs import replace

from postroad.app.traffic import (
    LimitFiles,
    UnusableLimits,
    book_of,
    shaping_of,
    suspend_by_rules,
    unusable_limits,
)
from postroad.config import Settings
from postroad.config.paths import Source
from postroad.model.clock import HOUR, Instant
from postroad.model.stream import StreamKind
from postroad.model.suspension import ANY, SuspensionCause
from postroad.model.traffic import Measure, Traffic
from stores import START, StillClock

PROJECTS = {"shop": "prj_1", "prj_1": "prj_1"}
MAIL = StreamKind.TRANSACTIONAL


class Node:
    name = "node_1"


def with_file(path, **more):
    return replace(Settings(), shaping=replace(Settings().shaping, file=path, **more))


def test_what_ships_holds_over_the_settings_and_the_users_file_over_both(tmp_path):
    own = tmp_path / "limits.toml"
    own.write_text("[site.google]\nconnections = 9\n[project.shop.default]\nconnections = 2\n")
    settings = with_file(own, start_connections=4)
    book = book_of(settings, PROJECTS)
    assert book.limits("google").connections == 9
    assert book.limits("yahoo").messages_per_connection == 20
    assert book.limits("mx.test").start == 4
    assert book.limits("mx.test", project="prj_1").connections == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "which cannot be read"),
        ("[site.google]\nconnections = 0", "site.google.connections is 0 and must be from 1 to 1000."),
        ("[project.nobody.default]\nconnections = 1", "[project.nobody] names a project that does not exist; make it"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_sentence(tmp_path, text, sentence):
    own = tmp_path / "limits.toml"
    if text is not None:
        own.write_text(text)
    with pytest.raises(UnusableLimits) as refused:
        book_of(with_file(own), PROJECTS)
    assert sentence in str(refused.value)
    if "project" in sentence:
        assert unusable_limits(with_file(own)) is None  # only the store knows of projects
    else:
        assert unusable_limits(with_file(own)) == str(refused.value)


def test_a_file_that_changes_is_read_again_and_a_flawed_one_changes_nothing(tmp_path):
    own = tmp_path / "limits.toml"
    own.write_text("[default]\nconnections = 3")
    files = LimitFiles(with_file(own), PROJECTS)
    assert files.reread() is None
    for text, at in (("[default]\nconnections = 4\n", 1), ("[default]\nconnections = 0\n\n", 2)):
        own.write_text(text)
        os.utime(own, ns=(at, at))
        found = files.reread()
        assert (None if found is None else found.limits("mx.test").connections) == (4 if at == 1 else None)
    own.unlink()
    assert files.reread() is None


def test_without_a_file_there_is_nothing_to_read_again():
    assert LimitFiles(Settings(), PROJECTS).reread() is None


def test_a_new_address_is_warmed_up_from_its_first_day():
    settings = with_file(None, warm_up_since="2026-11-18", warm_up_messages=(3, 7))
    site = shaping_of(settings, PROJECTS, StillClock(), Node()).site("mx.test")
    assert site.room(MAIL, "prj_1", START, 0.0) == 3
    assert shaping_of(Settings(), PROJECTS, StillClock(), Node()).site("mx.test").warm_up is None


def test_each_source_is_warmed_up_from_its_own_first_day():
    sources = (Source(name="old"), Source(name="new", warm_up_since="2026-11-18"))
    shaping = shaping_of(
        replace(with_file(None, warm_up_messages=(3, 7)), sources=sources), PROJECTS, StillClock(), Node()
    )
    rooms = [shaping.site("mx.test", pool=pool).room(MAIL, "prj_1", START, 0.0) for pool in ("old", "new", "")]
    assert rooms == [64, 3, 64]


class Suspending:
    """Notes what is to be suspended, and fails when told to."""

    def __init__(self, *, fails=False):
        self.asked, self.fails = [], fails

    async def suspend(self, new, *, author, cause, evidence):
        if self.fails:
            raise RuntimeError("the store is away")
        self.asked.append((new, author, cause, evidence))


@pytest.mark.parametrize("project", [None, "prj_1"])
async def test_a_suspension_that_a_rule_asks_for_is_written_down(project):
    suspending, shaping = Suspending(), shaping_of(Settings(), PROJECTS, StillClock(), Node())
    suspend_by_rules(shaping, suspending)
    traffic = Traffic(measure=Measure.SUSPEND_SITE, rule="yahoo.tss04", lasting=HOUR)
    shaping._suspend(
        site="yahoo", project=project, traffic=traffic, until=Instant(START + HOUR), because="421 4.7.0 [TSS04]"
    )
    await asyncio.sleep(0)
    ((new, author, cause, evidence),) = suspending.asked
    assert (new.site, new.project_id, new.until) == ("yahoo", project or ANY, START + HOUR)
    assert new.reason == "The rule yahoo.tss04 asks for it: 421 4.7.0 [TSS04]"
    assert (author, cause, evidence["rule"]) == ("system", SuspensionCause.RULE, "yahoo.tss04")


async def test_a_suspension_that_cannot_be_written_down_stops_nothing():
    shaping = shaping_of(Settings(), PROJECTS, StillClock(), Node())
    suspend_by_rules(shaping, Suspending(fails=True))
    traffic = Traffic(measure=Measure.SUSPEND_SITE, rule="x", lasting=HOUR)
    shaping._suspend(site="yahoo", project=None, traffic=traffic, until=Instant(START + HOUR), because="421")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
