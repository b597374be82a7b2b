"""The fixtures of the tests of the operator's hands, on SQLite: the store's own tests run on both engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from doors import house
from stores import clock, database, mints, project, sqlite_template

__all__ = ["clock", "database", "house", "mints", "project", "sqlite_template", "store_url"]


@pytest.fixture
def store_url(tmp_path: Path, sqlite_template: Path) -> str:
    path = tmp_path / "store.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"
