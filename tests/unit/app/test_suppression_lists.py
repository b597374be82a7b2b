"""A list that the command line gave out is taken in by the API, and the other way round, with nothing lost."""

import asyncio
import csv
import io

import msgspec
import pytest
from msgspec.structs import replace

from postroad.app.building import open_house
from postroad.cli import main
from postroad.config import Settings
from postroad.features.accounts import ensure_default_project
from postroad.features.suppressions import Format
from postroad.model.suppression import Cause
from postroad.store.suppressions import Filter

HARD = [
    ("+ann@a.example", "*", Cause.MANUAL, '=HYPERLINK("https://evil.example","x")'),
    ("bob@a.example", "broadcast", Cause.COMPLAINT, "'=quoted already"),
    ("eve@a.example", "*", Cause.UNSUBSCRIBE, "two\nlines, a comma; and Ünïcödé"),
]


@pytest.fixture
def directory(tmp_path):
    made = []

    def make(name):
        (tmp_path / f"{name}.toml").write_text(f'[data]\ndirectory = "{tmp_path / name}"\n')
        made.append(name)
        return tmp_path / f"{name}.toml", replace(Settings(), data=replace(Settings().data, directory=tmp_path / name))

    return make


@pytest.fixture
def command(capfdbinary):
    def run(config, *words):
        with pytest.raises(SystemExit) as left:
            main(["suppression", *words, "--config", str(config)])
        captured = capfdbinary.readouterr()
        return left.value.code, captured.out, captured.err

    return run


def with_api(settings, act):
    """Do with a house what the controllers of the API do."""

    async def go():
        house = await open_house(settings, dev=False)
        try:
            return await act(house, (await ensure_default_project(house.projects)).id)
        finally:
            await house.close()

    return asyncio.run(go())


def listed(settings):
    async def act(house, project):
        return await house.suppressions.listed(project, Filter())

    return sorted((each.address, each.scope, each.cause, each.note) for each in with_api(settings, act))


async def fill(house, project):
    for address, scope, cause, note in HARD:
        await house.suppressions.add(project, address, scope, cause=cause, author="x", note=note)


@pytest.mark.parametrize("form", list(Format))
def test_what_the_api_gives_out_the_command_takes_in(directory, command, tmp_path, form):
    (_, ours), (config, theirs) = directory("ours"), directory("theirs")

    async def give_out(house, project):
        await fill(house, project)
        return b"".join([page async for page in house.suppressions.give_out(project, form, Filter())])

    (tmp_path / "list").write_bytes(with_api(ours, give_out))
    code, out, _ = command(config, "import", str(tmp_path / "list"), "--json")
    assert code == 0
    assert msgspec.json.decode(out) == {"added": 3, "present": 0, "refused": 0, "errors": []}
    assert listed(theirs) == sorted(HARD)


@pytest.mark.parametrize("form", list(Format))
def test_what_the_command_gives_out_the_api_takes_in(directory, command, form):
    (config, ours), (_, theirs) = directory("ours"), directory("theirs")
    with_api(ours, fill)
    code, out, _ = command(config, "export", "--format", form.value)
    assert code == 0
    if form is Format.CSV:
        rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
        assert {row["address"] for row in rows} == {"'+ann@a.example", "bob@a.example", "eve@a.example"}
        assert out.count(b"\r\n") == len(rows) + 1

    async def take_in(house, project):
        return await house.suppressions.take_in(project, out, form, author="x")

    assert with_api(theirs, take_in).added == 3
    assert listed(theirs) == sorted(HARD)


def test_a_broken_line_is_refused_with_its_number_and_no_other_is(directory, command, tmp_path):
    config, settings = directory("ours")
    (tmp_path / "list").write_text('address,stream\nann@a.example,\nnobody,\n"bob"x@a.example,\neve@a.example,none\n')
    code, out, _ = command(config, "import", str(tmp_path / "list"), "--json")
    answer = msgspec.json.decode(out)
    assert (code, answer["added"], answer["refused"]) == (1, 1, 3)
    assert [(error["line"], error["address"]) for error in answer["errors"]] == [
        (3, "nobody"), (4, ""), (5, "eve@a.example"),
    ]  # fmt: skip
    assert [each[0] for each in listed(settings)] == ["ann@a.example"]


def test_the_heading_stands_once_over_many_pages(directory, command, tmp_path, monkeypatch):
    from postroad.features.suppressions import listing

    monkeypatch.setattr(listing, "_PAGE", 2)
    config, settings = directory("ours")
    with_api(settings, fill)
    rows = list(csv.reader(io.StringIO(command(config, "export")[1].decode(), newline="")))
    assert [row[0] for row in rows] == ["address", "'+ann@a.example", "bob@a.example", "eve@a.example"]
