"""The rules files of a server: read at the start, read again when they change, kept when they go wrong."""

import asyncio
import os
from pathlib import Path

import pytest

from postroad.app import rulebook
from postroad.app.rulebook import RuleFiles, read_file, shipped, shipped_files
from postroad.app.ruling import host_of, problems, reply_explained, rule_shown, traffic_shown
from postroad.model.attempt import Phase
from postroad.model.clock import HOUR, MINUTE, SECOND
from postroad.model.traffic import Measure, Traffic
from postroad.pipeline.outcomes.rules import assemble

RULE = """
[[rule]]
id = "{id}"
text = "come back never"
class = "{cls}"
tests = ["{test}"]
"""


def written(path: Path, *, cls: str = "rate_limited", test: str = "550 Come back never", name: str = "mine") -> Path:
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text("format = 1\n" + RULE.format(id=name, cls=cls, test=test))
    os.utime(path, ns=(before + SECOND * 1000, before + SECOND * 1000))  # clocks of file systems may be coarse
    return path


def decides(files: RuleFiles) -> str:
    explained = reply_explained(files.book.rules, "550 Come back never", Phase.RCPT, None)
    assert explained is not None
    return f"{explained['class']} by {explained['decided_by']}"


def test_without_files_ours_are_in_force() -> None:
    files = RuleFiles([])
    assert files.book.rules.rules == shipped().rules
    assert not files.flaws
    assert files.standing() == f"{len(shipped().rules)} rules from {len(shipped_files())} files are in force"


def test_a_file_of_the_user_goes_before_ours(tmp_path: Path) -> None:
    first = written(tmp_path / "first.toml", name="first")
    second = written(tmp_path / "second.toml", name="second", cls="policy")
    files = RuleFiles([first, second])
    assert [rule.id for rule in files.book.rules.rules[:2]] == ["first", "second"]
    assert decides(files) == "rate_limited by rule"


def test_a_file_is_read_again_when_it_changed_and_only_then(tmp_path: Path) -> None:
    files = RuleFiles([written(tmp_path / "mine.toml")])
    book = files.book
    assert not files.reload()
    written(tmp_path / "mine.toml", cls="policy")
    assert files.reload()
    assert files.book is book
    assert decides(files) == "policy by rule"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cls": "accepted"}, "class accepted is not one that a reply can have"),
        ({"test": "550 Something else"}, "the rule does not fit this reply: 550 Something else"),
    ],
)
def test_a_file_that_went_wrong_leaves_what_it_held_before(
    tmp_path: Path, wrong: dict[str, str], sentence: str
) -> None:
    path = written(tmp_path / "mine.toml")
    files = RuleFiles([path])
    written(path, **wrong)
    assert files.reload()
    assert decides(files) == "rate_limited by rule"
    assert sentence in str(files.flaws[path][0])
    assert any(sentence in each for each in problems(files))
    written(path, cls="policy")
    assert files.reload()
    assert not files.flaws
    assert decides(files) == "policy by rule"


def test_a_file_that_was_wrong_from_the_start_is_left_out(tmp_path: Path) -> None:
    files = RuleFiles([written(tmp_path / "mine.toml", cls="red")])
    assert decides(files) == "unknown by code"
    assert files.flaws


def test_a_file_that_is_not_there_is_told_of_and_taken_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    files = RuleFiles([path])
    assert "it cannot be read" in str(files.flaws[path][0])
    written(path)
    assert files.reload()
    assert not files.flaws
    path.unlink()
    assert files.reload()
    assert decides(files) == "rate_limited by rule"
    assert files.flaws


def test_a_file_that_is_no_text_or_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    assert "it cannot be read" in str(read_file(path, ()).flaws[0])
    monkeypatch.setattr(rulebook, "_LARGEST_OCTETS", 1)
    assert "it is larger than" in str(read_file(path, ()).flaws[0])


