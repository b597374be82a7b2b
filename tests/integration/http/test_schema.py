"""What OpenAPI promises is what the server does: schemathesis asks it everything, over real connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.openapi import from_dict

from doors import House, open_house
from postroad.config import Secret, Settings
from postroad.config.tree import Http
from postroad.http.openapi import documentation
from postroad.http.protocol import server_of
from postroad.model.ids import ProjectId
from postroad.model.project import Project
from postroad.store import audit, projects
from postroad.store.database import Database
from stores import CountingMint, StillClock

load_all_checks()
# A generated address or domain may have the right type and be no address: then the answer is 422, as documented.
_OURS = ("positive_data_acceptance",)
CHECKED = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in _OURS]
ENDLESS = "/v1/events/stream"
ADMIN_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A door over one store for all of the questions."""
    folder = tmp_path_factory.mktemp("schema")
    (folder / "store.db").write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{folder / 'store.db'}")
    clock = StillClock()
    mints = CountingMint(clock)
    project = Project(id=ProjectId(mints("prj")), name="default", created_at=clock.now())
    entry = audit.Entry(project_id=project.id, at=clock.now(), actor="test", action="made", subject=project.id)
    database.write_now(lambda connection: projects.insert(connection, project, entry))
    settings = Settings(http=Http(admin_key=Secret(ADMIN_KEY)))
    yield asyncio.run(open_house(database, clock, mints, project, folder, settings))
    database.close()


@pytest.fixture(scope="module")
def base_url(house: House) -> Iterator[str]:
    """The server's address; it runs on a thread of its own."""
    server = server_of(house.app, Http())
    server.config.port = 0
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


schema = from_dict(documentation()).exclude(path=ENDLESS)


@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload media types")
@schema.parametrize()
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_it_is_described(case: schemathesis.Case, house: House, base_url: str) -> None:
    secret = ADMIN_KEY if {"admin": []} in case.operation.definition.raw.get("security", []) else house.secret
    headers = {"Authorization": f"Bearer {secret}"}
    case.call_and_validate(base_url=base_url, headers=headers, checks=CHECKED)
