"""Returned mails of many systems: what each is, whom it is about, and what became of the message."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from postroad.model.returned import AutoReply, Challenge, Complaint, Report, Returned, Unrecognised
from postroad.pipeline.outcomes.returned.cause import classify_report
from postroad.pipeline.outcomes.returned.reading import read_returned
from shipped import shipped_rules

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.eml"))
KINDS = {
    Report: "report",
    Complaint: "complaint",
    AutoReply: "auto_reply",
    Challenge: "challenge",
    Unrecognised: "unrecognised",
}


def seen(returned: Returned) -> dict[str, Any]:
    """Return what was read in the shape of an expectation."""
    found: dict[str, Any] = {"kind": KINDS[type(returned)]}
    match returned:
        case Report(recipients=recipients):
            found["recipient"] = []
            for one in recipients:
                finding = classify_report(one, rules=shipped_rules())
                found["recipient"].append(
                    {
                        "address": one.address,
                        "action": one.action.value,
                        "class": finding.cls.value,
                        "permanence": finding.permanence.value,
                    }
                )
        case Complaint():
            found |= {"feedback_type": returned.feedback_type, "recipients": list(returned.recipients)}
            if returned.source_ip is not None:
                found["source_ip"] = returned.source_ip
        case AutoReply(kind=kind):
            found["reply"] = kind.value
        case Challenge() | Unrecognised():
            pass
    return found


def expected(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_returned_mail_is_read_as_what_it_is(name: str) -> None:
    assert seen(read_returned((HERE / f"{name}.eml").read_bytes())) == expected(name)


def test_every_mail_of_the_corpus_has_an_expectation_and_the_corpus_its_size() -> None:
    assert sorted(path.stem for path in HERE.glob("*.toml")) == NAMES
    assert len(NAMES) >= 50


@pytest.mark.parametrize("name", [name for name in NAMES if expected(name)["kind"] == "report"])
def test_the_message_that_came_back_is_recognised_where_a_copy_did(name: str) -> None:
    octets = (HERE / f"{name}.eml").read_bytes()
    if b"\r\nMessage-ID: <01kdxbfc" in octets:
        assert read_returned(octets).original.message_id == "<01kdxbfc000000000000000000@shop.example>"


@pytest.mark.parametrize("name", NAMES)
def test_line_ends_without_cr_change_nothing(name: str) -> None:
    octets = (HERE / f"{name}.eml").read_bytes()
    assert seen(read_returned(octets.replace(b"\r\n", b"\n"))) == expected(name)
