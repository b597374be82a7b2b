import base64

import pytest

from postroad.wire.address import Mailbox
from postroad.wire.smtp import server_events as events
from postroad.wire.smtp.errors import MisuseError
from postroad.wire.smtp.replies import Reply, ReplyReader
from postroad.wire.smtp.sasl import Credentials, Mechanism
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings

QUESTIONS = (events.MailAsked, events.RecipientAsked, events.MessageAsked, events.LoginAsked)
NO = Reply(550, ("5.7.1 No",))


def opened(tls=False, **settings):
    server = Server(ServerSettings("mx.example", **settings), tls=tls)
    assert server.outgoing() == b"220 mx.example ESMTP\r\n"
    return server


def ready(tls=False, **settings):
    server = opened(tls, **settings)
    assert server.receive(b"EHLO us.example\r\n") == [events.Hello("us.example", True)]
    server.outgoing()
    return server


def feed(server, octets):
    """Feed octets and say yes to every question."""
    found = []
    todo = server.receive(octets)
    while todo:
        found += todo
        todo = server.accept() if isinstance(todo[-1], QUESTIONS) else []
    return found


def codes(server):
    reader = ReplyReader()
    reader.feed(server.outgoing())
    found = []
    while (reply := reader.next()) is not None:
        assert reply.code in {220, 334, 354} or reply.enhanced is not None or len(reply.lines) > 1, reply
        found.append((reply.code, str(reply.enhanced)))
    return found


