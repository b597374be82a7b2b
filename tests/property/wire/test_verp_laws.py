"""Return paths: only what was made with the key is read with it, for one purpose only."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.verp import Purpose, make, read, read_any

KEY = b"k" * 32
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
IDS = st.text(_ALPHABET, min_size=26, max_size=26).map("dlv_".__add__)
SHAPED = st.builds(
    "{}+{}.{}".format,
    st.sampled_from("bu"),
    st.text(_ALPHABET, min_size=26, max_size=26),
    st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16),
)


@given(IDS, st.sampled_from(Purpose), st.randoms(use_true_random=False))
def test_what_is_made_is_read_in_any_case(identifier, purpose, random):
    local = make(identifier, KEY, purpose)
    mixed = "".join(random.choice((str.upper, str.lower))(character) for character in local)
    assert read_any(mixed, KEY) == (purpose, identifier)
    assert read(mixed, KEY) == (identifier if purpose is Purpose.BOUNCE else None)


@given(st.text() | SHAPED)
def test_what_was_not_made_is_not_read(local):
    assert read_any(local, KEY) is None


@given(IDS, st.sampled_from(Purpose), st.binary(min_size=16, max_size=48).filter(lambda key: key != KEY))
def test_another_key_reads_nothing(identifier, purpose, key):
    assert read_any(make(identifier, KEY, purpose), key) is None
