"""Rules about providers: how a file is read, how a pattern fits, which rule decides, and what follows from it."""

import time

import pytest

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.clock import HOUR, MINUTE
from postroad.model.reason import Action, Basis, Class, Confidence, Permanence, Scope
from postroad.model.traffic import Measure, Traffic
from postroad.pipeline.outcomes.classify import SCOPES, classify
from postroad.pipeline.outcomes.rules import (
    NO_RULES,
    RuleFile,
    RuleSet,
    assemble,
    read,
    reading,
    spoken_reply,
    try_out,
)
from postroad.pipeline.outcomes.rules.pattern import LONGEST, PatternError, parse

HEAD = "format = 1\n"


def rule(**said: str) -> str:
    """Return a rule with these lines; what is not said is right."""
    lines = {"id": '"a.b"', "class": '"policy"', "text": '"come back never"', "tests": '["550 Come back never"]'} | said
    return "[[rule]]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items() if value)


def file(*rules: str, head: str = "", name: str = "mine.toml") -> RuleFile:
    found = read(HEAD + head + "".join(rules), name)
    assert not found.flaws, [str(flaw) for flaw in found.flaws]
    return found


def rules_of(*rules: str, head: str = "") -> RuleSet:
    return assemble([file(*rules, head=head)])


def flaws(text: str) -> list[str]:
    found = read(text, "mine.toml")
    return [str(flaw) for flaw in found.flaws]


