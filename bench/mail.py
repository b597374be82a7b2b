"""The message everybody sends: a receipt of 5 to 6 KB once it is MIME, HTML and text, different for every recipient."""

from __future__ import annotations

import msgspec

SENDER = "Bench Shop <receipts@bench.test>"
DOMAIN = "bench.test"

_ROW = (
    '<tr><td style="padding:6px 12px">{n}.</td><td style="padding:6px 12px">Article number {n} of order {order}, in '
    'blue</td><td style="padding:6px 12px;text-align:right">{n}9.90 EUR</td></tr>\n'
)
_TEXT_ROW = "{n:>3}. Article number {n} of order {order}, in blue ........ {n}9.90 EUR\n"


def html(order: str) -> str:
    """The HTML part, about 4 KB."""
    rows = "".join(_ROW.format(n=n, order=order) for n in range(1, 18))
    return (
        "<!doctype html><html><head><title>Your order</title></head><body style='font-family:sans-serif'>"
        f"<h1>Thank you for order {order}</h1><p>We are packing it now. Here is what will be in the parcel:</p>"
        f"<table>{rows}</table><p><a href='https://shop.bench.test/orders/{order}'>See the order</a> or "
        f"<a href='https://shop.bench.test/help?order={order}'>ask us</a>.</p></body></html>"
    )


def text(order: str) -> str:
    """The text part, about 1 KB."""
    rows = "".join(_TEXT_ROW.format(n=n, order=order) for n in range(1, 18))
    return f"Thank you for order {order}\n\nWe are packing it now.\n\n{rows}\nhttps://shop.bench.test/orders/{order}\n"


def message(run: str, number: int) -> dict[str, object]:
    """The API's message for one recipient."""
    order = f"{run}-{number:07d}"
    return {
        "from": SENDER,
        "to": [f"{order}@sink.test"],
        "subject": f"Your order {order}",
        "html": html(order),
        "text": text(order),
        "tags": ["receipt"],
        "metadata": {"order": order},
    }


def single(run: str, number: int) -> bytes:
    """The body of one `POST /v1/messages`."""
    return msgspec.json.encode(message(run, number))


def batch(run: str, first: int, size: int) -> bytes:
    """The body of one `POST /v1/messages/batch`."""
    return msgspec.json.encode({"messages": [message(run, number) for number in range(first, first + size)]})
