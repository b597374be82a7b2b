"""The naive Python sender: EmailMessage, dkimpy and smtplib, one connection, no queue, nothing durable."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import dkim  # type: ignore[import-untyped]  # dkimpy ships no types
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import mail
from bench.rivals import Throughput
from bench.sink import CountingSink


def compose(number: int) -> EmailMessage:
    """One of the bench's messages by the standard library."""
    order = f"naive-{number:07d}"
    message = EmailMessage()
    message["From"] = mail.SENDER
    message["To"] = f"{order}@sink.test"
    message["Subject"] = f"Your order {order}"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=mail.DOMAIN)
    message.set_content(mail.text(order))
    message.add_alternative(mail.html(order), subtype="html")
    return message


def measure_naive(sink: CountingSink, count: int) -> Throughput:
    """Compose, sign and send `count` messages one after the other."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    began = time.monotonic()
    with smtplib.SMTP(sink.host, sink.port) as client:
        for number in range(count):
            octets = compose(number).as_bytes().replace(b"\n", b"\r\n")
            signature = dkim.sign(octets, b"bench", mail.DOMAIN.encode(), key, canonicalize=(b"relaxed", b"relaxed"))
            client.sendmail("bounce@bench.test", [f"naive-{number:07d}@sink.test"], signature + octets)
    return Throughput(count, time.monotonic() - began)