# --- patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("Come  Back", "please come back later", True),
        ("come back", "come  back", False),
        ("come*later", "come back later", True),
        ("come*later", "later come", False),
        ("*come*", "welcome", True),
        ("come*come", "come", False),
        ("come*come", "come come", True),
        (r"\btss\d\d\b", "[tss04] deferred", True),
        (r"\btss\d\d\b", "[tss045] deferred", False),
        (r"[tss\d\d]", "[tssxx]", False),
        (r"[tss\d\d]*again", "[tss04] try again", True),
        ("^blocked", "blocked", True),
        ("^blocked", "is blocked", False),
        (r"^ib\d\d\d", "ib103 refused", True),
        (r"^ib\d\d\d", "see ib103", False),
        (r"100\*", "more than 100* of it", True),
        (r"100\*", "more than 1000", False),
        (r"\^caret", "a ^caret", True),
        (r"back\\slash", "a back\\slash", True),
        (r"\d\d\d only", "a 421 only", True),
    ],
)
def test_a_pattern_fits_pieces_in_their_order(pattern: str, text: str, fits: bool) -> None:
    assert parse(pattern).found(text) is fits


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("ab", "at least 3 letters or digits"),
        ("***", "at least 3 letters or digits"),
        ("", "at least 3 letters or digits"),
        ("x" * (LONGEST + 1), f"at most {LONGEST} characters"),
        ("bob@example", "leave the word with the @ out"),
        (r"come\s+back", r"'\\s' has no meaning"),
        ("come\\", "has no meaning"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(pattern: str, sentence: str) -> None:
    with pytest.raises(PatternError, match=sentence.replace("\\", "\\\\")):
        parse(pattern)


def test_a_pattern_of_stars_takes_no_more_time_than_one_of_letters() -> None:
    pattern = parse("*".join(["ab"] * 60))
    text = "a" * 1024
    began = time.thread_time()
    for _ in range(100):
        assert not pattern.found(text + "ab" * 59)
    assert time.thread_time() - began < 1


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_rule_is_read_with_all_that_it_says() -> None:
    found = file(
        rule(
            provider='"acme"',
            anywhere="true",
            text='["come back never", "go away"]',
            code='["421", "5xx", 450]',
            enhanced='["4.7.*", "5.7.606-649", "x.2.1"]',
            phase='["rcpt", "dot"]',
            retry="true",
            traffic='{ do = "slow_down", connections = 2, rate = "30/min", for = "90 min", after = "3 per day" }',
            counterexamples='["421 Hello"]',
            note='"heard in May"',
        ),
        head='[providers.acme]\nmx = ["MX.acme.example", ".mx2.acme.example"]\n',
    )
    assert found.suffixes == {".mx.acme.example": "acme", ".mx2.acme.example": "acme"}
    (only,) = found.rules
    assert (only.id, only.file, only.cls, only.provider) == ("a.b", "mine.toml", Class.POLICY, "acme")
    assert (only.anywhere, only.retry) == (True, True)
    assert only.codes == {421, 5, 450}
    assert [(each.digit, each.subject, each.low, each.high) for each in only.statuses] == [
        (4, 7, 0, 999),
        (5, 7, 606, 649),
        (0, 2, 1, 1),
    ]
    assert only.phases == {Phase.RCPT, Phase.DOT}
    assert only.traffic == Traffic(
        measure=Measure.SLOW_DOWN,
        rule="a.b",
        lasting=90 * MINUTE,
        connections=2,
        per_minute=30.0,
        after=3,
        within=24 * HOUR,
    )


@pytest.mark.parametrize(("rate", "per_minute"), [("10/min", 10.0), ("2/s", 120.0), ("60 / h", 1.0), ("0.5/min", 0.5)])
def test_a_rate_is_counted_by_the_minute(rate: str, per_minute: float) -> None:
    (only,) = file(rule(traffic=f'{{ do = "slow_down", rate = "{rate}", for = "1 h" }}')).rules
    assert only.traffic is not None
    assert only.traffic.per_minute == per_minute
    assert (only.traffic.after, only.traffic.within) == (1, HOUR)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"id": '"A B"'}, "mine.toml, A B: an id has small letters"),
        ({"id": ""}, "mine.toml, rule 1: Object missing required field `id`"),
        ({"class": '"accepted"'}, "class accepted is not one that a reply can have; those are auth_failed, bad_domain"),
        ({"class": '"nothing"'}, "Invalid enum value 'nothing'"),
        ({"colour": '"red"'}, "unknown field `colour`"),
        ({"provider": '"acme"'}, "no provider is called 'acme'; name its hosts in [providers.acme]"),
        ({"text": "[]"}, "give the rule a text or an enhanced code"),
        ({"text": '"ab"'}, "at least 3 letters"),
        ({"tests": "[]"}, "give the rule tests"),
        ({"code": '"250"'}, "code '250' is none; write 421, 4xx or 5xx"),
        ({"code": '"4x1"'}, "write 421, 4xx or 5xx"),
        ({"enhanced": '"5.7"'}, "enhanced code '5.7' is none; write 5.7.1, 5.7.600-699, 4.7.* or x.7.1"),
        ({"phase": '"lunch"'}, "Invalid enum value 'lunch'"),
        ({"traffic": '{ do = "slow_down", for = "1 h" }'}, "slow_down has connections or rate or both"),
        ({"traffic": '{ do = "suspend_site", rate = "1/s", for = "1 h" }'}, "what suspends has neither"),
        ({"traffic": '{ do = "slow_down", connections = 0, for = "1 h" }'}, "between 1 and 1000"),
        ({"traffic": '{ do = "suspend_site", for = "8 d" }'}, "for is '8 d'; write a time up to 7 d"),
        ({"traffic": '{ do = "suspend_site", for = "soon" }'}, "write a time up to 7 d"),
        ({"traffic": '{ do = "slow_down", rate = "fast", for = "1 h" }'}, "rate is 'fast'; write messages for each"),
        ({"traffic": '{ do = "slow_down", rate = "0/s", for = "1 h" }'}, "rate is '0/s'"),
        (
            {"one_recipient": "true", "traffic": '{ do = "suspend_site", for = "1 h" }'},
            "what is about one_recipient asks nothing of the traffic",
        ),
        ({"traffic": '{ do = "suspend_site", for = "1 h", after = "often" }'}, "after is 'often'; write it as 3 per"),
    ],
)
def test_a_flaw_names_file_rule_and_remedy(said: dict[str, str], sentence: str) -> None:
    (flaw,) = flaws(HEAD + rule(**said))
    assert flaw.startswith("mine.toml, ")
    assert sentence in flaw


