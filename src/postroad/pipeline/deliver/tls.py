"""TLS with mail servers: contexts made once, what a connection must fulfil, and what was seen of it.

Making a context costs more than twenty handshakes, and a handshake more than ten that resume an earlier session; so
contexts are made at the start, and each remembers the sessions of the hosts it met.
"""

import ssl
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from postroad.model.attempt import BrokenTls, TlsFacts, TlsPolicy
from postroad.wire.tlsa import Tlsa
from postroad.wire.tlsrpt import Result

_SESSIONS: Final = 5000
_SHOWN: Final = 300
_BY_CODE: Final = {
    10: Result.CERTIFICATE_EXPIRED,
    62: Result.CERTIFICATE_HOST_MISMATCH,
    64: Result.CERTIFICATE_HOST_MISMATCH,
    **dict.fromkeys((2, 18, 19, 20, 21, 24, 27), Result.CERTIFICATE_NOT_TRUSTED),
}
"""OpenSSL's numbers for certificates that do not hold, as TLS reports call them."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a connection must fulfil, and by whose word.

    `dane` tells that TLSA records were looked for; `records` are those that are to vouch for the host; `broken` is how
    TLS failed there, so that it is done without.
    """

    policy: TlsPolicy
    dane: bool = False
    records: tuple[Tlsa, ...] = ()
    broken: BrokenTls | None = None


UNASKED: Final = Demand(TlsPolicy.OPPORTUNISTIC)


@dataclass(frozen=True, slots=True)
class TlsFlaw:
    """Why TLS failed: a public sentence, and the word of TLS reports for it."""

    sentence: str
    result: Result


class ResumingContext(ssl.SSLContext):
    """A client's context that resumes sessions by the name of the host (RFC 8446 §2.2).

    A resumed session is as verified as the one it comes from, which had the same context and the same name.
    """

    _sessions: OrderedDict[str, ssl.SSLSession]

    def __new__(cls) -> "ResumingContext":
        """Make a context that verifies, and does not accept TLS before 1.2 (RFC 8996)."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context._sessions = OrderedDict()
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a session, or resume the last one with this host."""
        if session is None and isinstance(server_hostname, str):
            session = self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, name: str, session: ssl.SSLObject) -> None:
        """Keep a session to resume; best after the first answer, when the server has sent its tickets."""
        found = session.session
        if found is None or not found.has_ticket:
            return
        self._sessions[name] = found
        self._sessions.move_to_end(name)
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)


class TlsContexts:
    """The ways to speak TLS to a mail server."""

    def __init__(self, authorities: str | None = None) -> None:
        """Load the certificate authorities: those in a file, or those of the system."""
        self.verified = ResumingContext()
        if authorities is None:
            self.verified.load_default_certs()
        else:
            self.verified.load_verify_locations(authorities)
        # Opportunistic: whoever could forge a certificate could as well strip STARTTLS (RFC 7435 §3)
        self.unverified = _believing()
        # for DANE the DNS vouches, for the certificates of each handshake anew
        self.vouched_for = _believing()


def _believing() -> ResumingContext:
    """Return a context that takes any certificate."""
    context = ResumingContext()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def read_session(session: ssl.SSLObject) -> TlsFacts:
    """Return what is to be seen of a session whose handshake is done."""
    cipher = session.cipher()
    verified = session.context.verify_mode is ssl.CERT_REQUIRED
    subject, issuer, not_after = _read_certificate(session.getpeercert(binary_form=True))
    return TlsFacts(
        version=session.version() or "",
        cipher=cipher[0] if cipher else "",
        verified=verified,
        subject=subject,
        issuer=issuer,
        not_after=not_after,
        unverified_because="" if verified else "No policy asked for a certificate that holds.",
    )


def _read_certificate(octets: bytes | None) -> tuple[str | None, str | None, str | None]:
    try:
        certificate = x509.load_der_x509_certificate(octets or b"")
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except ValueError:
        return None, None, None
    until = certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return subject[:_SHOWN], issuer[:_SHOWN], until


def chain_of(session: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that the server sent, as DER, its own first."""
    if hasattr(session, "get_unverified_chain"):  # from Python 3.13
        return list(session.get_unverified_chain())
    inner = getattr(session, "_sslobj", None)
    found = [] if inner is None else inner.get_unverified_chain() or []
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in found]


def read_error(error: OSError) -> TlsFlaw:
    """Return why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        result = _BY_CODE.get(error.verify_code, Result.VALIDATION_FAILURE)
        return TlsFlaw(f"The certificate does not hold: {error.verify_message}.", result)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "unknown reason"
        return TlsFlaw(f"The TLS handshake failed: {reason}.", Result.VALIDATION_FAILURE)
    return TlsFlaw("The connection was lost or timed out during the TLS handshake.", Result.VALIDATION_FAILURE)
