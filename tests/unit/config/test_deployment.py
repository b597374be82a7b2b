"""What `deploy/` hands to operators fits the settings and what the program needs."""

import base64
import re
from pathlib import Path

import pytest

from postroad.config import Settings, check_production, load

DEPLOY = Path(__file__).parents[3] / "deploy"
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def started() -> Settings:
    """The settings that are a start for production, with a master key."""
    text = (DEPLOY / "postroad.toml").read_text()
    given = re.search(r'^master_key_file = "(.+)"', text, re.MULTILINE)
    assert given is not None
    assert given[1] in (DEPLOY / "postroad.service").read_text()
    return load(DEPLOY / "postroad.toml", {"POSTROAD_SECRETS_MASTER_KEY": KEY})


def test_the_settings_to_start_with_can_be_read(started):
    assert started.exchange.enabled


def test_the_unit_keeps_its_state_where_the_command_line_looks_for_it(started):
    unit = (DEPLOY / "postroad.service").read_text()
    state = re.search(r"^StateDirectory=(.+)$", unit, re.MULTILINE)
    assert state is not None
    assert started.data.directory == Path("/var/lib") / state[1]
    assert "POSTROAD_DATA_DIRECTORY=" not in unit


def test_the_unit_leaves_the_machines_boot_identifier_to_be_seen():
    unit = (DEPLOY / "postroad.service").read_text()
    assert not re.search(r"^ProcSubset=pid", unit, re.MULTILINE)


def test_the_settings_of_the_containers_are_safe_once_they_have_names_of_ones_own(tmp_path):
    text = (DEPLOY / "compose.yaml").read_text()
    given = dict(re.findall(r"^ +(POSTROAD_\w+): (.+)$", text, re.MULTILINE))
    secrets = {name for name in given if given[name].startswith("/run/secrets/")}
    environment = {name: value for name, value in given.items() if name not in secrets}
    environment |= {
        "POSTROAD_DATA_DIRECTORY": str(tmp_path),
        "POSTROAD_DATABASE_URL": "postgresql://postroad:secret@postgres/postroad",
        "POSTROAD_SECRETS_MASTER_KEY": KEY,
    }
    assert secrets == {"POSTROAD_DATABASE_URL_FILE", "POSTROAD_SECRETS_MASTER_KEY_FILE"}
    empty = tmp_path / "empty.toml"
    empty.touch()
    tmp_path.chmod(0o750)
    names = ["delivery.hostname", "return_path.domain", "http.public_url"]
    assert [problem.setting for problem in check_production(load(empty, environment))] == names
    own = {name: value.replace("example.com", "shop.test") for name, value in environment.items()}
    assert check_production(load(empty, own)) == []
