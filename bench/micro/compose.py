"""Where the microseconds of stage 2 go: run `python -m bench.micro.compose`.

One line per step, for the message of `bench.mail` (5 to 6 KB): the best of several rounds, on one core. DKIM without
the signature is what canonicalising and hashing cost beside RSA; `compose` is the whole of it, from stored content to
octets.
"""

from __future__ import annotations

import hashlib
import timeit
from collections.abc import Callable

from bench import mail
from postroad.model.clock import Instant
from postroad.model.composition import Composed, ComposeJob, SigningKey
from postroad.model.message import Content, Party, encode_content
from postroad.pipeline.compose import KeyRing, compose, plain_text
from postroad.wire import dkim, mime, parse
from postroad.wire.address import parse_address, parse_mailbox
from postroad.wire.dkim.canonical import relaxed_body

ROUNDS = 7
AT = Instant(1_700_000_000_000_000)


def measure(name: str, work: Callable[[], object], number: int = 500) -> float:
    """Print and return the best time of one call in microseconds."""
    best = min(timeit.repeat(work, number=number, repeat=ROUNDS)) / number * 1e6
    print(f"{name:<42}{best:>9.1f} µs")
    return best


def job(signers: tuple[str, ...], *, text: str | None, html: str) -> ComposeJob:
    """A job for one recipient."""
    sender = parse_address(mail.SENDER)
    content = Content(
        sender=Party(sender.mailbox.address, sender.name),
        to=(Party("order-0000001@sink.test"),),
        subject="Your order 0000001",
        html=html,
        text=text,
    )
    return ComposeJob(
        message_id="msg_01k0abcdefghjkmnpqrstvwxyz",
        delivery_id="dlv_01k0abcdefghjkmnpqrstvwxyz",
        recipient="order-0000001@sink.test",
        return_path="b+01k0abcdefghjkmnpqrstvwxyz.aaaaaaaaaaaaaaaa@bounce.bench.test",
        header_id="01k0abcdefghjkmnpqrstvwxyz@bench.test",
        accepted_at=AT,
        content=encode_content(content),
        signers=signers,
    )


def main() -> None:
    """Print the table."""
    rsa, ed25519 = (dkim.generate(algorithm) for algorithm in dkim.Algorithm)
    ring = KeyRing(
        SigningKey(name, mail.DOMAIN, name, algorithm, dkim.private_der(private))
        for name, algorithm, private in (("rsa", "rsa-sha256", rsa), ("ed", "ed25519-sha256", ed25519))
    )
    html, text = mail.html("abc-0000001"), mail.text("abc-0000001")
    plain = job((), text=text, html=html)
    composed = compose(plain, ring)
    assert isinstance(composed, Composed)
    message = parse.parse(composed.octets)
    fields = [field.octets for field in message.fields]
    print(f"message of {len(composed.octets)} octets\n")

    measure("parse an address", lambda: parse_mailbox("order-0000001@sink.test"), 5000)
    measure("build MIME, ASCII (7bit)", lambda: mime.build(text, html, seed=b"seed"))
    accented = html.replace("Thank", "Thänk")
    measure("build MIME, accented (quoted-printable)", lambda: mime.build(text, accented, seed=b"seed"))
    measure("plain text from HTML", lambda: plain_text(html))
    measure("canonicalise and hash the body", lambda: hashlib.sha256(relaxed_body(message.body)).digest())
    digest_only = _Unsigned(mail.DOMAIN, "none", ed25519)
    measure("DKIM without the signature", lambda: dkim.sign(fields, message.body, [digest_only], at_s=1, expires_s=2))
    measure("RSA-2048 alone", lambda: ring.find("rsa").signature(b"x" * 900), 100)
    measure("Ed25519 alone", lambda: ring.find("ed").signature(b"x" * 900))
    print()
    measure("compose, unsigned", lambda: compose(plain, ring))
    for signers in (("rsa",), ("ed",), ("rsa", "ed")):
        signed = job(signers, text=text, html=html)
        measure(f"compose, signed with {' and '.join(signers)}", lambda one=signed: compose(one, ring), 100)
    measure("compose, text made from the HTML", lambda: compose(job((), text=None, html=html), ring))


class _Unsigned(dkim.SigningKey):
    """Does everything but sign."""

    __slots__ = ()

    def signature(self, data: bytes) -> bytes:
        return data[:64]


if __name__ == "__main__":
    main()
