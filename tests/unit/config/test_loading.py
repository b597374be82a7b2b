import base64
from pathlib import Path

import pytest

from postroad.config import (
    SEARCHED,
    RouteKind,
    Secret,
    Settings,
    SettingsError,
    entries,
    load,
    loading,
    shown,
    value_at,
)

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        file = tmp_path / "postroad.toml"
        file.write_text(text)
        return file

    return write


def flaws(file: Path | None, environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(file, environment)
    return [problem.sentence for problem in caught.value.problems]


def test_without_a_file_and_an_environment_everything_has_its_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Settings()


def test_the_file_in_the_working_directory_is_found(written, monkeypatch):
    file = written("http.port = 1")
    monkeypatch.chdir(file.parent)
    assert load(None, {}).http.port == 1


def test_a_working_directory_that_is_closed_to_the_user_has_no_file(monkeypatch):
    def closed(path: Path) -> bool:
        if path.is_absolute():
            return False
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    assert load(None, {}) == Settings()


def test_that_the_folder_for_the_whole_machine_is_closed_is_told(monkeypatch):
    monkeypatch.setattr(loading, "SEARCHED", SEARCHED)

    def closed(path: Path, encoding: str = "") -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    monkeypatch.setattr(Path, "read_text", closed)
    assert flaws(None, {}) == [
        "/etc/postroad/postroad.toml cannot be read: Permission denied. Name another file with --config."
    ]


def test_a_variable_names_the_file(written):
    assert load(None, {"POSTROAD_CONFIG": str(written("http.port = 2"))}).http.port == 2


def test_a_given_file_beats_the_one_the_variable_names(written):
    assert load(written("http.port = 2"), {"POSTROAD_CONFIG": "/nonexistent"}).http.port == 2


def test_the_environment_beats_the_file(written):
    file = written("[http]\nport = 2\nhost = '::1'")
    settings = load(file, {"POSTROAD_HTTP_PORT": "3"})
    assert (settings.http.host, settings.http.port) == ("::1", 3)


def test_every_kind_of_value_can_come_from_the_environment(written):
    settings = load(
        written(""),
        {
            "POSTROAD_DATA_DIRECTORY": "/srv/mail",
            "POSTROAD_DELIVERY_ROUTE": "capture",
            "POSTROAD_DELIVERY_IDLE_S": "1.5",
            "POSTROAD_DELIVERY_ALLOW_PRIVATE_ADDRESSES": "true",
            "POSTROAD_DELIVERY_RESOLVERS": "127.0.0.1:5353, [::1]:53,",
            "POSTROAD_DELIVERY_COMPOSE_WORKERS": "0",
            "POSTROAD_DELIVERY_TIMEOUTS_DOT_S": "5",
            "POSTROAD_STREAMS_RETRY_DELAYS_S": "1,2",
            "POSTROAD_SECRETS_MASTER_KEY": KEY,
            "POSTROAD_DELIVERY_ROUTES": '[{"route": "relay", "domain": "a.example", "relay_url": "smtp://r.example"}]',
        },
    )
    assert settings.data.directory == Path("/srv/mail")
    assert settings.delivery.route is RouteKind.CAPTURE
    assert settings.delivery.idle_s == 1.5
    assert settings.delivery.allow_private_addresses is True
    assert settings.delivery.resolvers == ("127.0.0.1:5353", "[::1]:53")
    assert settings.delivery.compose_workers == 0
    assert settings.delivery.timeouts.dot_s == 5
    assert settings.streams.retry_delays_s == (1, 2)
    assert settings.secrets.master_key == Secret(KEY)
    assert settings.delivery.routes[0].relay_url == Secret("smtp://r.example")


def test_an_empty_variable_unsets_an_optional_setting(written):
    file = written("http.public_url = 'https://a.example'")
    assert load(file, {"POSTROAD_HTTP_PUBLIC_URL": ""}).http.public_url is None


def test_rules_of_routes_are_an_array_of_tables(written, tmp_path):
    (tmp_path / "relay").write_text("smtps://user:pass@relay.example\n")
    settings = load(
        written(
            "[[delivery.routes]]\nroute = 'mx'\nproject = 'shop'\n"
            f"[[delivery.routes]]\nroute = 'relay'\nrelay_url_file = '{tmp_path}/relay'"
        ),
        {},
    )
    first, second = settings.delivery.routes
    assert (first.route, first.project, first.domain) == (RouteKind.MX, "shop", "*")
    assert second.relay_url == Secret("smtps://user:pass@relay.example")


def test_a_secret_may_be_given_as_a_file(written, tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    assert load(written(f"secrets.master_key_file = '{tmp_path}/key'"), {}).secrets.master_key == Secret(KEY)
    assert load(written(""), {"POSTROAD_SECRETS_MASTER_KEY_FILE": f"{tmp_path}/key"}).secrets.master_key == Secret(KEY)


def test_a_secret_in_the_environment_beats_a_secret_file_in_the_file(written):
    file = written("secrets.master_key_file = '/nonexistent'")
    assert load(file, {"POSTROAD_SECRETS_MASTER_KEY": KEY}).secrets.master_key == Secret(KEY)


def test_a_secret_given_twice_in_one_place_is_refused(written):
    text = f"[secrets]\nmaster_key = '{KEY}'\nmaster_key_file = '/nonexistent'"
    assert "both given" in flaws(written(text), {})[0]


def test_every_flaw_is_told_at_once_with_its_place(written):
    file = written("[http]\nprot = 1\nport = 'x'")
    told = flaws(file, {"POSTROAD_HTTP_PROT": "1", "POSTROAD_SMTP_PORT": "99999"})
    assert told == [
        f"{file}: there is no setting http.prot; did you mean http.port?",
        "POSTROAD_HTTP_PROT in the environment sets nothing; did you mean POSTROAD_HTTP_PORT?",
        f"{file}: http.port must be a whole number from 0 to 65_535, not 'x'.",
        "POSTROAD_SMTP_PORT: smtp.port must be a whole number from 0 to 65_535, not 99999.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zzzzzz = 1", "no setting zzzzzz; see docs/reference/settings.md"),
        ("htp.port = 1", "no setting htp; did you mean http?"),
        ("http = 1", "no setting http; did you mean http?"),
        ("http.port = true", "http.port must be a whole number from 0 to 65_535, not True."),
        ("http.port_file = '/x'", "there is no setting http.port_file"),
        ("http.public_url = 'mail.example.com'", "http.public_url must be a URL such as"),
        ("http.trusted_proxies = '10.0.0.0/8'", "each text, not '10.0.0.0/8'. Write one as [\"10.0.0.0/8\"]."),
        ("http.trusted_proxies = ['10.0.0.1/8']", "http.trusted_proxies must hold IP addresses or ranges"),
        ("delivery.route = 'pigeon'", "must be one of mx, relay, capture, not 'pigeon'."),
        ("delivery.hostname = 'a b'", "delivery.hostname must be a host name"),
        ("delivery.routes = 1", "must be a list of items, each a table"),
        ("delivery.routes = [1]", "must be a list of items, each a table"),
        ("delivery.routes = [{}]", "has an item without a route"),
        ("delivery.routes = [{route = 'mx', domian = 'x'}]", "unknown domian; did you mean domain?"),
        ("delivery.routes = [{route = 1}]", "has an item whose route must be one of"),
        ("delivery.relay_url = 'relay.example'", "delivery.relay_url must be a URL such as smtp://user"),
        ("delivery.resolvers = ['x:1']", "delivery.resolvers must hold IP addresses with an optional port"),
        ("delivery.resolvers = ['1.1.1.1:0']", "delivery.resolvers must hold IP addresses with an optional port"),
        ("database.url = 'mysql://x'", "database.url must begin with sqlite:/// or postgresql://"),
        ("http.public_url = 'http://[::1'", "http.public_url must be a URL such as"),
        ("blobs.url = 'ftp://x'", "blobs.url must begin with file:///"),
        ("blobs.url = 'file://blobs'", "blobs.url must name its folder from the root on"),
        ("blobs.url = 's3://'", "blobs.url must name its bucket or container, such as s3://my-bucket"),
        ("database.url = 'postgresql://u:p@w@db/x'", "characters of the password are written as %40"),
        ("database.url = 'postgresql://u:pw@db:x/x'", "database.url must be a URL such as postgresql://"),
        ("sources = [{name = 'a', ipv4 = '::1'}]", "whose ipv4 must be an IPv4 address such as 192.0.2.1"),
        ("sources = [{name = 'a', ipv6 = '127.0.0.1'}]", "whose ipv6 must be an IPv6 address such as 2001:db8::1"),
        ("secrets.master_key = 'short'", "base64 of 32 octets; make one with: openssl rand -base64 32."),
        ("secrets.master_key = 'AAAA'", "base64 of 32 octets"),
        ("http.admin_key = '0123456789abcdef0123456789abcde'", "http.admin_key must have at least 32 characters"),
        ("http.admin_key = '0123456789abcdef 0123456789abcdef'", "make one with: openssl rand -hex 32."),
        ("http.admin_key = 'https://0123456789abcdef0123456789abcdef'", "of letters, digits and"),
        ("secrets.master_key = 1", "secrets.master_key must be text, not what was given."),
        ("secrets.master_key_file = 1", "must be the path of a file."),
        ("secrets.master_key_file = '/nonexistent'", "names /nonexistent, which cannot be read: No such file"),
        ("=", "is not valid TOML"),
    ],
)
def test_a_flaw_is_told_with_its_remedy(written, text, expected):
    (told,) = flaws(written(text), {})
    assert expected in told


