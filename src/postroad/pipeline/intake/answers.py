"""What is answered to a request to send, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from postroad.model.errors import Flaw, Refused
from postroad.store.messages import Accepted, NewMessage

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class BatchItemError:
    """Why one item of a batch was refused, in the shape of its answer."""

    code: str
    detail: str
    errors: tuple[Flaw, ...]


def none_of(items: Sequence[NewMessage | Refused]) -> Refused:
    """Return the refusal of a whole batch, with the flaws of every item."""
    flaws = [
        Flaw(f"/messages/{n}{flaw.pointer}", flaw.detail, flaw.code)
        for n, item in enumerate(items)
        if isinstance(item, Refused)
        for flaw in (item.flaws or (Flaw("", item.detail, item.code),))
    ]
    return Refused("batch_refused", "Nothing was accepted, because not every message of the batch can be.", flaws=flaws)


def render_one(accepted: Sequence[Accepted]) -> bytes:
    """Return the answer to a request for one message."""
    return _json.encode(accepted[0])


def render_batch(items: Sequence[NewMessage | Refused], accepted: Sequence[Accepted]) -> bytes:
    """Return the answer to a batch: a result an item, in their order."""
    left = iter(accepted)
    results: list[Accepted | dict[str, BatchItemError]] = [
        {"error": BatchItemError(item.code, item.detail, item.flaws)} if isinstance(item, Refused) else next(left)
        for item in items
    ]
    return _json.encode({"data": results, "accepted": len(accepted), "refused": len(items) - len(accepted)})
