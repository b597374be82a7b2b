"""The fixtures of every test that needs a store."""

from stores import another, clock, database, mints, postgres_template, project, sqlite_template, store_url

__all__ = ["another", "clock", "database", "mints", "postgres_template", "project", "sqlite_template", "store_url"]