def test_a_file_of_a_secret_that_is_empty_is_told(written, tmp_path):
    (tmp_path / "key").write_text("\n")
    (told,) = flaws(written(f"secrets.master_key_file = '{tmp_path}/key'"), {})
    assert told.endswith(f"secrets.master_key_file names {tmp_path}/key, which is empty.")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///postroad?host=/run/postgresql",
        "postgres://postroad:p%40s/w#d@db.example.com:5433/postroad?sslmode=verify-full",
        "postgresql://postroad@/postroad?host=db1:5432&host=db2:5432&target_session_attrs=primary",
        "postgresql://[::1]:5432/postroad",
        "sqlite:////srv/postroad.db",
    ],
)
def test_the_place_of_a_database_is_read(written, url):
    assert load(written(f"database.url = '{url}'"), {}).database_url == url


def test_a_missing_file_is_told(tmp_path):
    assert "No such file or directory. Name another file with --config." in flaws(tmp_path / "none.toml", {})[0]


def test_a_secret_file_that_is_not_text_is_told(written, tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00")
    assert "it is not text" in flaws(written(f"secrets.master_key_file = '{tmp_path}/key'"), {})[0]


@pytest.mark.parametrize("value", ["{", "{}", "mx"])
def test_rules_in_the_environment_are_a_json_array(written, value):
    assert "must be a JSON array" in flaws(written(""), {"POSTROAD_DELIVERY_ROUTES": value})[0]


def test_what_kubernetes_adds_for_a_service_of_our_name_is_ignored(written):
    environment = {
        "POSTROAD_SERVICE_HOST": "10.0.0.1",
        "POSTROAD_SERVICE_PORT": "8025",
        "POSTROAD_SERVICE_PORT_HTTP": "8025",
        "POSTROAD_PORT": "tcp://10.0.0.1:8025",
        "POSTROAD_PORT_8025_TCP": "tcp://10.0.0.1:8025",
        "POSTROAD_PORT_8025_TCP_ADDR": "10.0.0.1",
    }
    assert load(written(""), environment) == Settings()


def test_a_refused_secret_is_not_repeated(written):
    told = flaws(written(""), {"POSTROAD_SECRETS_MASTER_KEY": "hunter2", "POSTROAD_DATABASE_URL": "x://u:hunter2@h"})
    assert not any("hunter2" in sentence for sentence in told)


def test_no_setting_shares_its_variable_with_another():
    variables = [entry.variable for entry in entries()]
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.path)
def test_every_setting_is_described_and_its_default_is_within_its_bounds(entry):
    assert entry.say.description[0].isupper()
    assert entry.say.description.endswith(".")
    assert value_at(Settings(), entry.path) == entry.default
    values = entry.default if entry.many else [entry.default]
    if entry.bounds:
        assert all(value is None or entry.say.low <= value <= entry.say.high for value in values)


