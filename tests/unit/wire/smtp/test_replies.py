import pytest

from postroad.wire.smtp.errors import MisuseError, PeerError
from postroad.wire.smtp.extensions import Extensions, read_extensions, write_extensions
from postroad.wire.smtp.replies import LINE_OCTETS, Reply, ReplyReader, write_reply


def read(octets):
    reader = ReplyReader()
    reader.feed(octets)
    found = []
    while (reply := reader.next()) is not None:
        found.append(reply)
    return found


def test_a_reply_of_one_line():
    (reply,) = read(b"250 2.1.0 Ok\r\n")
    assert (reply.code, reply.category, str(reply.enhanced), reply.text) == (250, 2, "2.1.0", "Ok")


def test_a_reply_of_many_lines_is_joined_without_its_enhanced_codes():
    (reply,) = read(b"550-5.1.1 No\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n")
    assert reply.lines == ("5.1.1 No", "5.1.1 such", "5.1.1 user")
    assert reply.text == "No such user"
    assert str(reply) == "550 5.1.1 No 5.1.1 such 5.1.1 user"


def test_several_replies_come_one_after_another():
    assert [reply.code for reply in read(b"250 a\r\n354 b\r\n")] == [250, 354]


def test_a_lone_lf_ends_a_line_and_a_code_may_stand_alone():
    assert read(b"250-a\n250\n") == [Reply(250, ("a", ""))]


def test_an_incomplete_reply_waits():
    reader = ReplyReader()
    assert not reader.pending
    reader.feed(b"250-a\r\n")
    assert reader.next() is None
    assert reader.pending
    reader.feed(b"250 ")
    assert reader.next() is None
    reader.feed(b"b\r\n")
    assert reader.next() == Reply(250, ("a", "b"))
    assert not reader.pending


def test_an_enhanced_code_of_another_class_is_none():
    assert Reply(550, ("4.7.1 odd",)).enhanced is None


def test_controls_and_broken_utf8_are_made_safe_to_show():
    (reply,) = read(b"550 \x1b[31m\xff\ta\xc3\xa9\r\n")
    assert reply.text == "\ufffd[31m\ufffd a\u00e9"


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"25 a\r\n",
        b"150 a\r\n",
        b"650 a\r\n",
        b"250a\r\n",
        b"250 a\x00b\r\n",
        b"250 a\rb\r\n",
        b"250 a\r\r\n",
        b"250-a\r\n550 b\r\n",
        b"250 " + b"a" * LINE_OCTETS + b"\r\n",
        b"a" * (LINE_OCTETS + 1),
        b"250-" + b"a" * 4000 + b"\r\n" + b"250-aaaa\r\n" * 7000,
    ],
)
def test_what_is_no_reply_is_the_peers_error(octets):
    with pytest.raises(PeerError):
        read(octets)


def test_a_reply_is_written_as_it_is_read():
    reply = Reply(250, ("mx.example", "SIZE 10", "HELP"))
    octets = write_reply(reply)
    assert octets == b"250-mx.example\r\n250-SIZE 10\r\n250 HELP\r\n"
    assert read(octets) == [reply]


@pytest.mark.parametrize("reply", [Reply(199), Reply(600), Reply(250, ("a\r\n250 b",)), Reply(250, ("a", "\x00"))])
def test_a_reply_that_could_be_two_is_never_written(reply):
    with pytest.raises(MisuseError):
        write_reply(reply)


def test_extensions_are_read_whatever_their_case_and_order():
    reply = Reply(
        250,
        (
            "mx.example PIPELINING",
            "size 1000",
            "AUTH=LOGIN PLAIN",
            "auth plain XOAUTH2",
            "8bitmime",
            "SmtpUTF8",
            "StartTLS",
            "ENHANCEDSTATUSCODES",
            "DSN",
            "CHUNKING",
            "",
        ),
    )
    assert read_extensions(reply) == Extensions(
        eight_bit_mime=True,
        smtputf8=True,
        starttls=True,
        enhanced_status_codes=True,
        dsn=True,
        size_offered=True,
        size=1000,
        auth=frozenset({"PLAIN", "LOGIN", "XOAUTH2"}),
        others=frozenset({"CHUNKING"}),
    )


@pytest.mark.parametrize("line", ["SIZE", "SIZE 0", "SIZE x", "SIZE 1 2", "SIZE ٣", "SIZE " + "9" * 21])
def test_a_size_without_a_limit_is_offered_and_unlimited(line):
    extensions = read_extensions(Reply(250, ("mx", line)))
    assert extensions.size_offered
    assert extensions.size is None


@pytest.mark.parametrize(
    "extensions",
    [
        Extensions(),
        Extensions(pipelining=True, size_offered=True, size=5, auth=frozenset({"PLAIN", "LOGIN"})),
        Extensions(size_offered=True, others=frozenset({"HELP", "CHUNKING"})),
    ],
)
def test_extensions_are_written_as_they_are_read(extensions):
    assert read_extensions(Reply(250, ("mx", *write_extensions(extensions)))) == extensions
