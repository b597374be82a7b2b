"""What a log line may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog
from msgspec.structs import replace

from postroad.app import logs
from postroad.app.administration import alone
from postroad.config import LogFormat, Settings
from postroad.model.composition import SigningKey
from postroad.pipeline.press import PressOutside


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def _fail_beside_a_secret() -> None:
    key = "hidden" * 2
    raise ValueError(f"the key has {len(key)} characters")


def _text(settings: Settings) -> None:
    logs.configure(replace(settings, log=replace(settings.log, format=LogFormat.TEXT)))


@pytest.mark.parametrize("configure", [logs.configure, _text, alone._log_to_standard_error])
def test_a_traceback_in_the_log_shows_no_values(
    configure: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(Settings())
    try:
        _fail_beside_a_secret()
    except ValueError:
        structlog.get_logger("tests").exception("failed")
    said = capsys.readouterr().err
    assert "the key has 12 characters" in said
    assert "hiddenhidden" not in said


async def test_a_composing_process_logs_no_keys(capfd: pytest.CaptureFixture[str]) -> None:
    press = PressOutside(1)
    key = SigningKey(id="key", domain="a.test", selector="s", algorithm="rsa-sha256", private=b"hidden" * 3)
    assert await press.compose([], [key]) == []
    await press.close()
    said = capfd.readouterr().err
    assert "signing_key_unusable" in said
    assert "hidden" not in said
