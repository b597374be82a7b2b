"""From settings to sources, pools, relays and rules."""

from pathlib import Path

import pytest

from leases import make_lease
from postroad.app.routes import UnknownPath, own_addresses, own_names, router_of, unusable_paths
from postroad.config import Settings, load
from postroad.model.route import Family, MxRoute, ProviderRoute, RelayRoute, RelaysRoute, Source

PATHS = """
[delivery]
route = "mx"
pool = "main"

[[delivery.routes]]
route = "relay"
provider = "Outlook.com"
relays = ["second", "first"]

[[delivery.routes]]
route = "mx"
stream = "broadcast"
pool = "bulk"
family = "ipv4_only"

[[sources]]
name = "main"
ipv4 = "192.0.2.1"
ipv6 = "2001:db8::1"
hostname = "out1.example.com"

[[sources]]
name = "other"
ipv4 = "192.0.2.2"

[[pools]]
name = "bulk"
sources = ["main", "other"]
weights = [0, 1]
family = "ipv6_first"

[[relays]]
name = "second"
url = "smtp://b.example.com"
priority = 20

[[relays]]
name = "first"
url = "smtps://u:p@a.example.com"
"""
MAIN = Source("main", "192.0.2.1", "2001:db8::1", "out1.example.com")


def read(text: str, folder: Path) -> Settings:
    file = folder / "postroad.toml"
    file.write_text(text)
    return load(file, {})


def test_sources_pools_and_relays_are_read_and_named_by_rules(tmp_path: Path) -> None:
    router = router_of(read(PATHS, tmp_path), {})
    found = router.route(make_lease(domain="x.test", stream="transactional"))
    assert isinstance(found, ProviderRoute)
    assert found.otherwise == MxRoute("x.test", MAIN)
    ((provider, relays),) = found.cases
    assert provider == "outlook.com"
    assert isinstance(relays, RelaysRoute)
    assert [relay.name for relay in relays.relays] == ["first", "second"]
    bulk = router.route(make_lease(domain="x.test", stream="broadcast"))
    assert isinstance(bulk, ProviderRoute)
    assert bulk.otherwise == MxRoute("x.test", Source("other", "192.0.2.2"), Family.IPV4_ONLY)


def test_relays_alone_are_the_default_route(tmp_path: Path) -> None:
    relays = '[delivery]\nroute = "relay"\n[[relays]]\nname = "r"\nurl = "smtp://r.example.com"\n'
    found = router_of(read(relays, tmp_path), {}).route(make_lease())
    assert isinstance(found, RelayRoute)
    assert found.name == "r"


def test_a_relay_is_reached_from_the_default_pool_unless_its_rule_names_another(tmp_path: Path) -> None:
    text = """[delivery]
route = "relay"
relay_url = "smtp://r.example.com"
pool = "main"

[[delivery.routes]]
route = "relay"
domain = "x.test"
relay_url = "smtp://x.example.com"
pool = "other"
family = "ipv4_first"

[[delivery.routes]]
route = "relay"
domain = "y.test"
relays = ["first"]
"""
    router = router_of(read(text + PATHS[PATHS.index("[[sources]]") :], tmp_path), {})
    found = {domain: router.route(make_lease(domain=domain)) for domain in ("x.test", "y.test", "z.test")}
    assert all(isinstance(route, RelayRoute) for route in found.values())
    assert found["x.test"].source == Source("other", "192.0.2.2")
    assert found["x.test"].family is Family.IPV4_FIRST
    assert (found["y.test"].name, found["y.test"].source) == ("first", MAIN)
    assert (found["z.test"].name, found["z.test"].source) == ("relay", MAIN)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[delivery]\npool = "nope"\n', "delivery.pool names the pool 'nope'"),
        ('[[delivery.routes]]\nroute = "relay"\nrelays = ["nope"]\n', "names the relay 'nope'"),
        ('[[delivery.routes]]\nroute = "relay"\n', "give it a relay_url, or relays"),
        ('[[sources]]\nname = "a"\n', "without an address"),
        ('[[sources]]\nipv4 = "192.0.2.1"\n', "a name of its own"),
        ('[[pools]]\nname = "p"\n', "needs sources"),
        ('[[relays]]\nname = "r"\n', "relays has an item 'r' without a url"),
        ('[[relays]]\nname = "capture"\nurl = "smtp://r.test"\n', "a relay is named 'capture'"),
        ('[[delivery.routes]]\nroute = "relay"\nname = "mx"\nrelay_url = "smtp://r.test"\n', "a relay is named 'mx'"),
        ('[[pools]]\nname = "p"\nsources = ["x"]\n', "names the source 'x'"),
        (
            '[[sources]]\nname = "a"\nipv4 = "192.0.2.1"\n[[pools]]\nname = "p"\nsources = ["a"]\nweights = [1, 2]\n',
            "as many weights",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UnknownPath, match=sentence.replace("(", r"\(")):
        router_of(read(text, tmp_path), {})


def test_what_is_wrong_shows_without_the_store_but_for_projects(tmp_path: Path) -> None:
    rule = '[[delivery.routes]]\nroute = "mx"\nproject = "not there yet"\n'
    assert unusable_paths(read(rule, tmp_path)) is None
    assert unusable_paths(read(rule + 'pool = "nope"\n', tmp_path)) == (
        "a rule of delivery.routes names the pool 'nope', which does not exist; add it to pools, or correct it"
    )


def test_our_own_names_and_addresses_are_those_of_all_sources(tmp_path: Path) -> None:
    more = PATHS.replace(
        'pool = "main"\n', 'pool = "main"\nhostname = "Mail.example.com"\nown_addresses = ["2001:DB8:0::9"]\n', 1
    )
    settings = read(more, tmp_path)
    assert own_names(settings) == {"mail.example.com", "out1.example.com"}
    assert own_addresses(settings) == {"2001:db8::9", "192.0.2.1", "2001:db8::1", "192.0.2.2"}
