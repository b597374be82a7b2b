"""Hints: single words that are heard where neither codes nor sentences say anything, and that never suppress."""

import pytest

from postroad.model.attempt import Phase
from postroad.model.reason import Action, Class, Confidence, Permanence
from postroad.pipeline.outcomes import phrases, vocabulary
from postroad.pipeline.outcomes.classify import Finding, classify
from postroad.pipeline.outcomes.nearness import HOST, Near, Vocabulary
from postroad.pipeline.outcomes.rules import spoken_reply

HINTS = [group for group in phrases.GROUPS if group.hint]


def read(line: str, phase: Phase = Phase.RCPT) -> Finding:
    reply = spoken_reply(line)
    assert reply is not None
    return classify(reply, phase)


@pytest.mark.parametrize(
    ("line", "phase", "cls"),
    [
        ("550 bo resigned in spring", Phase.RCPT, Class.INACTIVE_MAILBOX),
        ("550 undeliverable", Phase.RCPT, Class.INVALID_RECIPIENT),
        ("554 Bayes says no", Phase.DOT, Class.CONTENT_REJECTED),
        ("550 notorious botnet", Phase.BANNER, Class.REPUTATION_BLOCK),
        ("550 strangers have no business here", Phase.RCPT, Class.POLICY),
        ("550 plaintext is for postcards", Phase.MAIL, Class.TLS_REQUIRED_FAILED),
        ("451 SQL says no", Phase.RCPT, Class.UNREACHABLE),
        ("451 cannot look up what you want", Phase.RCPT, Class.DNS_FAILURE),
        ("421 Connect less often", Phase.BANNER, Class.RATE_LIMITED),
        ("421 fewer connections", Phase.BANNER, Class.RATE_LIMITED),
    ],
)
def test_a_single_word_says_more_than_a_code_that_means_many_things(line: str, phase: Phase, cls: Class) -> None:
    found = read(line, phase)
    assert (found.cls, found.confidence) == (cls, Confidence.LOW)
    assert found.action is not Action.SUPPRESS


@pytest.mark.parametrize(
    ("line", "cls"),
    [
        ("550 5.1.1 notorious botnet", Class.INVALID_RECIPIENT),
        ("550 5.2.2 Bayes says no", Class.MAILBOX_FULL),
        ("451 4.3.2 strangers first", Class.UNREACHABLE),
        ("503 Bayes says no", Class.PROTOCOL_ERROR),
        ("535 strangers have no business here", Class.AUTH_FAILED),
    ],
)
def test_beside_a_code_that_means_one_thing_a_hint_says_nothing(line: str, cls: Class) -> None:
    assert read(line).cls is cls


def test_a_hint_takes_nothing_from_the_certainty_of_a_code() -> None:
    found = read("550 5.1.1 botnet")
    assert (found.cls, found.action, found.confidence) == (
        Class.INVALID_RECIPIENT,
        Action.SUPPRESS,
        Confidence.HIGH,
    )


def test_hints_come_after_everything_that_is_a_sentence() -> None:
    first = phrases.GROUPS.index(HINTS[0])
    assert {group.name for group in phrases.GROUPS[first:] if not group.hint} == {"refused", "later"}


@pytest.mark.parametrize(
    ("line", "cls"),
    [
        ("450 Please try again later", Class.GREYLISTED),
        ("451 4.7.1 Please try again later", Class.GREYLISTED),
        ("451 4.7.0 Please try again later", Class.RATE_LIMITED),
        ("450 4.2.2 Please try again later", Class.MAILBOX_FULL),
        ("451 4.3.2 Please try again later", Class.UNREACHABLE),
        ("421 Please try again later", Class.UNREACHABLE),
        ("450 Requested mail action not taken: mailbox unavailable", Class.GREYLISTED),
        ("450 4.2.1 Please try again later", Class.GREYLISTED),
        ("499 Please try again later", Class.GREYLISTED),
    ],
)
def test_who_only_asks_to_come_again_is_understood_by_the_code(line: str, cls: Class) -> None:
    found = read(line)
    assert (found.cls, found.permanence, found.action is Action.SUPPRESS) == (cls, Permanence.TRANSIENT, False)


@pytest.mark.parametrize(
    ("line", "cls"),
    [
        ("550 5.4.4 Domain has no MX or address records", Class.BAD_DOMAIN),
        ("550 5.1.2 No MX or A record for this domain", Class.BAD_DOMAIN),
        ("550 5.4.4 Sender domain has no MX or address records", Class.AUTH_FAILED),
        ("550 5.1.2 Relay not permitted", Class.POLICY),
        ("550 5.1.1 Relaying denied", Class.POLICY),
        ("550 5.1.1 User unknown, relaying denied", Class.INVALID_RECIPIENT),
        ("550 5.7.1 Command rejected", Class.POLICY),
        ("550 Command rejected", Class.PROTOCOL_ERROR),
    ],
)
def test_a_code_says_whose_domain_and_which_refusal_the_words_mean(line: str, cls: Class) -> None:
    assert read(line).cls is cls


def test_an_echoed_address_that_is_unknown_is_a_recipient_but_not_surely() -> None:
    found = read("550 <bo@example.com> unknown")
    assert (found.cls, found.action) == (Class.INVALID_RECIPIENT, Action.STOP)
    assert read("550 <bo@example.com> so it is").cls is Class.UNKNOWN


def test_an_announced_size_is_no_full_mailbox() -> None:
    assert read("552 so much", Phase.MAIL).cls is Class.MESSAGE_TOO_LARGE
    assert read("552 so much").cls is Class.MAILBOX_FULL


def test_the_name_of_a_server_is_no_word_about_the_mail() -> None:
    assert read("421 4.4.2 spam-filter.example.net Error: timeout exceeded", Phase.DOT).cls is Class.UNREACHABLE
    assert read("550 you are on spam.example.net: blocked", Phase.MAIL).cls is Class.REPUTATION_BLOCK
    assert vocabulary.WORDS.marks("mx.spam.example.net") == {}
    assert vocabulary.WORDS.marks("seen from mx.spam.example.net.") == vocabulary.WORDS.marks("seen from it.")


def test_the_address_of_a_host_is_marked() -> None:
    little = Vocabulary({"barred": "blocked"})
    assert little.marks("192.0.2.10 blocked") == {HOST: [0], "barred": [1]}
    assert Near((HOST,), ("barred",)).found(little.marks("blocked: 192.0.2.10"))
    assert little.marks("10.1 a.b.2 blocked") == {"barred": [3]}


def test_a_whole_word_names_what_its_beginning_names_too() -> None:
    little = Vocabulary({"box": "postfach-", "container": "postfach", "far": "postfach amt"})
    assert little.marks("postfach") == {"container": [0], "box": [0]}
    assert little.marks("postfachs") == {"box": [0]}
    assert little.marks("postfach amt") == {"far": [0]}


def test_a_user_who_is_unknown_in_a_domain_says_nothing_of_the_domain() -> None:
    assert read("550 Usuario desconocido en este dominio").cls is Class.INVALID_RECIPIENT
    assert read("550 Dominio desconocido").cls is Class.BAD_DOMAIN
