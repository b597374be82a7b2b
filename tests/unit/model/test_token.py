"""Sealed tokens: they act, so nobody can make, change or read one."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from postroad.model.ids import DeliveryId, MessageId, ProjectId
from postroad.model.token import KEY_OCTETS, Unsubscribe, seal, unseal

KEY = bytes(range(KEY_OCTETS))
RIGHT = Unsubscribe(ProjectId("prj_1"), "broadcast", "ann@example.org", MessageId("msg_1"), DeliveryId("dlv_1"))
TEXT = st.text(max_size=60)
RIGHTS = st.builds(Unsubscribe, TEXT, TEXT, TEXT, TEXT, TEXT)


@given(RIGHTS)
def test_a_token_gives_the_right_it_was_made_for_and_is_the_same_each_time(right):
    token = seal(right, KEY)
    assert unseal(token, KEY) == right
    assert seal(right, KEY) == token
    assert token.isascii()
    assert not set(token) & set("=+/?&#")


def test_a_token_shows_no_address():
    assert b"ann@example.org" not in base64.urlsafe_b64decode(seal(RIGHT, KEY) + "==")


def test_a_token_of_another_key_gives_nothing():
    assert unseal(seal(RIGHT, bytes(KEY_OCTETS)), KEY) is None


def test_a_token_with_any_character_changed_gives_nothing():
    token = seal(RIGHT, KEY)
    for at in range(len(token)):
        for other in "Aa0_-":
            changed = token[:at] + other + token[at + 1 :]
            assert changed == token or unseal(changed, KEY) is None


def test_a_token_cut_or_lengthened_gives_nothing():
    token = seal(RIGHT, KEY)
    assert [unseal(token[:at], KEY) for at in range(len(token))] == [None] * len(token)
    assert [unseal(token + more, KEY) for more in ("=", "==", "A", "AAAA", "\n", " ")] == [None] * 6


@given(st.text(max_size=100) | st.text(alphabet="abcAB01-_=", max_size=100))
def test_no_text_of_chance_gives_a_right(text):
    assert unseal(text, KEY) is None


def test_a_text_longer_than_any_token_is_not_even_read():
    assert unseal("A" * 100_000, KEY) is None
