"""The rules that come with Postroad: sound, proved, and in an order in which each can decide."""

import pytest

from postroad.app.rulebook import shipped, shipped_files
from postroad.model.attempt import Phase
from postroad.model.clock import DAY
from postroad.model.traffic import Measure
from postroad.pipeline.outcomes import enhanced, phrases
from postroad.pipeline.outcomes.rules import Rule, spoken_reply, try_out

RULES = shipped()


@pytest.mark.parametrize("file", shipped_files(), ids=lambda file: file.name)
def test_a_file_has_no_flaw(file) -> None:
    assert [str(flaw) for flaw in file.flaws] == []
    assert file.rules


def test_all_test_lines_hold() -> None:
    assert [str(failure) for failure in try_out(RULES)] == []


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_a_rule_decides_its_own_lines_in_the_whole_set(rule: Rule) -> None:
    phase = min(rule.phases, default=Phase.RCPT)
    for line in rule.tests:
        reply = spoken_reply(line)
        assert reply is not None
        text = phrases.fold(reply.text)
        status = enhanced.find(reply.enhanced, text)
        among = RULES.of_provider(rule.provider)
        assert next(other.id for other in among if other.applies(reply.code, status, phase, text)) == rule.id, line


def test_no_two_files_have_a_rule_of_the_same_name() -> None:
    assert len(RULES.rules) == sum(len(file.rules) for file in shipped_files())


def test_no_measure_of_ours_lasts_longer_than_a_day_or_stops_everybody_for_one_message_by_mistake() -> None:
    for rule in RULES.rules:
        if rule.traffic is not None:
            assert rule.traffic.lasting <= DAY
            if rule.traffic.measure is Measure.SUSPEND_SITE:
                assert rule.provider is not None, rule.id


def test_what_slows_down_is_about_us_and_never_about_a_recipient() -> None:
    for rule in RULES.rules:
        assert rule.traffic is None or rule.cls.value not in {"invalid_recipient", "inactive_mailbox", "mailbox_full"}