def test_a_file_that_is_none_says_so() -> None:
    assert "mine.toml: this is not TOML" in flaws("[[rule")[0]
    assert "a file begins with format = 1" in flaws("rule = []")[0]
    assert "a file begins with format = 1" in flaws("format = 2")[0]
    assert "Object contains unknown field `rules`" in flaws("format = 1\nrules = []")[0]


def test_every_flaw_of_a_file_is_told_at_once() -> None:
    told = flaws(
        HEAD + '[providers.acme]\nmx = ["not a host"]\n' + rule() + rule() + rule(id='"a.c"', **{"class": '"red"'})
    )
    assert len(told) == 3
    assert "mine.toml, providers.acme: 'not a host' is not the end of a host name" in told[0]
    assert "mine.toml, a.b: another rule of this file has the same id" in told[1]
    assert "mine.toml, a.c: " in told[2]


def test_a_file_of_too_many_rules_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_RULES", 1)
    assert flaws(HEAD + rule() + rule(id='"a.c"')) == ["mine.toml: a file has at most 1 rules"]


def test_a_provider_of_another_file_may_be_named() -> None:
    text = HEAD + rule(provider='"acme"')
    assert not read(text, "mine.toml", providers={"acme"}).flaws


def test_what_a_rule_may_say_is_what_the_classifier_knows() -> None:
    assert SCOPES.keys() == reading.CLASSES


# --- which rule decides ----------------------------------------------------------------------------------------------

ACME = '[providers.acme]\nmx = [".acme.example"]\n'
NEVER = SmtpReply(550, "Come back never")


def decided(rules: RuleSet, reply: SmtpReply = NEVER, *, phase: Phase = Phase.RCPT, mx: str | None = None) -> str:
    return classify(reply, phase, rules=rules, mx=mx).rule


def test_a_rule_of_a_provider_is_asked_of_its_servers_only() -> None:
    rules = rules_of(rule(provider='"acme"'), head=ACME)
    assert decided(rules, mx="mx1.acme.example") == "rule.a.b"
    assert decided(rules, mx="MX1.ACME.EXAMPLE.") == "rule.a.b"
    assert decided(rules, mx="mx1.other.example") == "code.550"
    assert decided(rules, mx="notacme.example") == "code.550"
    assert decided(rules) == "code.550"


def test_a_rule_that_counts_anywhere_is_asked_of_all_servers() -> None:
    rules = rules_of(rule(provider='"acme"', anywhere="true"), head=ACME)
    assert decided(rules, mx="mx1.other.example") == "rule.a.b"
    assert decided(rules) == "rule.a.b"


def test_providers_that_everybody_knows_need_no_hosts() -> None:
    rules = rules_of(rule(provider='"google"'))
    assert decided(rules, mx="gmail-smtp-in.l.google.com") == "rule.a.b"
    assert decided(rules, mx="mx.yandex.ru") == "code.550"


def test_the_first_rule_that_fits_decides_and_earlier_files_come_first() -> None:
    ours = file(rule(id='"ours"'), rule(id='"second"'), name="ours.toml")
    mine = file(rule(id='"mine"', **{"class": '"rate_limited"'}))
    assert decided(assemble([ours])) == "rule.ours"
    assert decided(assemble([mine, ours])) == "rule.mine"


def test_a_rule_of_the_same_name_in_an_earlier_file_replaces_the_later() -> None:
    ours = file(rule(id='"same"'), name="ours.toml")
    mine = file(rule(id='"same"', text='"something else"', tests='["550 Something else"]'))
    assert decided(assemble([mine, ours])) == "code.550"


def test_hosts_of_a_provider_in_an_earlier_file_count() -> None:
    mine = file(head='[providers.mine]\nmx = [".google.com"]\n')
    ours = file(rule(provider='"google"'), name="ours.toml")
    rules = assemble([mine, ours])
    assert rules.provider("mx.google.com") == "mine"
    assert decided(rules, mx="mx.google.com") == "code.550"


