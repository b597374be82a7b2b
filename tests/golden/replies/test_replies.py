"""The corpus of replies: what some ninety systems say on the wire, and what each reply means.

Two marks count: whether it is for good (hard) or may pass (soft), and the class. Each has to be right for 97 of 100; a
failure lists every miss. `README.md` says how to add a reply, and where several classes are right.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from postroad.app.rulebook import shipped
from postroad.model.attempt import Phase
from postroad.model.reason import Action, Class, Permanence
from postroad.pipeline.outcomes.classify import SCOPES, Finding, classify
from postroad.pipeline.outcomes.rules import NO_RULES, RuleSet, spoken_reply

CORPUS = Path(__file__).parent / "corpus"
RULES = shipped()
ABOUT_THE_RECIPIENT = {Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX}


@dataclass(frozen=True)
class Case:
    """A reply as it came over the wire, and what it means."""

    system: str
    mx: str
    phase: Phase
    classes: tuple[Class, ...]
    """What was minded; more than one where its words say several things."""
    hard: bool
    wire: str


def cases() -> list[Case]:
    found = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        head, *rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found += [
            Case(
                head["system"],
                row.get("mx", head["mx"]),
                Phase(row["phase"]),
                tuple(map(Class, [row["class"]] if isinstance(row["class"], str) else row["class"])),
                {"hard": True, "soft": False}[row["permanence"]],
                row["wire"],
            )
            for row in rows
        ]
    return found


CASES = cases()


def read(case: Case, rules: RuleSet, *, known: bool = True) -> Finding:
    assert case.wire.endswith("\r\n")
    reply = spoken_reply(case.wire)
    assert reply is not None, case
    return classify(reply, case.phase, rules=rules, mx=case.mx if known else None)


def misses(rules: RuleSet, *, known: bool = True) -> tuple[list[str], list[str]]:
    """Return the replies whose class is missed, and those whose permanence is."""
    classes, permanences = [], []
    for case in CASES:
        found = read(case, rules, known=known)
        line = (
            f"{case.system}, {case.phase}: {'/'.join(case.classes)} read as {found.cls} by {found.rule}: {case.wire!r}"
        )
        if found.cls not in case.classes:
            classes.append(line)
        if (found.permanence is Permanence.PERMANENT) is not case.hard:
            permanences.append(line)
    return classes, permanences


def test_the_corpus_is_what_it_claims_to_be() -> None:
    assert len({case.system for case in CASES}) >= 60
    assert len(CASES) >= 3000
    assert len({(case.system, case.phase, case.wire) for case in CASES}) == len(CASES)
    assert {cls for case in CASES for cls in case.classes} == SCOPES.keys()


@pytest.mark.parametrize("known", [True, False], ids=["server known", "server unknown"])
def test_97_of_100_replies_are_read_right(known: bool) -> None:
    classes, permanences = misses(RULES, known=known)
    assert len(permanences) <= 0.03 * len(CASES), "\n".join(permanences)
    assert len(classes) <= 0.03 * len(CASES), "\n".join(classes)


def test_what_no_rule_knows_is_mostly_read_right_by_codes_and_words() -> None:
    classes, permanences = misses(NO_RULES)
    assert len(permanences) <= 0.03 * len(CASES), "\n".join(permanences)
    assert len(classes) <= 0.08 * len(CASES), "\n".join(classes)


def test_nobody_is_suppressed_for_what_is_not_about_the_recipient() -> None:
    for case in CASES:
        if ABOUT_THE_RECIPIENT.isdisjoint(case.classes):
            for rules in (RULES, NO_RULES):
                found = read(case, rules)
                assert found.action is not Action.SUPPRESS, (case, found)
