"""Files with secrets in them that others could read."""

import base64
import os
from pathlib import Path

import pytest

from postroad.config import check_production, exposed, load
from postroad.config.exposure import exposure, is_exposed

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def found(tmp_path):
    """Write a file of settings with a mode, and return which settings are exposed by which file."""

    def look(text: str, mode: int, **environment: str) -> list[tuple[str, str]]:
        file = tmp_path / "postroad.toml"
        file.write_text(text)
        file.chmod(mode)
        settings = load(file, {"POSTROAD_DATA_DIRECTORY": str(tmp_path / "data")} | environment)
        return [(each.setting, each.sentence.rpartition("/")[2]) for each in exposed(settings)]

    return look


def written(place: Path, mode: int) -> str:
    place.write_text(KEY)
    place.chmod(mode)
    return str(place)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o444, 0o620])
def test_a_key_file_that_is_open_to_group_or_others_is_told(found, tmp_path, mode):
    file = written(tmp_path / "key", mode)
    assert found(f"secrets.master_key_file = '{file}'", 0o644) == [("secrets.master_key", "key")]
    assert found("", 0o644, POSTROAD_SECRETS_MASTER_KEY_FILE=file) == [("secrets.master_key", "key")]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_file_of_its_owner_alone_is_well(found, tmp_path, mode):
    assert found(f"secrets.master_key_file = '{written(tmp_path / 'key', mode)}'", 0o644) == []


def test_settings_that_hold_a_secret_themselves_are_told_once(found):
    text = f"secrets.master_key = '{KEY}'\nhttp.admin_key = '{'a' * 32}'"
    assert found(text, 0o644) == [("http.admin_key", "postroad.toml")]
    assert found(text, 0o600) == []


def test_a_password_in_a_route_is_a_secret_and_a_url_without_one_is_none(found):
    route = "[[delivery.routes]]\nroute = 'relay'\nrelay_url = 'smtp://{}h.example'"
    assert found(route.format("u:secret@"), 0o644) == [("delivery.routes.relay_url", "postroad.toml")]
    assert found(route.format(""), 0o644) == []
    assert found("database.url = 'postgresql:///postroad'", 0o644) == []


def test_a_secret_from_the_environment_lies_in_no_file(found):
    assert found("", 0o644, POSTROAD_SECRETS_MASTER_KEY=KEY) == []


def test_the_key_of_a_certificate_is_looked_at_where_it_is_used(found, tmp_path):
    file = written(tmp_path / "key.pem", 0o644)
    assert found(f"exchange.tls_key = '{file}'", 0o600) == []
    assert found(f"exchange.enabled = true\nexchange.tls_key = '{file}'", 0o600) == [("exchange.tls_key", "key.pem")]
    assert found("exchange.enabled = true", 0o600) == []


def test_what_development_keeps_in_its_directory_is_looked_at(found, tmp_path):
    (tmp_path / "data").mkdir()
    written(tmp_path / "data" / "master.key", 0o644)
    assert found("", 0o600) == [("data.directory", "master.key")]


def test_root_may_hand_a_secret_to_a_group_and_to_nobody_else(tmp_path, monkeypatch):
    file = Path(written(tmp_path / "key", 0o640))
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    assert not is_exposed(file)
    file.chmod(0o660)
    assert is_exposed(file)
    file.chmod(0o644)
    assert is_exposed(file)


def test_root_sees_that_it_hands_a_secret_to_a_group(tmp_path, monkeypatch):
    file = Path(written(tmp_path / "key", 0o640))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for group, open_to_others in ((0, True), (995, False)):
        monkeypatch.setattr(
            Path, "stat", lambda _, group=group: os.stat_result((0o100640, 0, 0, 1, 0, group, *[0] * 4))
        )
        assert is_exposed(file) == open_to_others


def test_the_remedy_for_a_file_of_another_leaves_it_readable_for_us(tmp_path, monkeypatch):
    file = Path(written(tmp_path / "key", 0o644))
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    assert exposure(file).endswith(f"Run: chgrp {os.getegid()} {file} && chmod 640 {file}")


def test_a_file_that_is_gone_is_not_exposed(tmp_path):
    assert not is_exposed(tmp_path / "gone")


def test_it_is_unsafe_for_production(tmp_path):
    settings = load(None, {"POSTROAD_SECRETS_MASTER_KEY_FILE": written(tmp_path / "key", 0o644)})
    told = [problem.sentence for problem in check_production(settings) if problem.setting == "secrets.master_key"]
    assert told == [
        f"Others on this machine can read {tmp_path}/key, which holds a secret. Run: chmod 600 {tmp_path}/key"
    ]
