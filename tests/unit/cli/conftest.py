"""The command line's world: the server it asks is played by a recorder that answers what a test lays out."""

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType

import pytest

from postroad.cli import main


@dataclass
class Server:
    """Plays `postroad.app`: notes what it is asked and answers from `answers`, or fails with `failure`."""

    answers: list[dict[str, object]] = field(default_factory=list)
    failure: Exception | None = None
    unusable: str | None = None
    unusable_limits: str | None = None
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    runs: list[tuple[object, bool, frozenset[str] | None]] = field(default_factory=list)

    def administer(self, settings: object, operation: str, arguments: dict[str, object]) -> dict[str, object]:
        self.asked.append((operation, arguments))
        if self.failure is not None:
            raise self.failure
        return self.answers.pop(0) if self.answers else {}

    def run(self, settings: object, *, dev: bool, roles: frozenset[str] | None) -> None:
        self.runs.append((settings, dev, roles))


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)

    @property
    def problem(self) -> dict[str, object]:
        return json.loads(self.err)


@pytest.fixture
def server(monkeypatch):
    played = Server()
    module = ModuleType("postroad.app")
    module.administer = played.administer
    module.run = played.run
    module.unusable_paths = lambda _: played.unusable
    module.unusable_limits = lambda _: played.unusable_limits
    monkeypatch.setitem(sys.modules, "postroad.app", module)
    return played


@pytest.fixture
def postroad(server, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        captured = capsys.readouterr()
        code = left.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
