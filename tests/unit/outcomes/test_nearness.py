"""Words near each other: what is read in sentences that nobody wrote before."""

import pytest

from postroad.model.attempt import Phase, SmtpReply
from postroad.model.reason import Action, Class, Confidence
from postroad.pipeline.outcomes import phrases, vocabulary
from postroad.pipeline.outcomes.classify import classify
from postroad.pipeline.outcomes.nearness import Near, Vocabulary

R, D, M, B = Phase.RCPT, Phase.DOT, Phase.MAIL, Phase.BANNER
LITTLE = Vocabulary(
    {
        "box": "mailbox | mail box | postfach- | 邮箱",
        "gone": "unknown | not found | does not exist- | 不存在",
        "both": "mail",
    }
)
NEAR = Near(("box",), ("gone",), within=3)


def test_a_thing_and_what_is_the_matter_with_it_have_to_be_close() -> None:
    assert NEAR.found(LITTLE.marks("this mailbox was not found"))
    assert NEAR.found(LITTLE.marks("unknown here, this mailbox"))
    assert not NEAR.found(LITTLE.marks("unknown is how many letters came for the mailbox"))
    assert not NEAR.found(LITTLE.marks("mailbox"))
    assert not NEAR.found(LITTLE.marks("unknown"))


def test_a_sentence_ends_what_belongs_together() -> None:
    assert not NEAR.found(LITTLE.marks("no mailbox. unknown command"))
    assert NEAR.found(LITTLE.marks("mailbox 1.2 unknown"))


def test_the_nearest_of_several_counts_on_either_side() -> None:
    assert NEAR.found(LITTLE.marks("unknown " + "word " * 9 + "mailbox x unknown " + "word " * 9 + "mailbox"))
    assert NEAR.found(LITTLE.marks("mailbox " + "word " * 9 + "unknown mailbox"))


def test_the_longest_entry_takes_its_words() -> None:
    assert LITTLE.marks("mail box") == {"box": [0]}
    assert LITTLE.marks("mail bag") == {"both": [0]}
    assert LITTLE.marks("does not existence") == {"gone": [0]}
    assert LITTLE.marks("does not matter") == {}
    assert LITTLE.marks("does not") == {}


def test_an_entry_may_be_the_beginning_of_a_word() -> None:
    assert LITTLE.marks("postfachs") == {"box": [0]}
    assert LITTLE.marks("post") == {}


def test_scripts_without_spaces_are_looked_for_anywhere() -> None:
    assert NEAR.found(LITTLE.marks("该邮箱不存在。"))
    assert LITTLE.marks("вот 邮箱") == {"box": [0]}


def test_one_word_may_be_enough() -> None:
    assert Near(("both",)).found(LITTLE.marks("some mail"))
    assert not Near(("both",)).found({})


def test_a_word_that_names_two_things_is_marked_for_both() -> None:
    assert set(Vocabulary({"one": "word", "two": "word"}).marks("word")) == {"one", "two"}


def test_the_vocabulary_is_written_as_replies_are_folded() -> None:
    for mark, listed in vocabulary.LISTED.items():
        for entry in listed.split("|"):
            word = " ".join(entry.split()).removesuffix("-")
            assert word, mark
            assert phrases.plain(phrases.fold(word)) == word, word


@pytest.mark.parametrize(
    ("phase", "code", "text", "cls"),
    [
        (R, 550, "We could not locate a user of that name", Class.INVALID_RECIPIENT),
        (R, 550, "Пользователь не найден", Class.INVALID_RECIPIENT),
        (R, 550, "Użytkownik o tym adresie nie istnieje", Class.INVALID_RECIPIENT),
        (R, 550, "L'adresse indiquée est introuvable", Class.INVALID_RECIPIENT),
        (R, 550, "Kullanıcı bulunamadı", Class.INVALID_RECIPIENT),
        (R, 550, "宛先のユーザーは存在しません", Class.INVALID_RECIPIENT),
        (R, 550, "Ce compte a été désactivé", Class.INACTIVE_MAILBOX),
        (R, 552, "Das Postfach des Empfängers ist leider voll", Class.MAILBOX_FULL),
        (R, 552, "Почтовый ящик переполнен", Class.MAILBOX_FULL),
        (R, 450, "Zu viele Verbindungen von Ihrem Server", Class.RATE_LIMITED),
        (B, 554, "Ihre IP-Adresse steht auf einer Sperrliste", Class.REPUTATION_BLOCK),
        (M, 550, "Absenderadresse existiert nicht", Class.AUTH_FAILED),
        (D, 550, "Contenu indésirable détecté dans ce message", Class.CONTENT_REJECTED),
        (D, 552, "Ihre Nachricht ist zu groß", Class.MESSAGE_TOO_LARGE),
        (D, 550, "SPF does not cover your host", Class.AUTH_FAILED),
        (R, 550, "This domain was not found anywhere", Class.BAD_DOMAIN),
        (R, 451, "MX lookup gave an error", Class.DNS_FAILURE),
    ],
)
def test_a_sentence_that_is_in_no_list_is_read(phase: Phase, code: int, text: str, cls: Class) -> None:
    assert classify(SmtpReply(code, text), phase).cls is cls


