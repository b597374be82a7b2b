"""The checker of the fault experiments sees each way in which mail can go wrong."""

from __future__ import annotations

import pytest
from faults.checker import Mark, Noticed, Told, check
from faults.injector import Ack

from peers.ledger import Entry

_ACK = Ack(client_id="c-1", recipient="r@s", message_id="msg_1", delivery_id="dlv_1", at_ns=1, tries=1)
_TOLD = Told("delivered", possible_duplicate=False)
_DELIVERED = Noticed("evt_2", "message.delivered", "dlv_1")
_DOUBT = Noticed("evt_1", "message.in_doubt", "dlv_1")


def _entry(message_id: str = "<1@s>", sha256: str = "a", recipient: str = "r@s") -> Entry:
    return Entry(1, 1, 1, message_id, "", recipient, sha256, 1, answered=True)


def _failed(marks: list[Mark]) -> set[str]:
    return {mark.name for mark in marks if not mark.passed}


def _check(
    *,
    asked: int = 1,
    acks: tuple[Ack, ...] = (_ACK,),
    replays: dict[str, str] | None = None,
    entries: tuple[Entry, ...] = (_entry(),),
    told: Told | None = _TOLD,
    noticed: tuple[Noticed, ...] = (_DELIVERED,),
) -> list[Mark]:
    states = {} if told is None else {"dlv_1": told}
    return check(asked=asked, acks=acks, replays=replays or {}, entries=entries, told=states, noticed=noticed)


def test_one_copy_of_a_delivered_message_passes_every_mark() -> None:
    assert _failed(_check(replays={"c-1": "msg_1"})) == set()


def test_a_flagged_extra_copy_of_an_attempt_in_doubt_is_allowed_and_counted() -> None:
    marks = _check(
        entries=(_entry(), _entry()), told=Told("delivered", possible_duplicate=True), noticed=(_DOUBT, _DELIVERED)
    )
    assert _failed(marks) == set()
    assert next(mark.count for mark in marks if mark.name == "DUP") == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"asked": 2}, {"UNANSWERED"}),
        ({"entries": ()}, {"LOST", "GHOST"}),
        ({"entries": (), "told": Told("deferred", possible_duplicate=False)}, {"LOST", "STUCK"}),
        ({"told": Told("sending", possible_duplicate=False)}, {"STUCK"}),
        ({"told": None}, {"STUCK"}),
        ({"entries": (_entry(), _entry())}, {"UNFLAGGED", "EXCESS"}),
        ({"entries": (_entry(), _entry()), "told": Told("delivered", possible_duplicate=True)}, {"EXCESS"}),
        ({"entries": (_entry(), _entry("<2@s>")), "noticed": (_DOUBT, _DELIVERED)}, {"UNFLAGGED", "SPLIT"}),
        ({"entries": (_entry(), _entry(sha256="b")), "noticed": (_DOUBT, _DELIVERED)}, {"UNFLAGGED", "CHANGED"}),
        ({"replays": {"c-1": "msg_2"}}, {"REPLAY"}),
        ({"noticed": ()}, {"EVENTS"}),
        ({"noticed": (_DELIVERED, _DELIVERED)}, {"EVENTS"}),
        ({"entries": (_entry(), _entry(recipient="stranger@s"))}, {"STRAY"}),
    ],
)
def test_each_wrong_fails_its_own_marks_and_no_other(change: dict[str, object], expected: set[str]) -> None:
    assert _failed(_check(**change)) == expected  # type: ignore[arg-type]  # one changed argument at a time