def in_content(**settings):
    server = ready(**settings)
    feed(server, b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    server.outgoing()
    assert server.in_content
    return server


def content(found):
    return b"".join(event.octets for event in found if isinstance(event, events.ContentPiece))


def test_ehlo_shows_what_is_offered():
    server = opened(starttls=True, login=True, login_in_plaintext=True)
    server.receive(b"ehlo us.example\r\n")
    assert server.outgoing() == (
        b"250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n"
        b"250-ENHANCEDSTATUSCODES\r\n250-SIZE 41943040\r\n250 AUTH PLAIN LOGIN\r\n"
    )


def test_helo_shows_nothing():
    server = opened()
    assert server.receive(b"HELO us.example \r\n") == [events.Hello("us.example", False)]
    assert server.outgoing() == b"250 mx.example\r\n"


def test_a_whole_transaction_in_one_group():
    server = ready()
    found = feed(server, b"MAIL FROM:<a@example.org> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    assert found == [
        events.MailAsked(Mailbox("a", "example.org"), 9, eight_bit=True, smtputf8=False),
        events.RecipientAsked(Mailbox("b", "example.org")),
        events.ContentBegins(),
    ]
    assert codes(server) == [(250, "2.1.0"), (250, "2.1.5"), (354, "None")]
    found = feed(server, b"..a\r\n\r\n.\r\nQUIT\r\n")
    assert content(found) == b".a\r\n\r\n"
    assert found[-2:] == [events.MessageAsked(6), events.Finished()]
    assert codes(server) == [(250, "2.0.0"), (221, "2.0.0")]
    assert server.receive(b"NOOP\r\n") == []


def test_nothing_is_read_while_a_question_stands():
    server = ready()
    assert len(server.receive(b"MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\n")) == 1
    assert server.waiting
    assert server.receive(b"NOOP\r\n") == []
    assert server.outgoing() == b""
    assert server.refuse(NO) == []
    assert codes(server) == [(550, "5.7.1"), (503, "5.5.1"), (250, "2.0.0")]


def test_a_refused_recipient_is_none():
    server = ready()
    feed(server, b"MAIL FROM:<>\r\n")
    server.receive(b"RCPT TO:<b@example.org>\r\nDATA\r\n")
    server.refuse(NO)
    assert codes(server) == [(250, "2.1.0"), (550, "5.7.1"), (554, "5.5.1")]


def test_a_refused_message_ends_its_transaction():
    server = in_content()
    server.receive(b"a\r\n.\r\n")
    server.refuse(Reply(451, ("4.3.0 Disk trouble",)))
    server.receive(b"RCPT TO:<b@example.org>\r\n")
    assert codes(server) == [(451, "4.3.0"), (503, "5.5.1")]


def test_an_accept_can_have_its_own_words():
    server = in_content()
    server.receive(b"a\r\n.\r\n")
    server.accept("queued as 7")
    assert server.outgoing() == b"250 2.0.0 queued as 7\r\n"


def test_a_refusal_with_421_closes():
    server = ready()
    server.receive(b"MAIL FROM:<a@example.org>\r\nNOOP\r\n")
    found = server.refuse(Reply(421, ("4.3.2 Too busy",)))
    assert isinstance(found[-1], events.Finished)
    assert codes(server) == [(421, "4.3.2")]


def test_answers_out_of_place_are_ours():
    server = ready()
    with pytest.raises(MisuseError):
        server.accept()
    server.receive(b"MAIL FROM:<a@example.org>\r\n")
    for reply in (Reply(250, ("2.0.0 OK",)), Reply(550, ("no enhanced code",))):
        with pytest.raises(MisuseError):
            server.refuse(reply)
    with pytest.raises(MisuseError):
        server.tls_started()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", 500),
        (b"GET / HTTP/1.1", 500),
        (b"FOO", 500),
        (b"HELP", 502),
        (b"EXPN list", 502),
        (b"\xff\xff\xff\xff", 500),
        (b"EHLO", 501),
        (b"EHLO a b", 501),
        (b"RCPT TO:<b@example.org>", 503),
        (b"DATA", 503),
        (b"DATA now", 501),
        (b"RSET now", 501),
        (b"QUIT now", 501),
        (b"STARTTLS", 502),
        (b"STARTTLS now", 501),
        (b"AUTH PLAIN", 502),
        (b"VRFY", 501),
        (b"MAIL", 501),
        (b"MAIL a@example.org", 501),
        (b"MAIL FROM: <a@example.org>", 501),
        (b"MAIL TO:<a@example.org>", 501),
        (b"MAIL FROM:<a@example.org>SIZE=1", 501),
        (b"MAIL FROM:<a@example.org> SIZE=x", 501),
        (b"MAIL FROM:<a@example.org> SIZE", 501),
        (b"MAIL FROM:<a@example.org> SIZE=1 SIZE=1", 501),
        (b"MAIL FROM:<a@example.org> SIZE=41943041", 552),
        (b"MAIL FROM:<a@example.org> BODY=BINARYMIME", 501),
        (b"MAIL FROM:<a@example.org> SMTPUTF8=1", 501),
        (b"MAIL FROM:<a@example.org> AUTH", 501),
        (b"MAIL FROM:<a@example.org> X=\xc3\xbc", 501),
        (b"MAIL FROM:<a@example.org> RET=HDRS", 555),
        (b"MAIL FROM:<@x.example,@y.example:a@example.org>", 553),
        (b"MAIL FROM:<a>", 553),
        ("MAIL FROM:<ü@example.org>".encode(), 553),
        (b'MAIL FROM:<"a> b"@example.org', 501),
    ],
)
def test_what_is_wrong_is_answered_and_changes_nothing(line, code):
    server = ready()
    assert server.receive(line + b"\r\n") == []
    ((found, _),) = codes(server)
    assert found == code
    assert feed(server, b"MAIL FROM:<a@example.org>\r\n")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<b@example.org> NOTIFY=NEVER", 555),
        ("RCPT TO:<ü@example.org>".encode(), 553),
        (b"RCPT TO:<b@[999.1.1.1]>", 553),
        (b"MAIL FROM:<c@example.org>", 503),
        (b"AUTH PLAIN", 503),
    ],
)
def test_what_is_wrong_in_a_transaction_changes_nothing(line, code):
    server = ready()
    feed(server, b"MAIL FROM:<a@example.org>\r\n")
    codes(server)
    assert server.receive(line + b"\r\n") == []
    assert [code for code, _ in codes(server)] == [553 if code == 501 else code]
    feed(server, b"RCPT TO:<b@example.org>\r\nDATA\r\n")
    assert server.in_content


