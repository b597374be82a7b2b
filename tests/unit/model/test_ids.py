"""Identifiers: a kind, a time and chance, in text that sorts by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.clock import Instant
from postroad.model.ids import (
    COUNT_BITS,
    ENTROPY_OCTETS,
    TAIL_DIGITS,
    event_id,
    event_seq,
    mint,
    mint_counted,
    minted_at,
    random_digits,
)

ALPHABET = set("0123456789abcdefghjkmnpqrstvwxyz")
MILLISECONDS = st.integers(0, 2**48 - 1)
ENTROPY = st.binary(min_size=ENTROPY_OCTETS, max_size=ENTROPY_OCTETS)
PLACES = st.integers(0, 2**63 - 1)


def test_an_identifier_is_its_prefix_and_twenty_six_characters():
    assert mint("msg", Instant(0), bytes(10)) == "msg_" + "0" * 26
    assert mint("dlv", Instant((2**48 - 1) * 1000), b"\xff" * 10) == "dlv_7" + "z" * 25


@pytest.mark.parametrize("octets", [0, 9, 11])
def test_an_identifier_takes_ten_octets_of_entropy(octets):
    with pytest.raises(ValueError, match="ten octets"):
        mint("msg", Instant(0), bytes(octets))


@given(MILLISECONDS, MILLISECONDS, ENTROPY, ENTROPY)
def test_identifiers_sort_by_their_milliseconds_then_by_their_entropy(one, other, chance, luck):
    first, second = mint("msg", Instant(one * 1000), chance), mint("msg", Instant(other * 1000 + 999), luck)
    assert set(first[4:]) <= ALPHABET
    assert len(first) == 30
    assert (first < second) == ((one, chance) < (other, luck))
    assert (first == second) == ((one, chance) == (other, luck))


@given(MILLISECONDS, st.integers(0, 2**COUNT_BITS - 1), st.binary(min_size=TAIL_DIGITS, max_size=TAIL_DIGITS))
def test_a_count_and_a_tail_are_the_entropy(milliseconds, count, chance):
    at, tail = Instant(milliseconds * 1000), random_digits(chance)
    tail_value = sum((octet & 31) << 5 * (TAIL_DIGITS - 1 - n) for n, octet in enumerate(chance))
    entropy = (count << 5 * TAIL_DIGITS | tail_value).to_bytes(ENTROPY_OCTETS, "big")
    assert mint_counted("msg", at, count, tail) == mint("msg", at, entropy)


@given(PLACES)
def test_an_event_is_found_by_its_identifier(seq):
    assert event_seq(event_id(seq)) == seq


@given(PLACES, PLACES)
def test_the_identifiers_of_events_sort_as_the_log_does(one, other):
    assert (event_id(one) < event_id(other)) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evt_",
        event_id(7)[:-1],
        event_id(7) + "0",
        event_id(7).upper(),
        "msg" + event_id(7)[3:],
        "evt_000000000000u",  # u, i, l and o are no digits
        "evt_00000000000 0",
        "evt_zzzzzzzzzzzzz",  # beyond what any log can count
    ],
)
def test_what_is_no_identifier_of_an_event_names_no_place(text):
    assert event_seq(text) is None


@given(st.text(max_size=20))
def test_any_text_names_one_place_or_none(text):
    seq = event_seq(text)
    assert seq is None or event_id(seq) == text


def test_an_identifier_tells_when_it_was_minted_to_the_millisecond():
    at = Instant(1_800_000_000_123_999)
    assert minted_at(mint("dlv", at, bytes(range(10)))) == 1_800_000_000_123_000


@pytest.mark.parametrize("text", ["", "dlv_", "dlv_short", "dlv_" + "u" * 26, "dlv_" + "0" * 27, "0" * 26])
def test_what_was_not_minted_tells_no_time(text):
    with pytest.raises(ValueError, match="minted"):
        minted_at(text)
