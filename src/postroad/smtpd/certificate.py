"""The listener's TLS certificate, read again when its file changes, so that a renewal needs no restart."""

import ssl
from pathlib import Path

import structlog

_log = structlog.get_logger("postroad.smtp")


class Certificate:
    """A certificate chain and its key, as a context for the server's side of TLS."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Read both files.

        Raises:
            OSError: One cannot be read.
            ssl.SSLError: They are no certificate, no key, or do not belong together.
        """
        self._chain = chain
        self._key = key
        self._stamp = self._stamped()
        self._context = self._loaded()

    def context(self) -> ssl.SSLContext:
        """Return the context of now; files that cannot be used leave the one before in force."""
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._context, self._stamp = self._loaded(), stamp
        except (OSError, ssl.SSLError) as problem:
            _log.warning("certificate_unusable", file=str(self._chain), problem=type(problem).__name__)
        return self._context

    def _stamped(self) -> tuple[int, int]:
        return self._chain.stat().st_mtime_ns, self._key.stat().st_mtime_ns

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8314 §4.1
        context.load_cert_chain(self._chain, self._key)
        return context
