"""Write the next migration, by comparing the schema with a store at the newest step.

Use: `python tools/new_migration.py NAME`.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from postroad.store import migrate
from postroad.store.database import Database


def main(message: str) -> None:
    """Write a file into the versions folder; read it before it is committed, and set HEAD."""
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


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
