"""The ring of secrets: rotation and overlap."""

import pytest

from postroad.features.webhooks.secrets import MOST_SECRETS, Ring, active, rotate, seal, unseal
from postroad.model.clock import HOUR, Instant
from postroad.model.errors import Unavailable
from postroad.model.ids import WebhookId
from postroad.store.vault import Vault

NOW = Instant(1_795_000_000_000_000)
LATER = Instant(NOW + HOUR)


def test_a_new_ring_signs_with_its_one_secret() -> None:
    assert active(rotate((), b"a" * 32, now=NOW, old_until=NOW), Instant(NOW + 1000 * HOUR)) == [b"a" * 32]


def test_during_the_overlap_both_secrets_sign_the_new_one_first() -> None:
    ring = rotate(rotate((), b"a", now=NOW, old_until=NOW), b"b", now=NOW, old_until=LATER)
    assert active(ring, NOW) == [b"b", b"a"]
    assert active(ring, LATER) == [b"b"]


def test_without_overlap_the_old_secret_ends_at_once() -> None:
    assert active(rotate(rotate((), b"a", now=NOW, old_until=NOW), b"b", now=NOW, old_until=NOW), NOW) == [b"b"]


def test_another_rotation_does_not_prolong_an_older_secret() -> None:
    ring = rotate(rotate((), b"a", now=NOW, old_until=NOW), b"b", now=NOW, old_until=LATER)
    ring = rotate(ring, b"c", now=NOW, old_until=Instant(LATER + HOUR))
    assert active(ring, LATER) == [b"c", b"b"]


def test_rotating_to_the_same_secret_keeps_one() -> None:
    ring = rotate(rotate((), b"a", now=NOW, old_until=NOW), b"a", now=NOW, old_until=LATER)
    assert active(ring, NOW) == [b"a"]


def test_a_ring_holds_few_secrets() -> None:
    ring: Ring = ()
    for n in range(20):
        ring = rotate(ring, bytes([n]), now=NOW, old_until=LATER)
    assert len(ring) == MOST_SECRETS


def test_a_sealed_ring_opens_for_its_own_webhook_only() -> None:
    vault = Vault(b"k" * 32)
    ring = rotate(rotate((), b"a", now=NOW, old_until=NOW), b"b", now=NOW, old_until=LATER)
    sealed = seal(ring, vault, WebhookId("whk_1"))
    assert unseal(sealed, vault, WebhookId("whk_1")) == ring
    with pytest.raises(Unavailable):
        unseal(sealed, vault, WebhookId("whk_2"))
