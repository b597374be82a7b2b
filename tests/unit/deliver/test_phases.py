"""What a peer does in each phase becomes the facts that semantics ask for."""

import pytest

from postroad.model.attempt import Phase, SmtpReply, Trouble
from postroad.model.clock import to_rfc3339
from postroad.model.route import MxRoute

ROUTE = MxRoute("d.test")
SHORT = dict.fromkeys(["banner_s", "ehlo_s", "tls_s", "auth_s", "mail_s", "rcpt_s", "data_s", "block_s", "dot_s"], 0.25)
STARTTLS = "250-fake\r\n250-PIPELINING\r\n250 STARTTLS"


async def attempt(make, message, **changes):
    return await make(**changes).deliver(ROUTE, message())


async def test_a_message_is_delivered(make, server, message):
    found = await attempt(make, message)
    assert found.delivered
    assert found.reply == SmtpReply(250, "queued", "2.0.0")
    assert (found.route, found.site, found.mx, found.ip, found.port) == (
        "mx",
        "mx.test",
        "mx.test",
        "127.0.0.1",
        server.port,
    )
    assert server.messages == [b"Subject: a\r\n\r\n..b\r\n.\r\n"]
    said = [f"{line.side}: {line.text}" for line in found.conversation]
    assert said[0] == "S: 220 fake"
    assert "C: MAIL FROM:<a@us.example> SIZE=18" in said
    assert said[-2:] == ["C: .", "S: 250 2.0.0 queued"]
    assert all(0 <= line.at_ms < 5000 for line in found.conversation)


@pytest.mark.parametrize(
    ("where", "phase"),
    [("EHLO", Phase.EHLO), ("MAIL", Phase.MAIL), ("RCPT", Phase.RCPT), ("DATA", Phase.DATA), ("BANNER", Phase.BANNER)],
)
@pytest.mark.parametrize(
    ("how", "trouble"), [("close", Trouble.CLOSED), ("rst", Trouble.CLOSED), ("stall", Trouble.TIMEOUT)]
)
async def test_losing_the_peer_before_the_content_is_certain(make, server, message, where, phase, how, trouble):
    server.script[where] = how
    found = await attempt(make, message, timeouts=SHORT)
    assert (found.phase, found.trouble, found.reply) == (phase, trouble, None)
    assert not found.in_doubt
    assert found.detail


@pytest.mark.parametrize(
    ("how", "trouble"), [("close", Trouble.CLOSED), ("rst", Trouble.CLOSED), ("stall", Trouble.TIMEOUT)]
)
async def test_losing_the_peer_behind_the_dot_is_in_doubt(make, server, message, how, trouble):
    server.script["DOT"] = how
    found = await attempt(make, message, timeouts=SHORT)
    assert (found.phase, found.trouble, found.reply) == (Phase.DOT, trouble, None)
    assert found.in_doubt


@pytest.mark.parametrize(
    ("how", "trouble"), [("close", Trouble.CLOSED), ("rst", Trouble.CLOSED), ("stall", Trouble.TIMEOUT)]
)
async def test_losing_the_peer_in_the_middle_of_content_is_certain(make, server, message, how, trouble):
    server.script["EHLO"] = "250-fake\r\n250 PIPELINING"
    server.script["MIDBODY"] = how
    large = message(octets=(b"x" * 998 + b"\r\n") * 30_000)
    found = await make(timeouts=SHORT).deliver(ROUTE, large)
    assert (found.phase, found.trouble) == (Phase.BODY, trouble)
    assert not found.in_doubt
    assert not server.messages


@pytest.mark.parametrize(
    ("where", "phase"),
    [("EHLO", Phase.EHLO), ("MAIL", Phase.MAIL), ("RCPT", Phase.RCPT), ("DATA", Phase.DATA), ("DOT", Phase.DOT)],
)
@pytest.mark.parametrize("answer", ["451 4.3.0 later", "421 4.3.2 busy", "DROP:421 4.3.2 busy", "550 5.7.1 no"])
async def test_a_refusal_is_the_deciding_reply(make, server, message, where, phase, answer):
    server.script[where] = answer
    server.script["HELO"] = answer
    found = await attempt(make, message)
    assert (found.phase, found.trouble) == (phase, None)
    assert found.reply is not None
    assert str(found.reply.code) in answer
    assert not found.in_doubt


@pytest.mark.parametrize("answer", ["554 5.7.1 no", "421 4.3.2 busy", "DROP:450 later"])
async def test_a_refusing_banner_is_the_reply_once_every_host_refused(make, names, server, message, answer):
    names.records["d.test", "MX"] = ["10 mx.test.", "20 mx2.test."]
    names.records["mx2.test", "A"] = ["127.0.0.1"]
    server.script["BANNER"] = answer
    found = await attempt(make, message)
    assert (found.phase, found.mx) == (Phase.BANNER, "mx2.test")
    assert found.reply is not None
    assert server.connections == 2


