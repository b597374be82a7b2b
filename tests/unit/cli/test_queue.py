import pytest

ROW = {
    "id": "dlv_1",
    "state": "deferred",
    "to": "ann@gmail.example",
    "site": "google",
    "attempts": 2,
    "next_attempt_at": "2026-11-22T12:00:00.000000Z",
    "class": "mailbox_full",
    "reason": "The mailbox [x] is full.",
    "suspended": {"cause": "guard", "reason": "Too many bounces."},
}


def part(**more):
    return {"operation": "qop_1", "matched": 2, "changed": 2, "in_hand": 1, "sample": [ROW], "next": None, **more}


@pytest.mark.parametrize(
    ("command", "operation", "arguments"),
    [
        ("queue list", "queue.list", {"limit": 50, "after": None}),
        (
            """queue list --project shop --site google --domain a.example --stream news --state held --state queued
            --class policy --older-than 2h --message msg_1 --to a@a.example --limit 5 --after x""",
            "queue.list",
            {
                "project": "shop", "site": "google", "domain": "a.example", "stream": "news",
                "states": ["held", "queued"], "class": "policy", "older_than_s": 7200, "message": "msg_1",
                "to": "a@a.example", "limit": 5, "after": "x",
            },
        ),
        ("queue count --by class --stream news", "queue.count", {"stream": "news", "by": "class"}),
        ("queue show dlv_1", "queue.show", {"delivery": "dlv_1"}),
        (
            "queue suspend --site google --project shop --stream news --until 2030-01-01T00:00:00Z --reason Why",
            "queue.suspend",
            {
                "site": "google", "project": "shop", "stream": "news", "until": "2030-01-01T00:00:00+00:00",
                "reason": "Why",
            },
        ),
        (
            "queue resume ssp_1 --force",
            "queue.resume",
            {"id": "ssp_1", "site": None, "project": None, "stream": None, "force": True},
        ),
        ("queue suspensions", "queue.suspensions", {"project": None}),
    ],
)  # fmt: skip
def test_a_command_asks_for_its_operation(postroad, server, command, operation, arguments):
    ended = postroad(*command.split())
    assert ended.code == 0, ended.err
    assert server.asked == [(operation, arguments)]


@pytest.mark.parametrize("action", ["hold", "release", "requeue", "cancel", "bounce"])
def test_a_change_goes_on_until_all_is_done(postroad, server, action):
    server.answers = [part(next="2.0."), part(matched=1, changed=1, sample=[])]
    answer = postroad("queue", action, "--site", "google", "--note", "why", "--json").json
    asked = {"site": "google", "action": action, "note": "why", "dry_run": False}
    assert server.asked == [
        ("queue.change", {**asked, "after": None, "operation": ""}),
        ("queue.change", {**asked, "after": "2.0.", "operation": "qop_1"}),
    ]
    assert answer == {
        "dry_run": False, "operation": "qop_1", "matched": 3, "changed": 3, "in_hand": 1,
        "sample": [{"id": "dlv_1", "state": "deferred", "to": "ann@gmail.example", "class": "mailbox_full"}],
    }  # fmt: skip


def test_a_change_is_told_to_people(postroad, server):
    server.answers = [part(next="2.0."), part()]
    out = postroad("queue", "cancel", "--all", "--dry-run").out
    assert "Matched    4" in out
    assert "dlv_1" in out


def test_a_change_of_everything_must_be_meant(postroad, server):
    ended = postroad("queue", "cancel")
    assert (ended.code, server.asked) == (2, [])
    assert "--all" in ended.err


def test_a_resume_must_name_something(postroad, server):
    assert postroad("queue", "resume").code == 2


def test_a_span_that_is_none_is_named(postroad, server):
    assert "'soon' is not a span" in postroad("queue", "list", "--older-than", "soon").err


def test_the_queue_is_told_in_two_lines_each(postroad, server):
    held = {**ROW, "state": "held", "to": "a@b.example", "site": "b.example", "reason": None, "suspended": None}
    server.answers = [{"data": [ROW, held], "next": "2.5.dlv_2"}]
    assert postroad("queue", "list").out.splitlines() == [
        "deferred   ann@gmail.example (google)  2026-11-22T12:00:00Z",
        "           dlv_1  mailbox_full: The mailbox [x] is full.",
        "           suspended (guard): Too many bounces.",
        "held       a@b.example",
        "           dlv_1  attempts: 2",
        "There is more: --after 2.5.dlv_2",
    ]
    server.answers = [{"data": [ROW], "next": None}]
    assert postroad("queue", "list", "--json").json == {"data": [ROW], "next": None}
    server.answers = [{"data": [], "next": None}]
    assert postroad("queue", "list").out == "The queue holds nothing that fits.\n"


def test_what_is_too_wide_for_a_table_is_told_line_by_line(postroad, server):
    server.answers = [{"data": [{"id": "x" * 50, "name": "y" * 50}, {"id": "1", "name": None}]}]
    assert postroad("project", "list").out.splitlines() == [
        f"Id    {'x' * 50}", f"Name  {'y' * 50}", "", "Id    1", "Name  –",
    ]  # fmt: skip


def test_a_count_leaves_out_what_is_not_there(postroad, server):
    row = {"site": "google", "total": 3, "sending": 0, "scheduled": 0, "queued": 2, "deferred": 0, "held": 1,
           "next_attempt_at": None, "oldest_s": 9}  # fmt: skip
    server.answers = [{"data": [row], "complete": True}] * 2
    assert postroad("queue", "count").out.splitlines() == [
        "Site    Total  States              Oldest",
        "google  3      queued: 2, held: 1  9 s   ",
    ]
    assert postroad("queue", "count", "--json").json == {"data": [row], "complete": True}
