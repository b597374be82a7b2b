"""Golden files: octets that were looked at once and must not change unnoticed; `--update-golden` writes them anew."""

from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files from what is made now")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Return a check that octets are those of a file beside the test."""

    def check(name: str, octets: bytes) -> None:
        path = Path(request.path).parent / name
        if request.config.getoption("--update-golden", default=False):
            path.write_bytes(octets)
        assert octets == path.read_bytes(), (
            f"{name} is not what is made now; look, then run pytest tests/golden --update-golden"
        )

    return check
