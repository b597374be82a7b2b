"""API keys have a form by which scanners and people know them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.features.accounts import secret
from postroad.model.message import Mode

ENTROPY = st.binary(min_size=32, max_size=32)


@given(st.sampled_from(Mode), ENTROPY)
def test_a_key_has_its_prefix_and_form_and_names_its_mode(mode: Mode, entropy: bytes) -> None:
    made = secret.make(mode, entropy)
    assert re.fullmatch(rf"pr_{mode.value}_[0-9A-Za-z]{{49}}", made)
    assert secret.well_formed(made)
    assert secret.mode_of(made) is mode


@given(ENTROPY, ENTROPY)
def test_different_entropy_makes_different_keys(one: bytes, other: bytes) -> None:
    assert (secret.make(Mode.LIVE, one) == secret.make(Mode.LIVE, other)) == (one == other)


@given(ENTROPY, st.integers(min_value=0, max_value=56), st.characters(codec="ascii", categories=("L", "N")))
def test_one_wrong_character_breaks_the_checksum(entropy: bytes, place: int, character: str) -> None:
    made = secret.make(Mode.LIVE, entropy)
    mistyped = made[:place] + character + made[place + 1 :]
    assert secret.well_formed(mistyped) == (mistyped == made)


@given(st.text())
def test_any_text_has_a_digest_and_nearly_none_is_a_key(text: str) -> None:
    assert len(secret.digest(text)) == 32
    assert not secret.well_formed(text)


def test_a_key_takes_all_its_entropy() -> None:
    with pytest.raises(ValueError, match="32"):
        secret.make(Mode.LIVE, b"short")
