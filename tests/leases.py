"""Values that most tests of the pipeline begin with."""

from __future__ import annotations

from typing import Any

from postroad.model.clock import DAY, HOUR, Instant
from postroad.model.delivery import Lease
from postroad.model.ids import DeliveryId, MessageId, ProjectId, mint
from postroad.model.message import Content, Mode, Party, encode_content

START = Instant(1_795_000_000_000_000)


def make_lease(number: int = 1, **changes: Any) -> Lease:
    """Return a lease on the first attempt of a small text message to `ann@x.test`."""
    domain = changes.get("domain", "x.test")
    content = Content(sender=Party("shop@a.test"), to=(Party(f"ann@{domain}"),), subject="Hi", text="Hello.\n")
    given: dict[str, Any] = {
        "delivery_id": DeliveryId(mint("dlv", START, number.to_bytes(10, "big"))),
        "message_id": MessageId(mint("msg", START, number.to_bytes(10, "big"))),
        "project_id": ProjectId("prj_1"),
        "token": 1,
        "until": Instant(START + HOUR),
        "attempt": 1,
        "failures": 0,
        "recipient": f"ann@{domain}",
        "domain": domain,
        "stream": "transactional",
        "mode": Mode.LIVE,
        "sender": "shop@a.test",
        "header_id": f"{number}@a.test",
        "accepted_at": START,
        "first_due_at": START,
        "expires_at": Instant(START + DAY),
        "in_doubt": 0,
        "noticed_at": None,
        "reason": None,
        "content": encode_content(content),
        "content_sha256": None,
    }
    return Lease(**{**given, **changes})
