"""List headers: one click, by POST, and nothing that could end its header early."""

import pytest

from postroad.wire.headers import HeaderError
from postroad.wire.unsubscribe import list_id_header, unsubscribe_headers


def test_one_click_takes_an_https_link_and_may_offer_mail_as_well() -> None:
    assert unsubscribe_headers("https://x.example/u/abc_-~?a=b#c") == (
        ("List-Unsubscribe", "<https://x.example/u/abc_-~?a=b#c>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    value = unsubscribe_headers("https://x.example/u", "mailto:u+1@x.example?subject=u")[0][1]
    assert value == "<https://x.example/u>, <mailto:u+1@x.example?subject=u>"


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/",
        "https://x.example/ a",
        "https://x>",
        "https://x,y",
        "https://x\r\nBcc: y",
        "https://ü",
        "https://" + "a" * 1000,
    ],
)
def test_what_is_no_https_link_is_refused(url: str) -> None:
    with pytest.raises(HeaderError):
        unsubscribe_headers(url)


@pytest.mark.parametrize("mailto", ["u@x.example", "mailto:a>", "mailto:a\n"])
def test_what_is_no_mail_link_is_refused(mailto: str) -> None:
    with pytest.raises(HeaderError):
        unsubscribe_headers("https://x.example/", mailto)


def test_a_list_has_an_identity_below_a_domain() -> None:
    assert list_id_header("News.Weekly", "Bücher.example") == ("List-Id", "<news.weekly.xn--bcher-kva.example>")


@pytest.mark.parametrize(
    ("label", "domain"),
    [
        ("", "x.example"),
        ("a b", "x.example"),
        ("a>", "x.example"),
        ("ü", "x.example"),
        ("a", ""),
        ("a", "x\r\ny"),
        ("a." * 90 + "a", ".".join(["b" * 60] * 2)),
    ],
)
def test_a_malformed_list_identity_is_refused(label: str, domain: str) -> None:
    with pytest.raises(HeaderError):
        list_id_header(label, domain)
