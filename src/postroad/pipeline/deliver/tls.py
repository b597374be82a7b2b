"""TLS contexts, made once: making one costs more than twenty handshakes."""

import ssl


class TlsContexts:
    """The two ways to speak TLS to a mail server."""

    def __init__(self, authorities: str | None = None) -> None:
        """Load the certificate authorities: those in a file, or those of the system."""
        self.verified = ssl.create_default_context(cafile=authorities)
        self.verified.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8314 §4.1
        # Opportunistic: whoever could forge a certificate could as well strip STARTTLS (RFC 7435 §3)
        self.unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.unverified.check_hostname = False
        self.unverified.verify_mode = ssl.CERT_NONE
        self.unverified.minimum_version = ssl.TLSVersion.TLSv1_2
