"""The providers that ship, each a domain; their words are those that the real ones use."""

from collections.abc import Iterator
from typing import Final

from postroad.simulator.personality import At, End, Move, Names, Personality, Returns, Tls, Wire

EVERYBODY: Final = Personality(domain="everybody.test", says="Takes everything; so does any domain not listed here.")

_GMAIL_RATE: Final = (
    "421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP address. To "
    "protect our|users from spam, mail sent from your IP address has been temporarily rate limited."
)
_S3140: Final = (
    "550 5.7.1 Unfortunately, messages from [127.0.0.1] weren't sent. Please contact your Internet service provider "
    "since part of their network is on our block list (S3140)."
)
_TSS04: Final = (
    "421 4.7.0 [TSS04] Messages from 127.0.0.1 temporarily deferred due to unexpected volume or user complaints - "
    "4.16.55.1; see https://postmaster.yahooinc.com/error-codes"
)
_UNKNOWN: Final = "550 5.1.1 Recipient address rejected: User unknown"


def _simple(domain: str, says: str, at: At, move: Move) -> Personality:
    return Personality(domain=domain, says=says, moves={at: move})


def _throttling() -> Iterator[Personality]:
    yield _simple(
        "greylist.test",
        "Greylists: defers the first attempt of each message with 450, takes the second.",
        At.RCPT,
        Move(reply="450 4.2.0 Recipient address rejected: Greylisted, please try again later", first=1),
    )
    yield Personality(
        domain="gmail.test",
        says="Takes ten messages a minute, and answers more with 421 4.7.28, as Gmail does. Its hosts are Gmail's.",
        moves={At.MAIL: Move(reply=_GMAIL_RATE, beyond_a_minute=10)},
        hosts=("gmail-smtp-in.l.google.com",),
    )
    yield Personality(
        domain="outlook.test",
        says="Blocks us for our network: 550 5.7.1 (S3140), as Outlook.com does. Its hosts are Outlook.com's.",
        moves={At.MAIL: Move(reply=_S3140)},
        hosts=("outlook-com.olc.protection.outlook.com",),
    )
    yield Personality(
        domain="hotmail.test",
        says="Blocks us for our address: 550 5.7.1 (S3150), as Outlook.com does. Its hosts are Outlook.com's.",
        moves={At.MAIL: Move(reply=_S3140.replace("S3140", "S3150"))},
        hosts=("hotmail-com.olc.protection.outlook.com",),
    )
    yield Personality(
        domain="yahoo.test",
        says="Defers the first two attempts of each message with 421 [TSS04], as Yahoo does. Its hosts are Yahoo's.",
        moves={At.MAIL: Move(reply=_TSS04, first=2)},
        hosts=("mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"),
    )


def _refusing() -> Iterator[Personality]:
    yield _simple(
        "full.test", "Every mailbox is full: 452 4.2.2.", At.RCPT, Move(reply="452 4.2.2 The recipient is over quota")
    )
    yield _simple("unknown.test", "Knows no recipient: 550 5.1.1 at RCPT.", At.RCPT, Move(reply=_UNKNOWN))
    yield _simple(
        "unknown-data.test", "Knows no recipient, and says so behind the content only.", At.DOT, Move(reply=_UNKNOWN)
    )
    yield _simple(
        "blocked.test",
        "Finds our address on a block list: 554 5.7.1.",
        At.RCPT,
        Move(reply="554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.dnsbl.test"),
    )
    yield _simple(
        "turned-away.test",
        "Turns us away at the greeting: 554.",
        At.BANNER,
        Move(reply="554 5.7.1 No SMTP service for you here", end=End.CLOSE),
    )
    yield _simple(
        "spam.test",
        "Takes everything for spam: 554 5.7.1 behind the content.",
        At.DOT,
        Move(reply="554 5.7.1 Message rejected as spam by content filter"),
    )
    yield _simple(
        "deferred.test",
        "Defers every attempt: 451 4.3.0, so that mail expires.",
        At.RCPT,
        Move(reply="451 4.3.0 Temporary server error. Please try again later"),
    )
    yield _simple(
        "full-disk.test",
        "Has no room: 452 4.3.1 at DATA.",
        At.DATA,
        Move(reply="452 4.3.1 Insufficient system storage"),
    )
    yield _simple(
        "flaky.test",
        "Defers one attempt of five, at random.",
        At.RCPT,
        Move(reply="451 4.3.2 Please try again later", share=0.2),
    )
    yield Personality(domain="small.test", says="Takes messages up to 1000 octets only.", message_octets=1000)


