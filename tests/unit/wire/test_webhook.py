"""Webhook signatures, checked against the specification's own library in both directions."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from postroad.wire.webhook import WebhookError, format_secret, parse_secret, sign, verify

NEW = bytes(range(32))
OLD = bytes(range(1, 33))
BODY = json.dumps({"type": "message.delivered", "ü": 1}).encode()


def test_our_signature_is_accepted_by_the_reference_library() -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = sign("evt_1", now, BODY, [NEW, OLD])
    for secret in (NEW, OLD):
        assert Webhook(format_secret(secret)).verify(BODY, headers) == json.loads(BODY)


def test_the_reference_librarys_signature_is_accepted_by_us() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    signature = Webhook(format_secret(NEW)).sign("evt_1", at, BODY.decode())
    now_s = int(at.timestamp())
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(now_s), "webhook-signature": f"v1a,xx {signature}"}
    verify(headers, BODY, [OLD, NEW], now_s=now_s + 300)


def test_a_call_that_was_changed_or_is_late_or_lacks_a_header_is_refused() -> None:
    headers = sign("evt_1", 1000, BODY, [NEW])
    verify(headers, BODY, [NEW], now_s=1000)
    with pytest.raises(WebhookError, match="fits"):
        verify(headers, BODY + b" ", [NEW], now_s=1000)
    with pytest.raises(WebhookError, match="fits"):
        verify(headers, BODY, [OLD], now_s=1000)
    with pytest.raises(WebhookError, match="fits"):
        verify(headers | {"webhook-signature": "v1,ü"}, BODY, [NEW], now_s=1000)
    for now_s in (699, 1301):
        with pytest.raises(WebhookError, match="far"):
            verify(headers, BODY, [NEW], now_s=now_s)
    for timestamp in ("", "x", "1e3", "٣", "1" * 20):
        with pytest.raises(WebhookError, match="number"):
            verify(headers | {"webhook-timestamp": timestamp}, BODY, [NEW], now_s=1000)
    for name in headers:
        with pytest.raises(WebhookError, match="missing"):
            verify({key: value for key, value in headers.items() if key != name}, BODY, [NEW], now_s=1000)


def test_secrets_travel_as_text() -> None:
    assert parse_secret(format_secret(NEW)) == NEW
    assert parse_secret(format_secret(NEW).removeprefix("whsec_")) == NEW
    for text in ("whsec_!", "whsec_", "whsec_" + "A" * 8, "whsec_ü", "whsec_" + "A" * 100):
        with pytest.raises(WebhookError):
            parse_secret(text)
