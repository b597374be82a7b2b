"""Laws that hold whatever a rule says and whatever a server replies."""

import re

from hypothesis import given
from hypothesis import strategies as st

from postroad.app.rulebook import shipped
from postroad.model.attempt import Phase, SmtpReply
from postroad.model.clock import MINUTE
from postroad.model.reason import Action, Basis, Class, Permanence
from postroad.model.traffic import Measure, Traffic
from postroad.pipeline.outcomes import phrases
from postroad.pipeline.outcomes.classify import SCOPES, classify
from postroad.pipeline.outcomes.rules import RuleFile, RuleSet, assemble, read
from postroad.pipeline.outcomes.rules.pattern import PatternError, parse
from postroad.pipeline.outcomes.rules.rule import Rule

SHIPPED = shipped()
LINES = [line for rule in SHIPPED.rules for line in rule.tests]
ABOUT_THE_RECIPIENT = {Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX}
BEFORE_RECIPIENT = {Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL}

said = st.one_of(
    st.text(max_size=60),
    st.sampled_from([line[4:] for line in LINES]),
    st.sampled_from([phrase for group in phrases.GROUPS for phrase in group.phrases]),
)
texts = st.lists(said, max_size=3).map(" ".join)
statuses = st.none() | st.builds("{}.{}.{}".format, st.sampled_from("45"), st.integers(0, 7), st.integers(0, 900))
replies = st.builds(SmtpReply, st.integers(400, 599), texts, statuses)
servers = st.none() | st.sampled_from(
    [
        "gmail-smtp-in.l.google.com",
        "mta5.am0.yahoodns.net",
        "x.mail.protection.outlook.com",
        "mx.qq.com",
        "mx.x.example",
    ]
)
phases = st.sampled_from(Phase)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    measure = draw(st.none() | st.sampled_from(Measure))
    return Rule(
        id="any.rule",
        file="any.toml",
        cls=draw(st.sampled_from(sorted(SCOPES))),
        retry=draw(st.booleans()),
        traffic=None if measure is None else Traffic(measure=measure, rule="any.rule", lasting=MINUTE),
    )


def set_of(rule: Rule) -> RuleSet:
    return assemble([RuleFile("any.toml", (rule,))])


def lawful(reply: SmtpReply, phase: Phase, rule_set: RuleSet, mx: str | None) -> None:
    found = classify(reply, phase, rules=rule_set, mx=mx)
    if reply.code < 500:
        assert found.action in {Action.RETRY, Action.SLOW_DOWN}
        assert found.permanence is Permanence.TRANSIENT
    if found.action is Action.SUPPRESS:
        assert found.cls in ABOUT_THE_RECIPIENT
        assert reply.code >= 500
        assert phase not in BEFORE_RECIPIENT
    if found.traffic is not None:
        assert found.basis is Basis.RULE
        assert found.rule == f"rule.{found.traffic.rule}"


@given(replies, phases, servers)
def test_what_a_server_thinks_of_us_never_suppresses_by_our_rules(
    reply: SmtpReply, phase: Phase, mx: str | None
) -> None:
    lawful(reply, phase, SHIPPED, mx)


@given(replies, phases, servers, rules())
def test_no_rule_makes_a_4xx_final_or_suppresses_for_a_policy(
    reply: SmtpReply, phase: Phase, mx: str | None, rule: Rule
) -> None:
    found = classify(reply, phase, rules=set_of(rule), mx=mx)
    assert found.basis is Basis.RULE
    lawful(reply, phase, set_of(rule), mx)
    if rule.cls not in ABOUT_THE_RECIPIENT:
        assert found.action is not Action.SUPPRESS


pieces = st.lists(st.sampled_from(["a", "ab", "b", "aba", r"\d", "1", " "]), min_size=1, max_size=3).map("".join)


@given(st.lists(pieces, min_size=1, max_size=4), st.booleans(), st.text(alphabet="ab1 ", max_size=24))
def test_a_pattern_finds_what_the_same_regular_expression_finds(parts: list[str], anchored: bool, text: str) -> None:
    source = ("^" if anchored else "") + "*".join(parts)
    folded = " ".join(source.split())
    try:
        pattern = parse(source)
    except PatternError:
        return
    expression = ".*".join(folded.removeprefix("^").split("*"))
    wanted = re.match(expression, text) if anchored else re.search(expression, text)
    assert pattern.found(text) is (wanted is not None), (source, text)


@given(st.text())
def test_any_text_is_a_file_or_has_flaws(text: str) -> None:
    found = read(text, "any.toml")
    assert not found.rules or not found.flaws


@given(st.text(alphabet=r"ab*\^d1. @", max_size=20))
def test_any_text_is_a_pattern_or_is_refused(source: str) -> None:
    try:
        pattern = parse(source)
    except PatternError:
        return
    assert pattern.found("") is False
