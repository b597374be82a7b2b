"""The reference pages are complete and current."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from postroad.config import entries
from postroad.http.problems import STATUSES
from postroad.model.event import EventType

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT / "tools"))
specification = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
reference = importlib.util.module_from_spec(specification)
specification.loader.exec_module(reference)
sys.path.remove(str(ROOT / "tools"))
COMMANDS = list(reference.commands())


@pytest.mark.parametrize("name", list(reference.PAGES))
def test_a_generated_page_is_current(name):
    page = reference.PAGES[name]()
    current = f"{reference.NOTE}\n{page}" if name.endswith(".md") else page
    assert (REFERENCE / name).read_text(encoding="utf-8") == current, "run: make docs"


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.path)
def test_every_setting_is_in_the_reference(entry):
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert f"### `{entry.path}`" in page
    assert f"`{entry.variable}`" in page
    assert entry.say.description in page


@pytest.mark.parametrize("code", sorted({code for code, _ in reference.codes()} | STATUSES.keys()))
def test_every_error_code_is_in_the_reference(code):
    assert f"`{code}`" in (REFERENCE / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("event", list(EventType), ids=str)
def test_every_event_is_in_the_reference(event):
    assert f"| `{event}` |" in (REFERENCE / "events.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_is_described_and_speaks_json(path, command):
    assert f"## `postroad {path}`" in (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert command.help
    assert command.help.rstrip().endswith(".")
    assert "--json" in [name for parameter in command.params for name in parameter.opts]
    assert all(parameter.help for parameter in command.params), "every option says what it does"


def test_help_needs_nothing_heavy():
    """`--help` is instant because what is heavy is imported by the commands that need it."""
    program = (
        "import sys\n"
        "from postroad.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'litestar', 'sqlalchemy', 'cryptography', 'dns', 'postroad.app'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_has_help(path, command, capsys):
    from postroad.cli import main

    with pytest.raises(SystemExit) as left:
        main([*path.split(), "--help"])
    assert left.value.code == 0
    assert command.help.split(".")[0].split()[0] in capsys.readouterr().out
