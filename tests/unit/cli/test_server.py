import base64
import tomllib

import pytest

from postroad.config import LogFormat, RouteKind, Settings, load

SAFE = f"""
secrets.master_key = "{base64.b64encode(bytes(32)).decode()}"
delivery.hostname = "mail.shop.test"
http.public_url = "https://mail.shop.test"
return_path.domain = "bounces.shop.test"
"""


@pytest.fixture
def safe(tmp_path):
    file = tmp_path / "safe.toml"
    file.write_text(SAFE)
    file.chmod(0o600)
    return str(file)


def test_dev_runs_everything_and_captures(postroad, server):
    assert postroad("dev").code == 0
    ((settings, dev, roles),) = server.runs
    assert settings.delivery.route is RouteKind.CAPTURE
    assert dev
    assert roles is None


def test_serve_refuses_unsafe_settings_and_says_what_to_do(postroad, server):
    ended = postroad("serve")
    assert ended.code == 1
    assert "delivery.hostname must be" in ended.err
    assert all(line.startswith("Error: ") for line in ended.err.splitlines())
    assert not server.runs


def test_serve_tells_programs_which_settings_are_unsafe(postroad):
    problem = postroad("serve", "--json").problem
    assert problem["code"] == "unsafe_settings"
    assert "delivery.hostname" in [error["pointer"] for error in problem["errors"]]


def test_serve_refuses_a_master_key_that_others_can_read_and_says_what_to_do(postroad, server, safe, tmp_path):
    key = tmp_path / "master-key"
    key.write_text(base64.b64encode(bytes(32)).decode())
    for mode, runs in ((0o644, 0), (0o640, 0), (0o604, 0), (0o600, 1)):
        key.chmod(mode)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("POSTROAD_SECRETS_MASTER_KEY_FILE", str(key))
            ended = postroad("serve", "--config", safe)
            doctor = postroad("doctor", "--config", safe)
        assert len(server.runs) == runs
        told = f"Others on this machine can read {key}, which holds a secret. Run: chmod 600 {key}"
        assert (told in ended.err, told in doctor.out) == (not runs, not runs)


def test_serve_runs_no_role_that_has_nothing_to_do(postroad, server, safe):
    ended = postroad("serve", "--config", safe, "--role", "exchange")
    assert (ended.code, server.runs) == (2, [])
    assert "exchange.enabled" in ended.err


def test_serve_runs_the_roles_it_is_given(postroad, server, safe):
    assert postroad("serve", "--config", safe, "--role", "http", "--role", "delivery").code == 0
    ((settings, dev, roles),) = server.runs
    assert settings.delivery.route is RouteKind.MX
    assert not dev
    assert roles == {"http", "delivery"}


def test_serve_with_json_logs_json(postroad, server, safe):
    postroad("serve", "--config", safe, "--json")
    assert server.runs[0][0].log.format is LogFormat.JSON
    assert server.runs[0][2] is None


def test_what_config_show_prints_can_be_read_back(postroad, safe, tmp_path):
    shown = postroad("config", "show", "--config", safe).out
    (tmp_path / "again.toml").write_text(shown)
    again = load(tmp_path / "again.toml", {})
    assert again.delivery == load(tmp_path / "safe.toml", {}).delivery
    assert again.secrets.master_key is None
    assert 'master_key = "********"' in shown


def test_config_show_prints_tables_and_quotes_as_toml(postroad, tmp_path):
    (tmp_path / "postroad.toml").write_text(
        "[data]\ndirectory = 'a\"b'\n[[delivery.routes]]\nroute = 'relay'\nrelay_url = 'smtp://u:secret@h.example'"
    )
    shown = postroad("config", "show").out
    assert tomllib.loads(shown)["data"]["directory"] == 'a"b'
    assert "secret" not in shown.replace("secrets", "").replace("secret ones", "")
    assert 'relay_url = "smtp://u:********@h.example"' in shown


