import base64
import os
from pathlib import Path

import pytest

from postroad.config import RouteKind, Settings, check_production, for_development, load

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def safe(tmp_path):
    directory = tmp_path / "data"
    directory.mkdir(mode=0o750)
    return {
        "POSTROAD_DATA_DIRECTORY": str(directory),
        "POSTROAD_SECRETS_MASTER_KEY": KEY,
        "POSTROAD_DELIVERY_HOSTNAME": "mail.shop.test",
        "POSTROAD_HTTP_PUBLIC_URL": "https://mail.shop.test",
        "POSTROAD_RETURN_PATH_DOMAIN": "bounces.shop.test",
    }


@pytest.fixture
def unsafe(safe, tmp_path):
    empty = tmp_path / "empty.toml"
    empty.touch()

    def settings_named(**changes: str | None) -> list[str]:
        environment = safe | {f"POSTROAD_{name.upper()}": value for name, value in changes.items() if value is not None}
        for name in (name for name, value in changes.items() if value is None):
            del environment[f"POSTROAD_{name.upper()}"]
        return [problem.setting for problem in check_production(load(empty, environment))]

    return settings_named


def test_a_complete_configuration_is_safe(unsafe):
    assert unsafe() == []


def test_a_certificate_and_its_key_go_together_and_can_be_read(unsafe, tmp_path):
    file = tmp_path / "certificate.pem"
    file.touch()
    assert unsafe(exchange_tls_certificate=str(file)) == ["exchange.tls_certificate"]
    both = {"exchange_tls_certificate": str(file), "exchange_tls_key": str(tmp_path / "none.pem")}
    assert unsafe(**both) == []
    assert unsafe(**both, exchange_enabled="true") == ["exchange.tls_key"]


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"secrets_master_key": None}, "secrets.master_key"),
        ({"delivery_hostname": None}, "delivery.hostname"),
        ({"delivery_hostname": "mail"}, "delivery.hostname"),
        ({"delivery_hostname": "mail.local"}, "delivery.hostname"),
        ({"delivery_hostname": "192.0.2.10"}, "delivery.hostname"),
        ({"return_path_domain": None}, "return_path.domain"),
        ({"return_path_domain": "bounces"}, "return_path.domain"),
        ({"http_public_url": None}, "http.public_url"),
        ({"http_public_url": "http://mail.shop.test"}, "http.public_url"),
        ({"http_host": "0.0.0.0"}, "http.trusted_proxies"),
        ({"http_host": "mail.example.com"}, "http.trusted_proxies"),
        ({"delivery_route": "capture"}, "delivery.route"),
        ({"delivery_routes": '[{"route": "capture"}]'}, "delivery.route"),
        ({"delivery_route": "relay"}, "delivery.relay_url"),
        ({"delivery_routes": '[{"route": "relay"}]'}, "delivery.routes"),
        ({"delivery_allow_private_addresses": "true"}, "delivery.allow_private_addresses"),
        ({"webhooks_allow_private_addresses": "true"}, "webhooks.allow_private_addresses"),
        ({"domains_require_verified": "false"}, "domains.require_verified"),
        ({"testing_movable_clock": "true"}, "testing.movable_clock"),
        (
            {"testing_movable_clock": "true", "delivery_resolvers": "127.0.0.1:5335"},
            "testing.movable_clock",
        ),
        (
            {"testing_movable_clock": "true", "delivery_resolvers": "192.0.2.1", "delivery_mx_port": "2525"},
            "testing.movable_clock",
        ),
    ],
)
def test_an_unsafe_setting_is_named(unsafe, changes, setting):
    assert unsafe(**changes) == [setting]


@pytest.mark.parametrize(
    "changes",
    [
        {"http_host": "0.0.0.0", "http_trusted_proxies": "10.0.0.1"},
        {"http_host": "localhost"},
        {"http_host": "::1"},
        {"delivery_route": "relay", "delivery_relay_url": "smtp://relay.example.com"},
        {"delivery_allow_private_addresses": "true", "delivery_mx_port": "2525"},
        {"data_directory": "/nonexistent/data"},
        {"testing_movable_clock": "true", "delivery_resolvers": "127.0.0.1:5335", "delivery_mx_port": "2525"},
    ],
)
def test_a_safe_variation_passes(unsafe, changes):
    assert unsafe(**changes) == []