@pytest.mark.parametrize(
    ("said", "reply", "phase", "fits"),
    [
        ({"code": '"421"'}, SmtpReply(421, "Come back never"), Phase.RCPT, True),
        ({"code": '"421"'}, SmtpReply(450, "Come back never"), Phase.RCPT, False),
        ({"code": '"4xx"'}, SmtpReply(450, "Come back never"), Phase.RCPT, True),
        ({"code": '"4xx"'}, SmtpReply(550, "Come back never"), Phase.RCPT, False),
        ({"enhanced": '"5.7.1"'}, SmtpReply(550, "Come back never", "5.7.1"), Phase.RCPT, True),
        ({"enhanced": '"5.7.1"'}, SmtpReply(550, "Come back never (#5.7.1)"), Phase.RCPT, True),
        ({"enhanced": '"5.7.1"'}, SmtpReply(550, "Come back never", "5.7.2"), Phase.RCPT, False),
        ({"enhanced": '"5.7.1"'}, SmtpReply(550, "Come back never"), Phase.RCPT, False),
        ({"enhanced": '"4.7.1"'}, SmtpReply(550, "Come back never", "5.7.1"), Phase.RCPT, False),
        ({"phase": '"dot"'}, NEVER, Phase.DOT, True),
        ({"phase": '"dot"'}, NEVER, Phase.RCPT, False),
        ({"text": "", "enhanced": '"5.7.1"'}, SmtpReply(550, "whatever", "5.7.1"), Phase.RCPT, True),
    ],
)
def test_all_conditions_have_to_hold(said: dict[str, str], reply: SmtpReply, phase: Phase, fits: bool) -> None:
    rules = rules_of(rule(**said))
    assert (decided(rules, reply, phase=phase) == "rule.a.b") is fits


def test_without_rules_nothing_changes() -> None:
    assert NO_RULES.match(550, None, Phase.RCPT, "come back never", None) is None
    assert classify(NEVER, Phase.RCPT, rules=NO_RULES, mx="mx.google.com") == classify(NEVER, Phase.RCPT)


# --- what follows ----------------------------------------------------------------------------------------------------


def test_a_rule_decides_before_codes_and_words() -> None:
    rules = rules_of(rule(**{"class": '"reputation_block"'}))
    found = classify(SmtpReply(550, "Come back never, user unknown", "5.1.1"), Phase.RCPT, rules=rules)
    assert (found.cls, found.permanence, found.scope, found.action) == (
        Class.REPUTATION_BLOCK,
        Permanence.PERMANENT,
        Scope.IP_REPUTATION,
        Action.STOP,
    )
    assert (found.basis, found.confidence, found.rule) == (Basis.RULE, Confidence.HIGH, "rule.a.b")


def test_a_rule_about_the_recipient_suppresses_as_an_enhanced_code_would() -> None:
    rules = rules_of(rule(**{"class": '"invalid_recipient"'}))
    assert classify(NEVER, Phase.RCPT, rules=rules).action is Action.SUPPRESS
    assert classify(SmtpReply(450, "Come back never"), Phase.RCPT, rules=rules).action is Action.RETRY
    refused = classify(NEVER, Phase.MAIL, rules=rules)
    assert (refused.cls, refused.action, refused.confidence) == (Class.AUTH_FAILED, Action.FIX_SENDER, Confidence.LOW)


def test_a_rule_can_have_a_5xx_tried_again() -> None:
    rules = rules_of(rule(retry="true", **{"class": '"rate_limited"'}))
    found = classify(NEVER, Phase.RCPT, rules=rules)
    assert (found.permanence, found.action) == (Permanence.TRANSIENT, Action.SLOW_DOWN)