def test_config_show_with_json_is_the_tree(postroad):
    assert postroad("config", "show", "--json").json["http"]["port"] == Settings().http.port


def test_config_check_says_what_is_unsafe(postroad, safe):
    ended = postroad("config", "check")
    assert ended.code == 1
    assert "problem" in ended.out
    assert postroad("config", "check", "--json").json["data"][0]["setting"] == "delivery.hostname"
    assert postroad("config", "check", "--config", safe).code == 0


def test_config_check_tells_of_ways_that_serve_would_refuse(postroad, server, safe):
    server.unusable = "delivery.pool names the pool 'main', which does not exist; add it to pools, or correct it"
    ended = postroad("config", "check", "--config", safe)
    assert (ended.code, ended.out) == (1, f"problem  {server.unusable}.\n")
    server.answers = [{"findings": [], "domains": []}]
    assert postroad("doctor", "--config", safe).out == f"warning  {server.unusable}.\n"


def test_config_check_tells_of_limits_that_serve_would_refuse(postroad, server, safe):
    server.unusable_limits = "shaping.file names limits.toml, which cannot be read"
    ended = postroad("config", "check", "--config", safe, "--json")
    assert (ended.code, [each["setting"] for each in ended.json["data"]]) == (1, ["shaping.file"])


def test_doctor_says_in_a_directory_of_development_what_is_for_later(postroad, server, tmp_path, monkeypatch):
    server.answers = [{"findings": [], "domains": []}] * 2
    monkeypatch.setenv("POSTROAD_DATA_DIRECTORY", str(tmp_path))
    assert postroad("doctor").out.startswith("warning  delivery.hostname must be")
    (tmp_path / "dev.key").touch(0o600)
    assert postroad("doctor").out.startswith("warning  Before `postroad serve`: delivery.hostname must be")


FOUND = {
    "findings": [
        {"name": "disk", "state": "problem", "detail": "1 % of the disk is free.", "remedy": "Make room."},
        {"name": "store", "state": "ok", "detail": "SQLite 3.52."},
    ],
    "domains": [
        {
            "name": "a.example",
            "state": "pending",
            "records": [
                {
                    "purpose": "DKIM",
                    "type": "TXT",
                    "name": "pr._domainkey.a.example",
                    "state": "missing",
                    "wanted": "v=DKIM1; p=x",
                    "found": [],
                    "change": "Add it.",
                },
                {"purpose": "SPF", "type": "TXT", "name": "a.example", "state": "ok", "found": ["v=spf1", "other"]},
            ],
        }
    ],
}


def test_doctor_tells_what_it_found_with_the_remedies(postroad, server, safe):
    server.answers = [dict(FOUND)]
    ended = postroad("doctor", "--config", safe)
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "problem  1 % of the disk is free.",
        "    Make room.",
        "ok  SQLite 3.52.",
        "",
        "a.example  pending",
        "  DKIM  TXT  pr._domainkey.a.example  missing",
        "    wanted  v=DKIM1; p=x",
        "    change  Add it.",
        "  SPF  TXT  a.example  ok",
        "    found   v=spf1",
        "    found   other",
    ]


def test_doctor_counts_unsafe_settings_as_warnings(postroad, server):
    ended = postroad("doctor", "--json")
    assert ended.code == 0
    assert {finding["state"] for finding in ended.json["findings"]} == {"warning"}


def test_doctor_says_when_there_is_nothing_to_change(postroad, safe):
    assert postroad("doctor", "--config", safe).out == "ok  nothing to change\n"


def test_domain_check_fails_until_the_domain_is_verified(postroad, server):
    server.answers = [dict(FOUND["domains"][0]), {"name": "a.example", "state": "verified", "records": []}]
    pending = postroad("domain", "check", "a.example")
    assert pending.code == 1
    assert "v=DKIM1; p=x" in pending.out
    assert postroad("domain", "check", "a.example", "--json").code == 0
