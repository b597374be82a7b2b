"""Return paths: made for one delivery, read back only with the key."""

import pytest

from postroad.wire.verp import Purpose, make, read, read_any

KEY = b"k" * 32
ID = "dlv_01k0abcdefghjkmnpqrstvwxyz"[:30]


def test_a_return_path_names_its_delivery_and_fits_a_local_part() -> None:
    local = make(ID, KEY)
    assert local.startswith("b+" + ID[4:] + ".")
    assert len(local) <= 64
    assert read(local, KEY) == ID
    assert read(local.upper(), KEY) == ID


def test_every_changed_character_and_every_other_key_is_refused() -> None:
    local = make(ID, KEY)
    for at in range(len(local)):
        changed = local[:at] + ("3" if local[at] != "3" else "4") + local[at + 1 :]
        assert read(changed, KEY) is None
    assert read(local, b"other" * 8) is None


@pytest.mark.parametrize(
    "local", ["", "b+", "postmaster", "b+ü", "b+" + "0" * 26, "b+" + "0" * 26 + ".short", "x" * 1000]
)
def test_other_local_parts_are_not_return_paths(local: str) -> None:
    assert read(local, KEY) is None


@pytest.mark.parametrize("identifier", ["", "msg_" + ID[4:], ID.upper(), ID + "0", ID + "\n"])
def test_a_return_path_is_made_for_deliveries_only(identifier: str) -> None:
    with pytest.raises(ValueError, match="delivery"):
        make(identifier, KEY)


def test_an_unsubscribe_address_is_no_return_path_and_cannot_be_made_from_one() -> None:
    leave, path = make(ID, KEY, Purpose.UNSUBSCRIBE), make(ID, KEY)
    assert read_any(leave, KEY) == (Purpose.UNSUBSCRIBE, ID)
    assert read_any(path, KEY) == (Purpose.BOUNCE, ID)
    assert read(leave, KEY) is None
    assert read_any("u" + path[1:], KEY) is None
    assert read_any("b" + leave[1:], KEY) is None