def test_what_is_about_one_recipient_slows_nobody_down() -> None:
    rules = rules_of(rule(one_recipient="true", **{"class": '"rate_limited"'}))
    found = classify(SmtpReply(450, "Come back never"), Phase.RCPT, rules=rules)
    assert (found.cls, found.scope, found.action) == (Class.RATE_LIMITED, Scope.RECIPIENT, Action.RETRY)
    assert classify(NEVER, Phase.RCPT, rules=rules).action is Action.STOP


def test_a_session_refused_without_a_reason_is_policy() -> None:
    found = classify(SmtpReply(554, "No"), Phase.BANNER)
    assert (found.cls, found.confidence) == (Class.POLICY, Confidence.LOW)
    assert classify(SmtpReply(554, "No"), Phase.DOT).cls is Class.UNKNOWN


def test_what_is_asked_of_the_traffic_comes_with_the_finding() -> None:
    rules = rules_of(rule(traffic='{ do = "suspend_project", for = "5 min" }'))
    found = classify(NEVER, Phase.RCPT, rules=rules).traffic
    assert found == Traffic(measure=Measure.SUSPEND_PROJECT, rule="a.b", lasting=5 * MINUTE)
    assert classify(SmtpReply(550, "no"), Phase.RCPT, rules=rules).traffic is None


@pytest.mark.parametrize(
    ("reply", "basis"),
    [
        (SmtpReply(550, "x", "5.1.1"), Basis.ENHANCED),
        (SmtpReply(503, "x"), Basis.CODE),
        (SmtpReply(550, "no such user"), Basis.TEXT),
        (SmtpReply(550, "x"), Basis.CODE),
        (SmtpReply(450, "x", "4.5.3"), Basis.ENHANCED),
        (SmtpReply(450, "too many recipients"), Basis.TEXT),
        (SmtpReply(450, "x", "4.7.28"), Basis.ENHANCED),
    ],
)
def test_the_kind_of_evidence_is_told(reply: SmtpReply, basis: Basis) -> None:
    assert classify(reply, Phase.RCPT).basis is basis


# --- test lines ------------------------------------------------------------------------------------------------------


def failures(*rules: str, head: str = "") -> list[str]:
    return [str(failure) for failure in try_out(rules_of(*rules, head=head))]


def test_test_lines_that_hold_are_not_told_of() -> None:
    assert not failures(rule(phase='["dot"]', counterexamples='["550 Come back"]'))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"tests": '["550 Come back"]'}, "the rule does not fit this reply: 550 Come back"),
        ({"tests": '["Come back never"]'}, "this is no SMTP reply that begins with 4 or 5: Come back never"),
        ({"tests": '["250 Come back never"]'}, "this is no SMTP reply that begins with 4 or 5"),
        ({"counterexamples": '["450 Come back never"]'}, "the rule fits this counterexample: 450 Come back never"),
        ({"counterexamples": '["what"]'}, "this is no SMTP reply that begins with 4 or 5: what"),
    ],
)
def test_a_test_line_that_does_not_hold_is_told(said: dict[str, str], sentence: str) -> None:
    (failure,) = failures(rule(**said))
    assert failure.startswith("mine.toml, a.b: ")
    assert sentence in failure


def test_a_rule_behind_a_wider_one_is_told() -> None:
    (failure,) = failures(rule(id='"wide"', text='"come back"'), rule(id='"narrow"'))
    assert "mine.toml, narrow: rule wide stands before it and decides this reply" in failure


def test_a_rule_may_be_overruled_by_another_file() -> None:
    mine, ours = file(rule(id='"mine"')), file(rule(id='"ours"'), name="ours.toml")
    assert not list(try_out(assemble([mine, ours])))


def test_a_reply_of_several_lines_is_read_as_on_the_wire() -> None:
    assert spoken_reply("550-5.7.1 Come back\n550 5.7.1 never") == SmtpReply(550, "Come back never", "5.7.1")
    assert spoken_reply("550-Come back") is None
    assert spoken_reply("550 one\n550 two") is None
    assert spoken_reply("") is None