def test_what_is_shown_of_the_settings_holds_no_secret(written):
    settings = load(
        written(f"secrets.master_key = '{KEY}'\ndatabase.url = 'postgresql://u:hunter2@h/d?sslpassword=hunter2'"), {}
    )
    assert KEY not in str(shown(settings)) + repr(settings)
    assert "hunter2" not in str(shown(settings)) + repr(settings)
    assert shown(settings)["database"]["url"] == "postgresql://u:********@h/d?sslpassword=********"


@pytest.mark.parametrize("key", ["0123456789abcdef0123456789abcdef", f"{'A' * 31}=", f"{'+/' * 21}A="])
def test_an_admin_key_is_taken_and_never_shown(written, key):
    settings = load(written(""), {"POSTROAD_HTTP_ADMIN_KEY": key})
    assert settings.http.admin_key == Secret(key)
    assert shown(settings)["http"]["admin_key"] == "********"
    assert key not in str(shown(settings)) + repr(settings)


def test_what_is_not_set_lies_in_the_data_directory(written):
    settings = load(written("data.directory = '/srv/mail'"), {})
    assert settings.database_url == "sqlite:////srv/mail/postroad.db"
    assert settings.blobs_url == "file:///srv/mail/blobs"
    assert settings.administration_socket == Path("/srv/mail/postroad.sock")


def test_what_is_set_is_used(written):
    settings = load(written("database.url = 'postgresql:///mail'\nblobs.url = 's3://mail/x'"), {})
    assert (settings.database_url, settings.blobs_url) == ("postgresql:///mail", "s3://mail/x")
