"""What is asked for is found, however it is written."""

import pytest

from postroad.model.asked import stored_address, stored_domain
from postroad.model.errors import Refused


def test_whoever_asks_for_nothing_gets_nothing():
    assert stored_address(None, "/to") is None
    assert stored_domain(None, "/domain") is None


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("ann@x.example", "ann@x.example"),
        ("Ann <ann@X.example>", "ann@x.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_an_address_gets_the_spelling_that_is_stored(written, stored):
    assert stored_address(written, "/to") == stored


@pytest.mark.parametrize(
    ("written", "stored"),
    [("X.example", "x.example"), ("BÜCHER.example", "xn--bcher-kva.example"), ("[192.0.2.1]",) * 2],
)
def test_a_domain_gets_the_spelling_that_is_stored(written, stored):
    assert stored_domain(written, "/domain") == stored


@pytest.mark.parametrize(("read", "text"), [(stored_address, "ann"), (stored_domain, "a..b"), (stored_domain, "a@b")])
def test_what_is_none_is_refused_at_its_place(read, text):
    with pytest.raises(Refused) as refused:
        read(text, "#/query/it")
    assert refused.value.flaws[0].pointer == "#/query/it"