def test_postmaster_needs_no_domain_and_smtputf8_can_be_asked_for():
    server = ready()
    found = feed(server, "MAIL FROM:<ü@example.org> SMTPUTF8 AUTH=<>\r\nRCPT TO:<Postmaster>\r\n".encode())
    assert found == [
        events.MailAsked(Mailbox("ü", "example.org"), None, eight_bit=False, smtputf8=True),
        events.RecipientAsked(Mailbox("Postmaster", "mx.example")),
    ]
    assert feed(server, "RCPT TO:<ü@example.org>\r\n".encode()) == [events.RecipientAsked(Mailbox("ü", "example.org"))]


def test_noop_vrfy_and_rset_are_answered():
    server = ready()
    feed(server, b"MAIL FROM:<a@example.org>\r\n")
    assert feed(server, b"NOOP x\r\nVRFY a\r\nRSET\r\n") == [events.TransactionDropped()]
    assert codes(server) == [(250, "2.1.0"), (250, "2.0.0"), (252, "2.5.2"), (250, "2.0.0")]


def test_a_new_greeting_drops_the_transaction():
    server = in_content()
    feed(server, b"a\r\n.\r\nMAIL FROM:<>\r\n")
    assert events.TransactionDropped() in server.receive(b"HELO again\r\n")


def test_recipients_beyond_the_limit_come_later():
    server = ready(recipients=1)
    feed(server, b"MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\n")
    assert codes(server)[-1] == (452, "4.5.3")


def test_a_message_beyond_the_limit_is_read_and_refused():
    server = in_content(message_octets=10)
    found = server.receive(b"12345678") + server.receive(b"\r\n12345678\r\n") + server.receive(b".\r\nNOOP\r\n")
    assert content(found) == b"12345678\r\n"
    assert found[-1] == events.TransactionDropped()
    assert codes(server) == [(552, "5.3.4"), (250, "2.0.0")]


def test_too_many_errors_close():
    server = ready(errors=2)
    assert server.receive(b"X\r\n") == []
    assert server.receive(b"X\r\nNOOP\r\n") == [events.Finished("The client made too many errors.")]
    assert codes(server) == [(500, "5.5.2"), (500, "5.5.2"), (421, "4.7.0")]


@pytest.mark.parametrize(
    "octets", [b"NOOP\n", b"NO\rOP\r\n", b"NOOP\x00\r\n", b"a" * 1000, b"a" * 1000 + b"\r\n", b"AUTH " + b"a" * 12288]
)
def test_a_line_that_is_none_closes(octets):
    server = ready()
    found = server.receive(octets)
    assert isinstance(found[-1], events.Finished)
    assert codes(server) == [(500, "5.5.2")]


def test_a_line_just_within_the_limit_is_taken():
    server = ready()
    assert server.receive(b"NOOP " + b"a" * 993 + b"\r\n") == []
    assert codes(server) == [(250, "2.0.0")]


def test_shutting_down_is_said_once():
    server = ready()
    assert isinstance(server.shut_down()[-1], events.Finished)
    assert codes(server) == [(421, "4.3.2")]
    assert server.shut_down() == []


# TLS


def test_starttls_forgets_what_was_said():
    server = ready(starttls=True)
    feed(server, b"MAIL FROM:<>\r\n")
    assert server.receive(b"STARTTLS\r\n") == [events.TransactionDropped(), events.HandshakeAsked()]
    assert codes(server)[-1] == (220, "2.0.0")
    server.tls_started()
    assert server.tls
    assert server.hello is None
    assert server.receive(b"MAIL FROM:<>\r\nSTARTTLS\r\n") == []
    assert codes(server) == [(503, "5.5.1"), (502, "5.5.1")]