def _broken() -> Iterator[Personality]:
    yield Personality(
        domain="slow.test",
        says="Waits two seconds before each of its answers.",
        moves={at: Move(wait_s=2.0) for at in (At.BANNER, At.EHLO, At.MAIL, At.RCPT, At.DOT)},
    )
    yield Personality(domain="tarpit.test", says="Writes one octet a second.", trickle_s=1.0, tls=Tls.ABSENT)
    yield _simple("silent.test", "Never says a word.", At.BANNER, Move(end=End.SILENCE))
    yield Personality(
        domain="blackhole.test", says="Connections are neither made nor refused.", wire=Wire.SWALLOWS, tls=Tls.ABSENT
    )
    yield Personality(domain="refused.test", says="Refuses connections.", wire=Wire.REFUSES, tls=Tls.ABSENT)
    yield Personality(domain="broken-tls.test", says="Offers STARTTLS, and breaks the handshake.", tls=Tls.BROKEN)
    yield Personality(domain="no-tls.test", says="Takes everything, without TLS.", tls=Tls.ABSENT)
    yield _simple("garbage.test", "Speaks no SMTP.", At.BANNER, Move(reply="HTTP/1.1 400 Bad Request", end=End.CLOSE))
    for at in (At.BANNER, At.EHLO, At.MAIL, At.RCPT, At.DATA, At.BODY, At.DOT, At.QUIT):
        wait_s = 0.1 if at is At.BANNER else 0.0  # sooner, and the connection would seem not to have been made
        close, reset = Move(end=End.CLOSE, wait_s=wait_s), Move(end=End.RESET, wait_s=wait_s)
        yield _simple(f"close-{at}.test", f"Closes the connection at {at} (FIN).", at, close)
        yield _simple(f"reset-{at}.test", f"Resets the connection at {at} (RST).", at, reset)
    yield _simple(
        "lost-reply.test",
        "Takes the message, and loses the connection before it says so.",
        At.TAKEN,
        Move(end=End.CLOSE),
    )


def _unnamed() -> Iterator[Personality]:
    yield Personality(domain="null-mx.test", says="Takes no mail, and says so in DNS (null MX).", names=Names.NULL_MX)
    yield Personality(domain="absent.test", says="Does not exist: NXDOMAIN.", names=Names.ABSENT)
    yield Personality(domain="servfail.test", says="Its name servers fail: SERVFAIL.", names=Names.FAILS)
    yield Personality(domain="dns-timeout.test", says="Its name servers do not answer.", names=Names.SILENT)


def _returning() -> Iterator[Personality]:
    for dialect in (Returns.POSTFIX, Returns.EXIM, Returns.EXCHANGE, Returns.QMAIL):
        yield Personality(
            domain=f"late-{dialect}.test",
            says=f"Takes the message, and bounces it later in the dialect of {dialect.capitalize()}.",
            returns=dialect,
        )
    yield Personality(
        domain="complaint.test",
        says="Takes the message, and sends a complaint (ARF) later.",
        returns=Returns.COMPLAINT,
    )
    yield Personality(
        domain="out-of-office.test",
        says="Takes the message, and sends an automatic reply later.",
        returns=Returns.AUTO_REPLY,
    )


PROVIDERS: Final = (EVERYBODY, *_throttling(), *_refusing(), *_broken(), *_unnamed(), *_returning())
"""All of them; the place in this list is that of the address."""
