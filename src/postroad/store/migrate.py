"""Bring a store to the newest schema: at every start, and by `postroad migrate`."""

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from postroad.model.errors import Unavailable
from postroad.store.database import Database
from postroad.store.engines import MIGRATION_LOCK
from postroad.store.migrations import HEAD

_SCRIPTS = Path(__file__).parent / "migrations"


class SchemaNewer(Exception):  # noqa: N818 - a sentence for the operator, raised at start only
    """The store was written by a newer Postroad."""


def current(connection: Connection) -> str | None:
    """Return the step the store stands at, None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(database: Database) -> bool:
    """Take every step that is missing, and return whether there was one. Two nodes that start together take turns.

    Raises:
        SchemaNewer: the store stands at a step that this release does not know.
        Unavailable: the database does not answer.
    """
    with _connect(database) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
            connection.commit()
        try:
            return _migrate(connection)
        finally:
            connection.rollback()
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
                connection.commit()


def _connect(database: Database) -> Connection:
    try:
        return database.engine.connect()
    except (OperationalError, ProgrammingError) as error:  # the latter: an option in the URL that there is not
        said = str(error.orig).partition("\n")[0]
        raise Unavailable(
            "store_unavailable",
            f"The database does not answer ({said}). Start it, or correct POSTROAD_DATABASE_URL.",
            retry_after_s=5,
        ) from error


def _migrate(connection: Connection) -> bool:
    revision = current(connection)
    connection.rollback()
    if revision == HEAD:
        return False
    if revision is not None and revision > HEAD:
        raise SchemaNewer(
            f"the store is at schema {revision}, and this release of Postroad knows {HEAD} at the newest; "
            "install the release that wrote it, or a newer one"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    return True
