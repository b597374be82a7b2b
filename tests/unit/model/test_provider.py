"""Mail exchangers roll up into sites."""

import pytest

from postroad.model.provider import PROVIDERS, provider_of, site_of


@pytest.mark.parametrize(
    ("hosts", "site"),
    [
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "google"),
        (["aspmx.l.google.com", "aspmx2.googlemail.com"], "google"),
        (["example-com.mail.protection.outlook.com"], "microsoft365"),
        (["example-com.o-v1.mx.microsoft"], "microsoft365"),
        (["outlook-com.olc.protection.outlook.com"], "outlook"),
        (["mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"], "yahoo"),
        (["b.example", "a.example", "b.example"], "a.example,b.example"),
        (["mx.example", "aspmx.l.google.com"], "google,mx.example"),
        (["localhost"], "localhost"),
    ],
)
def test_a_site_is_its_provider_or_its_hosts(hosts: list[str], site: str) -> None:
    assert site_of(hosts) == site


def test_a_host_whose_name_only_looks_alike_is_no_providers() -> None:
    assert provider_of("notgoogle.com") is None
    assert provider_of("google.com") is None
    assert provider_of("mx.google.com.evil.example") is None


def test_no_two_providers_claim_the_same_hosts() -> None:
    suffixes = [suffix for _, suffixes in PROVIDERS for suffix in suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)
    assert len({name for name, _ in PROVIDERS}) == len(PROVIDERS)


def test_the_key_of_a_site_is_bounded() -> None:
    assert len(site_of([f"mx{n}.a-rather-long-name.example" for n in range(100)])) == 500