def test_octets_behind_starttls_close_without_a_word():
    server = ready(starttls=True)
    found = server.receive(b"STARTTLS\r\nRSET\r\nMAIL FROM:<a@example.org>\r\n")
    assert found == [events.Finished("The client sent more behind STARTTLS.")]
    assert server.outgoing() == b""


def test_plain_text_during_the_handshake_closes():
    server = ready(starttls=True)
    server.receive(b"STARTTLS\r\n")
    assert isinstance(server.receive(b"RSET\r\n")[-1], events.Finished)


# AUTH


def b64(text):
    return base64.b64encode(text.encode())


def test_plain_with_and_without_an_initial_response():
    secret = b64("\0user\0secret")
    asked = events.LoginAsked(Mechanism.PLAIN, Credentials("user", "secret"))
    server = ready(tls=True, login=True)
    assert server.receive(b"AUTH plain " + secret + b"\r\n") == [asked]
    server.accept()
    assert codes(server) == [(235, "2.7.0")]
    assert server.user == "user"
    assert server.receive(b"AUTH PLAIN\r\n") == []
    assert codes(server) == [(503, "5.5.1")]
    server = ready(tls=True, login=True)
    assert server.receive(b"AUTH PLAIN\r\n") == []
    assert codes(server) == [(334, "None")]
    assert server.receive(secret + b"\r\n") == [asked]
    server.refuse(Reply(535, ("5.7.8 No",)))
    assert server.user is None


def test_login_asks_twice():
    server = ready(tls=True, login=True)
    server.receive(b"AUTH LOGIN\r\n")
    server.receive(b64("user") + b"\r\n")
    assert server.receive(b64("secret") + b"\r\n") == [
        events.LoginAsked(Mechanism.LOGIN, Credentials("user", "secret"))
    ]
    server = ready(tls=True, login=True)
    server.receive(b"AUTH LOGIN " + b64("user") + b"\r\n")
    assert server.receive(b64("") + b"\r\n") == [events.LoginAsked(Mechanism.LOGIN, Credentials("user", ""))]


@pytest.mark.parametrize(
    "octets",
    [
        b"AUTH PLAIN *\r\n",
        b"AUTH PLAIN =\r\n",
        b"AUTH PLAIN " + b64("user") + b"\r\n",
        b"AUTH PLAIN " + b64("\0\0secret") + b"\r\n",
        b"AUTH PLAIN " + base64.b64encode(b"\0\xff\0a") + b"\r\n",
        b"AUTH LOGIN =\r\n",
        b"AUTH LOGIN\r\n*\r\n",
        b"AUTH LOGIN " + b64("user") + b"\r\n*\r\n",
    ],
)
def test_a_login_that_cannot_be_read_is_refused(octets):
    server = ready(tls=True, login=True)
    assert server.receive(octets) == []
    assert codes(server)[-1] == (501, "5.5.2")
    assert server.receive(b"NOOP\r\n") == []
    assert codes(server) == [(250, "2.0.0")]


def test_login_is_not_offered_in_the_clear_nor_by_other_mechanisms():
    server = ready(login=True)
    server.receive(b"AUTH PLAIN\r\n")
    assert codes(server) == [(538, "5.7.11")]
    server = ready(tls=True, login=True)
    server.receive(b"AUTH CRAM-MD5\r\n")
    assert codes(server) == [(504, "5.5.4")]


def test_mail_can_be_for_those_who_logged_in():
    server = ready(tls=True, login=True, login_required=True)
    server.receive(b"MAIL FROM:<>\r\n")
    assert codes(server) == [(530, "5.7.0")]
    feed(server, b"AUTH PLAIN " + b64("\0user\0secret") + b"\r\n")
    assert server.receive(b"MAIL FROM:<>\r\n")
