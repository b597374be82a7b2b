import base64

import pytest

from postroad.wire.smtp import events
from postroad.wire.smtp.client import PIECE_OCTETS, Client
from postroad.wire.smtp.errors import MisuseError
from postroad.wire.smtp.extensions import Extensions
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.transaction import Ending, frame

FULL = (
    b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n"
    b"250 AUTH PLAIN LOGIN\r\n"
)
BARE = b"250 mx\r\n"
MESSAGE = b"Subject: a\r\n\r\n.b\r\n"


def greeted(**options):
    client = Client(**options)
    assert client.phase is Phase.BANNER
    assert client.receive(b"220 mx\r\n") == [events.Greeted(Reply(220, ("mx",)))]
    return client


def ready(answer=FULL, **options):
    client = greeted(**options)
    client.hello("us.example")
    assert client.outgoing() == b"EHLO us.example\r\n"
    assert client.phase is Phase.EHLO
    (event,) = client.receive(answer)
    assert isinstance(event, events.Ready)
    client.take_conversation()
    return client


def begin(client, recipients=("b@example.org",), octets=MESSAGE, **options):
    client.transaction("a@example.org", recipients, octets, **options)
    return client.outgoing()


def outcome(found):
    ended = [event for event in found if isinstance(event, events.TransactionEnded)]
    assert len(ended) == 1
    return ended[0].outcome


# Greeting


def test_a_refusing_banner_is_told():
    client = Client()
    assert client.receive(b"554 5.7.1 go away\r\n") == [events.Rejected(Phase.BANNER, Reply(554, ("5.7.1 go away",)))]
    with pytest.raises(MisuseError):
        client.hello("us.example")


def test_a_421_banner_also_closes():
    client = Client()
    reply = Reply(421, ("4.3.2 busy",))
    assert client.receive(b"421 4.3.2 busy\r\n") == [events.Rejected(Phase.BANNER, reply), events.Closing(reply)]
    assert client.phase is Phase.CLOSED
    assert client.receive(b"250 ok\r\n") == []


def test_helo_follows_a_refused_ehlo_and_offers_nothing():
    client = greeted()
    client.hello("us.example")
    client.outgoing()
    assert client.receive(b"502 what\r\n") == []
    assert client.outgoing() == b"HELO us.example\r\n"
    assert client.receive(b"250 mx\r\n") == [events.Ready(Reply(250, ("mx",)), Extensions())]


def test_a_refused_helo_and_a_temporary_ehlo_are_told():
    client = greeted()
    client.hello("us.example")
    assert client.receive(b"500 what\r\n") == []
    assert client.receive(b"550 no\r\n") == [events.Rejected(Phase.EHLO, Reply(550, ("no",)))]
    client = greeted()
    client.hello("us.example")
    assert client.receive(b"451 later\r\n") == [events.Rejected(Phase.EHLO, Reply(451, ("later",)))]


def test_a_reply_to_nothing_is_the_servers_error():
    client = ready()
    (event,) = client.receive(b"250 mx\r\n")
    assert isinstance(event, events.Broken)
    assert client.phase is Phase.CLOSED


def test_a_421_while_idle_closes():
    client = ready()
    assert client.receive(b"421 idle\r\n") == [events.Closing(Reply(421, ("idle",)))]
    assert client.phase is Phase.CLOSED


# TLS


def test_after_starttls_the_old_offer_is_forgotten():
    client = ready()
    client.start_tls()
    assert client.outgoing() == b"STARTTLS\r\n"
    assert client.receive(b"220 go\r\n") == [events.StartTls()]
    assert client.phase is Phase.STARTTLS
    client.tls_started()
    assert client.extensions == Extensions()
    assert client.tls
    with pytest.raises(MisuseError):
        client.transaction("", ["b@example.org"], b"")
    client.hello("us.example")
    assert client.receive(BARE)


