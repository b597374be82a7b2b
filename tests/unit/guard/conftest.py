"""The fixtures of the tests of the reputation guard."""

from doors import house
from stores import clock, database, mints, postgres_template, project, sqlite_template, store_url

__all__ = ["clock", "database", "house", "mints", "postgres_template", "project", "sqlite_template", "store_url"]