def test_a_rule_may_be_about_a_provider_that_our_files_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "format = 1\n" + RULE.format(id="x", cls="policy", test="550 Come back never") + 'provider = "sfr"\n'
    )
    assert not RuleFiles([path]).flaws


async def test_the_watch_takes_a_changed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulebook, "_LOOK_S", 0.01)
    path = written(tmp_path / "mine.toml")
    files = RuleFiles([path])
    watch = asyncio.create_task(files.watch())
    try:
        written(path, cls="red")
        async with asyncio.timeout(10):
            while not files.flaws:
                await asyncio.sleep(0.01)
        written(path, cls="policy")
        async with asyncio.timeout(10):
            while decides(files) != "policy by rule":
                await asyncio.sleep(0.01)
    finally:
        watch.cancel()


async def test_without_files_there_is_nothing_to_watch() -> None:
    async with asyncio.timeout(10):
        await RuleFiles([]).watch()


def test_a_reply_is_explained_by_the_rule_that_decides() -> None:
    told = reply_explained(
        shipped(), "421 4.7.0 [TSS04] Messages temporarily deferred", Phase.MAIL, "mta5.am0.yahoodns.net"
    )
    assert told is not None
    assert {
        name: told[name] for name in ("class", "action", "decided_by", "rule", "provider", "pattern", "traffic")
    } == {
        "class": "rate_limited",
        "action": "slow_down",
        "decided_by": "rule",
        "rule": "rule.yahoo.deferred",
        "provider": "yahoo",
        "pattern": r"[tss\d\d]",
        "traffic": "suspend_site for 120 min",
    }
    assert reply_explained(shipped(), "250 OK", Phase.RCPT, None) is None


def test_a_reply_that_no_rule_knows_is_explained_by_its_code() -> None:
    told = reply_explained(shipped(), "550 5.1.1 hm", Phase.RCPT, None)
    assert told is not None
    assert (told["decided_by"], told["rule"], told["file"], told["pattern"], told["provider"]) == (
        "enhanced",
        "enhanced.1.1",
        None,
        None,
        None,
    )
    assert told["enhanced"] == "5.1.1"


def test_a_provider_has_a_host() -> None:
    rules = shipped()
    assert rules.provider(host_of(rules, "google") or "") == "google"
    assert rules.provider(host_of(rules, "sfr") or "") == "sfr"
    assert host_of(rules, "nobody") is None


def test_measures_are_told_in_words() -> None:
    def words(**said: object) -> str:
        return traffic_shown(Traffic(**{"rule": "x", "lasting": 30 * MINUTE} | said))

    assert words(measure=Measure.SUSPEND_SITE) == "suspend_site for 30 min"
    assert words(measure=Measure.SUSPEND_PROJECT, lasting=90 * SECOND) == "suspend_project for 90 s"
    assert words(measure=Measure.SLOW_DOWN, connections=2) == "slow_down to 2 connections for 30 min"
    assert words(measure=Measure.SLOW_DOWN, per_minute=0.5) == "slow_down to 0.5 messages a minute for 30 min"
    assert words(measure=Measure.SLOW_DOWN, connections=1, per_minute=10.0, after=3, within=HOUR) == (
        "slow_down to 1 connection and 10 messages a minute for 30 min after 3 in 60 min"
    )


def test_a_rule_is_shown_with_its_conditions(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "format = 1\n"
        + RULE.format(id="x", cls="policy", test="550 5.7.1 Come back never")
        + 'code = ["5xx", "421"]\nenhanced = ["5.7.1", "x.7.*", "4.7.1-9"]\nphase = "rcpt"\n'
    )
    shown = rule_shown(assemble([read_file(path, ())]).rules[0])
    assert (shown["code"], shown["enhanced"], shown["phase"]) == (
        ["421", "5xx"],
        ["5.7.1", "x.7.*", "4.7.1-9"],
        ["rcpt"],
    )
    assert (shown["anywhere"], shown["traffic"]) == (True, None)
