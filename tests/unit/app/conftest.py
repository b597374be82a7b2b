"""A data directory of a test's own, asked with a server on it and without one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace

from houses import served
from postroad.app.administration import administer
from postroad.app.administration.asking import ask
from postroad.app.administration.lines import Request
from postroad.config import Secret, Settings

Document = dict[str, object]
Ask = Callable[..., Document]


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    plain = Settings()
    return replace(
        plain,
        data=replace(plain.data, directory=tmp_path / "data"),
        secrets=replace(plain.secrets, master_key=Secret(base64.b64encode(bytes(range(32))).decode())),
        limits=replace(plain.limits, min_free_disk_octets=0, min_free_disk_percent=0),
        domains=replace(plain.domains, require_verified=False),
        delivery=replace(plain.delivery, resolvers=("127.0.0.1:9",), dns_timeout_s=0.2, compose_workers=0),
    )


@pytest.fixture(params=["socket", "alone"])
def told(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Ask]:
    """Carries out an operation: once through the socket of a server, once on the store itself."""
    if request.param == "alone":

        def alone(operation: str, **arguments: object) -> Document:
            return administer(settings, operation, arguments)

        yield alone
        return

    def through_socket(operation: str, **arguments: object) -> Document:
        answer = ask(settings.administration_socket, Request(operation, arguments))
        assert answer is not None, "nobody listens"
        return answer

    with served(settings):
        yield through_socket
