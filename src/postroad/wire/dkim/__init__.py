"""DomainKeys Identified Mail: keys, signatures and their verification (RFC 6376, RFC 8301, RFC 8463).

`keys` makes, loads and publishes key pairs. `canonical` reduces headers and bodies to what is signed. `sign` adds one
signature per key, over-signing so that nothing can be added later, and never with `l=`. `verify` reads signatures as a
receiver would.
"""

from postroad.wire.dkim.keys import (
    Algorithm,
    KeyRecord,
    PrivateKey,
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
from postroad.wire.dkim.sign import sign
from postroad.wire.dkim.verify import Result, Verdict, verify

__all__ = [
    "Algorithm",
    "KeyRecord",
    "PrivateKey",
    "RecordError",
    "Result",
    "SigningKey",
    "Verdict",
    "generate",
    "load_private_key",
    "parse_record",
    "private_der",
    "private_pem",
    "public_record",
    "record_name",
    "sign",
    "verify",
]
