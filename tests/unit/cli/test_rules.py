"""The commands about rules, which read the files themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.cli import main

MINE = """
format = 1

[providers.acme]
mx = [".mx.acme.example"]

[[rule]]
id = "acme.rush"
provider = "acme"
text = "come back after the rush"
class = "rate_limited"
tests = ["450 Come back after the rush"]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["rules", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return command


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    monkeypatch.setenv("POSTROAD_DELIVERY_RULES", str(path))
    return path


def test_rules_are_listed_in_the_order_in_which_they_are_asked(run: Run, mine: Path) -> None:
    code, out, _ = run("list", "--json")
    found = json.loads(out)["data"]
    assert code == 0
    assert (found[0]["id"], found[0]["file"], found[0]["provider"]) == ("acme.rush", str(mine), "acme")
    assert len(found) > 100


def test_the_rules_for_one_provider_are_listed(run: Run, mine: Path) -> None:
    _, out, _ = run("list", "--provider", "apple", "--json")
    found = {each["id"] for each in json.loads(out)["data"]}
    assert "apple.busy" in found
    assert "acme.rush" not in found
    _, out, _ = run("list", "--provider", "acme")
    assert "acme.rush" in out


def test_test_lines_that_hold_are_counted(run: Run, mine: Path) -> None:
    code, out, _ = run("test", "--json")
    assert code == 0
    assert json.loads(out)["problems"] == []
    code, out, _ = run("test")
    assert code == 0
    assert "test lines hold" in out


def test_a_file_can_be_tried_before_it_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(MINE.replace("450 Come", "450 Do not come"))
    assert run("test", "new.toml")[0] == 0
    (tmp_path / "new.toml").write_text(MINE.replace("450 Come back", "450 Go away"))
    code, out, _ = run("test", "new.toml")
    assert code == 1
    assert "new.toml, acme.rush: the rule does not fit this reply: 450 Go away after the rush" in out


def test_a_reply_is_explained(run: Run, mine: Path) -> None:
    reply = "450 4.7.1 Come back after the rush"
    code, out, _ = run("match", "--provider", "acme", reply, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["rule"], found["file"], found["class"]) == ("rule.acme.rush", str(mine), "rate_limited")
    _, out, _ = run("match", "--provider", "mx7.mx.acme.example", reply, "--json")
    assert json.loads(out)["rule"] == "rule.acme.rush"
    _, out, _ = run("match", reply, "--phase", "dot", "--json")
    assert json.loads(out)["decided_by"] == "enhanced"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--provider", "nobody", "450 x"], "No provider is called 'nobody'"),
        (["--phase", "lunch", "450 x"], "There is no phase 'lunch'"),
        (["250 OK"], "That is no refusal"),
    ],
)
def test_what_cannot_be_answered_is_told(run: Run, arguments: list[str], sentence: str) -> None:
    code, _, err = run("match", *arguments)
    assert code == 2
    assert sentence in err


def test_a_file_that_cannot_be_used_is_left_out_aloud(run: Run, mine: Path) -> None:
    mine.write_text("format = 3")
    code, out, err = run("list", "--json")
    assert code == 0
    assert json.loads(out)["data"]
    assert f"left out: {mine}: " in err
