import pytest

from postroad.config import Relay, Secret, parse_relay, split_endpoint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://relay.example.com", Relay("relay.example.com", 25, "opportunistic")),
        ("smtp://relay.example.com/", Relay("relay.example.com", 25, "opportunistic")),
        ("smtp://relay.example.com:2525?security=smtp", Relay("relay.example.com", 2525, "smtp")),
        ("smtp://relay.example.com?security=smtps&verify=no", Relay("relay.example.com", 465, "smtps", verify=False)),
        ("smtps://[::1]", Relay("::1", 465, "smtps")),
        (
            "smtp://me%40example.com:p%2Fw@relay.example.com?security=starttls",
            Relay("relay.example.com", 587, "starttls", "me@example.com", Secret("p/w")),
        ),
    ],
)
def test_a_relay_is_read_from_its_url(url, expected):
    assert parse_relay(url) == expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://relay.example.com", "must be a URL"),
        ("smtp://", "must be a URL"),
        ("smtp://relay.example.com/path", "must be a URL"),
        ("smtp://relay.example.com#x", "must be a URL"),
        ("smtp://relay.example.com?security=none", "unknown security"),
        ("smtps://relay.example.com?security=starttls", "unknown security"),
        ("smtp://relay.example.com?tls=yes", "takes no other parameters"),
        ("smtp://relay.example.com?verify=maybe", "takes no other parameters"),
        ("smtp://re lay.example.com", "host name"),
        ("smtp://user@relay.example.com", "both a user name and a password"),
        ("smtp://user:pw@relay.example.com?security=smtp", "in the clear; write security=starttls or smtps://"),
        ("smtp://relay.example.com:99999", "has a port"),
        ("smtp://relay.example.com:0", "has a port"),
        ("smtp://[::1", "must be a URL"),
        ("smtp://me:p/w@relay.example.com", "characters of user and password are written as %40"),
        ("smtp://relay.example.com:465?security=starttls", "port 465: .* write smtps://"),
        ("smtp://relay.example.com:465", "port 465: .* write smtps://"),
        ("smtps://relay.example.com:587", r"port 587: .*security=starttls"),
        ("smtps://relay.example.com:25", r"port 25: .*security=starttls"),
    ],
)
def test_a_flawed_relay_url_is_refused(url, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_relay(url)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("hunter2", "********"),
        ("postgresql://user:hunter2@host:5432/db", "postgresql://user:********@host:5432/db"),
        ("postgresql://user:hun@ter2@host", "postgresql://user:********@host"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("sqlite:///data/postroad.db", "sqlite:///data/postroad.db"),
        ("postgresql:///db?user=u&password=hunter2&x=y", "postgresql:///db?user=u&password=********&x=y"),
        ("postgresql://host?password=hunter2", "postgresql://host?password=********"),
    ],
)
def test_of_a_secret_only_what_is_harmless_is_shown(text, masked):
    assert Secret(text).masked() == masked
    assert "hunter2" not in f"{Secret(text)} {Secret(text)!r}"
    assert Secret(text).reveal() == text


def test_secrets_compare_by_their_text():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_an_endpoint_is_split(text, expected):
    assert split_endpoint(text, 53) == expected


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "localhost:53"])
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence belongs to the check of the setting
        split_endpoint(text, 53)
