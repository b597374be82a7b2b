"""Which way mail goes: the first rule that fits, and never out for test mail."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from leases import make_lease
from postroad.model.message import Mode
from postroad.model.route import (
    CaptureRoute,
    Family,
    MxRoute,
    ProviderRoute,
    RelayRoute,
    RelaysRoute,
    ReservedRoute,
    Source,
)
from postroad.pipeline.routing import Router, Rule, SourcePool, Through

RELAY = RelayRoute("relay", "relay.test", 587)
EVERYBODY = frozenset()
OURS = frozenset({"prj_1"})


def test_without_rules_mail_takes_the_default_route():
    assert Router([], None).route(make_lease(domain="x.test")) == MxRoute("x.test")
    assert Router([], RELAY).route(make_lease()) == RELAY
    assert Router([], CaptureRoute()).route(make_lease()) == CaptureRoute()


@pytest.mark.parametrize(
    ("pattern", "domain", "fits"),
    [
        ("*", "x.test", True),
        ("x.test", "x.test", True),
        ("x.test", "a.x.test", False),
        ("*.x.test", "a.x.test", True),
        ("*.x.test", "b.a.x.test", True),
        ("*.x.test", "x.test", False),
        ("*.x.test", "ax.test", False),
        ("y.test", "x.test", False),
    ],
)
def test_a_rule_fits_its_domain_or_all_below_it_or_any(pattern, domain, fits):
    assert Rule(EVERYBODY, pattern, None).fits(make_lease(domain=domain)) is fits


def test_a_rule_of_some_projects_fits_no_other():
    assert Rule(OURS, "*", RELAY).fits(make_lease())
    assert not Rule(frozenset({"prj_2"}), "*", RELAY).fits(make_lease())


def test_the_first_rule_that_fits_decides():
    router = Router([Rule(frozenset({"prj_2"}), "*", CaptureRoute()), Rule(OURS, "x.test", RELAY)], CaptureRoute())
    assert router.route(make_lease(domain="x.test")) == RELAY
    assert router.route(make_lease(domain="y.test")) == CaptureRoute()
    exempt = Router([Rule(OURS, "x.test", None), Rule(OURS, "*", RELAY)], CaptureRoute())
    assert exempt.route(make_lease(domain="x.test")) == MxRoute("x.test")


TARGETS = st.sampled_from([None, RELAY, CaptureRoute()])
RULES = st.lists(
    st.builds(Rule, st.sampled_from([EVERYBODY, OURS]), st.sampled_from(["*", "x.test", "*.test"]), TARGETS)
)


@given(RULES, TARGETS)
def test_test_mail_is_captured_whatever_the_rules(rules, default):
    assert Router(rules, default).route(make_lease(mode=Mode.TEST)) == CaptureRoute()


def test_test_mail_to_the_reserved_domain_goes_to_its_mailboxes():
    router = Router([], None, reserved="r.test")
    assert router.route(make_lease(mode=Mode.TEST, domain="r.test", failures=2)) == ReservedRoute(2)
    assert router.route(make_lease(mode=Mode.TEST)) == CaptureRoute()
    assert router.route(make_lease(domain="r.test")) == MxRoute("r.test")


def test_live_mail_goes_to_the_reserved_mailboxes_only_where_they_are_always_reserved():
    router = Router([Rule(EVERYBODY, "*", RELAY)], None, reserved="r.test", always_reserved=True)
    assert router.route(make_lease(domain="r.test")) == ReservedRoute()
    assert router.route(make_lease(domain="x.test")) == RELAY


OUT = [Source(f"out{number}", ipv4=f"192.0.2.{number}") for number in range(3)]


def test_a_rule_may_speak_of_a_sender_or_a_stream():
    router = Router(
        [Rule(EVERYBODY, "*", RELAY, sender="*.shop.test"), Rule(EVERYBODY, "*", CaptureRoute(), stream="news")], None
    )
    assert router.route(make_lease(sender="a@b.shop.test", domain="x.test")) == RELAY
    assert router.route(make_lease(sender="a@other.test", stream="news")) == CaptureRoute()
    assert router.route(make_lease(sender="a@shop.test", domain="x.test")) == MxRoute("x.test")


def test_rules_for_providers_are_left_to_whoever_knows_the_exchangers():
    router = Router([Rule(EVERYBODY, "*", RELAY, provider="outlook.com"), Rule(OURS, "y.test", RELAY)], None)
    found = router.route(make_lease(domain="x.test"))
    assert found == ProviderRoute("x.test", (("outlook.com", RELAY),), MxRoute("x.test"))
    assert router.route(make_lease(domain="y.test")) == ProviderRoute("y.test", (("outlook.com", RELAY),), RELAY)


def test_a_delivery_keeps_its_source_and_shares_are_kept():
    pool = SourcePool(tuple(OUT), (6, 3, 1), Family.IPV4_FIRST)
    router = Router([], pool)
    lease = make_lease(domain="x.test")
    first = router.route(lease)
    assert isinstance(first, MxRoute)
    assert first.family is Family.IPV4_FIRST
    assert router.route(lease) == first
    drawn = Counter(pool.source(f"dlv_{number}").name for number in range(3000))
    assert drawn["out0"] > drawn["out1"] > drawn["out2"] > 0
    assert SourcePool().source("dlv_1") is None
    assert SourcePool((OUT[0],)).source("dlv_1") is OUT[0]
    even = Counter(SourcePool(tuple(OUT)).source(f"dlv_{number}").name for number in range(3000))
    assert min(even.values()) > 800


def test_relays_too_are_reached_from_the_sources_of_a_pool():
    pool = SourcePool(tuple(OUT), family=Family.IPV4_ONLY)
    spare = RelayRoute("spare", "spare.test", 25)
    router = Router([Rule(EVERYBODY, "x.test", Through(RelaysRoute((RELAY, spare)), pool))], Through(RELAY, pool))
    lease = make_lease(domain="x.test")
    source = pool.source(lease.delivery_id)
    two = router.route(lease)
    assert two == RelaysRoute(tuple(replace(each, source=source, family=Family.IPV4_ONLY) for each in (RELAY, spare)))
    one = router.route(make_lease(domain="y.test"))
    assert (one.name, one.source, one.family) == ("relay", source, Family.IPV4_ONLY)
    keys = {Through(RELAY, pool).way(f"dlv_{number}").key for number in range(300)}
    assert len(keys) == len(OUT)


def test_a_pool_without_sources_says_over_which_family_a_relay_is_reached():
    way = Through(RELAY, SourcePool(family=Family.IPV6_FIRST)).way("dlv_1")
    assert way == replace(RELAY, family=Family.IPV6_FIRST)
