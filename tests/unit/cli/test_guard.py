import pytest

ROW = {
    "name": "broadcast",
    "sent": 1000,
    "delivered": 900,
    "hard_bounce": {"count": 60, "of": 1000, "share": 0.06},
    "block": {"count": 0, "of": 1000, "share": 0.0},
    "complaint": {"count": 0, "of": 0, "share": None},
}
ANSWER = {
    "thresholds": {"least": 1000},
    "own": ["least"],
    "counted_from": None,
    "streams": [ROW],
    "sites": [],
    "findings": [{"sentence": "6 % is bad.", "serious": True}],
    "paused": [{"id": "ssp_1", "stream": "broadcast", "reason": "6 % is bad.", "until": None}],
}


def test_a_projects_standing_is_told(postroad, server):
    server.answers = [ANSWER, ANSWER]
    out = postroad("guard", "show").out
    assert "broadcast  1000  6.00 % (60)  0.00 % (0)  –" in out
    assert "6 % is bad." in out
    assert postroad("guard", "show", "--project", "shop", "--json").json == ANSWER
    assert server.asked == [("guard.show", {"project": "default"}), ("guard.show", {"project": "shop"})]


@pytest.mark.parametrize(
    ("options", "thresholds", "reset"),
    [
        ("--hard-bounce-pause 0.1 --least 50", {"hard_bounce_pause": 0.1, "least": 50}, False),
        ("--warn-only", {"pause": False}, False),
        ("--reset", {}, True),
    ],
)
def test_a_project_gets_numbers_of_its_own(postroad, server, options, thresholds, reset):
    server.answers = [ANSWER]
    assert postroad("guard", "set", *options.split()).code == 0
    assert server.asked == [("guard.set", {"project": "default", "thresholds": thresholds, "reset": reset})]


def test_a_change_of_nothing_is_refused(postroad, server):
    assert postroad("guard", "set").code == 2
    assert server.asked == []
