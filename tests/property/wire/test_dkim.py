"""Our signatures verify elsewhere, and signatures from elsewhere verify here; dkimpy is the judge."""

import base64

import dkim as dkimpy
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.wire.dkim import Algorithm, SigningKey, generate, public_record, sign, verify
from postroad.wire.parse import parse

RSA = SigningKey("x.example", "rsa1", generate(Algorithm.RSA_SHA256))
ED = SigningKey("x.example", "ed1", generate(Algorithm.ED25519_SHA256))
RECORDS = {f"{key.selector}._domainkey.x.example": public_record(key.private).encode() for key in (RSA, ED)}
AT = 1_700_000_000

VALUES = st.lists(st.sampled_from([" ", "\t", "\r\n ", "\r\n\t", "a", "b;c=d", "ü", ":", "  "]), max_size=10).map(
    lambda pieces: "".join(pieces).strip()
)
NAMES = st.sampled_from(["To", "Cc", "Subject", "References", "List-Id", "X-Thing", "from", "DATE", "Feedback-ID"])
HEADERS = st.lists(st.tuples(NAMES, VALUES.filter(bool)), max_size=8).map(
    lambda pairs: [b"From: ann@x.example\r\n", *(f"{name}: {value}\r\n".encode() for name, value in pairs)]
)
BODIES = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"line\r\n", b"\xc3\xbc", b"."])).map(
    lambda lines: b"".join(lines) + b"\r\n" * bool(lines)
)


def by_dkimpy(octets: bytes, index: int) -> bool:
    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        return RECORDS.get(name.decode().rstrip("."))

    return bool(dkimpy.DKIM(octets).verify(idx=index, dnsfunc=lookup))


@settings(max_examples=60)
@given(HEADERS, BODIES)
def test_what_we_sign_verifies_by_dkimpy_and_by_us(fields: list[bytes], body: bytes) -> None:
    octets = sign(fields, body, (RSA, ED), at_s=AT, expires_s=AT + 10**10) + b"".join(fields) + b"\r\n" + body
    assert [str(result.verdict) for result in verify(parse(octets), RECORDS.get, now_s=AT)] == ["pass", "pass"]
    assert by_dkimpy(octets, 0)
    assert by_dkimpy(octets, 1)


@settings(max_examples=60)
@given(
    HEADERS,
    BODIES,
    st.sampled_from([b"relaxed", b"simple"]),
    st.sampled_from([b"relaxed", b"simple"]),
    st.sampled_from([RSA, ED]),
)
def test_what_dkimpy_signs_verifies_by_us(
    fields: list[bytes], body: bytes, header_form: bytes, body_form: bytes, key: SigningKey
) -> None:
    octets = b"".join(fields) + b"\r\n" + body
    if isinstance(key.private, ed25519.Ed25519PrivateKey):
        secret = base64.b64encode(key.private.private_bytes_raw())
    else:
        secret = key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    signature = dkimpy.sign(
        octets,
        key.selector.encode(),
        b"x.example",
        secret,
        canonicalize=(header_form, body_form),
        signature_algorithm=str(key.algorithm).encode(),
    )
    results = verify(parse(signature + octets), RECORDS.get, now_s=AT)
    assert [(str(result.verdict), result.reason) for result in results] == [("pass", "")]


@settings(max_examples=100)
@given(st.data())
def test_a_changed_letter_anywhere_that_is_signed_is_noticed(data: st.DataObject) -> None:
    fields = [b"From: ann@x.example\r\n", b"Subject: hello\r\n"]
    body = b"line one\r\nline two\r\n"
    octets = sign(fields, body, (ED,), at_s=AT, expires_s=AT + 9) + b"".join(fields) + b"\r\n" + body
    places = [at for at in range(octets.index(b"ann@"), len(octets)) if octets[at : at + 1].isalpha()]
    at = data.draw(st.sampled_from(places))
    changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
    assert "pass" not in [str(result.verdict) for result in verify(parse(changed), RECORDS.get, now_s=AT)]
