"""Write the next migration, by comparing the schema with a store at the newest step.

Use: `python tools/new_migration.py NAME`, for instance `python tools/new_migration.py add tracking hosts`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config

from postroad.store import migrate
from postroad.store.database import Database


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a file into the versions folder; read it before it is committed, and set HEAD."""
    message = _message(arguments)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/new.db")
        scripts = Path(migrate.__file__).parent / "migrations"
        steps = sorted(path.name[:4] for path in (scripts / "versions").glob("0*.py"))
        config = Config()
        config.set_main_option("script_location", str(scripts))
        with database.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            command.revision(config, message, autogenerate=True, rev_id=f"{int(steps[-1]) + 1 if steps else 1:04d}")
        database.close()


def _message(arguments: Sequence[str] | None) -> str:
    """Return what the migration is called: a word or several."""
    parser = argparse.ArgumentParser(
        prog="python tools/new_migration.py",
        description="Write the next migration, by comparing the schema with a store at the newest step. Read it before "
        "you commit it, and set HEAD in postroad/store/migrations.",
    )
    parser.add_argument("name", metavar="NAME", nargs="+", help="what it does, in a few words: add tracking hosts")
    message = " ".join(parser.parse_args(arguments).name).strip()
    if not message:
        parser.error("the migration needs a NAME that says what it does")
    return message


if __name__ == "__main__":
    main()
