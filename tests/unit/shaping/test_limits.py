"""Limits: ours, the user's, and what is wrong with a file."""

from pathlib import Path

import pytest

from postroad.model.provider import PROVIDERS
from postroad.pipeline.shaping.limits import FlawedLimitsError, Limits, read_book, shipped, with_limits

FLOOR = Limits()


def book(*texts: str):
    return read_book([(f"file{n}.toml", text) for n, text in enumerate(texts)], FLOOR)


def flaws(text: str) -> tuple[str, ...]:
    with pytest.raises(FlawedLimitsError) as caught:
        book(text)
    return caught.value.flaws


def test_what_ships_is_sound_and_names_only_known_providers():
    ours = book(shipped())
    assert set(ours.all.site) <= {name for name, _ in PROVIDERS}
    assert ours.limits("google").connections == 5
    assert ours.limits("google").messages_per_connection == 50
    assert ours.limits("yahoo").messages_per_connection == 20
    assert ours.limits("mx.example") == FLOOR
    for name in ours.all.site:
        found = ours.limits(name)
        assert 1 <= found.start <= found.connections


def test_a_users_file_goes_over_ours_and_keeps_what_it_does_not_say():
    both = book(shipped(), "[site.google]\nconnections = 20")
    assert both.limits("google").connections == 20
    assert both.limits("google").messages_per_connection == 50


def test_what_is_said_more_narrowly_holds():
    found = book(
        """
        [default]
        connections = 7
        [site.google]
        connections = 6
        messages_per_second = 50
        [site.".corp.example"]
        connections = 4
        [domain."vip.example"]
        connections = 1
        [pool.bulk.site.google]
        connections = 3
        [project.shop.default]
        connections = 2
        [project.shop.domain."vip.example"]
        idle_s = 5
        """
    )
    assert found.limits("other").connections == 7
    assert found.limits("google").connections == 6
    assert found.limits("a.corp.example,b.corp.example").connections == 4
    assert found.limits("a.corp.example,b.example").connections == 7
    assert found.limits("google", pool="bulk").connections == 3
    assert found.limits("google", pool="other").connections == 6
    shop = found.limits("google", pool="bulk", project="shop")
    assert (shop.connections, shop.messages_per_second) == (2, 50.0)
    vip = found.limits("google", domain="vip.example", project="shop")
    assert (vip.connections, vip.idle_s, vip.messages_per_second) == (1, 5.0, 50.0)


def test_a_project_and_a_domain_count_apart_only_where_they_have_limits_of_their_own():
    assert book("").plain
    found = book('[domain."vip.example"]\nconnections = 1\n[project.shop.domain."own.example"]\nconnections = 1')
    assert not found.plain
    assert found.apart("x.example", "other") == ("", "")
    assert found.apart("vip.example", "other") == ("vip.example", "")
    assert found.apart("x.example", "shop") == ("", "shop")
    assert found.apart("own.example", "shop") == ("own.example", "shop")
    assert found.apart("own.example", "other") == ("", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("connections = ", "file0.toml: this is not TOML: "),
        ("[sites.google]\nconnections = 1", "file0.toml: [sites] is no section; there are default, site, domain, "),
        ("[project.a.pool.b]\nconnections = 1", "file0.toml: [project.a.pool] is no section; there are default, site"),
        ("[site.google]\nconnection = 1", "file0.toml: site.google.connection is no limit; there are connections, "),
        ("[site.google]\nconnections = 0", "file0.toml: site.google.connections is 0 and must be from 1 to 1000."),
        ("[site.google]\nconnections = 1.5", "file0.toml: site.google.connections must be a whole number."),
        ("[default]\nidle_s = true", "file0.toml: default.idle_s must be a number from 0 to 600."),
        ("site = 3", "file0.toml: site must be a table such as [site]."),
        ("[site]\ngoogle = 3", "file0.toml: site.google must be a table such as [site.google]."),
        ("project = 3", "file0.toml: project must be a table such as [project]."),
    ],
)
def test_a_flaw_is_told_with_its_file_its_key_and_the_remedy(text, sentence):
    assert flaws(text)[0].startswith(sentence)


def test_all_flaws_are_told_at_once():
    assert len(flaws("[default]\nconnections = 0\nwhat = 1\n[site.a]\nstart = -1")) == 3


def test_limits_that_are_not_given_stay():
    assert with_limits(FLOOR, {}) is FLOOR
    assert with_limits(FLOOR, {"connections": 3.0}) == Limits(connections=3)


def test_the_reference_of_the_defaults_is_in_the_file_itself():
    text = Path(__file__).parents[3].joinpath("src/postroad/pipeline/shaping/defaults.toml").read_text()
    assert text == shipped()
    for name in Limits.__struct_fields__:
        assert f"#   {name} " in text
