"""Who is suppressed: only a recipient of whom the server itself said that there is none; never for any other words."""

import pytest

from postroad.app.rulebook import shipped
from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Class, Confidence
from postroad.pipeline.outcomes import phrases
from postroad.pipeline.outcomes.classify import Finding, classify
from postroad.pipeline.outcomes.rules import NO_RULES, RuleSet, spoken_reply

R, D = Phase.RCPT, Phase.DOT
INVALID, INACTIVE, FULL = Class.INVALID_RECIPIENT, Class.INACTIVE_MAILBOX, Class.MAILBOX_FULL
RULES = shipped()


def read(line: str, phase: Phase = R, rules: RuleSet = NO_RULES, mx: str | None = None) -> Finding:
    reply = spoken_reply(line)
    assert reply is not None
    return classify(reply, phase, rules=rules, mx=mx)


@pytest.mark.parametrize(
    "line",
    [
        "503 No such command",
        "502 Command is disabled",
        "502 RCPT is disabled",
        "503 Session has been closed",
        "500 command was not found",
        "502 that is not a valid SMTP command",
        "555 no such parameter",
    ],
)
def test_a_code_of_the_protocol_outweighs_words_on_something_missing(line: str) -> None:
    found = read(line)
    assert (found.cls, found.action) == (Class.PROTOCOL_ERROR, Action.STOP)


DOUBTFUL = [
    # a code of an address beside words that are near each other only, or about the sender
    "550 5.1.0 Rejected, message with invalid To address",
    "550 5.1.0 Message rejected by our filter. If the address was wrong, write to us.",
    "550 5.1.2 Message rejected by our filter. If the address was wrong, write to us.",
    "550 5.1.4 Message rejected by our filter. If the address was wrong, write to us.",
    "550 5.1.0 Your account is locked",
    "550 5.1.1 Your account is locked",
    "550 5.2.1 Sender account is disabled",
    "550 5.2.1 sending user disabled for spamming",
    "550 5.2.1 Your account has been refused",
    "550 5.1.0 mail from account not found",
    "550 5.1.1 mail from account not found",
    "550 5.1.3 invalid address in To header",
    # a domain and its DNS
    "550 5.1.2 <bo@x>: Recipient address rejected: MX not found",
    "550 5.1.2 MX record was not found",
    "550 5.1.2 no such site",
    "550 5.1.2 bad destination: does not exist in DNS",
    "550 5.1.2 Mailbox does not exist",
    "550 5.1.2 mailbox no longer available",
    "550 5.4.310 record does not exist for address",
    "550 address does not exist in DNS",
    "550 MX record was not found",
    # nobody is named, or somebody else
    "550 The IP address is not known to us",
    "550 Address 192.0.2.1 is not a known customer",
    "550 Client is not a valid mail server",
    "550 Your MTA is not known here",
    "550 client host does not have a name",
    "550 Access denied - no such IP in our list of permitted clients",
    "550 No such policy",
    "550 5.7.1 Our policy has suspended this",
    "554 Connection has been closed",
    "550 SMTP access is disabled",
    "550 Service no longer available",
    "550 certificate is not a valid one",
    "550 the account you are sending from is suspended",
    "550 The originating account has been suspended",
    "550 Callout failed: mailbox does not exist",
    "550 Callback verification failed: user unknown",
    "550 Verification failed for <a@example.org>: no such user",
    "550 Return address does not exist",
    "550 Reply address unknown",
    "550 Bounce address does not exist",
    "550 envelope address unknown",
    "550 your mailbox is disabled",
    "550 You are not a valid user",
    "550 From user unknown",
    "550 login user unknown",
    "550 relay account not found",
    "550 user suspended from sending",
    "550 invalid address in From",
    # unavailable, which need not be gone
    "550 mailbox unavailable due to policy",
    "550 mailbox unavailable - blocked",
    "550 mailbox unavailable (spam)",
    "550 5.7.1 mailbox unavailable",
    "550 mailbox unavailable (e.g., mailbox not found, no access, or command rejected for policy reasons)",
    "550 Mailbox unavailable or access denied - 192.0.2.1 is not permitted",
]


@pytest.mark.parametrize("phase", [R, D], ids=["rcpt", "dot"])
@pytest.mark.parametrize("rules", [NO_RULES, RULES], ids=["no rules", "shipped rules"])
@pytest.mark.parametrize("line", DOUBTFUL)
def test_words_that_need_not_be_about_the_recipient_suppress_nobody(line: str, rules: RuleSet, phase: Phase) -> None:
    found = read(line, phase, rules)
    assert found.action is Action.STOP, found