@pytest.mark.parametrize("cut", [True, False])
def test_octets_behind_the_consent_to_starttls_break_the_conversation(cut):
    client = ready()
    client.start_tls()
    if cut:
        found = client.receive(b"220 go\r\n") + client.receive(b"250-mx\r\n250 AUTH PLAIN\r\n")
    else:
        found = client.receive(b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n")
    assert [type(event) for event in found] == [events.StartTls, events.Broken]
    client.outgoing()
    with pytest.raises(MisuseError):
        client.authenticate("user", "secret")
    assert client.outgoing() == b""


def test_a_refused_starttls_is_told_and_the_conversation_goes_on():
    client = ready()
    client.start_tls()
    assert client.receive(b"454 4.7.0 no TLS\r\n") == [events.Rejected(Phase.STARTTLS, Reply(454, ("4.7.0 no TLS",)))]
    assert client.phase is Phase.IDLE


def test_tls_verbs_out_of_place_are_ours():
    with pytest.raises(MisuseError):
        ready(BARE).start_tls()
    with pytest.raises(MisuseError):
        ready(tls=True).start_tls()
    with pytest.raises(MisuseError):
        ready().tls_started()


# AUTH


def test_plain_is_preferred_and_masked():
    client = ready(tls=True)
    client.authenticate("user", "secret")
    assert client.outgoing() == b"AUTH PLAIN " + base64.b64encode(b"\0user\0secret") + b"\r\n"
    assert client.phase is Phase.AUTH
    assert client.receive(b"235 2.7.0 ok\r\n") == [events.Authenticated(Reply(235, ("2.7.0 ok",)))]
    assert [said.text for said in client.take_conversation()] == ["AUTH PLAIN <secret>", "235 2.7.0 ok"]


def test_login_says_name_and_password_when_asked():
    client = ready(b"250-mx\r\n250 AUTH LOGIN\r\n")
    client.authenticate("user", "secret", plaintext=True)
    assert client.outgoing() == b"AUTH LOGIN\r\n"
    client.receive(b"334 VXNlcm5hbWU6\r\n")
    assert client.outgoing() == base64.b64encode(b"user") + b"\r\n"
    client.receive(b"334 UGFzc3dvcmQ6\r\n")
    assert client.outgoing() == base64.b64encode(b"secret") + b"\r\n"
    assert client.receive(b"535 5.7.8 no\r\n") == [events.AuthFailed(Reply(535, ("5.7.8 no",)))]
    said = [said.text for said in client.take_conversation()]
    assert said == ["AUTH LOGIN", "334 VXNlcm5hbWU6", "<secret>", "334 UGFzc3dvcmQ6", "<secret>", "535 5.7.8 no"]


def test_a_server_that_asks_on_and_on_is_broken():
    client = ready(tls=True)
    client.authenticate("user", "secret")
    (event,) = client.receive(b"334 more\r\n")
    assert isinstance(event, events.Broken)


def test_credentials_are_not_sent_in_the_clear_or_without_a_mechanism():
    client = ready()
    assert client.authenticate("user", "secret") == [events.AuthUnavailable()]
    assert client.outgoing() == b""
    client = ready(b"250-mx\r\n250 AUTH CRAM-MD5\r\n", tls=True)
    assert client.authenticate("user", "secret") == [events.AuthUnavailable()]


def test_credentials_with_nul_are_ours():
    with pytest.raises(MisuseError):
        ready(tls=True).authenticate("us\0er", "secret")


# Transactions, pipelined


def test_a_transaction_takes_two_writes():
    client = ready()
    assert begin(client) == (b"MAIL FROM:<a@example.org> SIZE=18\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    assert client.phase is Phase.MAIL
    assert client.receive(b"250 a\r\n") == []
    assert client.phase is Phase.RCPT
    assert client.receive(b"250 b\r\n354 c\r\n") == []
    assert client.phase is Phase.DOT
    assert client.outgoing() == b"Subject: a\r\n\r\n..b\r\n.\r\n"
    found = outcome(client.receive(b"250 2.0.0 queued as 1\r\n"))
    assert (found.ending, found.phase, found.final) == (Ending.ANSWERED, Phase.DOT, Reply(250, ("2.0.0 queued as 1",)))
    assert found.recipients == (Reply(250, ("b",)),)
    assert client.phase is Phase.IDLE
    said = [f"{said.side}: {said.text}" for said in client.take_conversation()]
    assert said == [
        "C: MAIL FROM:<a@example.org> SIZE=18",
        "C: RCPT TO:<b@example.org>",
        "C: DATA",
        "S: 250 a",
        "S: 250 b",
        "S: 354 c",
        "C: <18 octets>",
        "C: .",
        "S: 250 2.0.0 queued as 1",
    ]


def test_the_next_transaction_needs_no_reset():
    client = ready()
    for _ in range(2):
        assert begin(client).startswith(b"MAIL")
        client.receive(b"250 a\r\n250 b\r\n354 c\r\n")
        client.outgoing()
        client.receive(b"550 d\r\n")


def test_some_recipients_are_refused_and_the_others_served():
    client = ready()
    begin(client, ("b@example.org", "c@example.org", "d@example.org"))
    client.receive(b"250 a\r\n550 5.1.1 b\r\n250 c\r\n452 d\r\n354 e\r\n")
    client.outgoing()
    found = outcome(client.receive(b"250 ok\r\n"))
    assert [reply.code for reply in found.recipients] == [550, 250, 452]
    assert found.ending is Ending.ANSWERED


def test_354_with_no_recipient_left_is_ended_by_a_lone_dot():
    client = ready()
    begin(client)
    assert client.receive(b"250 a\r\n550 b\r\n354 c\r\n") == []
    assert client.phase is Phase.DOT
    assert client.outgoing() == b".\r\n"
    found = outcome(client.receive(b"554 no recipients\r\n"))
    assert (found.ending, found.phase, found.recipients[0].code) == (Ending.REFUSED, Phase.RCPT, 550)
    assert begin(client).startswith(b"MAIL")


def test_a_connection_lost_behind_a_lone_dot_is_no_doubt():
    client = ready()
    begin(client)
    client.receive(b"250 a\r\n550 b\r\n354 c\r\n")
    client.outgoing()
    found = outcome(client.lost())
    assert (found.ending, found.phase) == (Ending.REFUSED, Phase.RCPT)


def test_nonsense_behind_a_lone_dot_is_no_doubt():
    client = ready()
    begin(client)
    client.receive(b"250 a\r\n550 b\r\n354 c\r\n")
    client.outgoing()
    found = outcome(client.receive(b"what?\r\n"))
    assert (found.ending, found.phase) == (Ending.REFUSED, Phase.RCPT)


def test_a_refused_sender_pipelined():
    client = ready()
    begin(client)
    found = outcome(client.receive(b"550 5.7.1 a\r\n503 b\r\n503 c\r\n"))
    assert (found.ending, found.phase, found.sender.code) == (Ending.REFUSED, Phase.MAIL, 550)
    assert begin(client).startswith(b"MAIL")


def test_no_message_is_made_for_a_server_that_refused_the_sender_and_goes_on():
    client = ready()
    begin(client)
    found = client.receive(b"550 a\r\n250 b\r\n354 c\r\n")
    assert outcome(found).ending is Ending.BROKEN
    assert client.outgoing() == b""


def test_a_refused_data_is_cleared_by_a_reset_before_the_next():
    client = ready()
    begin(client)
    found = outcome(client.receive(b"250 a\r\n250 b\r\n451 c\r\n"))
    assert (found.ending, found.phase, found.data.code) == (Ending.REFUSED, Phase.DATA, 451)
    assert begin(client).startswith(b"RSET\r\nMAIL")
    assert client.phase is Phase.MAIL
    assert client.receive(b"250 reset\r\n250 a\r\n250 b\r\n354 c\r\n") == []
    client.outgoing()
    assert outcome(client.receive(b"250 ok\r\n")).ending is Ending.ANSWERED


def test_a_success_to_data_is_the_servers_error():
    client = ready()
    begin(client)
    assert outcome(client.receive(b"250 a\r\n250 b\r\n250 c\r\n")).ending is Ending.BROKEN


# Transactions, one command at a time


def test_without_pipelining_each_command_waits():
    client = ready(BARE)
    assert begin(client, ("b@example.org", "c@example.org")) == b"MAIL FROM:<a@example.org>\r\n"
    client.receive(b"250 a\r\n")
    assert client.outgoing() == b"RCPT TO:<b@example.org>\r\n"
    client.receive(b"250 b\r\n")
    assert client.outgoing() == b"RCPT TO:<c@example.org>\r\n"
    client.receive(b"550 c\r\n")
    assert client.outgoing() == b"DATA\r\n"
    client.receive(b"354 d\r\n")
    assert client.outgoing().endswith(b"\r\n.\r\n")
    assert outcome(client.receive(b"250 ok\r\n")).ending is Ending.ANSWERED


def test_without_pipelining_a_refused_sender_ends_it():
    client = ready(BARE)
    begin(client)
    found = outcome(client.receive(b"451 a\r\n"))
    assert (found.phase, found.recipients) == (Phase.MAIL, (None,))


def test_without_pipelining_no_data_for_nobody_and_a_reset_before_the_next():
    client = ready(BARE)
    begin(client)
    client.receive(b"250 a\r\n")
    client.outgoing()
    assert outcome(client.receive(b"550 b\r\n")).phase is Phase.RCPT
    assert client.outgoing() == b""
    assert begin(client) == b"RSET\r\n"
    client.receive(b"250 reset\r\n")
    assert client.outgoing() == b"MAIL FROM:<a@example.org>\r\n"


def test_reset_can_be_asked_for():
    client = ready()
    client.reset()
    assert client.outgoing() == b"RSET\r\n"
    assert client.phase is Phase.RESET
    assert client.receive(b"250 ok\r\n") == [events.ResetDone(Reply(250, ("ok",)))]


# 421


@pytest.mark.parametrize(
    ("replies", "phase", "codes"),
    [
        (b"421 a\r\n", Phase.MAIL, [None, None]),
        (b"250 a\r\n421 b\r\n", Phase.RCPT, [421, None]),
        (b"250 a\r\n250 b\r\n421 c\r\n", Phase.RCPT, [250, 421]),
        (b"250 a\r\n250 b\r\n250 c\r\n421 d\r\n", Phase.DATA, [250, 250]),
    ],
)
@pytest.mark.parametrize("offer", [FULL, BARE])
def test_a_421_ends_the_transaction_where_it_comes(replies, phase, codes, offer):
    client = ready(offer)
    client.transaction("a@example.org", ["b@example.org", "c@example.org"], MESSAGE)
    found = []
    for line in replies.splitlines(keepends=True):
        client.outgoing()
        found += client.receive(line)
    result = outcome(found)
    assert (result.ending, result.phase, result.closing.code) == (Ending.REFUSED, phase, 421)
    assert [reply and reply.code for reply in result.recipients] == codes
    assert isinstance(found[-1], events.Closing)
    assert client.phase is Phase.CLOSED
    assert client.outgoing() == b""
    assert client.take_conversation()[-1].text.startswith("421")


def test_a_421_after_the_dot_is_the_answer():
    client = ready()
    begin(client)
    client.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    client.outgoing()
    found = outcome(client.receive(b"421 4.3.0 full\r\n"))
    assert (found.ending, found.phase, found.final.code, found.closing.code) == (Ending.ANSWERED, Phase.DOT, 421, 421)


def test_a_421_to_a_silent_reset_ends_the_transaction():
    client = ready(BARE)
    begin(client)
    client.receive(b"250 a\r\n")
    client.receive(b"550 b\r\n")
    client.outgoing()
    begin(client)
    found = outcome(client.receive(b"421 bye\r\n"))
    assert (found.ending, found.phase) == (Ending.REFUSED, Phase.MAIL)


# What cannot be sent to this server


def test_a_message_beyond_size_is_not_tried():
    client = ready()
    found = outcome(client.transaction("", ["b@example.org"], b"a" * 1_000_001))
    assert found.ending is Ending.TOO_LARGE
    assert client.outgoing() == b""
    assert client.phase is Phase.IDLE


def test_smtputf8_is_asked_for_or_missed():
    client = ready()
    assert begin(client, ("b\u00fc@example.org",), smtputf8=True).startswith(
        "MAIL FROM:<a@example.org> SIZE=18 SMTPUTF8\r\nRCPT TO:<bü@example.org>\r\n".encode()
    )
    client = ready(BARE)
    found = client.transaction("a@example.org", ["b\u00fc@example.org"], MESSAGE, smtputf8=True)
    assert outcome(found).ending is Ending.SMTPUTF8_MISSING


def test_eight_bit_content_is_declared_or_missed():
    client = ready()
    assert b" BODY=8BITMIME\r\n" in begin(client, octets="ü\r\n".encode())
    client = ready(BARE)
    found = client.transaction("a@example.org", ["b@example.org"], b"\xfc\r\n")
    assert outcome(found).ending is Ending.EIGHT_BIT_MISSING


@pytest.mark.parametrize(
    ("sender", "recipients", "octets"),
    [
        ("a@example.org\r\nRCPT TO:<x@example.org>", ["b@example.org"], b""),
        ("a@example.org> SIZE=1", ["b@example.org"], b""),
        ("a@example.org", ["b@example.org>\nDATA"], b""),
        ("a@example.org", ['"b\r\n"@example.org'], b""),
        ("a@example.org", ["b\u00fc@example.org"], b""),
        ("a@example.org", [""], b""),
        ("a@example.org", [], b""),
        ("a@example.org", ["b@example.org"], b"a\nb"),
        ("a@example.org", ["b@example.org"], b"a\r.\r\n"),
    ],
)
def test_what_could_hide_a_command_is_ours_and_never_written(sender, recipients, octets):
    client = ready()
    with pytest.raises(MisuseError):
        client.transaction(sender, recipients, octets)
    assert client.outgoing() == b""
    assert begin(client).startswith(b"MAIL")


@pytest.mark.parametrize("name", ["us\r\nRSET", "us\x00", "us\x7f", "a" * 510])
def test_a_greeting_name_cannot_hide_a_command(name):
    client = greeted()
    with pytest.raises(MisuseError):
        client.hello(name)
    assert client.outgoing() == b""


# Losing the connection


@pytest.mark.parametrize(
    ("replies", "phase"), [([], Phase.MAIL), ([b"250 a\r\n"], Phase.RCPT), ([b"250 a\r\n", b"250 b\r\n"], Phase.DATA)]
)
def test_a_connection_lost_before_the_content_is_certain(replies, phase):
    client = ready()
    begin(client)
    for reply in replies:
        client.receive(reply)
    found = outcome(client.lost())
    assert (found.ending, found.phase) == (Ending.LOST, phase)
    assert client.lost() == []
    assert client.phase is Phase.CLOSED


def test_a_connection_lost_behind_the_dot_is_in_doubt():
    client = ready()
    begin(client)
    client.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    client.outgoing()
    found = outcome(client.lost())
    assert (found.ending, found.phase) == (Ending.IN_DOUBT, Phase.DOT)


def test_a_dot_that_was_not_flushed_is_certain():
    client = ready()
    begin(client)
    client.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    client.outgoing()
    found = outcome(client.lost(flushed=False))
    assert (found.ending, found.phase) == (Ending.LOST, Phase.BODY)


def test_nonsense_behind_the_dot_is_in_doubt():
    for nonsense in (b"what?\r\n", b"354 more\r\n"):
        client = ready()
        begin(client)
        client.receive(b"250 a\r\n250 b\r\n354 c\r\n")
        client.outgoing()
        found = outcome(client.receive(nonsense))
        assert (found.ending, found.phase) == (Ending.IN_DOUBT, Phase.DOT)
        assert found.error


def test_a_connection_lost_while_idle_is_told():
    assert ready().lost() == [events.Disconnected(Phase.IDLE)]


# Large content


def large(client):
    begin(client, octets=b"a" * 70 + b"\r\n" + b"b" * (PIECE_OCTETS + 5) + b"\r\n")
    client.receive(b"250 a\r\n250 b\r\n354 c\r\n")


def test_large_content_goes_in_pieces_and_its_dot_apart():
    client = ready()
    large(client)
    assert client.phase is Phase.BODY
    pieces = [client.outgoing(), client.outgoing()]
    assert [len(piece) for piece in pieces] == [PIECE_OCTETS, 79]
    assert client.phase is Phase.BODY
    assert client.outgoing() == b".\r\n"
    assert client.phase is Phase.DOT
    assert client.outgoing() == b""
    assert outcome(client.receive(b"250 ok\r\n")).ending is Ending.ANSWERED


def test_a_connection_lost_in_the_middle_of_content_is_certain():
    client = ready()
    large(client)
    client.outgoing()
    found = outcome(client.lost())
    assert (found.ending, found.phase) == (Ending.LOST, Phase.BODY)


def test_a_refusal_in_the_middle_of_content_ends_it():
    client = ready()
    large(client)
    client.outgoing()
    found = client.receive(b"552 5.3.4 too big\r\n")
    result = outcome(found)
    assert (result.ending, result.phase, result.final.code, result.closing) == (Ending.REFUSED, Phase.BODY, 552, None)
    assert isinstance(found[-1], events.Closing)
    assert client.outgoing() == b""


def test_a_success_in_the_middle_of_content_is_nonsense_and_certain():
    client = ready()
    large(client)
    client.outgoing()
    assert outcome(client.receive(b"250 ok\r\n")).ending is Ending.BROKEN


# The end


def test_quit_is_answered_and_closes():
    client = ready()
    client.quit()
    assert client.outgoing() == b"QUIT\r\n"
    assert client.phase is Phase.QUIT
    assert client.receive(b"221 bye\r\n") == [events.Farewell(Reply(221, ("bye",)))]
    assert client.phase is Phase.CLOSED
    with pytest.raises(MisuseError):
        client.reset()


# Framing


@pytest.mark.parametrize(
    ("octets", "framed"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..\r\n.\r\n", b"...\r\n..\r\n.\r\n"),
        (b"\r\n.\r\n.\r\n", b"\r\n..\r\n..\r\n.\r\n"),
    ],
)
def test_dots_are_stuffed_and_one_is_final(octets, framed):
    assert frame(octets) == framed


# The conversation


def test_lines_are_kept_with_the_shells_instants_and_notes():
    client = ready()
    client.at(7)
    client.note("<TLS: TLSv1.3>")
    client.reset()
    client.at(9)
    client.receive(b"250-a\r\n250 b\r\n")
    said = [(each.at, str(each.side), each.text) for each in client.take_conversation()]
    assert said == [(7, "C", "<TLS: TLSv1.3>"), (7, "C", "RSET"), (9, "S", "250-a"), (9, "S", "250 b")]
