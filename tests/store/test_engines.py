"""Connections to PostgreSQL: what they ask of the server, and that neither side waits long for one that is cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from peers.fixtures import present
from peers.postgres import postgres_server
from postroad.store.engines import connect_readers, connect_writer, is_away, is_transient


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


@pytest.mark.parametrize("connect", [connect_writer, connect_readers])
def test_no_statement_is_compiled(connect: Callable[..., Engine], url: str) -> None:
    engine = connect(url, connections=1)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW jit").scalar_one() == "off"
    engine.dispose()


def test_content_is_compressed_by_lz4_where_the_server_has_it(url: str) -> None:
    engine = connect_writer(url, connections=1)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE long (content bytea)")
        connection.exec_driver_sql("INSERT INTO long VALUES (convert_to(repeat('Dear reader, ', 1000), 'UTF8'))")
        used, offered = connection.exec_driver_sql(
            "SELECT pg_column_compression(content), (SELECT 'lz4' = ANY (enumvals) FROM pg_settings "
            "WHERE name = 'default_toast_compression') FROM long"
        ).one()
    engine.dispose()
    assert used == ("lz4" if offered else "pglz")


def test_the_url_may_ask_for_more_patience(url: str) -> None:
    engine = connect_writer(f"{url}?tcp_user_timeout=60000", connections=1)
    with engine.connect() as connection:
        own = connection.connection.driver_connection.info.get_parameters()
    engine.dispose()
    assert (own["tcp_user_timeout"], own["keepalives_idle"]) == ("60000", "10")


@pytest.mark.parametrize("connect", [connect_writer, connect_readers])
@pytest.mark.parametrize(
    ("node", "given", "called"),
    [("node_1", "", "postroad/node_1"), ("", "", "postroad"), ("node_1", "?application_name=mail", "mail")],
)
def test_a_connection_says_whose_it_is_unless_the_url_names_it(
    connect: Callable[..., Engine], url: str, node: str, given: str, called: str
) -> None:
    engine = connect(url + given, connections=1, node=node)
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).scalar_one()
    engine.dispose()
    assert found == called


def failure(state: str | None, kind: type[psycopg.Error] = psycopg.Error) -> DBAPIError:
    """Return an error as the store meets it when the connection itself seems to be well."""
    original = kind("it failed")
    original.sqlstate = state
    return DBAPIError("SELECT 1", None, original)


@pytest.mark.parametrize(
    "state",
    [
        "08000", "08003", "08006", "08P01", "25P03", "25P04", "53100", "53300", "57014", "57P01", "57P02", "57P03",
        "57P04", "57P05", "58030",
    ],
)  # fmt: skip
def test_what_ends_a_connection_or_keeps_nothing_now_is_no_bug_of_ours(state: str) -> None:
    assert is_away(failure(state))
    assert not is_transient(failure(state))


@pytest.mark.parametrize("state", ["23505", "25P02", "25006", "42601", "42P01", "22001", "XX000"])
def test_what_comes_again_however_often_it_is_tried_is_one(state: str) -> None:
    assert not is_away(failure(state))


def test_where_no_server_answered_it_is_away() -> None:
    assert is_away(failure(None, psycopg.OperationalError))
    assert not is_away(failure(None, psycopg.InterfaceError))


@pytest.mark.parametrize("connect", [connect_writer, connect_readers])
def test_a_connection_that_the_server_ended_is_replaced(connect: Callable[..., Engine], url: str) -> None:
    engine = connect(url, connections=1)
    with pytest.raises(DBAPIError) as failed, engine.begin() as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE 'as after a long pause' USING ERRCODE = '25P03'; END $$")
    assert failed.value.connection_invalidated
    assert is_away(failed.value)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.dispose()


def test_a_writer_that_met_a_standby_connects_anew_and_a_reader_that_writes_is_a_bug(url: str) -> None:
    writer, reader = connect_writer(url, connections=1), connect_readers(url, connections=1)
    with writer.begin() as connection:
        before = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with pytest.raises(DBAPIError) as met, writer.begin() as connection:
        connection.exec_driver_sql("DO $$ BEGIN SET TRANSACTION READ ONLY; CREATE TABLE unwanted (n int); END $$")
    assert is_away(met.value)
    with writer.begin() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() != before
    with pytest.raises(DBAPIError) as wrote, reader.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE unwanted (n int)")
    assert not is_away(wrote.value)
    writer.dispose()
    reader.dispose()
