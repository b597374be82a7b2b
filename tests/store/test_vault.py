"""Secrets at rest open only under the key and in the context they were sealed with."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.errors import Unavailable
from postroad.store.vault import MasterKeyError, Vault, decode_master_key, open_or_create_master_key

KEY = bytes(range(32))


@given(st.binary(), st.text(), st.binary(min_size=12, max_size=12))
def test_what_is_sealed_opens_to_the_same(plain: bytes, context: str, entropy: bytes) -> None:
    vault = Vault(KEY)
    assert vault.open(vault.seal(plain, context, entropy=entropy), context) == plain


def test_sealing_twice_gives_different_octets_that_do_not_show_the_secret() -> None:
    vault = Vault(KEY)
    first, second = vault.seal(b"the secret", "dkim:1"), vault.seal(b"the secret", "dkim:1")
    assert first != second
    assert b"the secret" not in first


def test_another_context_does_not_open_it() -> None:
    vault = Vault(KEY)
    with pytest.raises(Unavailable) as refused:
        vault.open(vault.seal(b"x", "dkim:1"), "dkim:2")
    assert refused.value.code == "secret_unreadable"


def test_a_changed_master_key_is_told_apart_from_damage() -> None:
    sealed = Vault(KEY).seal(b"x", "dkim:1")
    with pytest.raises(Unavailable) as refused:
        Vault(KEY[::-1]).open(sealed, "dkim:1")
    assert refused.value.code == "master_key_changed"


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_octet_is_noticed(place: int, change: int) -> None:
    vault = Vault(KEY)
    sealed = bytearray(vault.seal(b"secret", "c", entropy=bytes(12)))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(Unavailable):
        vault.open(bytes(sealed), "c")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(16), b"\x02" + bytes(60)])
def test_what_was_never_sealed_is_damage(sealed: bytes) -> None:
    with pytest.raises(Unavailable):
        Vault(KEY).open(sealed, "c")


def test_derived_keys_differ_by_purpose_and_master_key_and_stay_the_same() -> None:
    keys = {Vault(KEY).derive("verp"), Vault(KEY).derive("other"), Vault(KEY[::-1]).derive("verp")}
    assert len(keys) == 3
    assert Vault(KEY).derive("verp", 16) == Vault(KEY).derive("verp", 16)


def test_a_master_key_has_32_octets() -> None:
    with pytest.raises(ValueError, match="32"):
        Vault(b"short")
    with pytest.raises(MasterKeyError):
        decode_master_key("not base64!")
    assert decode_master_key(base64.b64encode(KEY).decode() + "\n") == KEY


def test_a_master_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "master.key"
    made = open_or_create_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_or_create_master_key(path) == made
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_a_file_that_holds_no_key_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("something else")
    path.chmod(0o600)
    with pytest.raises(MasterKeyError, match="does not hold"):
        open_or_create_master_key(path)
    assert path.read_text() == "something else"
