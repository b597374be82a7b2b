"""Connections to PostgreSQL: neither side waits long for one that is cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from peers.fixtures import present
from peers.postgres import postgres_server
from postroad.store.engines import connect_readers, connect_writer


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with present(postgres_server()) as server:
        yield server.url()


@pytest.mark.parametrize("connect", [connect_writer, connect_readers])
def test_both_sides_end_a_connection_that_is_cut_off_soon(connect: Callable[..., Engine], url: str) -> None:
    engine = connect(url, connections=1)
    with engine.connect() as connection:
        asked = ("idle_in_transaction_session_timeout", "tcp_user_timeout", "tcp_keepalives_idle")
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in asked]
        own = connection.connection.driver_connection.info.get_parameters()
    engine.dispose()
    assert found == ["10s", "10000", "10"]
    assert (own["tcp_user_timeout"], own["keepalives_idle"]) == ("10000", "10")


def test_the_url_may_ask_for_more_patience(url: str) -> None:
    engine = connect_writer(f"{url}?tcp_user_timeout=60000", connections=1)
    with engine.connect() as connection:
        own = connection.connection.driver_connection.info.get_parameters()
    engine.dispose()
    assert (own["tcp_user_timeout"], own["keepalives_idle"]) == ("60000", "10")