@pytest.mark.parametrize(
    ("line", "cls", "confidence"),
    [
        ("550 5.1.1 User unknown", INVALID, Confidence.HIGH),
        ("550 5.1.1 User unknown; closing connection", INVALID, Confidence.HIGH),
        ("550 5.1.1 User unknown, please contact your postmaster", INVALID, Confidence.HIGH),
        ("550 5.1.1 No such user, look into your address book", INVALID, Confidence.HIGH),
        ("550 5.1.1 User unknown; see https://blacklist.example", INVALID, Confidence.HIGH),
        ("550 5.1.1 Recipient is not listed on this server", INVALID, Confidence.HIGH),
        ("550 5.1.1 <bo@example.com>: inactive email address", INACTIVE, Confidence.HIGH),
        ("550 5.1.1 Inactive mbox", INACTIVE, Confidence.HIGH),
        ("550 5.1.0 user unknown", INVALID, Confidence.HIGH),
        ("550 5.2.1 the mailbox is closed by its owner", INACTIVE, Confidence.HIGH),
        ("550 5.7.1 user unknown", INVALID, Confidence.MEDIUM),
        ("550 No such user here", INVALID, Confidence.MEDIUM),
        ("550 User unknown, closing connection", INVALID, Confidence.MEDIUM),
        ("550 the user you are sending to does not exist", INVALID, Confidence.MEDIUM),
        ("550 <bob@example.com>: Recipient address rejected: User unknown", INVALID, Confidence.MEDIUM),
        ("550 User bo not listed in public Name & Address Book", INVALID, Confidence.MEDIUM),
        ("550 Unknown local part bo in <bo@example.com>", INVALID, Confidence.MEDIUM),
        ("550 Requested action not taken: mailbox unavailable", INVALID, Confidence.MEDIUM),
        ("550 Mailbox unavailable, see https://help.example/case?c=1&i=ip", INVALID, Confidence.MEDIUM),
        ("550 account disabled", INACTIVE, Confidence.MEDIUM),
    ],
)
def test_a_clear_word_on_the_recipient_suppresses(line: str, cls: Class, confidence: Confidence) -> None:
    found = read(line)
    assert (found.cls, found.action, found.confidence) == (cls, Action.SUPPRESS, confidence)


def test_what_qq_says_of_its_recipients_is_believed_of_qq_alone() -> None:
    line = "550 Mailbox unavailable or access denied"
    assert read(line, rules=RULES, mx="mx3.qq.com").action is Action.SUPPRESS
    assert read(line, rules=RULES, mx="mx.example.com").action is Action.STOP


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("552 5.2.2 User has exceeded the limit", Action.STOP),
        ("552 5.2.2 account is over the limit", Action.STOP),
        ("452 4.2.2 too many messages in mailbox", Action.RETRY),
        ("452 4.2.2 mailbox has too much mail", Action.RETRY),
    ],
)
def test_too_much_beside_a_code_of_a_full_mailbox_is_a_full_mailbox(line: str, action: Action) -> None:
    found = read(line)
    assert (found.cls, found.action) == (FULL, action)


def test_the_name_of_a_web_page_makes_a_recipients_code_doubtful_but_nothing_else() -> None:
    found = read("550 5.1.1 Unknown; see https://blacklist.example")
    assert (found.cls, found.action, found.confidence) == (INVALID, Action.STOP, Confidence.LOW)


def test_words_outside_of_a_link_outweigh_a_recipients_code_still() -> None:
    assert read("550 5.1.1 your host is blocked, see https://example.com").cls is Class.REPUTATION_BLOCK
    assert read("550 5.1.1 mailbox closed, see https://blacklist.example").cls is INACTIVE


def test_a_recipient_that_is_not_listed_is_no_sender_that_is() -> None:
    assert read("550 User is not listed on this server").cls is INVALID
    assert read("550 your address is listed on this server").cls is Class.REPUTATION_BLOCK


def test_links_are_left_out_of_a_text() -> None:
    assert phrases.without_links("see https://blacklist.example/a?b=c or www.spam.example now") == "see or now"
    assert phrases.without_links("see the page") == "see the page"


@pytest.mark.parametrize("text", ["?" * 100_000, "?a" * 50_000, "http://" * 15_000, "address " * 12_000])
def test_a_hostile_text_is_read_like_any(text: str) -> None:
    assert classify(SmtpReply(550, text, "5.1.1"), R).cls is INVALID