@pytest.mark.parametrize(
    ("where", "phase"), [("BANNER", Phase.BANNER), ("MAIL", Phase.MAIL), ("DATA", Phase.DATA), ("DOT", Phase.DOT)]
)
async def test_nonsense_is_a_protocol_trouble(make, server, message, where, phase):
    server.script[where] = "HTTP/1.1 400 Bad Request"
    found = await attempt(make, message)
    assert (found.phase, found.trouble) == (phase, Trouble.PROTOCOL)
    assert found.in_doubt == (phase is Phase.DOT)


async def test_helo_follows_a_refused_ehlo(make, server, message):
    server.script["EHLO"] = "500 what"
    assert (await attempt(make, message)).delivered


async def test_a_refused_port_is_told(make, names, message):
    found = await attempt(make, message, mx_port=1)
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.REFUSED)
    assert found.ip == "127.0.0.1"


async def test_an_unreachable_address_is_told(make, names, message):
    names.records["mx.test", "A"] = ["255.255.255.255"]
    found = await attempt(make, message)
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.UNREACHABLE)


async def test_a_peer_that_does_not_answer_a_connection_times_out(make, message, unanswering_port):
    found = await attempt(make, message, mx_port=unanswering_port, timeouts={"connect_s": 0.2})
    assert (found.phase, found.trouble) == (Phase.CONNECT, Trouble.TIMEOUT)


# What this server cannot take


async def test_what_the_server_cannot_take_is_told_and_not_sent(make, server, message):
    deliverer = make()
    server.script["EHLO"] = "250-fake\r\n250 SIZE 10"
    found = await deliverer.deliver(ROUTE, message())
    assert (found.phase, found.trouble) == (Phase.MAIL, Trouble.TOO_LARGE)
    found = await deliverer.deliver(ROUTE, message("ü@d.test", b"a\r\n", smtputf8=True))
    assert found.trouble is Trouble.SMTPUTF8_UNSUPPORTED
    found = await deliverer.deliver(ROUTE, message(octets=b"\xff\r\n"))
    assert found.trouble is Trouble.SMTPUTF8_UNSUPPORTED
    assert "8BITMIME" in found.detail
    assert not server.messages
    assert server.connections == 1


# Before the dot


async def test_a_message_can_be_taken_back_before_its_content(make, server, message):
    asked = []
    found = await make().deliver(ROUTE, message(), before_dot=lambda: asked.append(1) is not None)
    assert (found.phase, found.trouble) == (Phase.BODY, Trouble.HANDED_BACK)
    assert asked == [1]
    assert not server.messages


async def test_before_the_dot_is_asked_once_for_a_large_message(make, server, message):
    asked = []
    large = message(octets=(b"x" * 98 + b"\r\n") * 9000)
    found = await make().deliver(ROUTE, large, before_dot=lambda: not asked.append(1))
    assert found.delivered
    assert asked == [1]


# TLS


async def test_tls_is_used_where_it_is_offered(make, server, message):
    server.script["EHLO"] = STARTTLS
    found = await attempt(make, message)
    assert found.delivered
    assert found.tls is not None
    assert found.tls.version.startswith("TLSv1")
    assert not found.tls.verified
    assert [command for command in server.commands if command.startswith("EHLO")] == ["EHLO us.example"] * 2


async def test_a_refused_starttls_is_done_without(make, server, message):
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = "454 4.7.0 not now"
    found = await attempt(make, message)
    assert found.delivered
    assert found.tls is None
    assert server.connections == 1


@pytest.mark.parametrize("how", ["close", "rst", "stall", "220 nonsense follows"])
async def test_broken_tls_is_done_without_on_a_new_connection_and_remembered(make, server, message, how):
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = how
    if how.startswith("220"):
        server.certificate = ("/nonexistent", "/nonexistent")
    deliverer = make(timeouts=SHORT, messages_per_connection=1)
    found = await deliverer.deliver(ROUTE, message())
    assert found.delivered
    assert found.tls is None
    assert server.connections == 2
    (passed,) = found.passed
    assert (passed.host, passed.ip, passed.phase) == ("mx.test", "127.0.0.1", Phase.STARTTLS)
    assert (found.tls_broken.detail, found.tls_broken.since) == (passed.detail, to_rfc3339(found.started_at))
    again = await deliverer.deliver(ROUTE, message())
    assert again.delivered
    assert server.connections == 3
    assert (again.tls_broken, again.passed) == (found.tls_broken, ())


async def test_what_is_injected_behind_the_consent_to_starttls_is_never_believed(make, server, message):
    server.script["EHLO"] = STARTTLS
    server.script["STARTTLS"] = "220 go\r\n250-fake\r\n250 AUTH PLAIN"
    found = await attempt(make, message)
    assert (found.phase, found.trouble) == (Phase.STARTTLS, Trouble.PROTOCOL)
    assert not server.messages
