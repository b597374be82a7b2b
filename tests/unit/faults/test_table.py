"""Records and the table that is made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from faults import frame, table
from faults.catalogue import catalogue, choose
from faults.checker import Mark
from faults.frame import Experiment, Options, Outcome, Size, execute, keep, kept


def _run(options: Options) -> Outcome:
    return Outcome([Mark("LOST", "gone | away", 2 if options.control else 0, 0)], {"messages": 3, "kind": "a"})


_EXPERIMENT = Experiment("F99", "nothing", "Nothing.", "a build that loses", frozenset({"LOST"}), _run)


def _options(directory: Path) -> Options:
    return Options("sqlite", Size.SMALL, 7, directory)


def test_a_run_passes_when_its_marks_hold_and_its_control_misses_one(tmp_path: Path) -> None:
    record, outcome, control = execute(_EXPERIMENT, _options(tmp_path), with_control=True)
    assert record.passed
    assert outcome.passed
    assert control is not None
    assert control.failed == ["LOST"]
    assert record.control is not None
    assert record.control.shown


def test_a_control_that_shows_nothing_fails_the_run(tmp_path: Path) -> None:
    blind = replace(_EXPERIMENT, run=lambda _: Outcome([Mark("LOST", "", 0, 0)]))
    assert not execute(blind, _options(tmp_path), with_control=True)[0].passed
    assert execute(blind, _options(tmp_path), with_control=False)[0].passed


def test_a_mark_may_ask_for_the_least() -> None:
    assert Mark("HIT", "", 1, 1, least=True).passed
    assert not Mark("HIT", "", 0, 1, least=True).passed


def test_a_record_is_read_as_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "RESULTS", tmp_path)
    record, _, _ = execute(_EXPERIMENT, _options(tmp_path), with_control=True)
    assert keep(record).name == "F99-nothing-sqlite-small.json"
    assert kept() == [record]


def test_the_table_shows_marks_facts_control_date_and_commit(tmp_path: Path) -> None:
    record, _, _ = execute(_EXPERIMENT, _options(tmp_path), with_control=True)
    record = msgspec.structs.replace(record, at="2026-01-31T10:00:00Z", commit="abc", clean=True)
    text = table.render([record])
    row = text.splitlines()[-1]
    for part in ("F99", "passed", "LOST 0 (≤ 0)", "messages 3", "kind a", "a build that loses: missed LOST"):
        assert part in row
    assert row.endswith("| 2026-01-31 | `abc` |")
    assert row.count("|") == text.splitlines()[0].count("|")


def test_what_failed_is_shown_in_bold(tmp_path: Path) -> None:
    bad = replace(_EXPERIMENT, run=lambda _: Outcome([Mark("LOST", "", 2, 0)]))
    record, _, _ = execute(bad, _options(tmp_path), with_control=False)
    row = table.render([record]).splitlines()[-1]
    assert "**failed**" in row
    assert "**LOST 2 (≤ 0)**" in row


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.replaced(page, "new") == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    with pytest.raises(ValueError, match="has no"):
        table.replaced("no markers", "new")


def test_the_page_of_the_docs_shows_what_the_records_say() -> None:
    page = table.PAGE.read_text()
    assert table.replaced(page, table.render(kept())) == page


def test_every_experiment_has_a_number_a_name_and_a_control_of_its_own() -> None:
    everything = catalogue()
    assert len({each.number for each in everything}) == len({each.name for each in everything}) == len(everything)
    assert all(each.reveals and each.control for each in everything)


def test_experiments_are_chosen_by_number_or_name() -> None:
    assert [each.number for each in choose(["f13", "names"])] == ["F13", "F15"]
    assert choose([]) == catalogue()
    with pytest.raises(LookupError, match="there is no experiment F99"):
        choose(["F99"])


def test_a_run_needs_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    record, _, _ = execute(_EXPERIMENT, _options(tmp_path), with_control=False)
    assert (record.commit, record.clean) == ("unknown", False)
