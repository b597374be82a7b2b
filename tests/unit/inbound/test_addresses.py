"""Which addresses the exchange takes mail for, decided by the address alone."""

import pytest
from msgspec.structs import replace

from postroad.config import Settings
from postroad.features.inbound import Addresses, Destination
from postroad.model.clock import DAY, SECOND, Instant, after
from postroad.model.ids import DeliveryId, mint, minted_at
from postroad.wire import verp
from postroad.wire.address import Mailbox, parse_mailbox

NOW = Instant(1_800_000_000 * SECOND)
KEY = b"k" * 32
DELIVERY = DeliveryId(mint("dlv", NOW, bytes(range(10))))
BASE = Settings()
SETTINGS = replace(BASE, return_path=replace(BASE.return_path, domain="Bounces.Example.com."))
ADDRESSES = Addresses(SETTINGS, KEY, "MX.example.com")
LIFE = BASE.limits.schedule_ahead_s * SECOND + 14 * DAY


def mailbox(text: str) -> Mailbox:
    return parse_mailbox(text)


@pytest.mark.parametrize("domain", ["bounces.example.com", "bounce.customer.test"])
def test_a_return_path_is_good_at_every_domain_in_any_case(domain: str) -> None:
    local = verp.make(DELIVERY, KEY)
    for written in (local, local.upper()):
        found = ADDRESSES.find(mailbox(f"{written}@{domain}"), NOW)
        assert found is not None
        assert (found.destination, found.delivery_id) == (Destination.RETURN_PATH, DELIVERY)


def test_a_flipped_character_is_no_address_of_ours() -> None:
    local = verp.make(DELIVERY, KEY)
    for at in range(len(local)):
        flipped = local[:at] + ("2" if local[at] != "2" else "3") + local[at + 1 :]
        assert ADDRESSES.find(Mailbox(flipped, "bounces.example.com"), NOW) is None
    assert ADDRESSES.find(mailbox(f"{verp.make(DELIVERY, b'other' * 8)}@bounces.example.com"), NOW) is None


def test_a_return_path_ends_with_its_time_and_an_unsubscribe_address_does_not() -> None:
    path = mailbox(f"{verp.make(DELIVERY, KEY)}@bounces.example.com")
    leave = mailbox(f"{verp.make(DELIVERY, KEY, verp.Purpose.UNSUBSCRIBE)}@bounces.example.com")
    last, later = after(minted_at(DELIVERY), LIFE), after(minted_at(DELIVERY), LIFE + 1)
    assert ADDRESSES.find(path, last) is not None
    assert ADDRESSES.find(path, later) is None
    found = ADDRESSES.find(leave, later)
    assert found is not None
    assert found.destination is Destination.UNSUBSCRIBE


@pytest.mark.parametrize(
    ("address", "destination"),
    [
        ("abuse@bounces.example.com", Destination.COMPLAINTS),
        ("FBL@bounces.example.com", Destination.COMPLAINTS),
        ("postmaster@bounces.example.com", Destination.POSTMASTER),
        ("Postmaster@mx.example.com", Destination.POSTMASTER),
        ("abuse@mx.example.com", None),
        ("abuse@example.com", None),
        ("postmaster@example.com", None),
        ("ann@bounces.example.com", None),
        ("b+x@bounces.example.com", None),
    ],
)
def test_a_few_mailboxes_stand_beside_the_return_paths(address: str, destination: Destination | None) -> None:
    found = ADDRESSES.find(mailbox(address), NOW)
    assert (None if found is None else found.destination) is destination


def test_without_a_return_path_of_its_own_an_installation_has_a_postmaster_only() -> None:
    bare = Addresses(BASE, KEY, "mx.example.com")
    assert bare.find(mailbox("abuse@mx.example.com"), NOW) is None
    assert bare.find(mailbox("postmaster@mx.example.com"), NOW) is not None