def test_words_that_are_only_near_each_other_suppress_nobody_without_a_code() -> None:
    said = "Пользователь не найден"
    assert classify(SmtpReply(550, said), R)[3:6] == (Action.STOP, "text.recipient_words", Confidence.LOW)
    assert classify(SmtpReply(550, said, "5.1.1"), R).action is Action.SUPPRESS


def test_a_550_that_speaks_of_a_user_in_unknown_words_is_taken_for_one_about_the_user() -> None:
    found = classify(SmtpReply(550, "the user hm"), R)
    assert (found.cls, found.action, found.rule) == (Class.INVALID_RECIPIENT, Action.STOP, "code.550")
    assert classify(SmtpReply(550, "the user hm"), D).cls is Class.UNKNOWN
    assert classify(SmtpReply(554, "the user hm"), R).cls is Class.UNKNOWN


def test_something_about_an_address_is_mostly_the_recipients_but_never_surely() -> None:
    found = classify(SmtpReply(550, "hm", "5.1.0"), R)
    assert (found.cls, found.action, found.confidence) == (Class.INVALID_RECIPIENT, Action.STOP, Confidence.LOW)


def test_what_is_minded_before_the_message_was_seen_is_about_where_it_comes_from() -> None:
    assert classify(SmtpReply(554, "we take no spam"), B).cls is Class.REPUTATION_BLOCK
    assert classify(SmtpReply(554, "we take no spam"), D).cls is Class.CONTENT_REJECTED
    assert classify(SmtpReply(550, "cannot resolve this"), B).cls is Class.AUTH_FAILED
    assert classify(SmtpReply(451, "cannot resolve this"), B).cls is Class.DNS_FAILURE
    assert classify(SmtpReply(452, "quota exceeded"), M).cls is Class.UNREACHABLE
    assert classify(SmtpReply(552, "quota exceeded"), M).cls is Class.AUTH_FAILED


@pytest.mark.parametrize(
    ("code", "status", "text", "cls", "action"),
    [
        (550, "5.1.1", "Message rejected: looks like spam to us", Class.CONTENT_REJECTED, Action.STOP),
        (550, "5.1.1", "your host is blocked using a list of ours", Class.REPUTATION_BLOCK, Action.STOP),
        (550, "5.1.1", "our spam filter knows no such user", Class.INVALID_RECIPIENT, Action.STOP),
        (550, "5.1.1", "refused due to recipient preferences", Class.POLICY, Action.STOP),
        (550, "5.1.2", "Mailbox does not exist", Class.INVALID_RECIPIENT, Action.STOP),
        (550, "5.1.2", "No such host here", Class.BAD_DOMAIN, Action.STOP),
        (450, "4.1.1", "unverified address: connection timed out", Class.UNREACHABLE, Action.RETRY),
        (553, "5.5.3", "that domain isn't in my list of allowed rcpthosts", Class.POLICY, Action.STOP),
        (552, "5.5.3", "enough", Class.RATE_LIMITED, Action.RETRY),
        (503, None, "relaying denied, log in first", Class.POLICY, Action.STOP),
        (503, None, "denied", Class.PROTOCOL_ERROR, Action.STOP),
    ],
)
def test_words_that_say_more_than_a_code_are_believed(
    code: int, status: str | None, text: str, cls: Class, action: Action
) -> None:
    found = classify(SmtpReply(code, text, status), R)
    assert (found.cls, found.action) == (cls, action), found


@pytest.mark.parametrize(
    "said",
    [
        "Your account has been suspended for sending spam",
        "Your mail account is disabled because of abuse",
        "No such authorisation for your host",
        "sending user unknown",
        "authenticated user unknown",
        "Domain of your address was not found",
        "the address of your server is inactive in our whitelist",
        "trial account expired, sender must upgrade",
        "mail from this address is no longer accepted",
        "Unknown user agent",
        "not a valid HELO",
        "no user should get such spam",
        "bad recipients: your host harvests addresses",
        "Invalid user credentials",
        "user not found in authentication database of senders",
        "Your newsletter has been discontinued by us",
        "your postmaster address does not exist",
        "envelope from does not exist",
        "callback failed: sender mailbox does not exist",
        "Recipient policy: mailbox takes nothing from your network",
        "User has disabled receiving of newsletters",
    ],
)
def test_words_that_could_be_about_the_sender_suppress_nobody_without_a_code(said: str) -> None:
    assert classify(SmtpReply(550, said), R).action is not Action.SUPPRESS


def test_words_on_the_recipient_alone_still_suppress() -> None:
    assert classify(SmtpReply(550, "no such user here"), R).action is Action.SUPPRESS
    assert classify(SmtpReply(550, "account disabled"), R).action is Action.SUPPRESS
