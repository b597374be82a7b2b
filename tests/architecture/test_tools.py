"""The tools of `make check` catch what they are there for."""

import ast
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from postroad.store import migrate

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch):
    def load(name: str) -> ModuleType:
        specification = importlib.util.spec_from_file_location(f"tools_{name}", TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, f"tools_{name}", module)
        specification.loader.exec_module(module)
        return module

    return load


def test_a_module_has_at_most_400_lines_unless_it_says_why(tool, tmp_path, monkeypatch):
    budgets = tool("budgets")
    monkeypatch.setattr(budgets, "ROOT", tmp_path)
    long = tmp_path / "long.py"
    long.write_text("x = 1\n" * 401)
    assert list(budgets.flaws_of(long)) == ["long.py: 401 lines, at most 400; split it"]
    long.write_text(budgets.REASON + "a table\n" + "x = 1\n" * 400)
    assert list(budgets.flaws_of(long)) == []
    long.write_text(budgets.REASON + "a table\n" + "x = 1\n" * 500)
    assert list(budgets.flaws_of(long)) == ["long.py: 501 lines, at most 500; split it"]


def test_the_signature_and_docstring_of_a_function_are_free(tool):
    budgets = tool("budgets")
    body = "    x = 1\n" * 50
    source = "def f(\n    a,\n    b,\n):\n" + '    """Say.\n\n    More.\n    """\n' + body
    assert budgets.body_lines(ast.parse(source).body[0]) == 50
    assert budgets.body_lines(ast.parse('def f():\n    """Say."""').body[0]) == 0


def test_a_long_function_and_an_empty_name_are_found(tool, tmp_path, monkeypatch):
    budgets = tool("budgets")
    monkeypatch.setattr(budgets, "ROOT", tmp_path)
    module = tmp_path / "utils.py"
    module.write_text("def f():\n" + "    x = 1\n" * 51)
    assert list(budgets.flaws_of(module)) == [
        "utils.py: its name says nothing about what is in it",
        "utils.py:1: f has 51 lines, at most 50",
    ]


def test_a_dead_link_is_found(tool, tmp_path, monkeypatch):
    links = tool("links")
    monkeypatch.setattr(links, "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# One `two` (three)\n## Same\n## Same\n```\n# not one\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#one-two-three) [c](other.md#same-1) [d](https://example.com) [e](mailto:a@b)\n"
        "[f](gone.md) [g](other.md#not-one) [h](#nowhere) `make run` `make tea`\n```\n[i](code.md)\n```\n"
    )
    assert list(links.flaws_of(page, frozenset({"run"}))) == [
        "page.md: gone.md leads nowhere",
        "page.md: other.md#not-one names no heading of other.md",
        "page.md: #nowhere names no heading of page.md",
        "page.md: there is no `make tea`",
    ]


def test_a_dead_citation_is_found(tool, tmp_path, monkeypatch):
    standards = tool("standards")
    monkeypatch.setattr(standards, "ROOT", tmp_path)
    monkeypatch.setattr(standards, "SOURCE", tmp_path)
    (tmp_path / "m.py").write_text(
        "# RFC 5321 §4.1.2 and RFC 5322\n# RFC 99999 §1\n# RFC 7489 §6\n# RFC 9989, which replaces RFC 7489\n"
        "# RFC5321\n# RFC 5321 section 4\n"
    )
    assert [flaw.split(": ", 1)[1] for flaw in standards.flaws()] == [
        "RFC 99999 is not in tools/standards.toml; add it there",
        "RFC 7489 was replaced by RFC 9989",
        "write 'RFC5321' as RFC 6376 §3.4.4 is written",
        "write 'RFC 5321 section 4' as RFC 6376 §3.4.4 is written",
    ]
    assert "| §4.1.2 | `m.py` |" in standards.page()


def test_pure_packages_are_covered_completely_and_the_rest_nearly(tool):
    gates = tool("coverage_gates")

    def file(covered: int, total: int) -> object:
        summary = gates.Summary(covered_lines=covered, num_statements=total)
        return gates.File(
            summary, missing_lines=[7] * (total > covered), missing_branches=[(1, -1)] * (total > covered)
        )

    good = {"src/postroad/wire/a.py": file(10, 10), "src/postroad/store/b.py": file(9, 10)}
    assert gates.failures(good) == []
    assert gates.failures(good | {"src/postroad/model/c.py": file(99, 100)}) == [
        "src/postroad/model/c.py: 99.0 % of 100 %; lines 7; branches 1->-1"
    ]
    assert "src/postroad/store/d.py" in gates.failures(good | {"src/postroad/store/d.py": file(0, 1)})[1]
    assert gates.failures({"src/postroad/pipeline/intake/a.py": file(9, 10)}) == []
    assert gates.failures({"src/postroad/pipeline/compose/a.py": file(9, 10)}) != []


@pytest.mark.parametrize(
    ("failed", "codes", "expected", "runs"),
    [
        (["a.py::one"], [0, 0, 0], 0, 3),
        (["a.py::one", "a.py::two"], [0, 1, 0], 1, 2),
        (["a.py::one"] * 4, [], 1, 0),
        ([], [], 1, 0),
    ],
)
def test_what_failed_is_heard_alone_and_must_pass_each_time(tool, tmp_path, failed, codes, expected, runs):
    names = tmp_path / "failed"
    names.write_text("".join(f"{name}\n" for name in failed))
    heard = []

    def run(tests):
        heard.append(tests)
        return codes[len(heard) - 1]

    assert tool("again").hear(names, run) == expected
    assert heard == [failed] * runs


def test_a_run_that_names_no_failed_test_has_failed(tool, tmp_path):
    assert tool("again").hear(tmp_path / "absent") == 1


@pytest.fixture
def migrations(tmp_path, monkeypatch):
    store = TOOLS.parent / "src" / "postroad" / "store"
    shutil.copytree(store / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "__file__", str(tmp_path / "migrate.py"))
    return tmp_path / "migrations" / "versions"


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2), ([" "], 2), (["--name", "x"], 2)])
def test_a_migration_without_a_name_is_not_written(tool, migrations, capsys, arguments, code):
    before = set(migrations.iterdir())
    with pytest.raises(SystemExit) as left:
        tool("new_migration").main(arguments)
    assert left.value.code == code
    told = capsys.readouterr()
    assert "NAME" in told.out + told.err
    assert set(migrations.iterdir()) == before


def test_a_migration_is_written_behind_the_last_one(tool, migrations):
    before = {path.name for path in migrations.glob("*.py")}
    tool("new_migration").main(["add", "tracking", "hosts"])
    (new,) = {path.name for path in migrations.glob("*.py")} - before
    assert new == f"{len(before) + 1:04d}_add_tracking_hosts.py"
