"""The headers by which a reader leaves a stream, with a link that only we can have made."""

from postroad.model.delivery import Lease
from postroad.model.stream import Stream
from postroad.model.token import Unsubscribe, seal
from postroad.wire.unsubscribe import list_id_header, unsubscribe_headers


class Unsubscribing:
    """Makes the list headers of deliveries."""

    def __init__(self, public_url: str | None, key: bytes) -> None:
        """Take the URL at which readers reach this server, and the key that seals tokens."""
        self._url = None if public_url is None else public_url.rstrip("/")
        self._key = key

    def headers(self, lease: Lease, stream: Stream) -> tuple[tuple[str, str], ...]:
        """Return List-Id, and List-Unsubscribe with one-click where the server is reached by https (RFC 8058 §3.1)."""
        domain = lease.sender.rpartition("@")[2]
        named = (list_id_header(stream.name, domain),)
        if self._url is None:
            return named
        token = seal(
            Unsubscribe(
                project_id=lease.project_id,
                stream=stream.name,
                recipient=lease.recipient,
                message_id=lease.message_id,
                delivery_id=lease.delivery_id,
            ),
            self._key,
        )
        link = f"{self._url}/u/{token}"
        if not link.startswith("https://"):
            return (*named, ("List-Unsubscribe", f"<{link}>"))
        return (*named, *unsubscribe_headers(link))