def test_names_of_the_examples_are_refused_where_mail_goes_out_under_them(unsafe):
    given = {
        "delivery_hostname": "Mail.Example.com.",
        "return_path_domain": "bounces.example.org",
        "http_public_url": "https://mail.example.net",
    }
    assert unsafe(**given) == ["delivery.hostname", "return_path.domain", "http.public_url"]
    assert unsafe(delivery_hostname="mail.counterexample.com", return_path_domain="example.com.shop.test") == []
    assert unsafe(**given, delivery_mx_port="2525") == []
    assert unsafe(**given, delivery_route="relay", delivery_relay_url="smtp://relay.shop.test") == []


def test_a_data_directory_that_everybody_may_enter_is_unsafe(unsafe, safe):
    Path(safe["POSTROAD_DATA_DIRECTORY"]).chmod(0o755)
    assert unsafe() == ["data.directory"]


def test_root_does_not_serve_from_the_directory_of_another_user(unsafe, safe, monkeypatch):
    directory = Path(safe["POSTROAD_DATA_DIRECTORY"])
    if os.geteuid() == 0:
        assert unsafe() == []
        os.chown(directory, 65534, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert unsafe() == ["data.directory"]


def test_a_data_directory_that_cannot_be_looked_at_is_told(safe, tmp_path, monkeypatch):
    def closed(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "empty.toml").touch()
    settings = load(tmp_path / "empty.toml", safe)
    monkeypatch.setattr(Path, "stat", closed)
    (problem,) = check_production(settings)
    assert problem.sentence == (
        f"{safe['POSTROAD_DATA_DIRECTORY']} cannot be used: Permission denied. Choose another in data.directory, or "
        "let the user that runs Postroad into it."
    )


def test_a_data_directory_that_is_a_file_is_told(unsafe, tmp_path):
    (tmp_path / "file").touch()
    assert unsafe(data_directory=str(tmp_path / "file")) == ["data.directory"]


def test_a_data_directory_that_is_not_ours_is_told(unsafe, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert unsafe() == ["data.directory"]


def test_every_problem_is_a_sentence_that_says_what_to_do():
    for problem in check_production(Settings()):
        assert problem.sentence.count(". ") >= 1 or " must be " in problem.sentence


def test_in_development_nothing_leaves_the_machine(unsafe, safe, tmp_path):
    file = tmp_path / "relay.toml"
    file.write_text(
        "[delivery]\nroute = 'relay'\nrelay_url = 'smtp://relay.example.com'\n[[delivery.routes]]\nroute='mx'"
    )
    settings = for_development(load(file, {}))
    assert (settings.delivery.route, settings.delivery.routes, settings.delivery.relay_url) == ("capture", (), None)
    assert settings.delivery.hostname == "localhost"
    assert not settings.domains.require_verified
    assert settings.webhooks.allow_private_addresses


def test_in_development_mail_goes_to_a_simulated_internet_where_the_settings_point_at_one(safe, tmp_path):
    empty = tmp_path / "none.toml"
    empty.touch()

    def route(**changes):
        environment = safe | {f"POSTROAD_DELIVERY_{name.upper()}": value for name, value in changes.items()}
        return for_development(load(empty, environment)).delivery

    simulated = route(resolvers="127.0.0.1:5335", mx_port="2525")
    assert (simulated.route, simulated.allow_private_addresses) == (RouteKind.MX, True)
    for changes in ({"resolvers": "127.0.0.1"}, {"mx_port": "2525"}, {"resolvers": "192.0.2.1", "mx_port": "2525"}):
        captured = route(**changes)
        assert (captured.route, captured.allow_private_addresses) == (RouteKind.CAPTURE, False)


def test_in_development_the_clock_may_be_moved():
    assert for_development(Settings()).testing.movable_clock
    assert not Settings().testing.movable_clock
