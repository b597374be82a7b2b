"""The commands for tests of an integration: the clock, and the simulated internet."""

import asyncio
import json
import os
import signal
import socket
import sys

import pytest


@pytest.mark.parametrize(
    ("span", "by_s"), [("90s", 90), ("4h", 14_400), ("5d", 432_000), ("1d12h", 129_600), ("1.5m", 90), ("1w", 604_800)]
)
def test_a_span_of_time_is_told_in_words(postroad, server, span, by_s):
    server.answers = [{"now": "2030-01-01T00:00:00Z", "left_s": 0.0, "stops": 3}]
    ended = postroad("clock", "advance", span, "--json")
    assert ended.code == 0
    assert server.asked == [("clock.advance", {"by_s": by_s, "at_once": False})]
    assert ended.json["stops"] == 3


@pytest.mark.parametrize("span", ["", "4", "h", "4x", "-4h", "4h later"])
def test_what_is_no_span_is_a_mistake(postroad, server, span):
    ended = postroad("clock", "advance", "--json", "--", span)
    assert ended.code == 2
    assert server.asked == []


def test_what_is_left_of_a_jump_is_asked_for_again(postroad, server):
    server.answers = [{"left_s": 60.0, "stops": 2}, {"left_s": 0.0, "stops": 1}]
    ended = postroad("clock", "advance", "1h", "--at-once", "--json")
    assert [arguments["by_s"] for _, arguments in server.asked] == [3600, 60.0]
    assert ended.json["stops"] == 3


CLOCK = {"now": "2030-01-01T00:00:00Z", "ahead_s": 7200.0, "movable": True, "stops": 0, "left_s": 0.0}


def test_the_clock_is_shown(postroad, server):
    server.answers = [CLOCK, CLOCK]
    assert postroad("clock", "show").out == "Now      2030-01-01T00:00:00Z\nAhead    2 h\nMovable  yes\n"
    assert postroad("clock", "show", "--json").json == CLOCK
    assert server.asked == [("clock.show", {})] * 2


def test_a_jump_tells_when_it_is_now_and_how_often_it_stopped(postroad, server):
    server.answers = [{**CLOCK, "stops": 3}]
    assert postroad("clock", "advance", "2h").out == "Now    2030-01-01T00:00:00Z\nAhead  2 h\nStops  3\n"


def test_an_endpoint_that_names_no_events_gets_all(postroad, server):
    endpoint = {"id": "whk_1", "types": []}
    listed = {"data": [{**endpoint}, {"id": "whk_2", "types": ["message.*"]}]}
    server.answers = [{**endpoint}, listed, {"data": [endpoint]}]
    assert postroad("webhook", "enable", "whk_1").out == "Id     whk_1\nTypes  all\n"
    assert [line.split()[1] for line in postroad("webhook", "list").out.splitlines()[1:]] == ["all", "message.*"]
    assert postroad("webhook", "list", "--json").json["data"][0]["types"] == []


def test_the_providers_are_listed(postroad):
    ended = postroad("simulate", "--list", "--json", "--only", "greylist.test")
    assert [row["domain"] for row in ended.json["data"]] == ["greylist.test"]
    assert len(postroad("simulate", "--list", "--json").json["data"]) > 40


@pytest.mark.parametrize("arguments", [("--only", "nowhere.test"), ("--exchange", "nowhere"), ("--exchange", "::1")])
def test_what_cannot_be_simulated_is_a_mistake(postroad, arguments):
    assert postroad("simulate", "--json", *arguments).code == 2


@pytest.mark.parametrize("as_json", [True, False])
def test_the_simulated_internet_runs_until_it_is_told_to_stop(postroad, monkeypatch, tmp_path, as_json):
    simulate = sys.modules["postroad.cli.simulate"]  # its package has the command under this name
    greet = simulate._greet

    def greet_and_stop(simulator, *, as_json):
        with socket.create_connection(("127.42.0.1", simulator.mx_port), timeout=10):
            pass
        greet(simulator, as_json=as_json)
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(simulate, "_greet", greet_and_stop)
    ports = ("--mx-port", "0", "--dns-port", "0")
    ended = postroad(
        "simulate", *ports, "--only", "full.test", "--ledger", str(tmp_path / "taken"), *["--json"][:as_json]
    )
    assert ended.code == 0
    if as_json:
        assert set(json.loads(ended.out)["environment"]) == {"POSTROAD_DELIVERY_RESOLVERS", "POSTROAD_DELIVERY_MX_PORT"}
    else:
        assert "export POSTROAD_DELIVERY_RESOLVERS=127.0.0.1:" in ended.out
    assert (tmp_path / "taken").exists()
