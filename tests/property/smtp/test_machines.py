"""What holds for any octets, any cutting and any conversation."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.address import AddressError, parse_mailbox
from postroad.wire.smtp import events, server_events
from postroad.wire.smtp.client import Client
from postroad.wire.smtp.content import ContentReader
from postroad.wire.smtp.errors import MisuseError
from postroad.wire.smtp.phase import Phase
from postroad.wire.smtp.replies import Reply, write_reply
from postroad.wire.smtp.server import Server
from postroad.wire.smtp.server_settings import ServerSettings
from postroad.wire.smtp.transaction import Ending, frame

QUESTIONS = (
    server_events.MailAsked,
    server_events.RecipientAsked,
    server_events.MessageAsked,
    server_events.LoginAsked,
)
LINE_ENDS = ["\n", "\r", "\r\n", "\r\r\n", "\n\r", "\0\r\n", "\r\n\0", "\x0b", "\x0c", "\x85", ""]


def cuttings(octets, points):
    ends = sorted({min(point, len(octets)) for point in points} | {0, len(octets)})
    return [octets[start:end] for start, end in itertools.pairwise(ends)]


cuts = st.lists(st.integers(0, 400), max_size=12)


# The same octets, however they are cut

server_lines = st.sampled_from(
    [
        b"250 2.0.0 ok\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
        b"220 go\n",
        b"354 on\r\n",
        b"421 4.3.2 bye\r\n",
        b"550 5.1.1 no\r\n",
        b"451 later\r\n",
        b"250-a\r\n550 b\r\n",
        b"nonsense\r\n",
        b"250 \x00\r\n",
        b"2",
    ]
)


def drive_client(pieces):
    """Answer each event with the verb that naturally follows, and keep all that is seen."""
    client = Client()
    seen, written = [], b""
    for piece in pieces:
        found = client.receive(piece)
        while found:
            seen += found
            found = follow(client, found[-1])
        while octets := client.outgoing():
            written += octets
    seen += client.lost()
    return seen, written, client.take_conversation()


def follow(client, event):
    match event:
        case events.Greeted():
            return client.hello("us.example")
        case events.Ready() if client.extensions.starttls:
            return client.start_tls()
        case events.Ready() | events.TransactionEnded() if client.phase is Phase.IDLE:
            return client.transaction("a@example.org", ["b@example.org", "c@example.org"], b"x\r\n.\r\n")
    return []


@given(st.lists(server_lines, max_size=14).map(b"".join), cuts)
def test_any_cutting_of_a_servers_octets_gives_a_client_the_same_events(octets, points):
    # replies may come before what they answer only in one piece, so the whole is fed line by line and octet by octet
    whole = b"220 mx\r\n" + octets
    lines = drive_client(whole.splitlines(keepends=True))
    single = drive_client([whole[at : at + 1] for at in range(len(whole))])
    assert lines == single


@given(
    st.lists(
        st.sampled_from([b"250 a\r\n", b"550-5.1.1 b\r\n550 5.1.1 c\r\n", b"354 d\r\n", b"421 e\r\n", b"x\r\n"]),
        max_size=8,
    ).map(b"".join),
    cuts,
)
def test_any_cutting_of_answers_to_a_pipelined_group_gives_the_same_events(octets, points):
    def run(pieces):
        client = Client()
        client.receive(b"220 mx\r\n")
        client.hello("us.example")
        client.receive(b"250-mx\r\n250 PIPELINING\r\n")
        client.transaction("a@example.org", ["b@example.org", "c@example.org"], b"x\r\n")
        return [event for piece in pieces for event in client.receive(piece)] + client.lost()

    assert run([octets]) == run(cuttings(octets, points))


client_lines = st.sampled_from(
    [
        b"EHLO us\r\n",
        b"MAIL FROM:<a@example.org>\r\n",
        b"RCPT TO:<b@example.org>\r\n",
        b"DATA\r\n",
        b"Subject: a\r\n\r\n..b\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"AUTH LOGIN\r\n",
        b"dXNlcg==\r\n",
        b"QUIT\r\n",
        b".",
        b"\r",
        b"\n",
        b"x" * 40,
    ]
)


def drive_server(pieces):
    server = Server(
        ServerSettings("mx", starttls=True, login=True, login_in_plaintext=True, message_octets=60, command_octets=100)
    )
    seen = []
    for piece in pieces:
        found = server.receive(piece)
        while found:
            seen += found
            found = server.accept() if isinstance(found[-1], QUESTIONS) else []
    return seen, server.outgoing()


def merged(found):
    """Join neighbouring pieces of content, whose cutting has no meaning; a handshake is where cutting may matter."""
    result = []
    for event in found:
        if isinstance(event, server_events.ContentPiece) and result and isinstance(result[-1], bytes):
            result[-1] += event.octets
        elif isinstance(event, server_events.ContentPiece):
            result.append(event.octets)
        else:
            result.append(event)
    return result


@given(st.lists(client_lines.filter(lambda line: line != b"STARTTLS\r\n"), max_size=20).map(b"".join), cuts)
def test_any_cutting_of_a_clients_octets_gives_a_server_the_same_events(octets, points):
    octets = b"EHLO us\r\n" + octets
    whole, said = drive_server([octets])
    for pieces in (cuttings(octets, points), [octets[at : at + 1] for at in range(len(octets))]):
        found, answered = drive_server(pieces)
        assert merged(found) == merged(whole)
        assert answered == said


# Every cut of whole sessions: what the server says to one verb comes in one chunk, as replies to a pipelined group do

CHUNKS = {
    "pipelined": [
        b"220 mx.example ESMTP\r\n",
        b"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 9999\r\n250 ENHANCEDSTATUSCODES\r\n",
        b"250 2.1.0 ok\r\n250-2.1.5 so\r\n250 2.1.5 far\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354 go ahead\r\n",
        b"250-2.0.0 queued\r\n250 2.0.0 as 4711\r\n",
        b"250 2.1.0 ok\r\n450 4.2.0 later\r\n451 4.3.0 later\r\n554 5.5.1 no valid recipients\r\n",
        b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n421 4.3.2 closing\r\n421 4.3.2 closing\r\n",
    ],
    "one by one": [
        b"220 mx.example ESMTP\r\n",
        b"250-mx.example\r\n250 8BITMIME\r\n",
        b"250 2.1.0 ok\r\n",
        b"550 5.1.1 no\r\n",
        b"250-2.1.5 so\r\n250 2.1.5 far\r\n",
        b"354 go ahead\r\n",
        b"452 4.3.1 no room\r\n",
        b"250 2.1.0 ok\r\n",
        b"nonsense\r\n",
    ],
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_a_client_gives_the_same_wherever_a_session_is_cut(chunks):
    whole = drive_client(chunks)
    assert sum(isinstance(event, events.TransactionEnded) for event in whole[0]) >= 2
    for at, chunk in enumerate(chunks):
        for place in range(1, len(chunk)):
            assert drive_client([*chunks[:at], chunk[:place], chunk[place:], *chunks[at + 1 :]]) == whole


def test_a_server_gives_the_same_wherever_a_session_is_cut():
    envelope = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<nonsense\r\nDATA\r\n"
    login = b"AUTH LOGIN\r\ndXNlcg==\r\nd29yZA==\r\n"
    octets = b"EHLO us\r\n" + login + envelope + b"A: b\r\n\r\n..c\r\n.\r\n" + envelope + b"\r\n" * 40 + b".\r\n"
    octets += b"NOOP\r\nVRFY x\r\nRSET\r\n" + b"x" * 120 + b"\r\nQUIT\r\n"
    whole, said = drive_server([octets])
    assert sum(isinstance(event, server_events.MessageAsked) for event in whole) >= 1
    for place in range(1, len(octets)):
        found, answered = drive_server([octets[:place], octets[place:]])
        assert (merged(found), answered) == (merged(whole), said)


@given(st.lists(client_lines, min_size=1, max_size=6).map(b"".join), cuts)
def test_whatever_comes_behind_starttls_changes_nothing(octets, points):
    for pieces in ([b"EHLO us\r\nSTARTTLS\r\n" + octets], [b"EHLO us\r\nSTARTTLS\r\n", *cuttings(octets, points)]):
        found, _ = drive_server(pieces)
        assert isinstance(found[-1], server_events.Finished)
        assert not any(isinstance(event, QUESTIONS) for event in found)


@given(st.binary(max_size=300), cuts)
def test_any_octets_leave_both_machines_standing(octets, points):
    pieces = cuttings(octets, points)
    drive_client(pieces)
    drive_client([b"220 mx\r\n", b"250-mx\r\n250 PIPELINING\r\n", *pieces])
    drive_server(pieces)
    drive_server([b"EHLO us\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n", *pieces])


# Dots

bodies = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"a", b"\xff", b". ", b"a" * 50]), max_size=12).map(
    b"\r\n".join
)


@given(bodies)
def test_content_has_one_end_and_it_is_at_the_end(octets):
    framed = b"\r\n" + frame(octets)
    assert framed.count(b"\r\n.\r\n") == 1
    assert framed.endswith(b"\r\n.\r\n")
    assert framed.count(b"\r") == framed.count(b"\n") == framed.count(b"\r\n")


@given(bodies, cuts)
def test_dots_survive_the_road(octets, points):
    reader = ContentReader()
    read = [reader.feed(piece) for piece in cuttings(frame(octets) + b"QUIT\r\n", points) if piece]
    read = read[: next(index for index, piece in enumerate(read) if piece.ended) + 1]
    expected = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    assert b"".join(piece.octets for piece in read) == expected


@given(st.binary(max_size=60) | st.text("\r\n.a\0", max_size=40).map(str.encode))
def test_a_lax_receiver_gets_exactly_one_message(octets):
    """A receiver that takes CR, LF and CRLF alike for a line end finds one end of data only, at the end (T2)."""
    try:
        framed = frame(octets)
    except MisuseError:
        lone = octets.replace(b"\r\n", b"")
        assert b"\r" in lone or b"\n" in lone
        return
    lines = framed.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert lines.index(b".") == len(lines) - 2


# Smuggling into us (T1)

PROBES = [
    f"{before}.{after}"
    for before in LINE_ENDS
    for after in LINE_ENDS
    if "\r\n.\r\n" not in f"{before}.{after}"  # that is the end, whatever stands around it
]


@pytest.mark.parametrize("probe", PROBES)
def test_only_crlf_dot_crlf_ends_content(probe):
    smuggled = f"a{probe}MAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nb\r\n.\r\n".encode("latin-1")
    octets = b"EHLO us\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n" + smuggled
    for pieces in ([octets], *([octets[:at], octets[at:]] for at in range(1, len(octets)))):
        found, said = drive_server(pieces)
        asked = [event for event in found if isinstance(event, server_events.MessageAsked)]
        if "\r" in probe.replace("\r\n", "") or "\n" in probe.replace("\r\n", ""):
            assert not asked
            assert said.endswith(b"550 5.5.2 Bare CR or LF in content\r\n")
        else:
            assert len([event for event in found if isinstance(event, server_events.MailAsked)]) == 1


# Commands cannot hide in addresses or names (T4)

hostile = st.text(st.sampled_from('ab.@<>"\\ \r\n\0\t:,;()[]ü\u2028\x7f') | st.characters(), max_size=40)


@given(hostile, hostile)
def test_any_address_gives_one_command_or_none(sender, recipient):
    client = Client()
    client.receive(b"220 mx\r\n")
    client.hello("us.example")
    client.receive(b"250-mx\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
    client.outgoing()
    try:
        client.transaction(sender, [recipient], b"", smtputf8=True)
    except MisuseError:
        assert client.outgoing() == b""
        for address in filter(None, (sender, recipient)):
            try:
                parse_mailbox(address)
            except AddressError:
                return
        assert not recipient
        return
    lines = client.outgoing().split(b"\r\n")
    assert [line[:4] for line in lines] == [b"MAIL", b"RCPT", b"DATA", b""]
    assert all(line.isascii() is False or line.decode().isprintable() for line in lines)


# A client and a server, in memory

answers = st.one_of(
    st.none(), st.sampled_from([Reply(450, ("4.2.0 later",)), Reply(550, ("5.1.1 no",)), Reply(421, ("4.3.2 bye",))])
)
transactions = st.lists(
    st.tuples(bodies, st.integers(1, 4), st.lists(answers, min_size=6, max_size=6)), min_size=1, max_size=4
)


@given(transactions, st.booleans(), cuts)
def test_a_client_and_a_server_agree_on_what_was_delivered(script, pipelining, points):
    client, server = Client(), Server(ServerSettings("mx.example"))
    taken = []
    delivered = []
    decisions = iter(())
    current = []
    follow_ups = []

    def serve(octets):
        found = server.receive(octets)
        while found:
            current.extend(event.octets for event in found if isinstance(event, server_events.ContentPiece))
            if any(isinstance(event, server_events.ContentBegins) for event in found):
                current.clear()
            last = found[-1]
            if not isinstance(last, QUESTIONS):
                return
            refusal = next(decisions)
            if isinstance(last, server_events.MessageAsked) and refusal is None:
                taken.append(b"".join(current))
            found = server.accept() if refusal is None else server.refuse(refusal)

    def talk():
        found = []
        while True:
            up = client.outgoing()
            for piece in cuttings(up, points) if up else ():
                serve(piece)
            down = server.outgoing()
            if not pipelining:
                down = down.replace(b"250-PIPELINING\r\n", b"")
            for piece in cuttings(down, points) if down else ():
                found += client.receive(piece)
            if any(isinstance(event, events.Greeted) for event in found) and not follow_ups:
                follow_ups.append(client.hello("us.example"))
                continue
            if not up and not down:
                return found

    assert isinstance(talk()[-1], events.Ready)
    for octets, recipients, verdicts in script:
        if client.phase is Phase.CLOSED:
            break
        decisions = iter(verdicts)
        found = client.transaction("a@example.org", [f"b{number}@example.org" for number in range(recipients)], octets)
        found += talk()
        (outcome,) = [event.outcome for event in found if isinstance(event, events.TransactionEnded)] or [None]
        if outcome is None or outcome.ending is Ending.EIGHT_BIT_MISSING:
            continue
        if outcome.ending is Ending.ANSWERED and outcome.final.category == 2:
            delivered.append(octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n")
    assert delivered == taken


@given(st.integers(200, 599), st.lists(st.text(), min_size=1, max_size=3))
def test_a_written_reply_is_one_reply(code, lines):
    reply = Reply(code, tuple(lines))
    try:
        octets = write_reply(reply)
    except (MisuseError, UnicodeEncodeError):
        return
    assert octets.count(b"\n") == octets.count(b"\r\n") == len(lines)
