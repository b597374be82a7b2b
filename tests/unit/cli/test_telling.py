import json
import sys

import pytest

from postroad.cli import main
from postroad.model.errors import Flaw, Refused, Unavailable


def test_a_listing_is_a_table(postroad, server):
    server.answers = [{"data": [{"id": "prj_1", "name": "shop [x]"}, {"id": "prj_2", "paused": True}]}]
    lines = postroad("project", "list").out.splitlines()
    assert [line.split() for line in lines] == [
        ["Id", "Name", "Paused"],
        ["prj_1", "shop", "[x]", "–"],
        ["prj_2", "–", "yes"],
    ]


def test_an_empty_listing_says_so(postroad, server):
    server.answers = [{"data": []}]
    assert postroad("project", "list").out == "There are none.\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (59.94, "59.9 s"), (60, "1 min"), (725.2, "12 min 5 s"), (3600, "1 h"), (431_999.99, "5 d"),
        (90_061, "1 d 1 h"), (None, "–"), (True, "yes"),
    ],
)  # fmt: skip
def test_a_number_of_seconds_is_told_as_a_span_of_time(postroad, server, seconds, words):
    server.answers = [{"ahead_s": seconds}, {"data": [{"ahead_s": seconds}]}]
    assert postroad("queue").out == f"Ahead  {words}\n"
    assert postroad("project", "list").out.split("\n")[1].strip() == words


def test_an_answer_is_lines_and_its_lists_are_tables(postroad, server):
    server.answers = [
        {
            "oldest_due_s": 1.5,
            "paused": False,
            "states": {"queued": 2, "sending": 0},
            "tags": ["a", "b"],
            "empty": [],
            "destinations": [{"name": "a.example", "queued": 2}],
        }
    ]
    out = postroad("queue").out
    assert out.splitlines() == [
        "Oldest due  1.5 s",
        "Paused      no",
        "States      queued: 2, sending: 0",
        "Tags        a, b",
        "Empty       –",
        "",
        "Destinations",
        "Name       Queued",
        "a.example  2     ",
    ]


def test_a_refusal_is_told_with_its_flaws(postroad, server):
    server.failure = Refused("invalid_request", "The request is not valid.", flaws=[Flaw("/to/0", "Not an address.")])
    ended = postroad("queue")
    assert ended.code == 1
    assert ended.err == "Error: The request is not valid.\n  /to/0: Not an address.\n"
    assert postroad("queue", "--json").problem == {
        "code": "invalid_request",
        "detail": "The request is not valid.",
        "errors": [{"pointer": "/to/0", "detail": "Not an address.", "code": "invalid"}],
    }


def test_the_only_flaw_is_not_told_twice(postroad, server):
    server.failure = Refused.field("/name", "It is taken.")
    assert postroad("queue").err == "Error: It is taken.\n"


def test_what_may_succeed_later_says_when(postroad, server):
    server.failure = Unavailable("overloaded", "The server is busy.", retry_after_s=5)
    assert postroad("queue", "--json").problem["retry_after_s"] == 5
    assert postroad("queue").err == "Error: The server is busy.\n"


def test_a_bug_is_told_without_a_traceback(postroad, server):
    server.failure = KeyError("x")
    ended = postroad("queue")
    assert ended.code == 1
    assert "Something failed inside Postroad (KeyError: 'x')" in ended.err
    assert "Traceback" not in ended.err


def test_a_bug_has_its_traceback_when_debugging(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTROAD_LOG_LEVEL", "debug")
    server.failure = KeyError("x")
    with pytest.raises(KeyError):
        main(["queue"])


def test_an_interrupt_ends_quietly(postroad, server):
    server.failure = KeyboardInterrupt()
    ended = postroad("queue")
    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_settings_that_cannot_be_used_are_told(postroad, monkeypatch):
    monkeypatch.setenv("POSTROAD_HTTP_PROT", "1")
    assert "did you mean POSTROAD_HTTP_PORT?" in postroad("queue").err


def test_a_table_keeps_markup_of_others_as_text(postroad, server):
    server.answers = [{"reply": "[red]550[/red] no", "data": [{"reply": "[bold]x"}]}]
    assert "[bold]x" in postroad("queue").out


def test_the_module_can_be_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["postroad", "version", "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert "postroad" in json.loads(capsys.readouterr().out)
