"""Which way mail goes: the first rule that fits, and never out for test mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leases import make_lease
from postroad.model.message import Mode
from postroad.model.route import CaptureRoute, MxRoute, RelayRoute, ReservedRoute
from postroad.pipeline.routing import Router, Rule

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
