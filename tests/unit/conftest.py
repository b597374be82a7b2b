"""What holds for every unit test."""

from pathlib import Path

import pytest

from postroad.config import loading


@pytest.fixture(autouse=True)
def _no_installed_postroad(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of a Postroad that is installed on this machine out of the tests."""
    monkeypatch.setattr(loading, "SEARCHED", (Path("postroad.toml"),))
