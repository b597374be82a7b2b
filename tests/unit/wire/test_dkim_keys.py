"""DKIM keys: made, stored, published and read back from DNS."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from postroad.wire.dkim import (
    Algorithm,
    RecordError,
    SigningKey,
    generate,
    load_private_key,
    parse_record,
    private_der,
    private_pem,
    public_record,
    record_name,
)
from postroad.wire.dkim.keys import parse_tags

KEYS = {algorithm: generate(algorithm) for algorithm in Algorithm}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_survives_storing_and_publishing(algorithm: Algorithm) -> None:
    key = KEYS[algorithm]
    for octets in (private_der(key), private_pem(key)):
        assert private_der(load_private_key(octets)) == private_der(key)
    record = parse_record(public_record(key).encode())
    assert record.key == key.public_key()
    assert record.algorithm is SigningKey("x.example", "s", key).algorithm is algorithm
    assert (record.testing, record.strict) == (False, False)
    assert record_name("s1", "x.example") == "s1._domainkey.x.example"


def test_a_new_rsa_key_has_2048_bits() -> None:
    key = KEYS[Algorithm.RSA_SHA256]
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048


def pkcs8(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_keys_of_other_kinds_and_other_octets_are_refused() -> None:
    rsa_key = KEYS[Algorithm.RSA_SHA256]
    assert isinstance(rsa_key, rsa.RSAPrivateKey)
    long_key = rsa.generate_private_key(public_exponent=3, key_size=4104)
    for octets in (b"", b"-----BEGIN", b"\x30\x03", pkcs8(ec.generate_private_key(ec.SECP256R1())), pkcs8(long_key)):
        with pytest.raises(ValueError, match="key"):
            load_private_key(octets)
    with pytest.raises(ValueError, match="unencrypted"):
        load_private_key(pkcs8(rsa_key, b"secret"))


ED = base64.b64encode(KEYS[Algorithm.ED25519_SHA256].public_key().public_bytes_raw()).decode()
EC = base64.b64encode(
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()


def test_flags_of_a_record_are_read() -> None:
    record = parse_record(f"k=ed25519; t=y : s; s=email; h=sha1:sha256; n=note; p={ED[:9]} {ED[9:]};".encode())
    assert (record.testing, record.strict, record.key is not None) == (True, True, True)
    assert parse_record(b"v=DKIM1; p=").key is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=DKIM2; p=",
        f"k=ed25519; v=DKIM1; p={ED}",
        "v=DKIM1; k=rsa",
        f"v=DKIM1; k=ed25519; h=sha1; p={ED}",
        f"v=DKIM1; k=ed25519; s=tlsrpt; p={ED}",
        f"v=DKIM1; k=dsa; p={ED}",
        f"v=DKIM1; k=rsa; p={ED}",
        f"v=DKIM1; k=rsa; p={EC}",
        "v=DKIM1; k=ed25519; p=AAAA",
        "v=DKIM1; k=ed25519; p=!",
        "v=DKIM1; p=; p=",
        "v=DKIM1; n=ü; p=",
        "v=DKIM1; p=" + "A" * 5000,
    ],
)
def test_a_record_that_cannot_be_used_is_an_error(text: str) -> None:
    with pytest.raises(RecordError):
        parse_record(text.encode())


def test_a_short_rsa_key_in_a_record_is_refused() -> None:
    # 1024 is the least that can still be made here; the record below holds the public half of a 512-bit key.
    public = rsa.RSAPublicNumbers(65537, (1 << 511) + 111).public_key
    try:
        der = public().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        der = b"\x30\x5c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x4b\x00\x30\x48\x02\x41\x00"
        der += b"\x80" + b"\x00" * 62 + b"\x6f\x02\x03\x01\x00\x01"
    with pytest.raises(RecordError):
        parse_record(b"v=DKIM1; k=rsa; p=" + base64.b64encode(der))


@pytest.mark.parametrize("text", ["=x", "a", "a=1; a=2", "a b=1", "a=1;;b=2"])
def test_a_tag_list_has_each_tag_once(text: str) -> None:
    with pytest.raises(ValueError, match="tags"):
        parse_tags(text)


def test_a_tag_list_may_be_empty_and_end_in_a_semicolon() -> None:
    assert parse_tags("") == {}
    assert parse_tags("a_1=x=y; b=;") == {"a_1": "x=y", "b": ""}
