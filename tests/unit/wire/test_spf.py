"""SPF records: read, counted, and refused where receivers refuse."""

import pytest

from postroad.wire.spf import Mechanism, Qualifier, SpfError, find_record, parse


def test_a_record_is_read_term_by_term() -> None:
    record = parse(
        "v=spf1 ip4:192.0.2.0/24  ip6:2001:db8::/32 A mx/24//64 a:x.example/28 +include:_spf.x.example exp=e.x ~all"
    )
    assert record.mechanisms[0] == Mechanism(Qualifier.PASS, "ip4", "192.0.2.0/24")
    assert [one.name for one in record.mechanisms] == ["ip4", "ip6", "a", "mx", "a", "include", "all"]
    assert record.lookups == 4
    assert record.includes == ("_spf.x.example",)
    assert record.all is Qualifier.SOFTFAIL


def test_a_redirect_counts_only_where_nothing_says_all() -> None:
    assert parse("v=spf1 redirect=x.example").includes == ("x.example",)
    assert parse("v=spf1 redirect=x.example").lookups == 1
    assert parse("v=spf1 ?all redirect=x.example").includes == ()
    assert parse("v=spf1 ?all redirect=x.example").lookups == 0
    assert parse("V=SPF1").all is None


def test_only_an_include_that_passes_and_is_reached_counts() -> None:
    assert parse("v=spf1 -include:a.example ~include:b.example ?include:c.example include:d.example").includes == (
        "d.example",
    )
    behind = parse("v=spf1 ~all include:a.example mx")
    assert (behind.includes, behind.lookups) == ((), 0)


def test_addresses_are_permitted_by_the_first_term_that_matches() -> None:
    record = parse("v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 ip6:2001:db8::/32 mx -all")
    assert record.permits("192.0.2.7")
    assert record.permits("2001:db8::1")
    assert not record.permits("192.0.2.1")
    assert not record.permits("198.51.100.1")
    assert parse("v=spf1 +all").permits("198.51.100.1")
    assert not parse("v=spf1").permits("198.51.100.1")


@pytest.mark.parametrize(
    "text",
    [
        "v=spf2 -all",
        "v=spf1 foo",
        "v=spf1 include",
        "v=spf1 include:",
        "v=spf1 exists",
        "v=spf1 all:x",
        "v=spf1 ip4:300.1.1.1",
        "v=spf1 ip4",
        "v=spf1 ip4:2001:db8::1",
        "v=spf1 ip6:192.0.2.1",
        "v=spf1 a/33",
        "v=spf1 mx//129",
        "v=spf1 redirect=a redirect=b",
        "v=spf1 exp=a exp=b",
        "v=spf1 redirect=",
        "v=spf1 \tall",
        "v=spf1 ü=x",
    ],
)
def test_a_malformed_record_is_an_error(text: str) -> None:
    with pytest.raises(SpfError):
        parse(text)


def test_a_domain_has_one_record_or_none() -> None:
    assert find_record(["google-site-verification=x", "v=spf10"]) is None
    assert find_record(["other", "v=spf1 -all"]) == parse("v=spf1 -all")
    assert find_record(["v=spf1"]) == parse("v=spf1")
    with pytest.raises(SpfError, match="several"):
        find_record(["v=spf1 -all", "v=spf1 +all"])
