"""The headers by which a reader leaves a stream, with a link that only we can have made."""

from collections.abc import Callable

from postroad.config import Settings
from postroad.model.delivery import Lease
from postroad.model.ids import DeliveryId
from postroad.model.stream import Stream
from postroad.model.token import Unsubscribe, seal
from postroad.wire import verp
from postroad.wire.unsubscribe import list_id_header, unsubscribe_headers

Mailbox = Callable[[DeliveryId], str]
"""Makes the address of a delivery's unsubscribe mailbox."""


class Unsubscribing:
    """Makes the list headers of deliveries."""

    def __init__(self, public_url: str | None, key: bytes, *, mailbox: Mailbox | None = None) -> None:
        """Take the URL at which readers reach this server, and the key that seals tokens.

        `mailbox` makes the address to which they may write instead, where there is an exchange that reads it.
        """
        self._url = None if public_url is None else public_url.rstrip("/")
        self._key = key
        self._mailbox = mailbox

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
        mailto = None if self._mailbox is None else f"mailto:{self._mailbox(lease.delivery_id)}"
        return (*named, *unsubscribe_headers(link, mailto))


def mailbox_of(settings: Settings, key: bytes) -> Mailbox | None:
    """Return what makes the addresses by which readers unsubscribe; None where nobody reads such mail."""
    domain = settings.return_path.domain
    if domain is None or not settings.exchange.enabled:
        return None
    return lambda delivery: f"{verp.make(delivery, key, verp.Purpose.UNSUBSCRIBE)}@{domain}"
