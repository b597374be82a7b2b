"""Against aiosmtpd, which nobody here wrote."""

import asyncio
import email

from aiosmtpd.smtp import SMTP

from postroad.model.route import RelayRoute, Security


class Sink:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name is aiosmtpd's
        self.envelopes.append(envelope)
        return "250 2.0.0 taken"


async def test_an_independent_server_gets_exactly_what_was_composed(make, message):
    sink = Sink()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(sink, enable_SMTPUTF8=True), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    route = RelayRoute("independent", "127.0.0.1", port, Security.OPPORTUNISTIC)
    bodies = [
        b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
        b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 20_000,
        "Subject: grüße\r\n\r\nü\r\n".encode(),
    ]
    deliverer = make()
    for octets in bodies:
        found = await deliverer.deliver(route, message("bü@d.test", octets, smtputf8=True))
        assert found.delivered, found
        assert found.reply is not None
        assert found.reply.text == "taken"
    assert [envelope.content for envelope in sink.envelopes] == bodies
    assert {envelope.rcpt_tos[0] for envelope in sink.envelopes} == {"bü@d.test"}
    assert email.message_from_bytes(sink.envelopes[0].content)["Subject"] == "dots"
    await deliverer.drain()
    listening.close()
    await listening.wait_closed()
