"""What the server says of itself at the end: the state of every delivery, and the event feed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from faults.checker import TERMINAL, Mark, Noticed, Told, none_of
from faults.injector import Ack, Client, Refusal

_PAGE = 500
_PATIENCE_S = 60.0
_UNKNOWN = "unknown"
_ENDED = TERMINAL | {_UNKNOWN}
"""States for whose end nobody waits: the server will not learn of a message again that it does not know."""


class Observer:
    """Reads through the API, as anybody could."""

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self._client = Client(ports, key, "observer")

    def await_end(
        self, acks: Sequence[Ack], *, timeout_s: float, look: Callable[[int], None] = lambda _: None
    ) -> dict[str, Told]:
        """Read deliveries until all are in a terminal state or the time is over; returns them by id."""
        deadline = time.monotonic() + timeout_s
        told: dict[str, Told] = {}
        open_acks = list(acks)
        while open_acks:
            for ack in open_acks:
                told |= self._deliveries(ack)
                if time.monotonic() > deadline and told[ack.delivery_id].state not in _ENDED:
                    break
            open_acks = [
                ack for ack in open_acks if ack.delivery_id not in told or told[ack.delivery_id].state not in _ENDED
            ]
            look(len(open_acks))
            if time.monotonic() > deadline:
                break
            time.sleep(0.5 if open_acks else 0)
        return told

    def feed(self) -> list[Noticed]:
        """Read the whole event feed."""
        noticed: list[Noticed] = []
        after: str | None = None
        while True:
            cursor = "" if after is None else f"&after={after}"
            page = self._get(f"/v1/events?limit={_PAGE}{cursor}")
            found = cast("list[dict[str, object]]", page["data"])
            for event in found:
                data = cast("dict[str, object]", event["data"])
                noticed.append(Noticed(str(event["id"]), str(event["type"]), str(data.get("delivery_id", ""))))
            if not found:
                return noticed
            after = str(page["next"])

    def close(self) -> None:
        self._client.close()

    def _deliveries(self, ack: Ack) -> dict[str, Told]:
        try:
            message = self._get(f"/v1/messages/{ack.message_id}")
        except Refusal:
            return {ack.delivery_id: Told(_UNKNOWN, possible_duplicate=False)}
        deliveries = cast("list[dict[str, object]]", message["deliveries"])
        return {
            str(delivery["id"]): Told(str(delivery["state"]), bool(delivery.get("possible_duplicate")))
            for delivery in deliveries
        }

    def _get(self, path: str) -> dict[str, object]:
        _, body, _ = self._client.insist("GET", path, None, {}, time.monotonic() + _PATIENCE_S)
        return cast("dict[str, object]", msgspec.json.decode(body))


def unknown(client: Client, acks: Sequence[Ack]) -> Mark:
    """Look for messages that were answered 202 and that the server has never heard of; closes the client."""
    found = [ack.message_id for ack in acks if client.ask("GET", f"/v1/messages/{ack.message_id}")[0] == 404]
    client.close()
    return none_of("UNKNOWN", "answered 202, not known to the server", found)
